import { internal, unreachable } from '../core/assert.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { expectDType, floatTensor, zeros } from '../core/tensor.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import { buildGraph, copyNode, copyParameters } from '../graph/builder.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { consumers, producers, valueOf } from '../graph/graph.ts';
import { computedParameters, parameterValue } from '../graph/parameters.ts';
import type { QuantRule, ValueRef } from '../ops/define.ts';
import type { FakeQuantAttrs } from '../ops/fake_quant.ts';
import type { OpName } from '../ops/index.ts';
import { ops } from '../ops/index.ts';
import type { Scheme, WeightRanges, WeightScheme } from './scheme.ts';
import { rangeAxis, schemes, weightRange } from './scheme.ts';
import { removeDropout } from './remove-dropout.ts';

const BITS = 8;
const activationCodes = { narrowRange: false, axis: null } as const;

/** Names of the state that quantization adds. */
export const stepVariable = 'fake_quantization_step';
/** The count of steps, this one included. */
export const stepCount = `${stepVariable}/next`;
export const quantizationActive = `${stepVariable}/active`;
const rangeNames = (quantizer: string): { readonly min: string; readonly max: string } => ({
  min: `${quantizer}/min`,
  max: `${quantizer}/max`,
});

/** How the ends of a range follow those of each step's values. */
export type RangeEstimator =
  /** The most extreme value so far, which fades by `decay` in each step. */
  | { readonly kind: 'running_extremes'; readonly decay: number }
  /** The moving average of the extremes of each step; each step keeps the fraction `decay` of the old value. */
  | { readonly kind: 'moving_average'; readonly decay: number };

/** Where the ranges come from: observed while training, or read as they were trained. */
export type Ranges =
  | {
      readonly kind: 'observed';
      /**
       * Quantization acts from this step on, counted from 1 at the start of this training; observers run from step 1. 0
       * is always.
       */
      readonly delay: number;
      readonly estimator: RangeEstimator;
      /** How the ranges of several replicas become one. */
      readonly merge: 'mean' | 'min_max';
      /** What observers begin with; left out where nothing was observed before. */
      readonly initial?: (quantizer: string) => TrainedRange;
      /** Steps in which `initial` was observed, on which the counter goes on; default 0, for ranges that were chosen. */
      readonly earlierSteps?: number;
    }
  | { readonly kind: 'trained'; readonly range: (quantizer: string) => TrainedRange };

export interface TrainedRange {
  readonly min: FloatTensor;
  readonly max: FloatTensor;
}

/** Trained ranges as a model's file names them. */
export function trainedRanges(tensor: (name: string) => FloatTensor) {
  return {
    kind: 'trained',
    range: (quantizer: string): TrainedRange => {
      const { min, max } = rangeNames(quantizer);
      return { min: tensor(min), max: tensor(max) };
    },
  } as const;
}

/** On which side of a fused activation the range of its group is observed. */
export type ObservedSide = 'after_activation' | 'before_activation';

export interface FakeQuantOptions {
  readonly ranges: Ranges;
  /** Default after_activation; the other side is for comparison, as it spends codes on what the activation removes. */
  readonly observe?: ObservedSide;
  /** Default int8. */
  readonly scheme?: Scheme;
  /** Default per_channel. */
  readonly denseWeights?: WeightRanges;
  /** The real values of input codes 0 and 255. */
  readonly input: { readonly min: number; readonly max: number };
}

/**
 * Adds a fake quantizer to every weight (narrow range; as the scheme says) and to
 * every activation edge, after the activation or, with `observe: before_activation`, between a layer and its
 * activation. Bias stays float: it becomes int32 with the scale of the accumulator.
 *
 * Names follow tf.contrib.quantize: `layer/weights_quant`, `layer/act_quant`.
 *
 * @param graph level float, training or inference form
 */
