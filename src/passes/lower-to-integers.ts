import { internal } from '../core/assert.ts';
import type { FakeQuantForm, NudgedRange, QuantParams } from '../core/affine.ts';
import { fakeQuantCode, nudgeRange, roundHalfAway } from '../core/affine.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { UserError } from '../core/diagnostic.ts';
import type { FloatTensor, Shape, Tensor } from '../core/tensor.ts';
import { expectDType, numElements, tensor } from '../core/tensor.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import { buildGraph } from '../graph/builder.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { consumers, producers, valueOf } from '../graph/graph.ts';
import { cutsCodes } from '../ops/bindings.ts';
import type { FusedActivation, QuantRule, ValueRef } from '../ops/define.ts';
import { ops } from '../ops/index.ts';
import type { Scheme } from './scheme.ts';
import { schemes } from './scheme.ts';

type PerTensor = Extract<QuantParams, { kind: 'per_tensor' }>;

export interface LoweredGraph {
  readonly graph: Graph;
  /** What had to be changed for the integer format, for the report. */
  readonly adjustments: readonly string[];
}

/**
 * Turns an eval graph into integers: weights and biases become constants of codes, fake quantizers become parameters
 * on the values they covered, activations are fused into the op before them.
 *
 * Scales and zero points are carried from the fake quantizers (`nudgeRange`), never estimated.
 *
 * @param graph level eval, all parameters constant, batch norm folded
 * @param path of the file the graph was read from, for diagnostics
 * @throws UserError naming every value without parameters, its producer and the rule that should have covered it, and
 * weights that were trained for the other scheme
 */
export function lowerToIntegers(graph: Graph, scheme: Scheme, path: string): LoweredGraph {
  const adjustments: string[] = [];
  const parameters = activationParameters(graph, scheme, path, adjustments);
  const fused = fuseActivations(graph);
  const builder = buildGraph(graph.name, 'int8');
  const context: Lowering = { graph, scheme, path, builder, parameters, fused, adjustments, makers: producers(graph) };

  for (const name of graph.inputs) {
    const { type } = valueOf(graph, name);
    builder.input(name, { dtype: scheme, shape: type.shape }, present(parameters.of, name));
  }
  for (const node of graph.nodes) lowerNode(context, node);
  const outputs = graph.outputs.map((output) => builder.ref(resolve(context, output)));
  return { graph: builder.finish(outputs), adjustments };
}

interface Lowering {
  readonly graph: Graph;
  readonly scheme: Scheme;
  readonly path: string;
  readonly builder: GraphBuilder;
  readonly parameters: ActivationParameters;
  readonly fused: FusedActivations;
  readonly adjustments: string[];
  readonly makers: ReadonlyMap<string, Node>;
}

interface ActivationParameters {
  readonly of: ReadonlyMap<string, PerTensor>;
  /** The value before a fake quantizer, which its readers read once the quantizer is removed. */
  readonly behind: ReadonlyMap<string, string>;
  /** Values whose range is empty: the eval graph makes zero of all of them, and so must the integers. */
  readonly empty: ReadonlySet<string>;
}

interface Fusion {
  readonly activation: FusedActivation;
  /** The activation's own node. */
  readonly node: Node;
}

interface FusedActivations {
  /** The activation that goes into a producer, by the producer's name. */
  readonly into: ReadonlyMap<string, Fusion>;
  /** Names of the activation nodes that disappear. */
  readonly gone: ReadonlySet<string>;
}

function present(parameters: ReadonlyMap<string, PerTensor>, name: string): PerTensor {
  return parameters.get(name) ?? internal(`"${name}" has no scale and zero point after the check`);
}

function isConstant(graph: Graph, name: string): boolean {
  return valueOf(graph, name).source.kind === 'constant';
}

