import type { Graph } from '../graph/graph.ts';
import { exportGraphDef } from '../graphdef/export.ts';
import { importGraphDef } from '../graphdef/import.ts';
import { readSafetensors } from '../formats/safetensors.ts';
import { freezePasses, runPasses } from '../passes/index.ts';
import { readGraphDef, writeGraphDef } from '../formats/protobuf/graph-def.ts';
import type { StageContext } from '../runner/plan.ts';
import { defineStage } from './define.ts';
import { inputPath, readInput, writeOutput } from './files.ts';

const outputs = { graph: { type: 'FrozenGraph/1', file: 'frozen.pb' } } as const;

export const freeze = defineStage({
  kind: 'freeze',
  revision: 1,
  description:
    'Turns the variables of the eval graph into constants and removes everything that inference does not need',
  from: { accepts: ['EvalGraph/1'], optional: false },
  produces: 'FrozenGraph/1',
  uses: [],
  inputs: { graph: { type: 'EvalGraph/1', optional: false }, checkpoint: { type: 'Checkpoint/1', optional: false } },
  outputs,
  fields: {},

  async run(_config, context) {
    const frozen = runPasses(await readEvalGraph(context), freezePasses);
    await writeOutput(context, outputs.graph, writeGraphDef(exportGraphDef(frozen).graphDef));
    return { metrics: { nodes: frozen.nodes.length } };
  },
});

/** The eval graph of the files `graph` and `checkpoint`, its variables filled in. */
export async function readEvalGraph(context: StageContext): Promise<Graph> {
  const checkpoint = readSafetensors(await readInput(context, 'checkpoint'), inputPath(context, 'checkpoint'));
  const file = inputPath(context, 'graph');
  return importGraphDef(readGraphDef(await readInput(context, 'graph'), file), checkpoint.tensors, file);
}
