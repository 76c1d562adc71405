import { internal } from '../core/assert.ts';
import type { IntegerRange } from '../core/affine.ts';
import { dequantizeValue, integerRanges, perTensor, quantizeValue } from '../core/affine.ts';
import { numElements } from '../core/tensor.ts';
import type { Split } from '../data/dataset.ts';
import type { Normalization } from '../data/batches.ts';
import type { Session } from '../engine/engine.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { consumers, producers, valueOf } from '../graph/graph.ts';
import type { Interpreter } from '../interpreter/interpreter.ts';
import { prepareInterpreter } from '../interpreter/interpreter.ts';
import type { QuantRule } from '../ops/define.ts';
import { ops } from '../ops/index.ts';
import { removeFakeQuant, setBatch } from '../passes/index.ts';
import { chunks } from './evaluate.ts';
import { modelInput } from './graphs.ts';
import { watchInput } from './input-statistics.ts';
import { elementWriter, modelImages } from './integer-input.ts';
import { describeFilter } from './filter-statistics.ts';
import { createHistogram } from './histogram.ts';
import {
  createClipping,
  createCodeCounts,
  createDeviation,
  createExtent,
  createOffsets,
  createSteps,
} from './layer-statistics.ts';
import { affordableExamples, evaluationBatch, spread } from './memory.ts';
import type { Layer as LayerMetrics, ModelInput } from '../measurements/layers.ts';

/** Images on which every layer is compared at most. */
const mostCompared = 64;

/** Room for the values of all layers of the images of one turn, in float, in fake-quant and in integers. */
const turnBytes = 64 * 2 ** 20;

/** Called between turns with the completed fraction, 0..1; throws when the stage is to stop. */
export type Turn = (share: number) => Promise<void>;

export interface LayerComparison {
  /** Their noise is that at the first output of the network. */
  readonly layers: readonly LayerMetrics[];
  readonly input: ModelInput;
  /** By layer, the noise at every output. */
  readonly noise: readonly (readonly (number | null)[])[];
  /** How many images were compared. */
  readonly compared: number;
}

/**
 * Compares every layer's output on the same images, spread over the split: the integers, the fake-quant graph, and the
 * float graph with the same weights. Holds the values of a few images at a time.
 *
 * @param evalGraph level eval, any batch
 */
export async function compareLayers(
  interpreter: Interpreter,
  evalGraph: Graph,
  split: Split,
  normalize: Normalization,
  open: (graph: Graph) => Promise<Session>,
  turn: Turn,
): Promise<LayerComparison> {
  // What conversion added (a change of scale or type, a pad) has no counterpart and computes nothing new.
  const nodes = interpreter.graph.nodes.filter(({ name }) => evalGraph.values.has(name));
  const own = new Set(nodes.map(({ name }) => name));
  const layers = nodes.map((node) => watchLayer(interpreter.graph, node, counterpartOf(evalGraph, node.name, own)));
  const images = spread(affordableExamples(interpreter.graph, mostCompared), split.count);
  const material: Material = { interpreter, evalGraph, split, normalize, open, images };
  const input = watchInput(interpreter.graph);
  // Watching is most of the work; the quantizers are tried one at a time behind it.
  const float = await watch({ layers, input }, material, (share) => turn(share / 2));
  const result: LayerMetrics[] = [];
  const noise: (readonly (number | null)[])[] = [];
  for (const [index, layer] of layers.entries()) {
    const found = await noiseAtOutputs(material, layer.counterpart.quantizers, float);
    noise.push(found);
    const outputNoise = found[0] ?? null;
    result.push({ ...layer.result(), ...rangeOf(interpreter.graph, layer, layers), outputNoise });
    await turn((1 + (index + 1) / layers.length) / 2);
  }
  return { layers: result, noise, input: input.result(), compared: images.length };
}