/** Scale and zero point of every activation value, and a diagnostic for each that has none. */
function activationParameters(graph: Graph, scheme: Scheme, path: string, adjustments: string[]): ActivationParameters {
  const of = new Map<string, PerTensor>();
  const behind = new Map<string, string>();
  const empty = new Set<string>();
  const makers = producers(graph);
  const { offset } = schemes[scheme];
  requireEightBits(graph, path);
  for (const node of graph.nodes) {
    const [input = ''] = node.inputs;
    if (node.op !== 'fake_quant' || isConstant(graph, input)) continue;
    const source = layerBehind(graph, makers, of, input);
    const range = activationRange(graph, node);
    const quant = parametersOf(range, source, offset, (note) => adjustments.push(`${node.name}: ${note}`));
    if (range.scale === 0) empty.add(input).add(source.name);
    const known = of.get(input);
    if (known !== undefined && (known.scale !== quant.scale || known.zeroPoint !== quant.zeroPoint)) {
      internal(`"${input}" has two fake quantizers with different ranges, the second is "${node.name}"`);
    }
    of.set(input, quant);
    of.set(node.name, quant);
    behind.set(node.name, input);
  }
  const fused = fuseActivations(graph);
  // An activation behind its layer's quantizer keeps the parameters before it: the integers are only clamped.
  for (const { node } of fused.into.values()) {
    const before = of.get(node.inputs[0] ?? '');
    if (before !== undefined) of.set(node.name, before);
  }
  inheritFromReaders(graph, makers, of);
  const missing: Diagnostic[] = [];
  for (const node of graph.nodes) {
    if (node.op === 'fake_quant') continue;
    const rule = ops[node.op].quant;
    const [output = ''] = node.outputs;
    const [first = ''] = node.inputs;
    if (rule.kind === 'same_scale') {
      const shared = of.get(output) ?? of.get(first);
      if (shared !== undefined) for (const each of node.outputs) of.set(each, shared);
    }
    if (rule.kind === 'fixed_output' && !of.has(output)) {
      of.set(output, { kind: 'per_tensor', scale: rule.scale, zeroPoint: rule.zeroPoint + 128 - offset });
    }
    if (!of.has(output) && !fused.into.has(node.name)) missing.push(missingRange(path, node, makers, rule));
  }
  for (const name of graph.inputs) if (!of.has(name)) missing.push(missingInput(path, name));
  if (missing.length > 0) throw new UserError(missing);
  return { of, behind, empty };
}

/** The layer that a quantizer covers, with the scales that its sums have. */
interface CoveredLayer {
  readonly name: string;
  /** Of the first activation that the layer reads; 1 for a graph's input. */
  readonly inputScale: number;
  /** One step of the accumulator, the largest over the channels; 0 for layers without weights. */
  readonly accumulatorStep: number;
}

function layerBehind(
  graph: Graph,
  makers: ReadonlyMap<string, Node>,
  of: ReadonlyMap<string, PerTensor>,
  value: string,
): CoveredLayer {
  const last = makers.get(value);
  const before = last === undefined ? undefined : makers.get(last.inputs[0] ?? '');
  const isFused = last !== undefined && ops[last.op].quant.kind === 'activation' && before?.op !== 'fake_quant';
  const layer = isFused ? before : last;
  const inputScale = of.get(layer?.inputs[0] ?? '')?.scale ?? 1;
  const rule = layer === undefined ? null : ops[layer.op].quant;
  const weights = rule?.kind === 'affine' ? makers.get(layer?.inputs[rule.weight] ?? '') : undefined;
  const scales = weights?.op === 'fake_quant' ? rangeOf(graph, weights).map(({ scale }) => scale) : [];
  return { name: layer?.name ?? value, inputScale, accumulatorStep: inputScale * Math.max(0, ...scales) };
}

/** What goes into an op that only moves values, and has no parameters of its own, takes those of what comes out. */
function inheritFromReaders(graph: Graph, makers: ReadonlyMap<string, Node>, of: Map<string, PerTensor>): void {
  for (const node of graph.nodes.toReversed()) {
    const rule = ops[node.op].quant;
    const quant = of.get(node.outputs[0] ?? '');
    if (rule.kind !== 'same_scale' || !rule.exact || quant === undefined) continue;
    for (const input of node.inputs) {
      const maker = makers.get(input);
      const isFixed = maker !== undefined && ops[maker.op].quant.kind === 'fixed_output';
      if (!of.has(input) && !isFixed) of.set(input, quant);
    }
  }
}

function requireEightBits(graph: Graph, path: string): void {
  const others = graph.nodes.flatMap((node) => (node.op === 'fake_quant' && node.attrs.bits !== 8 ? [node] : []));
  if (others.length === 0) return;
  throw new UserError(
    others.map((node) => ({
      code: 'unsupported-bits',
      place: { file: path },
      message: `fake_quant "${node.name}" has ${node.attrs.bits} bits; int8 models expect 8`,
      hint: 'train with 8-bit quantizers',
    })),
  );
}

