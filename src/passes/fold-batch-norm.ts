import { internal } from '../core/assert.ts';
import { floatTensor } from '../core/tensor.ts';
import type { FloatTensor } from '../core/tensor.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import { buildGraph, copyNode, copySources } from '../graph/builder.ts';
import type { Graph, Node } from '../graph/graph.ts';
import type { VariableRole } from '../graph/roles.ts';
import { consumers, parameterOf, producers, valueOf } from '../graph/graph.ts';
import type { ValueRef } from '../ops/define.ts';
import { ops } from '../ops/index.ts';
import type { Scheme } from './scheme.ts';
import { weightRange } from './scheme.ts';

/**
 * How folding changes the range of a fake-quantized filter. `scaled`: it was trained for the filter itself and is
 * scaled by |m| per channel, so that the integers stay and only the scales change. `measured`: training saw the folded
 * filter, so the range is that of the folded filter, as the scheme measures it.
 */
export type FoldedRange = { readonly kind: 'scaled' } | { readonly kind: 'measured'; readonly scheme: Scheme };

/**
 * Folds each batch norm into the affine op before it: filter * m and (bias - mean) * m + beta with
 * m = gamma / sqrt(variance + epsilon), per output channel. Folded parameters are variables where the filter was one.
 *
 * @param graph inference form; parameters constant, or variables with their final values
 */
export function foldBatchNorm(graph: Graph, foldedRange: FoldedRange): Graph {
  const makers = producers(graph);
  const readers = consumers(graph);
  /** Affine nodes with the batch norm that goes into each. */
  const folds = new Map<string, Node<'batch_norm'>>();
  for (const node of graph.nodes) {
    if (node.op !== 'batch_norm') continue;
    const producer = makers.get(node.inputs[0] ?? '');
    const alone = readers.get(node.inputs[0] ?? '')?.length === 1;
    if (producer === undefined || !alone || ops[producer.op].quant.kind !== 'affine') {
      internal(`batch_norm "${node.name}" does not follow a layer of its own, so it cannot be folded`);
    }
    folds.set(producer.name, node);
  }
  if (folds.size === 0) return graph;

  const builder = buildGraph(graph.name, graph.level);
  const renamed = new Map<string, string>();
  const dropped = new Set([...folds.values()].flatMap((node) => node.inputs.slice(1)));
  /** Filters, ranges and biases that are rewritten beside the affine op that reads them. */
  for (const name of folds.keys()) {
    const node = makers.get(name) ?? internal(`no node ${name}`);
    const filter = makers.get(node.inputs[1] ?? '');
    for (const input of [...node.inputs.slice(1), ...(filter?.inputs ?? [])]) dropped.add(input);
  }
  copySources(builder, graph, dropped);
  for (const node of graph.nodes) {
    if (node.op === 'batch_norm' && node.inputs[0] !== undefined && folds.has(node.inputs[0])) {
      renamed.set(node.name, node.inputs[0]);
      continue;
    }
    if (node.op === 'fake_quant' && dropped.has(node.name)) continue;
    const batchNorm = folds.get(node.name);
    if (batchNorm === undefined) copyNode(builder, node, (input) => renamed.get(input) ?? input);
    else addFolded({ graph, builder, makers, renamed, foldedRange }, node, batchNorm);
  }
  return builder.finish(graph.outputs.map((output) => builder.ref(renamed.get(output) ?? output)));
}

interface Folding {
  readonly graph: Graph;
  readonly builder: GraphBuilder;
  readonly makers: ReadonlyMap<string, Node>;
  readonly renamed: ReadonlyMap<string, string>;
  readonly foldedRange: FoldedRange;
}

function addFolded(folding: Folding, node: Node, batchNorm: Node<'batch_norm'>): void {
  const { graph, builder, makers, renamed } = folding;
  const rule = ops[node.op].quant;
  if (rule.kind !== 'affine') return internal(`${node.op} is not affine`);
  const [gamma, beta, mean, variance] = batchNorm.inputs.slice(1).map((name) => parameterOf(graph, name));
  if (gamma === undefined || beta === undefined || mean === undefined || variance === undefined) {
    return internal(`batch_norm "${batchNorm.name}" lacks a parameter`);
  }
  const factors = gamma.data.map(
    (value, channel) => value / Math.sqrt(variance.data[channel]! + batchNorm.attrs.epsilon),
  );
  const [input = '', filterName = '', biasName] = node.inputs;
  const quantizer = makers.get(filterName);
  const own = quantizer?.op === 'fake_quant' ? (quantizer.inputs[0] ?? '') : filterName;
  /** A parameter as the one that it takes the place of. */
  const add = (name: string, value: FloatTensor, old: string, role?: VariableRole): ValueRef => {
    const { source } = valueOf(graph, old);
    if (source.kind !== 'variable') return builder.constant(name, value);
    return builder.variable(name, value, role ?? source.role, source);
  };

  const filter = scaleChannels(parameterOf(graph, own), rule.channelAxis, (channel) => factors[channel]!);
  let folded = add(`${node.name}/filter_folded`, filter, own);
  if (quantizer?.op === 'fake_quant') {
    const [, min = '', max = ''] = quantizer.inputs;
    const range = quantizedRange(folding, quantizer, filter, factors);
    const operands = [folded, add(min, range.min, min), add(max, range.max, max)];
    [folded = folded] = builder.node('fake_quant', quantizer.name, operands, quantizer.attrs);
  }
  const bias = biasName === undefined ? null : parameterOf(graph, biasName);
  const foldedBias = beta.data.map(
    (value, channel) => value + ((bias?.data[channel] ?? 0) - mean.data[channel]!) * factors[channel]!,
  );
  const operands = [
    builder.ref(renamed.get(input) ?? input),
    folded,
    add(`${node.name}/bias_folded`, floatTensor(beta.shape, foldedBias), own, 'bias'),
  ];
  builder.node(node.op, node.name, operands, node.attrs);
}

function quantizedRange(
  { graph, foldedRange }: Folding,
  { name, inputs: [, min = '', max = ''], attrs: { axis } }: Node<'fake_quant'>,
  folded: FloatTensor,
  factors: Float32Array,
): { readonly min: FloatTensor; readonly max: FloatTensor } {
  if (foldedRange.kind === 'measured') return weightRange(folded, axis, foldedRange.scheme);
  if (axis === null) return internal(`one range of "${name}" cannot be scaled by a factor for each channel`);
  const scaled = ({ shape, data }: FloatTensor) =>
    floatTensor(
      shape,
      data.map((x, channel) => x * Math.abs(factors[channel]!)),
    );
  return { min: scaled(parameterOf(graph, min)), max: scaled(parameterOf(graph, max)) };
}

function scaleChannels(filter: FloatTensor, axis: number, factor: (channel: number) => number): FloatTensor {
  const channels = filter.shape[axis] ?? internal(`the filter has no axis ${axis}`);
  const inner = filter.shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  return floatTensor(
    filter.shape,
    filter.data.map((value, at) => value * factor(Math.floor(at / inner) % channels)),
  );
}