interface Material {
  readonly interpreter: Interpreter;
  readonly evalGraph: Graph;
  readonly split: Split;
  readonly normalize: Normalization;
  readonly open: (graph: Graph) => Promise<Session>;
  /** Indices of the compared images. */
  readonly images: Uint32Array;
}

/** Feeds all layers with their values. Returns the float outputs, each of all compared images. */
async function watch(
  { layers, input }: { readonly layers: readonly WatchedLayer[]; readonly input: ReturnType<typeof watchInput> },
  material: Material,
  turn: Turn,
): Promise<Float32Array[]> {
  const { interpreter, evalGraph, split, normalize, open, images } = material;
  const floatGraph = removeFakeQuant(evalGraph);
  const valuesOfImage = layers.reduce((sum, { size }) => sum + size, 1);
  const batch = Math.max(1, Math.min(images.length, Math.floor(turnBytes / (12 * valuesOfImage))));
  const quantized = await openValues(evalGraph, batch, open, [...layers.map((layer) => layer.counterpart.quantized)]);
  try {
    const activated = [...layers.map((layer) => layer.counterpart.activated), ...floatGraph.outputs];
    const float = await openValues(floatGraph, batch, open, activated);
    try {
      const outputs = floatGraph.outputs.map((name) => ({ name, values: new Array<Float32Array>() }));
      const image = modelImages(interpreter.graph, normalize, split.inputs);
      for (const { start, count, inputs: reals } of chunks(split, normalize, batch, images)) {
        input.add(reals.subarray(0, (count * reals.length) / batch));
        const [fakeQuantValues, floatValues] = [await quantized.run(reals), await float.run(reals)];
        for (let index = 0; index < count; index++) {
          interpreter.run([image(images[start + index]!)]);
          const view: ImageView = {
            image: images[start + index]!,
            material,
            fakeQuant: (layer) => part(fakeQuantValues, layer.counterpart.quantized, index, batch),
            float: (layer) => part(floatValues, layer.counterpart.activated, index, batch),
            layers,
          };
          for (const layer of layers) layer.add(view);
          for (const { name, values } of outputs) values.push(part(floatValues, name, index, batch).slice());
          await turn((start + index + 1) / images.length);
        }
      }
      return outputs.map(({ values }) => concatenated(values));
    } finally {
      await float.close();
    }
  } finally {
    await quantized.close();
  }
}

type Values = ReadonlyMap<string, Float32Array>;

async function openValues(
  graph: Graph,
  batch: number,
  open: (graph: Graph) => Promise<Session>,
  names: readonly string[],
) {
  const batched = setBatch(graph, batch);
  const session = await open({ ...batched, outputs: [...new Set(names)] });
  return {
    run: (images: Float32Array): Promise<Values> => session.run(new Map([[modelInput(batched), images]])),
    close: () => session.close(),
  };
}

/** The values of one example of a batch. */
function part(values: Values, name: string, index: number, batch: number): Float32Array {
  const all = values.get(name) ?? internal(`no values of ${name}`);
  const size = all.length / batch;
  return all.subarray(index * size, (index + 1) * size);
}

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const result = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const each of parts) {
    result.set(each, at);
    at += each.length;
  }
  return result;
}

type IntegerCodes = Int8Array | Uint8Array;

/** The values of all layers for one image; those of the integers are in the interpreter. */
interface ImageView {
  readonly image: number;
  readonly material: Material;
  readonly layers: readonly WatchedLayer[];
  readonly fakeQuant: (layer: WatchedLayer) => Float32Array;
  readonly float: (layer: WatchedLayer) => Float32Array;
}

interface WatchedLayer {
  readonly node: Node;
  readonly counterpart: Counterpart;
  /** Values of one image. */
  readonly size: number;
  /** Layers that join or add this one to others, at a scale that may not be its own. */
  readonly readers: readonly Node[];
  readonly extent: ReturnType<typeof createExtent>;
  add(view: ImageView): void;
  result(): Omit<LayerMetrics, 'outputNoise' | 'range' | 'sharedRange' | 'narrowed'>;
}