export function insertFakeQuant(graph: Graph, options: FakeQuantOptions): Graph {
  const { ranges } = options;
  const builder = buildGraph(graph.name, ranges.kind === 'observed' ? 'qat' : 'eval');
  // Groups are those of the inference graph, which finds the trained ranges by their names.
  const inference = removeDropout(graph);
  const readers = consumers(inference);
  const insertion: Insertion = {
    ...{ graph, builder, ranges, inference, readers },
    gate: ranges.kind === 'observed' ? quantizationGate(builder, ranges.delay, ranges.earlierSteps ?? 0) : null,
    weights: { scheme: options.scheme ?? 'int8', denseWeights: options.denseWeights ?? 'per_channel' },
    makers: producers(inference),
    observesBefore: options.observe === 'before_activation',
    joined: joinedValues(inference, readers),
    filters: filtersOf(graph),
    computed: computedParameters(graph),
    ...{ renamed: new Map(), covering: new Map() },
  };
  const { renamed } = insertion;
  for (const name of graph.inputs) {
    const input = builder.input(name, valueOf(graph, name).type);
    if (!inference.inputs.includes(name)) continue;
    const range = constantRange(builder, `${name}_quant`, options.input);
    quantizeActivation(insertion, name, `${name}_quant/fake_quant`, input, range);
  }
  copyParameters(builder, graph);
  for (const node of graph.nodes) {
    quantizeParameters(insertion, node);
    copyNode(builder, node, (input) => renamed.get(input) ?? input);
    quantizeOutput(insertion, node);
  }
  for (const update of graph.updates) builder.update(update.variable, builder.ref(update.value));
  return builder.finish(graph.outputs.map((output) => builder.ref(renamed.get(output) ?? output)));
}

/** The state of the pass while it goes from node to node. */
interface Insertion extends Quantizers {
  readonly inference: Graph;
  /** Of the inference graph. */
  readonly readers: ReadonlyMap<string, readonly Node[]>;
  readonly makers: ReadonlyMap<string, Node>;
  readonly observesBefore: boolean;
  readonly joined: ReadonlySet<string>;
  readonly filters: ReturnType<typeof filtersOf>;
  /** Values that depend on no input. */
  readonly computed: ReadonlySet<string>;
  /** What a reader of the old value reads now. */
  readonly renamed: Map<string, string>;
  /** The range that covers a value, handed on by ops that share their input's scale. */
  readonly covering: Map<string, Range>;
}

/** Quantizes the weights and constants that a node is the first to read. */
function quantizeParameters(insertion: Insertion, node: Node): void {
  const { filters, weights, computed, renamed } = insertion;
  for (const name of node.inputs) {
    const reader = filters.get(name);
    if (reader === undefined || renamed.has(name)) continue;
    renamed.set(name, quantizeWeights(insertion, name, rangeAxis(weights, reader.op, reader.channelAxis)).name);
  }
  // What makes a parameter is computed before anything is quantized.
  if (ops[node.op].quant.kind !== 'independent' || node.outputs.some((output) => computed.has(output))) return;
  for (const input of node.inputs) {
    const quantized = renamed.has(input) ? null : quantizeParameter(insertion, input);
    if (quantized !== null) renamed.set(input, quantized.name);
  }
}

/** Gives the output of a node its range, and a quantizer where its group ends. */
function quantizeOutput(insertion: Insertion, node: Node): void {
  const { inference, readers, observesBefore, joined, computed, covering, builder } = insertion;
  const [output] = node.outputs;
  if (output !== undefined && computed.has(output)) return;
  const before = node.op === 'dropout' ? covering.get(node.inputs[0] ?? '') : undefined;
  if (before !== undefined) covering.set(node.name, before);
  if (output === undefined || !isActivation(node)) return;
  const next = nextInGroup(inference, readers, node);
  if (next !== null && !(observesBefore && ops[next.op].quant.kind === 'activation')) return;
  if (joined.has(output)) return;
  const quantizer = quantizerName(builder, node.name, 'act_quant');
  const value = builder.ref(output);
  const { quant } = ops[node.op];
  switch (quant.kind) {
    case 'same_scale':
      quantizeAlike(insertion, node, quant, quantizer, value);
      return;
    case 'fixed_output': {
      const min = quant.scale * (-128 - quant.zeroPoint);
      const range = constantRange(builder, quantizer, { min, max: min + quant.scale * 255 });
      quantizeActivation(insertion, output, `${quantizer}/fake_quant`, value, range);
      return;
    }
    case 'affine':
    case 'independent':
    case 'activation':
    case 'folded':
    case 'float_only': {
      const group = rangeBefore(insertion, node);
      if (group !== undefined) covering.set(output, group);
      else {
        const range = activationRange(insertion, quantizer, value);
        quantizeActivation(insertion, output, `${quantizer}/fake_quant`, value, range);
      }
      return;
    }
    case 'quantizer':
      internal(`the graph already holds ${node.op} "${node.name}"`);
  }
}

