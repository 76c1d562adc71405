import { internal } from '../core/assert.ts';
import { perTensor } from '../core/affine.ts';
import type { Split } from '../data/dataset.ts';
import type { Normalization } from '../data/batches.ts';
import { fillBatch } from '../data/batches.ts';
import type { Session } from '../engine/engine.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { consumers, valueOf } from '../graph/graph.ts';
import type { Interpreter } from '../interpreter/interpreter.ts';
import { ops } from '../ops/index.ts';
import { removeFakeQuant, setBatch } from '../passes/index.ts';
import { modelInput } from './graphs.ts';
import { quantizeImages } from './integer-input.ts';
import type { TestMetrics } from './metrics.ts';

type LayerMetrics = TestMetrics['layers'][number];

/** Images on which every layer is compared. */
const comparedImages = 64;

/**
 * Compares every layer's output on the same images: the integers against the fake-quant graph, and against the float
 * graph with the same weights.
 *
 * @param evalGraph level eval, any batch
 */
export async function compareLayers(
  interpreter: Interpreter,
  evalGraph: Graph,
  split: Split,
  normalize: Normalization,
  open: (graph: Graph) => Promise<Session>,
): Promise<readonly LayerMetrics[]> {
  const count = Math.min(comparedImages, split.count);
  // Rescaling and padding that only the integer graph needs have no counterpart.
  const nodes = interpreter.graph.nodes.filter(({ name }) => evalGraph.values.has(name));
  const own = new Set(nodes.map(({ name }) => name));
  const layers = nodes.map((node) => ({
    node,
    counterpart: counterpartOf(evalGraph, node.name, own),
  }));
  const fakeQuant = await layerOutputs(
    evalGraph,
    layers.map(({ counterpart }) => counterpart.quantized),
    split,
    count,
    normalize,
    open,
  );
  const float = await layerOutputs(
    removeFakeQuant(evalGraph),
    layers.map(({ counterpart }) => counterpart.activated),
    split,
    count,
    normalize,
    open,
  );
  const integers = integerOutputs(interpreter, split, count, normalize);
  return layers.map(({ node, counterpart }) =>
    describeLayer(
      interpreter.graph,
      node,
      integers.get(node.name) ?? internal(`no integers of ${node.name}`),
      fakeQuant.get(counterpart.quantized) ?? internal(`no values of ${counterpart.quantized}`),
      float.get(counterpart.activated) ?? internal(`no values of ${counterpart.activated}`),
    ),
  );
}

/**
 * The float value that an integer layer stands for: its own node, followed through batch norm, the activation and the
 * fake quantizer that went into it, in whichever order the last two come.
 *
 * @param own names of the integer layers: what is a layer of its own was not fused
 */
function counterpartOf(
  graph: Graph,
  name: string,
  own: ReadonlySet<string>,
): { readonly activated: string; readonly quantized: string } {
  const readers = consumers(graph);
  let [activated, quantized] = [name, name];
  for (;;) {
    const [reader, ...others] = readers.get(quantized) ?? [];
    if (reader === undefined || others.length > 0 || own.has(reader.name)) return { activated, quantized };
    const { kind } = ops[reader.op].quant;
    if (kind !== 'quantizer' && kind !== 'folded' && kind !== 'activation') return { activated, quantized };
    quantized = reader.name;
    if (kind !== 'quantizer') activated = quantized;
  }
}

async function layerOutputs(
  graph: Graph,
  names: readonly string[],
  split: Split,
  count: number,
  normalize: Normalization,
  open: (graph: Graph) => Promise<Session>,
): Promise<ReadonlyMap<string, Float32Array>> {
  const batched = setBatch(graph, count);
  const images = new Float32Array((split.images.length / split.count) * count);
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  fillBatch(split, order, 0, count, normalize, images, new Float32Array(count));
  const session = await open({ ...batched, outputs: [...new Set(names)] });
  try {
    return await session.run(new Map([[modelInput(batched), images]]));
  } finally {
    await session.close();
  }
}

function integerOutputs(
  interpreter: Interpreter,
  split: Split,
  count: number,
  normalize: Normalization,
): ReadonlyMap<string, Int32Array> {
  const { graph } = interpreter;
  const outputs = new Map(
    graph.nodes.map((node) => [node.name, new Int32Array(interpreter.peek(node.name).length * count)] as const),
  );
  const images = quantizeImages(graph, normalize);
  for (let index = 0; index < count; index++) {
    interpreter.run([images(split, index)]);
    for (const [name, all] of outputs) {
      const codes = interpreter.peek(name);
      all.set(codes, index * codes.length);
    }
  }
  return outputs;
}

function describeLayer(
  graph: Graph,
  node: Node,
  codes: Int32Array,
  fakeQuant: Float32Array,
  float: Float32Array,
): LayerMetrics {
  const { type, quant } = valueOf(graph, node.name);
  const { scale, zeroPoint } = perTensor(quant, node.name);
  const fakeQuantError = errorOf(codes, fakeQuant, scale, zeroPoint);
  const floatError = errorOf(codes, float, scale, zeroPoint);
  const filter = ops[node.op].quant.kind === 'affine' ? valueOf(graph, node.inputs[1] ?? '').quant : null;
  return {
    name: node.name,
    op: node.op,
    shape: [...type.shape],
    scale,
    zeroPoint,
    weightScales:
      filter?.kind === 'per_channel'
        ? { min: Math.min(...filter.scales), max: Math.max(...filter.scales), count: filter.scales.length }
        : null,
    sqnrDb: fakeQuantError.sqnrDb,
    floatSqnrDb: floatError.sqnrDb,
    withinOneStep: fakeQuantError.withinOneStep,
    largestDifference: fakeQuantError.largest,
    clippedShare: shareOf(float, (x) => x < scale * (-128 - zeroPoint - 0.5) || x > scale * (127 - zeroPoint + 0.5)),
    usedCodes: new Set(codes).size,
  };
}

interface LayerError {
  /** Signal to quantization noise; null when there is no noise or no signal. */
  readonly sqnrDb: number | null;
  /** Share of values that are at most one step apart. */
  readonly withinOneStep: number;
  /** Largest difference in steps. */
  readonly largest: number;
}

function errorOf(codes: Int32Array, reference: Float32Array, scale: number, zeroPoint: number): LayerError {
  let [signal, noise, within, largest] = [0, 0, 0, 0];
  for (let index = 0; index < codes.length; index++) {
    const real = scale * (codes[index]! - zeroPoint);
    const difference = real - reference[index]!;
    signal += reference[index]! ** 2;
    noise += difference ** 2;
    const steps = Math.abs(difference) / scale;
    // A thousandth of a step is float32 noise of the reference, not a step.
    if (steps <= 1.001) within++;
    if (steps > largest) largest = steps;
  }
  return {
    sqnrDb: signal > 0 && noise > 0 ? 10 * Math.log10(signal / noise) : null,
    withinOneStep: within / codes.length,
    largest: Math.round(largest * 1000) / 1000,
  };
}

function shareOf(values: Float32Array, test: (x: number) => boolean): number {
  let count = 0;
  for (const value of values) if (test(value)) count++;
  return count / values.length;
}
