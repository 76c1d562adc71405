import { internal } from '../core/assert.ts';
import type { IntegerRange } from '../core/affine.ts';
import { channelScales, integerRanges, perTensor, quantizeValue } from '../core/affine.ts';
import { numElements } from '../core/tensor.ts';
import type { Split } from '../data/dataset.ts';
import type { Normalization } from '../data/batches.ts';
import { fillBatch, realValues } from '../data/batches.ts';
import type { Session } from '../engine/engine.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { consumers, producers, valueOf } from '../graph/graph.ts';
import type { Interpreter } from '../interpreter/interpreter.ts';
import { prepareInterpreter } from '../interpreter/interpreter.ts';
import type { QuantRule } from '../ops/define.ts';
import { ops } from '../ops/index.ts';
import { removeFakeQuant, setBatch } from '../passes/index.ts';
import { modelInput } from './graphs.ts';
import { modelImages } from './integer-input.ts';
import type { TestMetrics } from './metrics.ts';

type LayerMetrics = TestMetrics['layers'][number];

/** Images on which every layer is compared. */
const comparedImages = 64;

/** Runs a float or eval graph on the compared images; the values are [images, ...shape of the layer]. */
type Run = (graph: Graph, outputs: readonly string[]) => Promise<ReadonlyMap<string, Float32Array>>;

/**
 * Compares every layer's output on the same images: the integers, the fake-quant graph, and the float graph with the
 * same weights.
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
  // What conversion added (a change of scale or type, a pad) has no counterpart and computes nothing new.
  const nodes = interpreter.graph.nodes.filter(({ name }) => evalGraph.values.has(name));
  const own = new Set(nodes.map(({ name }) => name));
  const layers = nodes.map((node) => ({ node, counterpart: counterpartOf(evalGraph, node.name, own) }));
  const run: Run = (graph, outputs) => runOnImages(graph, outputs, split, count, normalize, open);
  const fakeQuant = await run(
    evalGraph,
    layers.map(({ counterpart }) => counterpart.quantized),
  );
  const floatGraph = removeFakeQuant(evalGraph);
  const [output = ''] = floatGraph.outputs;
  const float = await run(floatGraph, [...layers.map(({ counterpart }) => counterpart.activated), output]);
  const names = layers.map(({ node }) => node.name);
  const integers = integerOutputs(interpreter, names, split, count, normalize);
  const result: LayerMetrics[] = [];
  const codesOf = fakeQuantCodes(interpreter.graph, split, count, normalize, (name) => {
    const layer = layers.find(({ node }) => node.name === name);
    return layer === undefined ? null : (fakeQuant.get(layer.counterpart.quantized) ?? null);
  });
  for (const { node, counterpart } of layers) {
    const wanted = fakeQuant.get(counterpart.quantized) ?? internal(`no values of ${counterpart.quantized}`);
    result.push({
      ...describeLayer(
        interpreter.graph,
        node,
        integers.get(node.name) ?? internal(`no integers of ${node.name}`),
        wanted,
        float.get(counterpart.activated) ?? internal(`no values of ${counterpart.activated}`),
      ),
      kernel: compareKernel(interpreter.graph, node, count, codesOf, wanted),
      outputNoise: await outputNoise(
        evalGraph,
        counterpart.quantizers,
        float.get(output) ?? internal('no output'),
        run,
      ),
    });
  }
  return result;
}

type IntegerCodes = Int8Array | Uint8Array;

/**
 * The codes of all compared images as the fake-quant graph has them, by the name of the integer value; null for values
 * that are no layer's first output.
 */
function fakeQuantCodes(
  graph: Graph,
  split: Split,
  count: number,
  normalize: Normalization,
  fakeQuant: (layer: string) => Float32Array | null,
): (name: string) => IntegerCodes | null {
  const makers = producers(graph);
  // The input itself, or what QUANTIZE makes of one of another type.
  const isImage = (name: string): boolean => {
    const maker = makers.get(name);
    return graph.inputs.includes(maker?.op === 'quantize' ? (maker.inputs[0] ?? name) : name);
  };
  return (name) => {
    const { type, quant } = valueOf(graph, name);
    const allocate = (length: number) => (type.dtype === 'uint8' ? new Uint8Array(length) : new Int8Array(length));
    const { scale, zeroPoint } = perTensor(quant, name);
    const range = codeRangeOf(graph, name);
    if (isImage(name)) {
      const pixels = Array.from(realValues(normalize), (real) => quantizeValue(real, scale, zeroPoint, range));
      const codes = allocate(numElements(type.shape) * count);
      for (let at = 0; at < codes.length; at++) codes[at] = pixels[split.images[at]!]!;
      return codes;
    }
    const reals = fakeQuant(name);
    if (reals === null) return null;
    const codes = allocate(reals.length);
    for (const [index, real] of reals.entries()) codes[index] = quantizeValue(real, scale, zeroPoint, range);
    return codes;
  };
}