function watchLayer(graph: Graph, node: Node, counterpart: Counterpart): WatchedLayer {
  const { type, quant } = valueOf(graph, node.name);
  const { scale, zeroPoint } = perTensor(quant, node.name);
  const codeRange = codeRangeOf(graph, node.name);
  const realOf = (code: number): number => scale * (code - zeroPoint);
  const readers = readersAt(graph, node.name);
  const noise = watchNoise(scale);
  const codes = createCodeCounts(codeRange, zeroPoint, type.shape.at(-1) ?? 1);
  const values = createHistogram(scale);
  const extent = createExtent(readers.map(({ name }) => perTensor(valueOf(graph, name).quant, name).scale));
  const clipping = createClipping({ min: realOf(codeRange.min - 0.5), max: realOf(codeRange.max + 0.5) });
  const kernel = watchKernel(graph, node);
  return {
    ...{ node, counterpart, readers, extent, size: numElements(type.shape) },
    add(view) {
      const found = view.material.interpreter.peek(node.name);
      const reals = Float64Array.from(found, realOf);
      // What has no quantizer of its own is quantized where it is joined, and by its scale here.
      const wanted = view
        .fakeQuant(this)
        .map((x) => dequantizeValue(quantizeValue(x, scale, zeroPoint, codeRange), scale, zeroPoint));
      const float = view.float(this);
      noise.add(float, wanted, reals);
      clipping.add(float, wanted);
      values.add(float);
      codes.add(found);
      extent.add(wanted);
      kernel.add(view, wanted);
    },
    result: () => ({
      ...{ name: node.name, op: node.op, shape: [...type.shape], scale, zeroPoint },
      ...describeWeights(graph, node, codes.constantChannels()),
      ...noise.result(),
      kernel: kernel.result(),
      clipped: clipping.result(),
      activations: { min: realOf(codeRange.min), max: realOf(codeRange.max), values: values.result() },
      usedCodes: codes.used(),
      headroom: codes.headroom(),
    }),
  };
}

function describeWeights(
  graph: Graph,
  node: Node,
  constantChannels: number,
): Pick<LayerMetrics, 'weightScales' | 'filter'> {
  const rule = ops[node.op].quant;
  if (rule.kind !== 'affine') return { weightScales: null, filter: null };
  const { quant } = valueOf(graph, node.inputs[rule.weight] ?? '');
  return {
    weightScales:
      quant?.kind === 'per_channel'
        ? { min: Math.min(...quant.scales), max: Math.max(...quant.scales), count: quant.scales.length }
        : null,
    filter: describeFilter(graph, node, rule, constantChannels),
  };
}

/** How far the integers are from fake-quant, and fake-quant from float. */
function watchNoise(scale: number) {
  const [fakeQuant, integer, whole] = [createDeviation(), createDeviation(), createDeviation()];
  const steps = createSteps(scale);
  return {
    add(float: Float32Array, wanted: Float32Array, reals: Float64Array): void {
      fakeQuant.add(wanted, float);
      integer.add(reals, wanted);
      whole.add(reals, float);
      steps.add(reals, wanted);
    },
    result: () => ({
      fakeQuantSqnrDb: fakeQuant.sqnrDb(),
      sqnrDb: integer.sqnrDb(),
      floatSqnrDb: whole.sqnrDb(),
      ...steps.result(),
    }),
  };
}