function quantizeActivation(
  insertion: Insertion,
  name: string,
  quantizer: string,
  value: ValueRef,
  range: Range,
): void {
  insertion.covering.set(name, range);
  insertion.renamed.set(name, fakeQuantNode(insertion, quantizer, value, range, activationCodes).name);
}

/** The output of an op that keeps the scale of its inputs. */
function quantizeAlike(
  insertion: Insertion,
  node: Node,
  { exact }: Extract<QuantRule, { kind: 'same_scale' }>,
  quantizer: string,
  value: ValueRef,
): void {
  const { covering, renamed } = insertion;
  const [shared, ...others] = new Set(node.inputs.map((input) => covering.get(input)));
  const known = others.length === 0 ? shared : undefined;
  if (known === undefined && ops[node.op].variadic !== true) {
    internal(`nothing gave "${node.inputs[0] ?? ''}" a range before ${node.op} "${node.name}"`);
  }
  const range = known ?? activationRange(insertion, quantizer, value);
  for (const each of node.outputs) covering.set(each, range);
  // Moving values keeps them on the grid; averaging does not, nor do inputs that had other ranges.
  if (exact && known !== undefined) return;
  const name = known === undefined ? `${quantizer}/fake_quant` : quantizer;
  renamed.set(value.name, fakeQuantNode(insertion, name, value, range, activationCodes).name);
}

/**
 * The range of a group that was quantized before its activation. What that lets through is on the grid, and so is 0;
 * the 6 of relu6 alone may lie between two codes, up to half a step, which the integer clamp rounds.
 */
function rangeBefore({ inference, readers, makers, covering }: Insertion, node: Node): Range | undefined {
  const [input = ''] = node.inputs;
  const maker = makers.get(input);
  const isOfGroup = maker !== undefined && nextInGroup(inference, readers, maker)?.name === node.name;
  return isOfGroup ? covering.get(input) : undefined;
}

/** The values that layers multiply with, and how; whatever else reads one sees it quantized too. */
function filtersOf(graph: Graph): ReadonlyMap<string, { readonly op: OpName; readonly channelAxis: number }> {
  return new Map(
    graph.nodes.flatMap(({ op, name, inputs }) => {
      const { quant } = ops[op];
      if (quant.kind !== 'affine') return [];
      const filter = inputs[quant.weight] ?? internal(`${name} has no weights`);
      return [[filter, { op, channelAxis: quant.channelAxis }] as const];
    }),
  );
}

interface Quantizers {
  readonly graph: Graph;
  readonly builder: GraphBuilder;
  readonly ranges: Ranges;
  readonly gate: Gate | null;
  readonly weights: WeightScheme;
}

interface Gate {
  /** Steps so far, this one included. */
  readonly step: ValueRef;
  /** Scalar 0 or 1; null when quantization is active from the first step. */
  readonly active: ValueRef | null;
}

interface Range {
  readonly min: ValueRef;
  readonly max: ValueRef;
}

/** Named by the layer, `conv1/act_quant` of `conv1/relu`; by the value itself where the layer has one already. */
function quantizerName(
  builder: GraphBuilder,
  value: string,
  kind: 'act_quant' | 'weights_quant' | 'constant_quant',
): string {
  const slash = value.lastIndexOf('/');
  const ofLayer = `${slash < 0 ? value : value.slice(0, slash)}/${kind}`;
  const isTaken = [ofLayer, `${ofLayer}/fake_quant`, rangeNames(ofLayer).min].some((name) => builder.has(name));
  return isTaken ? `${value}/${kind}` : ofLayer;
}

/** Observers, counters and moving averages of batch norm carry no activation. */
function isActivation(node: Node): boolean {
  return ops[node.op].quant.kind !== 'float_only' || node.op === 'batch_norm_train';
}

/**
 * The next op of a fused group (layer, batch norm, activation), into which the value disappears: the group's last op
 * gets the quantizer, so that no code is spent on what the activation removes. Null at the end of a group.
 */
function nextInGroup(graph: Graph, readers: ReadonlyMap<string, readonly Node[]>, node: Node): Node | null {
  const [output = ''] = node.outputs;
  const [reader, ...others] = readers.get(output) ?? [];
  if (reader === undefined || others.length > 0 || graph.outputs.includes(output)) return null;
  const { kind } = ops[node.op].quant;
  const next = ops[reader.op].quant.kind;
  const normalizes = next === 'folded' || reader.op === 'batch_norm_train';
  if (kind === 'affine' && normalizes) return reader;
  // An op without an activation of its own cannot take one in.
  const takesActivation = (kind === 'affine' || kind === 'independent') && 'activation' in node.attrs;
  const endsLayer = takesActivation || kind === 'folded' || node.op === 'batch_norm_train';
  return endsLayer && next === 'activation' ? reader : null;
}