/** Runs one layer alone, so that errors of the layers before it do not count. */
function compareKernel(
  graph: Graph,
  node: Node,
  count: number,
  codesOf: (name: string) => IntegerCodes | null,
  wanted: Float32Array,
): LayerMetrics['kernel'] {
  const inputs = node.inputs.filter((name) => valueOf(graph, name).source.kind !== 'constant');
  const codes = inputs.map(codesOf);
  const output = perTensor(valueOf(graph, node.name).quant, node.name);
  const names = new Set([...node.inputs, ...node.outputs]);
  const values = new Map([...graph.values].filter(([name]) => names.has(name)));
  const alone = prepareInterpreter({ ...graph, values, inputs, nodes: [node], outputs: [node.name] }, node.name);
  const result = new Float64Array(wanted.length);
  for (let index = 0; index < count; index++) {
    const image: IntegerCodes[] = [];
    for (const all of codes) {
      if (all === null) return null;
      const size = all.length / count;
      image.push(all.subarray(index * size, (index + 1) * size));
    }
    alone.run(image);
    const made = alone.peek(node.name);
    for (let at = 0; at < made.length; at++) {
      result[index * made.length + at] = output.scale * (made[at]! - output.zeroPoint);
    }
  }
  return {
    sqnrDb: sqnrDb(result, wanted),
    withinOneStep: stepsBetween(result, wanted, output.scale).withinOneStep,
  };
}

interface Counterpart {
  readonly activated: string;
  readonly quantized: string;
  /** The layer's own quantizers, of its weights and of its output. */
  readonly quantizers: readonly string[];
}

/**
 * The float value that an integer layer stands for: its own node, followed through batch norm, the activation and the
 * fake quantizer that went into it, in whichever order the last two come.
 *
 * @param own names of the integer layers: what is a layer of its own was not fused
 */
function counterpartOf(graph: Graph, name: string, own: ReadonlySet<string>): Counterpart {
  const readers = consumers(graph);
  const quantizers = weightQuantizers(graph, name);
  let [activated, quantized] = [name, name];
  for (;;) {
    const [reader, ...others] = readers.get(quantized) ?? [];
    if (reader === undefined || others.length > 0 || own.has(reader.name)) return { activated, quantized, quantizers };
    const { kind } = ops[reader.op].quant;
    if (kind !== 'quantizer' && kind !== 'folded' && kind !== 'activation') return { activated, quantized, quantizers };
    quantized = reader.name;
    if (kind === 'quantizer') quantizers.push(quantized);
    else activated = quantized;
  }
}

function weightQuantizers(graph: Graph, name: string): string[] {
  const makers = producers(graph);
  const node = makers.get(name);
  const rule = node === undefined ? null : ops[node.op].quant;
  if (node === undefined || rule?.kind !== 'affine') return [];
  const quantizer = makers.get(node.inputs[rule.weight] ?? '');
  return quantizer?.op === 'fake_quant' ? [quantizer.name] : [];
}

/** Effect of a layer's quantizers alone on the output of the network: noise power over signal power. */
async function outputNoise(
  evalGraph: Graph,
  quantizers: readonly string[],
  float: Float32Array,
  run: Run,
): Promise<number | null> {
  if (quantizers.length === 0) return null;
  const graph = removeFakeQuant(evalGraph, new Set(quantizers));
  const [output = ''] = graph.outputs;
  const { signal, noise } = powers((await run(graph, [output])).get(output) ?? internal('no output'), float);
  return signal > 0 ? noise / signal : null;
}

async function runOnImages(
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
  names: readonly string[],
  split: Split,
  count: number,
  normalize: Normalization,
): ReadonlyMap<string, Int32Array> {
  const { graph } = interpreter;
  const outputs = new Map(names.map((name) => [name, new Int32Array(interpreter.peek(name).length * count)] as const));
  const images = modelImages(graph, normalize);
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
): Omit<LayerMetrics, 'outputNoise' | 'kernel'> {
  const { type, quant } = valueOf(graph, node.name);
  const { scale, zeroPoint } = perTensor(quant, node.name);
  const codeRange = codeRangeOf(graph, node.name);
  const integers = Float64Array.from(codes, (code) => scale * (code - zeroPoint));
  const rule = ops[node.op].quant;
  const weights = rule.kind === 'affine' ? valueOf(graph, node.inputs[rule.weight] ?? '').quant : null;
  return {
    name: node.name,
    op: node.op,
    shape: [...type.shape],
    range: rangeKind(rule),
    scale,
    zeroPoint,
    weightScales:
      weights?.kind === 'per_channel'
        ? { min: Math.min(...weights.scales), max: Math.max(...weights.scales), count: weights.scales.length }
        : null,
    filter: rule.kind === 'affine' ? describeFilter(graph, node, rule, codes) : null,
    fakeQuantSqnrDb: sqnrDb(fakeQuant, float),
    sqnrDb: sqnrDb(integers, fakeQuant),
    floatSqnrDb: sqnrDb(integers, float),
    ...stepsBetween(integers, fakeQuant, scale),
    clipped: describeClipped(float, fakeQuant, {
      min: scale * (codeRange.min - zeroPoint - 0.5),
      max: scale * (codeRange.max - zeroPoint + 0.5),
    }),
    usedCodes: new Set(codes).size,
    headroom: headroomOf(codes, zeroPoint, codeRange),
  };
}

