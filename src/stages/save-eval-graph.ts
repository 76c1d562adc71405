import { exportGraphDef } from '../graphdef/export.ts';
import { writeSafetensors } from '../formats/safetensors.ts';
import { writeGraphDef } from '../formats/protobuf/graph-def.ts';
import { trainedRanges } from '../passes/index.ts';
import { readQatModel, tensorSource } from '../training/checkpoint.ts';
import { defineStage } from './define.ts';
import { inputPath, writeOutput } from './files.ts';
import { evalGraph } from '../evaluation/graphs.ts';

const outputs = {
  graph: { type: 'EvalGraph/1', file: 'eval_graph.pb' },
  checkpoint: { type: 'Checkpoint/1', file: 'checkpoint.safetensors' },
} as const;

export const saveEvalGraph = defineStage({
  kind: 'save-eval-graph',
  revision: 1,
  description: 'Writes the inference graph with fake quantization, and the values of its variables',
  from: { accepts: ['QatModel/2'], optional: false },
  produces: 'EvalGraph/1',
  uses: [],
  inputs: { model: { type: 'QatModel/2', optional: false } },
  outputs,
  fields: {},

  async run(_config, context) {
    const file = inputPath(context, 'model');
    const model = await readQatModel(file);
    const ranges = trainedRanges(tensorSource(model.tensors, file));
    const { graphDef, variables } = exportGraphDef(evalGraph(model, ranges, model.quantization));
    await writeOutput(context, outputs.graph, writeGraphDef(graphDef));
    // In TensorFlow's layout and under the names of the graph's variables.
    await writeOutput(context, outputs.checkpoint, writeSafetensors({ tensors: variables, metadata: new Map() }));
    return { metrics: {} };
  },
});
