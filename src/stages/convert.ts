import { Type } from '@sinclair/typebox';
import { choice, derived, key } from '../core/schema.ts';
import { elementBytes, numElements } from '../core/tensor.ts';
import { purposesOf } from '../graph/contract.ts';
import type { Graph } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import { verify } from '../graph/verify.ts';
import { importGraphDef } from '../graphdef/import.ts';
import { encodeMetadata, metadataName, modelMetadata } from '../models/metadata.ts';
import { lowerToIntegers, setEdgeTypes } from '../passes/index.ts';
import { readGraphDef } from '../formats/protobuf/graph-def.ts';
import { targetField } from '../targets/config.ts';
import { checkFile } from '../targets/file.ts';
import { planArena } from '../targets/arena.ts';
import { macsOf, memoryOf } from '../targets/memory.ts';
import { writeTflite } from '../tflite/write.ts';
import { readQatModel } from '../training/checkpoint.ts';
import { defineStage } from './define.ts';
import { inputPath, readInput, writeOutput } from './files.ts';
import type { ConvertMetrics } from '../measurements/metrics.ts';

const outputs = { model: { type: 'Tflite/1', file: 'model.tflite' } } as const;

const edgeType = (does: string) =>
  choice(
    ['int8', 'uint8', 'float32'],
    key(`Type that the model ${does}: integer codes, or floats (converted inside the model)`),
  );

export const convert = defineStage({
  kind: 'convert',
  revision: 4,
  description: 'Writes the integer model as a .tflite file',
  from: { accepts: ['FrozenGraph/1'], optional: false },
  produces: 'Tflite/1',
  uses: [],
  inputs: { graph: { type: 'FrozenGraph/1', optional: false }, model: { type: 'QatModel/2', optional: false } },
  outputs,
  fields: {
    scheme: derived(
      choice(
        ['int8', 'uint8'],
        key('Quantization scheme of the file; must be the one that the weights were trained for'),
      ),
      'scheme of the qat stage',
    ),
    input: derived(edgeType('takes'), 'type of the scheme'),
    output: derived(edgeType('returns'), 'type of the scheme'),
    targets: Type.Optional(
      derived(targetField(key('Targets that the file is checked against')), 'the `target` of the pipeline'),
    ),
    metadata: Type.Boolean({
      ...key(
        'Whether the file also says the class names in their order, the meaning of its input, and the task, as JSON under the name `qpipe`',
      ),
      default: true,
    }),
  },

  async run({ scheme, input, output, metadata, targets = [] }, context) {
    const file = inputPath(context, 'graph');
    const frozen = importGraphDef(readGraphDef(await readInput(context, 'graph'), file), new Map(), file);
    const { graph: lowered, adjustments } = lowerToIntegers(frozen, scheme, file);
    const graph = setEdgeTypes(verify(lowered), { input, output });
    const { contract } = await readQatModel(inputPath(context, 'model'));
    const purposes = purposesOf(contract);
    const entries = metadata ? [[metadataName, encodeMetadata(modelMetadata(...purposes))] as const] : [];
    const names = purposes.flatMap(({ output: name }) => name ?? []);
    const bytes = writeTflite(verify(graph), new Map(entries), names);
    const checked = checkFile(graph, bytes.length, targets, outputs.model.file);
    await writeOutput(context, outputs.model, bytes);
    return {
      metrics: {
        kind: 'convert',
        scheme,
        ...describe(graph, bytes.length),
        targets: checked.map(({ name, title, leaves }) => ({ name, title, leaves: [...leaves] })),
        adjustments: [...adjustments],
        memory: { ...memoryOf(graph), buffers: planArena(graph).buffers.map((buffer) => ({ ...buffer })) },
      } satisfies ConvertMetrics,
    };
  },
});

/** Where the bytes of the file go, and what it runs. */
function describe(
  graph: Graph,
  bytes: number,
): Pick<ConvertMetrics, 'bytes' | 'floatBytes' | 'sections' | 'operators'> {
  let [weights, biases, parameters] = [0, 0, 0];
  for (const { source, type } of graph.values.values()) {
    if (source.kind !== 'constant') continue;
    const elements = numElements(type.shape);
    parameters += elements;
    if (type.dtype === 'int32') biases += elements * elementBytes.int32;
    else weights += elements * elementBytes[type.dtype];
  }
  return {
    bytes,
    floatBytes: parameters * elementBytes.float32,
    sections: { weights, biases, other: bytes - weights - biases },
    operators: graph.nodes.map((node) => ({
      ...{ op: node.op, name: node.name, outputShape: [...valueOf(graph, node.name).type.shape] },
      macs: macsOf(graph, node),
    })),
  };
}