function missingInput(path: string, name: string): Diagnostic {
  return {
    code: 'missing-range',
    place: { file: path },
    message: `input "${name}" has no fake quantizer, so its scale and zero point are unknown`,
    hint: 'an eval graph from `save-eval-graph` has one after each input',
  };
}

function missingRange(path: string, node: Node, makers: ReadonlyMap<string, Node>, rule: QuantRule): Diagnostic {
  const producer = makers.get(node.inputs[0] ?? '');
  const from = producer === undefined ? 'a graph input' : `${producer.op} "${producer.name}"`;
  return {
    code: 'missing-range',
    place: { file: path },
    message:
      `${node.op} "${node.name}" (after ${from}) has no scale and zero point; ` +
      `its rule is ${rule.kind}, so a fake quantizer should follow it or its activation`,
    hint: 'train it with a `qat` stage, and convert the eval graph rather than the training graph',
  };
}

function rangeOf(graph: Graph, node: Node<'fake_quant'>): readonly NudgedRange[] {
  const [, min = '', max = ''] = node.inputs;
  const lows = floatConstant(graph, min, node);
  const highs = floatConstant(graph, max, node);
  const { bits, narrowRange } = node.attrs;
  return Array.from(lows.data, (low, index) => nudgeRange(low, highs.data[index]!, bits, narrowRange));
}

function floatConstant(graph: Graph, name: string, node: Node): FloatTensor {
  const { source } = valueOf(graph, name);
  if (source.kind !== 'constant') return internal(`"${name}" of ${node.op} "${node.name}" is not constant`);
  return expectDType(source.data, 'float32');
}

function activationRange(graph: Graph, node: Node<'fake_quant'>): NudgedRange {
  const [range, ...others] = rangeOf(graph, node);
  if (range === undefined || others.length > 0) {
    return internal(`fake_quant "${node.name}" covers an activation per channel`);
  }
  return range;
}

/**
 * XNNPACK refuses a step of the accumulator that is 256 steps of the output or more, and the left shift of TensorFlow
 * Lite Micro's kernels overflows not far above.
 */
const largestRequantization = 256;

/**
 * An empty range is written with the largest code for zero, so that a rectifier leaves nothing above it, and with the
 * scale of what comes in, which suits the biases of the layers behind.
 */
function parametersOf(
  { scale, zeroPoint }: NudgedRange,
  { inputScale, accumulatorStep }: CoveredLayer,
  offset: number,
  note: (adjustment: string) => void,
): PerTensor {
  if (scale === 0) return { kind: 'per_tensor', scale: inputScale, zeroPoint: 255 - offset };
  const least = Math.fround((accumulatorStep / largestRequantization) * (1 + 2 ** -20));
  if (scale < least)
    note(`its range is narrower than one step of the layer's sums; scale raised from ${scale} to ${least}`);
  return { kind: 'per_tensor', scale: Math.max(scale, least), zeroPoint: zeroPoint - offset };
}

/**
 * An activation goes into its producer when nothing else reads what is between them. A quantizer between them is passed
 * over unless the activation has one of its own.
 */
function fuseActivations(graph: Graph): FusedActivations {
  const makers = producers(graph);
  const readers = consumers(graph);
  const into = new Map<string, Fusion>();
  const gone = new Set<string>();
  const disappears = (name: string): boolean => readers.get(name)?.length === 1 && !graph.outputs.includes(name);
  const isQuantized = (name: string): boolean => readers.get(name)?.some(({ op }) => op === 'fake_quant') ?? false;
  for (const node of graph.nodes) {
    const rule = ops[node.op].quant;
    if (rule.kind !== 'activation') continue;
    const [input = ''] = node.inputs;
    const before = makers.get(input);
    const quantizer = before?.op === 'fake_quant' && !isQuantized(node.name) ? before : null;
    const output = quantizer?.inputs[0] ?? input;
    const producer = makers.get(output);
    if (producer === undefined || !disappears(input) || !disappears(output)) continue;
    const { kind } = ops[producer.op].quant;
    // An op with a shared scale cannot take it: the activation has a range of its own.
    if (kind !== 'affine' && kind !== 'independent') continue;
    if ('activation' in producer.attrs && producer.attrs.activation === 'none') {
      into.set(producer.name, { activation: rule.fused, node });
      gone.add(node.name);
    }
  }
  return { into, gone };
}