/** How far the layer's integer kernel alone is from fake-quant; null where it cannot run alone. */
function watchKernel(graph: Graph, node: Node) {
  const { type, quant } = valueOf(graph, node.name);
  const { scale } = perTensor(quant, node.name);
  const deviation = createDeviation();
  const steps = createSteps(scale);
  const offsets = createOffsets(scale, type.shape.at(-1) ?? 1);
  const alone = kernelAlone(graph, node);
  let hasRun = true;
  return {
    add(view: ImageView, wanted: Float32Array): void {
      const made = alone(view);
      hasRun &&= made !== null;
      if (made === null) return;
      deviation.add(made, wanted);
      steps.add(made, wanted);
      offsets.add(made, wanted);
    },
    result: (): LayerMetrics['kernel'] =>
      hasRun
        ? {
            ...{ sqnrDb: deviation.sqnrDb(), withinOneStep: steps.result().withinOneStep },
            offset: offsets.result(),
          }
        : null,
  };
}

/**
 * Runs one layer by itself on the codes that the fake-quant graph has for its inputs, so that nothing of what happened
 * before it counts. Gives real values; null where an input is no layer's first output.
 */
function kernelAlone(graph: Graph, node: Node): (view: ImageView) => Float64Array | null {
  const inputs = node.inputs.filter((name) => valueOf(graph, name).source.kind !== 'constant');
  const { scale, zeroPoint } = perTensor(valueOf(graph, node.name).quant, node.name);
  const names = new Set([...node.inputs, ...node.outputs]);
  const values = new Map([...graph.values].filter(([name]) => names.has(name)));
  const alone = prepareInterpreter({ ...graph, values, inputs, nodes: [node], outputs: [node.name] }, node.name);
  return (view) => {
    const codes: IntegerCodes[] = [];
    for (const name of inputs) {
      const found = fakeQuantCodes(graph, name, view);
      if (found === null) return null;
      codes.push(found);
    }
    alone.run(codes);
    return Float64Array.from(alone.peek(node.name), (code) => scale * (code - zeroPoint));
  };
}

/** The codes of an integer value for one image, as the fake-quant graph has them. */
function fakeQuantCodes(graph: Graph, name: string, view: ImageView): IntegerCodes | null {
  const { type, quant } = valueOf(graph, name);
  const { scale, zeroPoint } = perTensor(quant, name);
  const range = codeRangeOf(graph, name);
  const allocate = (length: number) => (type.dtype === 'uint8' ? new Uint8Array(length) : new Int8Array(length));
  const maker = producers(graph).get(name);
  // The input itself, or what QUANTIZE makes of one of another type.
  if (graph.inputs.includes(maker?.op === 'quantize' ? (maker.inputs[0] ?? name) : name)) {
    const { split, normalize } = view.material;
    const codes = allocate(numElements(type.shape));
    elementWriter(normalize, (real) => quantizeValue(real, scale, zeroPoint, range), split.inputs)(view.image, codes);
    return codes;
  }
  const layer = view.layers.find(({ node }) => node.name === name);
  if (layer === undefined) return null;
  const reals = view.fakeQuant(layer);
  const codes = allocate(reals.length);
  for (const [index, real] of reals.entries()) codes[index] = quantizeValue(real, scale, zeroPoint, range);
  return codes;
}