/**
 * Values that get their range from the concatenation they go into: one observer on its output sees all its inputs,
 * and quantizing the joined values is quantizing each of them. A value that is read elsewhere too, or whose range is
 * given, keeps its own and is rescaled when the graph becomes integers.
 */
function joinedValues(graph: Graph, readers: ReadonlyMap<string, readonly Node[]>): ReadonlySet<string> {
  const movesOne = (node: Node): boolean => {
    const rule = ops[node.op].quant;
    return rule.kind === 'same_scale' && rule.exact && node.inputs.length === 1 && node.outputs.length === 1;
  };
  // Backwards: the values whose only way leads into a concatenation.
  const leading = new Set<string>();
  for (const node of graph.nodes.toReversed()) {
    if (ops[node.op].variadic !== true && !(movesOne(node) && leading.has(node.outputs[0] ?? ''))) continue;
    for (const input of node.inputs) {
      if (readers.get(input)?.length === 1 && !graph.outputs.includes(input)) leading.add(input);
    }
  }
  // Forwards: of those, the ones whose producer takes any range.
  const joined = new Set<string>();
  for (const node of graph.nodes) {
    const [output = ''] = node.outputs;
    if (!leading.has(output)) continue;
    const { kind } = ops[node.op].quant;
    const takesAny = kind !== 'same_scale' && kind !== 'fixed_output' && isActivation(node);
    const handsOn = movesOne(node) && joined.has(node.inputs[0] ?? '');
    if (takesAny || handsOn || ops[node.op].variadic === true) joined.add(output);
  }
  return joined;
}

function quantizationGate(builder: GraphBuilder, delay: number, earlierSteps: number): Gate {
  const counter = builder.variable(stepVariable, floatTensor([], [earlierSteps]), 'counter');
  const [step = counter] = builder.node('increment', stepCount, [counter], {});
  builder.update(stepVariable, step);
  if (delay <= 0) return { step, active: null };
  const [active = step] = builder.node('reached', quantizationActive, [step], { threshold: earlierSteps + delay });
  return { step, active };
}

function constantRange(builder: GraphBuilder, name: string, range: { min: number; max: number }): Range {
  const names = rangeNames(name);
  return {
    min: builder.constant(names.min, floatTensor([], [range.min])),
    max: builder.constant(names.max, floatTensor([], [range.max])),
  };
}

function fakeQuantNode(
  { builder, gate }: Quantizers,
  name: string,
  value: ValueRef,
  range: Range,
  codes: Omit<FakeQuantAttrs, 'bits'>,
): ValueRef {
  const operands = [value, range.min, range.max, ...(gate?.active == null ? [] : [gate.active])];
  const [output] = builder.node('fake_quant', name, operands, { bits: BITS, ...codes });
  return output ?? internal(`${name} has no output`);
}

/** An operand that is a constant, or slopes, which have one range as the filter of a dense layer may; null for others. */
function quantizeParameter(quantizers: Quantizers, name: string): ValueRef | null {
  const { source } = valueOf(quantizers.graph, name);
  if (source.kind === 'variable') return quantizeWeights(quantizers, name, null);
  if (source.kind !== 'constant') return null;
  return quantizeConstant(quantizers, name, expectDType(source.data, 'float32'));
}

/** A constant operand: its own range with 0 in it, as TensorFlow Lite's converter chooses. */
function quantizeConstant(quantizers: Quantizers, name: string, { data }: FloatTensor): ValueRef {
  const { builder } = quantizers;
  const quantizer = quantizerName(builder, name, 'constant_quant');
  const range = constantRange(builder, quantizer, { min: Math.min(0, ...data), max: Math.max(0, ...data) });
  return fakeQuantNode(quantizers, `${quantizer}/fake_quant`, builder.ref(name), range, activationCodes);
}