/** The value that stands for a name in the integer graph. */
function resolve(context: Lowering, name: string): string {
  const { parameters, fused, makers } = context;
  const source = parameters.behind.get(name) ?? name;
  const maker = makers.get(source);
  return maker !== undefined && fused.gone.has(maker.name) ? resolve(context, maker.inputs[0] ?? source) : source;
}

function lowerNode(context: Lowering, node: Node): void {
  const { builder, fused, parameters } = context;
  if (node.op === 'fake_quant' || fused.gone.has(node.name)) return;
  const fusion = fused.into.get(node.name);
  const isEmpty = parameters.empty.has(node.name);
  const activation = fusion?.activation ?? (isEmpty && 'activation' in node.attrs ? 'relu' : undefined);
  // Only producers that have an `activation` attribute are in `into`.
  const lowered = activation === undefined ? node : ({ ...node, attrs: { ...node.attrs, activation } } as Node);
  const quant = present(parameters.of, fusion === undefined ? node.name : fusion.node.name);
  const rule = ops[node.op].quant;
  switch (rule.kind) {
    case 'affine': {
      const operands = affineOperands(context, node, rule);
      const [padded, attrs] = padInput(context, lowered, operands);
      if (fusion !== undefined && ops[node.op].tflite?.avoidsActivation === true) {
        addWithoutActivation(context, node, padded, fusion, quant);
        return;
      }
      builder.node(lowered.op, lowered.name, padded, attrs, quant);
      return;
    }
    case 'same_scale':
      builder.node(lowered.op, lowered.name, sameScaleOperands(context, node, quant), lowered.attrs, quant);
      return;
    default: {
      const operands = node.inputs.map(
        (input) => constantOperand(context, node, input) ?? builder.ref(resolve(context, input)),
      );
      builder.node(lowered.op, lowered.name, operands, lowered.attrs, quant);
    }
  }
}

/**
 * An op that takes no activation in: the range of the output clamps as the activation does, or the activation follows
 * as an op of its own with the same parameters. The integers are those of the fused op.
 */
function addWithoutActivation(
  { builder, scheme }: Lowering,
  node: Node,
  operands: readonly ValueRef[],
  fusion: Fusion,
  quant: PerTensor,
): void {
  if (!cutsCodes(fusion.activation, { type: { dtype: scheme, shape: [] }, quant })) {
    builder.node(node.op, node.name, operands, node.attrs, quant);
    return;
  }
  // The layer's name goes to what comes out of it.
  const linear = builder.node(node.op, `${node.name}/linear`, operands, node.attrs, quant);
  builder.node(fusion.node.op, node.name, linear, fusion.node.attrs, quant);
}

/** The operands at the scale of the output; one that has another is rescaled first. */
function sameScaleOperands(context: Lowering, node: Node, quant: PerTensor): readonly ValueRef[] {
  const { builder, parameters, scheme } = context;
  return node.inputs.map((input, index) => {
    const own = present(parameters.of, input);
    const operand = builder.ref(resolve(context, input));
    if (own.scale === quant.scale && own.zeroPoint === quant.zeroPoint) return operand;
    const name = node.inputs.length === 1 ? `${node.name}/rescaled` : `${node.name}/rescaled_${index}`;
    const [rescaled] = builder.node('quantize', name, [operand], { dtype: scheme }, quant);
    return rescaled ?? internal(`${name} has no output`);
  });
}

/** Files know SAME and VALID only: other paddings become a pad of their own, with the codes of zero. */
function padInput(
  { builder, parameters }: Lowering,
  node: Node,
  [input, ...others]: readonly ValueRef[],
): readonly [operands: readonly ValueRef[], attrs: Node['attrs']] {
  if (input === undefined) return internal(`${node.op} "${node.name}" has no input`);
  const { attrs } = node;
  if (!('padding' in attrs) || attrs.padding.kind !== 'explicit' || node.op === 'transpose_conv') {
    return [[input, ...others], attrs];
  }
  const { top, bottom, left, right } = attrs.padding;
  const paddings = [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ] as const;
  const quant = present(parameters.of, node.inputs[0] ?? '');
  const [padded] = builder.node('pad', `${node.name}/pad`, [input], { paddings }, quant);
  return [[padded ?? internal('a pad has no output'), ...others], { ...attrs, padding: { kind: 'valid' } }];
}

