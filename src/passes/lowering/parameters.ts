/** Scales and zero points of activations, carried from fake quantizers. */
import { internal } from '../../core/assert.ts';
import type { NudgedRange, QuantParams } from '../../core/affine.ts';
import type { Diagnostic } from '../../core/diagnostic.ts';
import { UserError } from '../../core/diagnostic.ts';
import type { Graph, Node } from '../../graph/graph.ts';
import { producers } from '../../graph/graph.ts';
import type { QuantRule } from '../../ops/define.ts';
import { ops } from '../../ops/index.ts';
import type { Scheme } from '../scheme.ts';
import { schemes } from '../scheme.ts';
import { fuseActivations } from './activations.ts';
import { activationRange, isConstant, rangeOf } from './ranges.ts';

export type PerTensor = Extract<QuantParams, { kind: 'per_tensor' }>;

export interface ActivationParameters {
  readonly of: ReadonlyMap<string, PerTensor>;
  /** The value before a fake quantizer, which its readers read once the quantizer is removed. */
  readonly behind: ReadonlyMap<string, string>;
  /** Values whose range is empty: the eval graph makes zero of all of them, and so must the integers. */
  readonly empty: ReadonlySet<string>;
}

export function parametersFor(parameters: ReadonlyMap<string, PerTensor>, name: string): PerTensor {
  return parameters.get(name) ?? internal(`"${name}" has no scale and zero point after the check`);
}

/** Scale and zero point of every activation value, and a diagnostic for each that has none. */
export function activationParameters(
  graph: Graph,
  scheme: Scheme,
  path: string,
  adjustments: string[],
): ActivationParameters {
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