interface Counterpart {
  readonly activated: string;
  readonly quantized: string;
  /** The layer's own quantizers, of its weights and of its output. */
  readonly quantizers: readonly string[];
  /** Whether its output has a quantizer of its own, and not that of what it is joined to. */
  readonly hasRange: boolean;
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
  let [activated, quantized, hasRange] = [name, name, false];
  for (;;) {
    const [reader, ...others] = readers.get(quantized) ?? [];
    const kind = reader === undefined || own.has(reader.name) ? null : ops[reader.op].quant.kind;
    const isPart = kind === 'quantizer' || kind === 'folded' || kind === 'activation';
    if (reader === undefined || others.length > 0 || !isPart) return { activated, quantized, quantizers, hasRange };
    quantized = reader.name;
    if (kind === 'quantizer') {
      quantizers.push(quantized);
      hasRange = true;
    } else activated = quantized;
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

/** What a layer's quantizers alone do to each output of the network: noise power over signal power. */
async function noiseAtOutputs(
  { evalGraph, split, normalize, open, images }: Material,
  quantizers: readonly string[],
  float: readonly Float32Array[],
): Promise<readonly (number | null)[]> {
  if (quantizers.length === 0) return float.map(() => null);
  const graph = removeFakeQuant(evalGraph, new Set(quantizers));
  const batch = evaluationBatch(graph, images.length);
  const session = await openValues(graph, batch, open, graph.outputs);
  const outputs = float.map((expected, index) => ({
    ...{ expected, name: graph.outputs[index] ?? internal(`no output ${index}`) },
    ...{ size: expected.length / images.length, deviation: createDeviation() },
  }));
  try {
    for (const { start, count, inputs: reals } of chunks(split, normalize, batch, images)) {
      const results = await session.run(reals);
      for (const { name, size, expected, deviation } of outputs) {
        const values = results.get(name) ?? internal('no output');
        deviation.add(values.subarray(0, count * size), expected.subarray(start * size, (start + count) * size));
      }
    }
  } finally {
    await session.close();
  }
  return outputs.map(({ deviation }) => deviation.noiseRatio());
}

/** A concatenation, sum or difference that reads a value, also through ops that hand its codes on or rescale them. */
function readersAt(graph: Graph, name: string): Node[] {
  return (consumers(graph).get(name) ?? []).flatMap((reader) => {
    if (joins(reader)) return [reader];
    const rule = ops[reader.op].quant;
    const handsOn = reader.op === 'quantize' || (rule.kind === 'same_scale' && rule.exact);
    return handsOn ? readersAt(graph, reader.name) : [];
  });
}

function joins({ op, inputs }: Node): boolean {
  return inputs.length > 1 && (ops[op].variadic === true || op === 'add' || op === 'sub');
}

/** Whose range the layer's output has, and where too little is left of it. */
function rangeOf(
  graph: Graph,
  layer: WatchedLayer,
  layers: readonly WatchedLayer[],
): Pick<LayerMetrics, 'range' | 'sharedRange' | 'narrowed'> {
  const rule = ops[layer.node.op].quant;
  const widest = (reader: Node): WatchedLayer | undefined =>
    layers
      .filter(({ readers }) => readers.includes(reader))
      .reduce<WatchedLayer | undefined>(
        (a, b) => (a === undefined || b.extent.width() > a.extent.width() ? b : a),
        undefined,
      );
  const range =
    rule.kind === 'affine' || rule.kind === 'independent' || rule.kind === 'activation' ? null : rangeKind(rule);
  const joint =
    range === null && !layer.counterpart.hasRange
      ? layer.readers.find(({ op }) => ops[op].variadic === true)
      : undefined;
  const [narrowest] = layer.readers
    .map((reader, index) => ({ reader, widest: widest(reader), codes: layer.extent.codesAt(index) }))
    .filter((one) => one.widest !== undefined && one.widest !== layer)
    .sort((a, b) => a.codes - b.codes);
  const times = (narrowest?.widest?.extent.width() ?? 0) / layer.extent.width();
  return {
    range: range ?? (joint === undefined ? 'own' : 'shared'),
    sharedRange: joint === undefined ? null : { by: joint.name, neededBy: widest(joint)?.node.name ?? layer.node.name },
    narrowed:
      narrowest?.widest === undefined || !Number.isFinite(times)
        ? null
        : { by: narrowest.reader.name, codes: narrowest.codes, widest: narrowest.widest.node.name, times },
  };
}

function codeRangeOf(graph: Graph, name: string): IntegerRange {
  const { dtype } = valueOf(graph, name).type;
  return dtype === 'int8' || dtype === 'uint8' ? integerRanges[dtype] : internal(`"${name}" is ${dtype}, not 8 bits`);
}

function rangeKind({ kind }: QuantRule): LayerMetrics['range'] {
  return kind === 'same_scale' ? 'shared' : kind === 'fixed_output' ? 'fixed' : 'own';
}