/**
 * A constant as codes, with the range of its fake quantizer, or with its own and 0 in it, as TensorFlow Lite's converter
 * gives it; null for what is computed.
 */
function constantOperand({ graph, builder, makers, scheme }: Lowering, node: Node, input: string): ValueRef | null {
  const maker = makers.get(input);
  const quantizer = maker?.op === 'fake_quant' ? maker : null;
  const name = quantizer?.inputs[0] ?? input;
  if (!isConstant(graph, name)) return null;
  if (builder.has(name)) return builder.ref(name);
  const { shape, data } = floatConstant(graph, name, node);
  const range =
    quantizer === null
      ? nudgeRange(Math.min(0, ...data), Math.max(0, ...data), 8, false)
      : activationRange(graph, quantizer);
  const zeroPoint = range.zeroPoint - schemes[scheme].offset;
  const codes = data.map((x) => fakeQuantCode(x, range, 'per_tensor') + zeroPoint);
  // Zeros alone have no range; any scale stands for them.
  const quant = { kind: 'per_tensor', scale: range.scale === 0 ? 1 : range.scale, zeroPoint } as const;
  return builder.constant(name, codesTensor(scheme, shape, codes), quant);
}

function codesTensor(scheme: Scheme, shape: Shape, codes: ArrayLike<number>): Tensor {
  return scheme === 'int8'
    ? tensor('int8', shape, Int8Array.from(codes))
    : tensor('uint8', shape, Uint8Array.from(codes));
}

function affineOperands(context: Lowering, node: Node, rule: Extract<QuantRule, { kind: 'affine' }>) {
  const { graph, path, builder, parameters, makers } = context;
  const [input = '', filterName = '', biasName] = node.inputs;
  const quantizer = makers.get(filterName);
  if (quantizer?.op !== 'fake_quant') {
    throw new UserError([
      {
        code: 'missing-range',
        place: { file: path },
        message: `the weights "${filterName}" of ${node.op} "${node.name}" have no fake quantizer`,
        hint: 'train the graph with a `qat` stage before converting it',
      },
    ]);
  }
  const weights: Weights = {
    node,
    filter: floatConstant(graph, quantizer.inputs[0] ?? '', node),
    ranges: rangeOf(graph, quantizer),
    form: quantizer.attrs.axis === null ? 'per_tensor' : 'per_channel',
    bias: biasName === undefined ? null : floatConstant(graph, biasName, node),
    inputScale: present(parameters.of, input).scale,
    channelAxis: rule.channelAxis,
  };
  requireScheme(context, weights);
  const { filter, bias } =
    weights.form === 'per_tensor' ? weightsOfOneRange(context, weights) : weightsPerChannel(context, weights);
  return [
    builder.ref(resolve(context, input)),
    builder.constant(quantizer.inputs[0] ?? filterName, filter.codes, filter.quant),
    builder.constant(biasName ?? `${node.name}/bias`, bias.codes, bias.quant),
  ];
}

/** What an affine op multiplies by, before it becomes integers. */
interface Weights {
  readonly node: Node;
  readonly filter: FloatTensor;
  /** One, or one for each output channel. */
  readonly ranges: readonly NudgedRange[];
  readonly form: FakeQuantForm;
  readonly bias: FloatTensor | null;
  readonly inputScale: number;
  readonly channelAxis: number;
}

interface Quantized {
  readonly codes: Tensor;
  readonly quant: QuantParams;
}

interface QuantizedWeights {
  readonly filter: Quantized;
  readonly bias: Quantized;
}

/** @throws UserError for weights that were trained for the other scheme */
function requireScheme(context: Lowering, { node, ranges, form }: Weights): void {
  if (context.scheme === 'uint8') {
    if (form === 'per_tensor') return;
    throw otherScheme(context, node, 'have a range for each output channel; uint8 kernels expect one', 'uint8');
  }
  // A range of width 0 (a batch norm with gamma 0) has no meaningful zero point: all its codes are 0.
  const asymmetric = ranges.find((range) => range.scale !== 0 && range.zeroPoint !== 128);
  if (asymmetric === undefined) return;
  throw otherScheme(context, node, `have zero point ${asymmetric.zeroPoint - 128}; int8 kernels expect 0`, 'int8');
}

