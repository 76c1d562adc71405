/** Networks of our own, all the way to a file. */
import { floatTensor } from '../../src/core/tensor.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import type { Layer } from '../../src/models/layers.ts';
import type { WeightRanges } from '../../src/passes/index.ts';
import { evalPasses, freezePasses, lowerToIntegers, runPasses, trainedRanges } from '../../src/passes/index.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { add, conv, dense, network, pool, scattered } from '../models/networks.ts';
import { buildModel } from '../models/forms.ts';

/** Every op that a network of ours may hold in a file, on images [6, 6, 2]. */
export const everyLayer: readonly Layer[] = [
  conv('conv1', 4, 3, { batch_norm: true }),
  conv('conv2', 4, 3, { activation: 'none', dilation: [2, 1] }),
  add('join', 'conv1'),
  pool('max_pool_2d', 'largest'),
  conv('conv3', 5, 2, { activation: 'relu6', padding: 'same' }),
  { kind: 'average_pool_2d', name: 'average', window: [2, 2], stride: [1, 1], padding: 'same' },
  dense('fc1', 6, { activation: 'relu' }),
  dense('logits', 3),
];

/** What a network is drawn and quantized by. */
interface Drawn {
  readonly seed?: number;
  readonly denseWeights?: WeightRanges;
  /** Of every activation; otherwise drawn, both ends. */
  readonly range?: readonly [min: number, max: number];
}

/** The eval graph with parameters as constants, and batch norm folded. */
export function frozen(layers: readonly Layer[], { seed = 3, denseWeights = 'per_channel', range }: Drawn = {}): Graph {
  const drawn = scattered(seed);
  const tensor: typeof drawn = (name, shape) => {
    const isRange = range !== undefined && name.includes('/act_quant/');
    return isRange ? floatTensor([], [range[name.endsWith('/min') ? 0 : 1]]) : drawn(name, shape);
  };
  const model = buildModel(network(layers), 1, 'inference', { kind: 'given', tensor });
  const options = { ranges: trainedRanges(tensor), input: { min: 0, max: 1 }, denseWeights } as const;
  return runPasses(runPasses(model, evalPasses(options)), [...freezePasses]);
}

export function lowered(
  layers: readonly Layer[],
  drawn: Drawn = {},
): { readonly graph: Graph; readonly bytes: Uint8Array } {
  const graph = verify(lowerToIntegers(frozen(layers, drawn), 'int8', 'frozen.pb').graph);
  return { graph, bytes: writeTflite(graph) };
}