/** The range of the current weights, also in the eval graph: stored ones are one optimizer step old. */
function quantizeWeights(quantizers: Quantizers, filter: string, axis: number | null): ValueRef {
  const { builder, ranges, weights } = quantizers;
  const { scheme } = weights;
  const value = builder.ref(filter);
  const quantizer = quantizerName(builder, filter, 'weights_quant');
  const names = rangeNames(quantizer);
  let range: Range;
  if (ranges.kind === 'observed') {
    const [min = value, max = value] = builder.node('observe_range', `${quantizer}/observed`, [value], {
      axis,
      symmetric: schemes[scheme].symmetric,
    });
    for (const [name, observed, role] of [
      [names.min, min, 'measured_min'],
      [names.max, max, 'measured_max'],
    ] as const) {
      builder.variable(name, zeros('float32', observed.type.shape), role, { owner: quantizer });
      builder.update(name, observed);
    }
    range = { min, max };
  } else {
    const { min, max } = weightRange(parameterValue(quantizers.graph, filter), axis, scheme);
    range = {
      min: builder.variable(names.min, min, 'measured_min', { owner: quantizer }),
      max: builder.variable(names.max, max, 'measured_max', { owner: quantizer }),
    };
  }
  return fakeQuantNode(quantizers, `${quantizer}/fake_quant`, value, range, { narrowRange: true, axis });
}

/** What the moving average was, with the pull of its initial zero, when it was last corrected. */
function biasedAverage({ end, earlierSteps }: Extract<Before, { kind: 'range' }>, decay: number): FloatTensor {
  const weight = 1 - decay ** earlierSteps;
  return floatTensor(
    end.shape,
    end.data.map((value) => value * weight),
  );
}

/** Training: the range as estimated so far, merged over replicas; this step's values count. Eval: the trained range. */
function activationRange({ builder, ranges, gate }: Quantizers, quantizer: string, value: ValueRef): Range {
  const names = rangeNames(quantizer);
  if (ranges.kind === 'trained') {
    const { min, max } = ranges.range(quantizer);
    return {
      min: builder.variable(names.min, min, 'range_min', { owner: quantizer }),
      max: builder.variable(names.max, max, 'range_max', { owner: quantizer }),
    };
  }
  const step = gate?.step ?? internal('observers need the step counter');
  const { estimator, merge, earlierSteps = 0 } = ranges;
  const known = ranges.initial?.(quantizer) ?? null;
  const observed = builder.node('observe_range', `${quantizer}/observed`, [value], { axis: null, symmetric: false });
  const [min = value, max = value] = observed;
  const estimate = (name: string, batchValue: ValueRef, end: 'min' | 'max'): ValueRef => {
    const initial = known?.[end] ?? zeros('float32', []);
    const variable = builder.variable(name, initial, `range_${end}`, { owner: quantizer });
    const reduce = merge === 'mean' ? 'mean' : end;
    const [merged = batchValue] = builder.node('cross_replica', `${name}/merged`, [batchValue], { reduce });
    const before =
      known === null ? ({ kind: 'nothing' } as const) : ({ kind: 'range', end: known[end], earlierSteps } as const);
    const result = estimateEnd(builder, estimator, variable, merged, end, step, before);
    builder.update(name, result);
    return result;
  };
  return { min: estimate(names.min, min, 'min'), max: estimate(names.max, max, 'max') };
}

/** What an observer has seen before this training. */
type Before =
  | { readonly kind: 'nothing' }
  /** In no step, for a range that was chosen. */
  | { readonly kind: 'range'; readonly end: FloatTensor; readonly earlierSteps: number };

/** The end of a range after this step. A moving average is freed from the pull of its initial zero. */
function estimateEnd(
  builder: GraphBuilder,
  { kind, decay }: RangeEstimator,
  variable: ValueRef,
  merged: ValueRef,
  end: 'min' | 'max',
  step: ValueRef,
  before: Before,
): ValueRef {
  const { name } = variable;
  switch (kind) {
    case 'running_extremes': {
      const [next = variable] = builder.node('running_extreme', `${name}/next`, [variable, merged], { decay, end });
      return next;
    }
    case 'moving_average': {
      if (before.kind === 'range' && before.earlierSteps === 0) {
        const [next = variable] = builder.node('moving_average', `${name}/next`, [variable, merged], { decay });
        return next;
      }
      const initial = before.kind === 'range' ? biasedAverage(before, decay) : zeros('float32', []);
      const biased = builder.variable(`${name}/biased`, initial, 'slot', { owner: name });
      const [next = biased] = builder.node('moving_average', `${name}/biased/next`, [biased, merged], { decay });
      const [debiased = biased] = builder.node('zero_debias', `${name}/next`, [next, step], { decay });
      builder.update(biased.name, next);
      return debiased;
    }
    default:
      return unreachable(kind);
  }
}