/** Codes -127 .. 127 with a scale for each output channel and zero point 0. */
function weightsPerChannel(context: Lowering, weights: Weights): QuantizedWeights {
  const { node, filter, ranges, form, bias, inputScale, channelAxis } = weights;
  const channels = filter.shape[channelAxis] ?? internal(`the filter of "${node.name}" has no axis ${channelAxis}`);
  const scales = Float32Array.from({ length: channels }, (_, channel) => {
    const { scale } = ranges[channel % ranges.length]!;
    return enlarged(context, node, `channel ${channel}`, scale, smallestScale(bias?.data[channel] ?? 0, inputScale));
  });
  const codes = new Int8Array(filter.data.length);
  const inner = numElements(filter.shape.slice(channelAxis + 1));
  for (let at = 0; at < codes.length; at++) {
    const channel = Math.floor(at / inner) % channels;
    const range = ranges[channel % ranges.length]!;
    codes[at] =
      scales[channel] === range.scale
        ? fakeQuantCode(filter.data[at]!, range, form)
        : roundHalfAway(filter.data[at]! / scales[channel]!);
  }
  return {
    filter: {
      codes: tensor('int8', filter.shape, codes),
      quant: { kind: 'per_channel', scales, axis: channelAxis },
    },
    bias: {
      codes: quantizeBias(bias, scales, inputScale),
      quant: { kind: 'per_channel', scales: scales.map((scale) => inputScale * scale), axis: 0 },
    },
  };
}

/**
 * Codes with one scale and zero point: 1 .. 255 for uint8, as tf.contrib.quantize trains them, and -127 .. 127 with
 * zero point 0 for int8.
 */
function weightsOfOneRange(context: Lowering, weights: Weights): QuantizedWeights {
  const { scheme } = context;
  const { node, filter, ranges, form, bias, inputScale, channelAxis } = weights;
  const range = ranges[0] ?? internal(`the weights of "${node.name}" have no range`);
  const channels = filter.shape[channelAxis] ?? internal(`the filter of "${node.name}" has no axis ${channelAxis}`);
  const largestBias = bias === null ? 0 : bias.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const scale = enlarged(context, node, 'the filter', range.scale, smallestScale(largestBias, inputScale));
  const trained = scale === range.scale;
  const zeroPoint = (trained ? range.zeroPoint : 128) - schemes[scheme].offset;
  const codes = filter.data.map(
    (x) => (trained ? fakeQuantCode(x, range, form) : roundHalfAway(x / scale)) + zeroPoint,
  );
  return {
    filter: {
      codes: codesTensor(scheme, filter.shape, codes),
      quant: { kind: 'per_tensor', scale, zeroPoint },
    },
    bias: {
      codes: quantizeBias(bias, new Float32Array(channels).fill(scale), inputScale),
      quant: { kind: 'per_tensor', scale: Math.fround(inputScale * scale), zeroPoint: 0 },
    },
  };
}

function otherScheme({ path }: Lowering, node: Node, problem: string, scheme: Scheme): UserError {
  return new UserError([
    {
      code: 'other-scheme',
      place: { file: path },
      message: `the weights of ${node.op} "${node.name}" ${problem}`,
      hint: `train with \`scheme: ${scheme}\` in the \`qat\` stage`,
    },
  ]);
}

/** A scale that is at least `least`; what had to be raised is noted. */
function enlarged({ adjustments }: Lowering, node: Node, what: string, scale: number, least: number): number {
  if (scale >= least) return scale;
  adjustments.push(
    `${node.name}: ${what} has weights so small (scale ${scale}) that its bias would not fit int32; ` +
      `scale raised to ${least}`,
  );
  return least;
}

/** The accumulator's headroom: |bias| stays below 2^31 - 2^24, so that 2^24 is left for the products. */
function smallestScale(bias: number, inputScale: number): number {
  return Math.fround(Math.max(1e-9, (Math.abs(bias) / ((2 ** 31 - 2 ** 24) * inputScale)) * (1 + 2 ** -20)));
}

/** int32 codes with the accumulator's scale, input * filter in float64, rounded half away from zero. */
function quantizeBias(bias: FloatTensor | null, scales: Float32Array, inputScale: number): Tensor<'int32'> {
  const codes = Int32Array.from(scales, (scale, channel) =>
    roundHalfAway((bias === null ? 0 : bias.data[channel]!) / (inputScale * scale)),
  );
  return tensor('int32', [scales.length], codes);
}