function codeRangeOf(graph: Graph, name: string): IntegerRange {
  const { dtype } = valueOf(graph, name).type;
  return dtype === 'int8' || dtype === 'uint8' ? integerRanges[dtype] : internal(`"${name}" is ${dtype}, not 8 bits`);
}

function rangeKind({ kind }: QuantRule): LayerMetrics['range'] {
  return kind === 'same_scale' ? 'shared' : kind === 'fixed_output' ? 'fixed' : 'own';
}

/** @param codes [images, ..., output channels] */
function describeFilter(
  graph: Graph,
  node: Node,
  rule: Extract<QuantRule, { kind: 'affine' }>,
  codes: Int32Array,
): LayerMetrics['filter'] {
  const filterName = node.inputs[rule.weight] ?? '';
  const { type, quant, source } = valueOf(graph, filterName);
  if (source.kind !== 'constant' || type.dtype === 'int64') return null;
  const channels = type.shape[rule.channelAxis] ?? internal(`"${filterName}" has no axis ${rule.channelAxis}`);
  const scales = channelScales(quant, channels, filterName);
  const zeroPoint = quant?.kind === 'per_tensor' ? quant.zeroPoint : 0;
  const inner = numElements(type.shape.slice(rule.channelAxis + 1));
  const largest = new Float64Array(channels);
  for (const [at, code] of source.data.data.entries()) {
    const channel = Math.floor(at / inner) % channels;
    largest[channel] = Math.max(largest[channel]!, scales[channel]! * Math.abs(Number(code) - zeroPoint));
  }
  const toOutput =
    perTensor(valueOf(graph, node.inputs[0] ?? '').quant, 'the input').scale /
    perTensor(valueOf(graph, node.name).quant, node.name).scale;
  const live = [...largest.keys()].filter((channel) => largest[channel]! > 0);
  return {
    channels,
    deadChannels: channels - live.length,
    constantChannels: numConstant(codes, channels),
    ranges: spanOf(live.map((channel) => largest[channel]!)),
    multipliers: spanOf(live.map((channel) => toOutput * scales[channel]!)),
  };
}

function spanOf(values: readonly number[]): { min: number; max: number } | null {
  return values.length === 0 ? null : { min: Math.min(...values), max: Math.max(...values) };
}

/** @param codes [..., channels] */
function numConstant(codes: Int32Array, channels: number): number {
  const varies = new Set<number>();
  for (const [at, code] of codes.entries()) if (code !== codes[at % channels]) varies.add(at % channels);
  return channels - varies.size;
}

/** null when 99.9 % of the values are zero. */
function headroomOf(codes: Int32Array, zeroPoint: number, { min, max }: IntegerRange): number | null {
  const counts = new Uint32Array(max - min + 1);
  for (const code of codes) counts[Math.abs(code - zeroPoint)]!++;
  let [magnitude, within] = [0, counts[0]!];
  while (within < 0.999 * codes.length) within += counts[++magnitude]!;
  return magnitude === 0 ? null : Math.max(max - zeroPoint, zeroPoint - min) / magnitude;
}

function powers(values: ArrayLike<number>, reference: Float32Array): { signal: number; noise: number } {
  let [signal, noise] = [0, 0];
  for (const [index, wanted] of reference.entries()) {
    signal += wanted ** 2;
    noise += (values[index]! - wanted) ** 2;
  }
  return { signal, noise };
}

/** Signal to quantization noise; null when there is no noise or no signal. */
function sqnrDb(values: ArrayLike<number>, reference: Float32Array): number | null {
  const { signal, noise } = powers(values, reference);
  return signal > 0 && noise > 0 ? 10 * Math.log10(signal / noise) : null;
}

/** The share of values at most one step apart, and the largest difference in steps. */
function stepsBetween(
  values: Float64Array,
  reference: Float32Array,
  scale: number,
): { withinOneStep: number; largestDifference: number } {
  let [within, largest] = [0, 0];
  for (const [index, value] of values.entries()) {
    const steps = Math.abs(value - reference[index]!) / scale;
    // A thousandth of a step is float32 noise of the reference, not a step.
    if (steps <= 1.001) within++;
    if (steps > largest) largest = steps;
  }
  return { withinOneStep: within / values.length, largestDifference: Math.round(largest * 1000) / 1000 };
}

/** @param range real values; what lies outside is clipped */
function describeClipped(
  float: Float32Array,
  fakeQuant: Float32Array,
  range: { readonly min: number; readonly max: number },
): LayerMetrics['clipped'] {
  let [below, above, noise, clippedNoise] = [0, 0, 0, 0];
  for (const [index, value] of float.entries()) {
    const error = (fakeQuant[index]! - value) ** 2;
    noise += error;
    if (value < range.min) below++;
    if (value > range.max) above++;
    if (value < range.min || value > range.max) clippedNoise += error;
  }
  return {
    below: below / float.length,
    above: above / float.length,
    noiseShare: noise === 0 ? 0 : clippedNoise / noise,
  };
}
