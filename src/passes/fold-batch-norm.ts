import { internal } from '../core/assert.ts';
import { floatTensor } from '../core/tensor.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { expectDType } from '../core/tensor.ts';
import { buildGraph, copyNode } from '../graph/builder.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { consumers, producers, valueOf } from '../graph/graph.ts';
import { ops } from '../ops/index.ts';

/**
 * Folds each batch norm into the affine op before it: filter * m and (bias - mean) * m + beta with
 * m = gamma / sqrt(variance + epsilon), per output channel.
 *
 * A fake-quantized filter keeps its integers: the range is scaled by |m|, so only the scales change.
 *
 * @param graph inference form, all parameters constant
 */
export function foldBatchNorm(graph: Graph): Graph {
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
  /** Filters, ranges and biases that are written anew beside the affine op that reads them. */
  for (const name of folds.keys()) {
    const node = makers.get(name) ?? internal(`no node ${name}`);
    const filter = makers.get(node.inputs[1] ?? '');
    for (const input of [...node.inputs.slice(1), ...(filter?.inputs ?? [])]) dropped.add(input);
  }
  for (const value of graph.values.values()) {
    if (value.source.kind === 'input') builder.input(value.name, value.type);
    if (value.source.kind === 'constant' && !dropped.has(value.name)) builder.constant(value.name, value.source.data);
  }
  for (const node of graph.nodes) {
    if (node.op === 'batch_norm' && node.inputs[0] !== undefined && folds.has(node.inputs[0])) {
      renamed.set(node.name, node.inputs[0]);
      continue;
    }
    if (node.op === 'fake_quant' && dropped.has(node.name)) continue;
    const batchNorm = folds.get(node.name);
    if (batchNorm === undefined) copyNode(builder, node, (input) => renamed.get(input) ?? input);
    else addFolded(graph, builder, node, batchNorm, makers, (input) => renamed.get(input) ?? input);
  }
  return builder.finish(graph.outputs.map((output) => builder.ref(renamed.get(output) ?? output)));
}

function addFolded(
  graph: Graph,
  builder: ReturnType<typeof buildGraph>,
  node: Node,
  batchNorm: Node<'batch_norm'>,
  makers: ReadonlyMap<string, Node>,
  rename: (name: string) => string,
): void {
  const rule = ops[node.op].quant;
  if (rule.kind !== 'affine') return internal(`${node.op} is not affine`);
  const [gamma, beta, mean, variance] = batchNorm.inputs.slice(1).map((name) => constantOf(graph, name));
  if (gamma === undefined || beta === undefined || mean === undefined || variance === undefined) {
    return internal(`batch_norm "${batchNorm.name}" lacks a parameter`);
  }
  const factors = gamma.data.map(
    (value, channel) => value / Math.sqrt(variance.data[channel]! + batchNorm.attrs.epsilon),
  );
  const [input = '', filterName = '', biasName] = node.inputs;
  const quantizer = makers.get(filterName);
  const filter = constantOf(graph, quantizer?.op === 'fake_quant' ? (quantizer.inputs[0] ?? '') : filterName);
  const stem = node.name;
  let folded = builder.constant(
    `${stem}/filter_folded`,
    scaleChannels(filter, rule.channelAxis, (c) => factors[c]!),
  );
  if (quantizer?.op === 'fake_quant') {
    const [, min = '', max = ''] = quantizer.inputs;
    const scaled = (name: string, range: FloatTensor) =>
      builder.constant(
        name,
        floatTensor(
          range.shape,
          range.data.map((x, channel) => x * Math.abs(factors[channel]!)),
        ),
      );
    const operands = [folded, scaled(min, constantOf(graph, min)), scaled(max, constantOf(graph, max))];
    [folded = folded] = builder.node('fake_quant', quantizer.name, operands, quantizer.attrs);
  }
  const bias = biasName === undefined ? null : constantOf(graph, biasName);
  const foldedBias = beta.data.map(
    (value, channel) => value + ((bias?.data[channel] ?? 0) - mean.data[channel]!) * factors[channel]!,
  );
  builder.node(
    node.op,
    node.name,
    [builder.ref(rename(input)), folded, builder.constant(`${stem}/bias_folded`, floatTensor(beta.shape, foldedBias))],
    node.attrs,
  );
}

function constantOf(graph: Graph, name: string): FloatTensor {
  const { source } = valueOf(graph, name);
  if (source.kind !== 'constant') return internal(`"${name}" is not constant; freeze variables before folding`);
  return expectDType(source.data, 'float32');
}

function scaleChannels(filter: FloatTensor, axis: number, factor: (channel: number) => number): FloatTensor {
  const channels = filter.shape[axis] ?? internal(`the filter has no axis ${axis}`);
  const inner = filter.shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  return floatTensor(
    filter.shape,
    filter.data.map((value, at) => value * factor(Math.floor(at / inner) % channels)),
  );
}
