/** Cross-layer equalization: the same function with filters whose channels have alike ranges. */
import { internal, present } from '../core/assert.ts';
import { floatTensor, numElements } from '../core/tensor.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { consumers, isVariable, parameterOf, producers, valueOf } from '../graph/graph.ts';
import { parameterValue } from '../graph/parameters.ts';
import { withVariables } from '../graph/variables.ts';
import type { OpName } from '../ops/index.ts';
import { ops } from '../ops/index.ts';

export interface Equalized {
  readonly graph: Graph;
  /** Names of the layers, in graph order. */
  readonly pairs: readonly { readonly first: string; readonly second: string }[];
}

/**
 * Ops that give s times the result where a channel of their input is s times as large, s > 0, and keep channels apart.
 * relu6 is none of them: its 6 would have to scale too.
 */
const homogeneous: ReadonlySet<OpName> = new Set<OpName>([
  ...(['relu', 'leaky_relu', 'prelu', 'dropout', 'max_pool_2d', 'average_pool_2d'] as const),
  ...(['resize_bilinear', 'resize_nearest_neighbor', 'pad', 'mean', 'sum', 'reshape'] as const),
]);

/** Equalizing one pair moves the next, so all are equalized in turns; more turns change nothing that matters. */
const MOST_TURNS = 20;
const SETTLED = 1e-3;

/**
 * Equalizes each pair of layers between which only homogeneous ops lie and nothing else reads: channel i of the first is
 * divided by s_i, what the second multiplies it with is multiplied by s_i, with s_i = sqrt(r1_i / r2_i), so that both
 * ranges become sqrt(r1_i * r2_i). r1_i is the largest magnitude of the weights that make the channel, batch norm
 * included, and r2_i of those that read it. The function stays the same but for rounding.
 *
 * @param graph level float, inference form
 * @see Nagel et al. 2019, "Data-free quantization through weight equalization and bias correction", section 4.1
 */
export function equalizeLayers(graph: Graph): Equalized {
  const pairs = pairsOf(graph);
  const values = new Map<string, Float32Array>();
  for (const name of pairs.flatMap(({ rows, columns }) => [...rows, columns.name])) {
    values.set(name, parameterOf(graph, name).data.slice());
  }
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    const changes = pairs.map((pair) => equalize(pair, values));
    if (Math.max(...changes, 0) < SETTLED) break;
  }
  const changed = withVariables(graph, ({ name, source }) => {
    const data = values.get(name);
    return data === undefined ? source.initial : floatTensor(source.initial.shape, data);
  });
  return { graph: changed, pairs: pairs.map(({ first, second }) => ({ first, second })) };
}

interface Pair {
  readonly first: string;
  readonly second: string;
  readonly channels: number;
  /** Of the first layer, what scales its output: filter and bias, or factor and offset of its batch norm. */
  readonly rows: readonly string[];
  /** The largest magnitude of the weights of each channel of the first layer, with the current values. */
  readonly rowRanges: (values: ReadonlyMap<string, Float32Array>) => Float64Array;
  /** By element of a variable in `rows`: its channel. */
  readonly rowChannel: (variable: string, at: number) => number;
  /** The filter of the second layer, and by element the channel that it reads. */
  readonly columns: { readonly name: string; readonly channel: (at: number) => number };
}

/** @returns by how much the factors differ from 1 at most */
function equalize({ channels, rows, rowRanges, rowChannel, columns }: Pair, values: Map<string, Float32Array>): number {
  const valuesOf = (name: string): Float32Array => present(values.get(name), name);
  const first = rowRanges(values);
  const second = new Float64Array(channels);
  const filter = valuesOf(columns.name);
  for (const [at, weight] of filter.entries()) {
    const channel = columns.channel(at);
    second[channel] = Math.max(second[channel]!, Math.abs(weight));
  }
  // A channel that is never made, or never read, has no range to share.
  const factors = first.map((range, channel) =>
    range > 0 && second[channel]! > 0 ? Math.sqrt(range / second[channel]!) : 1,
  );
  for (const name of rows) {
    const data = valuesOf(name);
    for (let at = 0; at < data.length; at++) data[at] = data[at]! / factors[rowChannel(name, at)]!;
  }
  for (let at = 0; at < filter.length; at++) filter[at] = filter[at]! * factors[columns.channel(at)]!;
  return factors.reduce((most, factor) => Math.max(most, Math.abs(factor - 1)), 0);
}

function pairsOf(graph: Graph): readonly Pair[] {
  const readers = consumers(graph);
  const makers = producers(graph);
  return graph.nodes.flatMap((node) => {
    const end = endOfLayer(graph, readers, node);
    if (end === null) return [];
    const second = readerOf(graph, readers, end.name);
    if (second === null) return [];
    const rows = rowsOf(graph, readers, node, end);
    const columns = columnsOf(graph, readers, makers, second);
    if (rows === null || columns === null) return [];
    const channels = valueOf(graph, node.name).type.shape.at(-1) ?? 1;
    if (columns.channels % channels !== 0) return [];
    const channel = (at: number): number => columns.channel(at) % channels;
    return [{ first: node.name, second: second.name, channels, ...rows, columns: { name: columns.name, channel } }];
  });
}

/** The layer itself, or its batch norm; null for what has no weights, or an activation that is not homogeneous. */
function endOfLayer(graph: Graph, readers: ReadonlyMap<string, readonly Node[]>, node: Node): Node | null {
  const { quant } = ops[node.op];
  if (quant.kind !== 'affine' || !isPlain(node)) return null;
  const [reader, ...others] = readers.get(node.name) ?? [];
  const alone = others.length === 0 && !graph.outputs.includes(node.name);
  return alone && reader?.op === 'batch_norm' && reader.inputs[0] === node.name ? reader : node;
}

const isPlain = ({ attrs }: Node): boolean =>
  !('activation' in attrs) || attrs.activation === 'none' || attrs.activation === 'relu';

/** The only layer with weights that reads a value, through homogeneous ops alone. */
function readerOf(graph: Graph, readers: ReadonlyMap<string, readonly Node[]>, value: string): Node | null {
  let current = value;
  for (;;) {
    const [reader, ...others] = readers.get(current) ?? [];
    if (reader === undefined || others.length > 0 || graph.outputs.includes(current)) return null;
    if (reader.inputs[0] !== current) return null;
    if (ops[reader.op].quant.kind === 'affine') return reader;
    if (!homogeneous.has(reader.op) || !isPlain(reader) || !keepsChannels(graph, reader)) return null;
    current = reader.name;
  }
}

/** Whether the channel of an element stays its position on the last axis, modulo the number of channels. */
function keepsChannels(graph: Graph, node: Node): boolean {
  const shape = valueOf(graph, node.inputs[0] ?? '').type.shape;
  const channels = shape.at(-1) ?? 1;
  switch (node.op) {
    case 'reshape':
      return (valueOf(graph, node.name).type.shape.at(-1) ?? 1) % channels === 0;
    case 'mean':
    case 'sum':
      return !node.attrs.axes.includes(shape.length - 1);
    case 'pad':
      return (node.attrs.paddings.at(-1) ?? []).every((size) => size === 0);
    default:
      return true;
  }
}

/** What makes the channels of a layer; null where it is computed, or another layer has it too. */
function rowsOf(
  graph: Graph,
  readers: ReadonlyMap<string, readonly Node[]>,
  node: Node,
  end: Node,
): Pick<Pair, 'rows' | 'rowRanges' | 'rowChannel'> | null {
  const { quant } = ops[node.op];
  if (quant.kind !== 'affine') return internal(`${node.op} has no filter`);
  const filter = node.inputs[quant.weight] ?? internal(`${node.name} has no filter`);
  const { shape } = valueOf(graph, filter).type;
  const channelOf = channelAlong(shape, quant.channelAxis);
  const own = end.op === 'batch_norm' ? end.inputs.slice(1, 3) : node.inputs.slice(quant.weight);
  if (!own.every((name) => isOwn(graph, readers, name))) return null;
  if (end.op !== 'batch_norm') {
    return {
      rows: own,
      rowRanges: (values) => largest(present(values.get(filter), filter), channelOf, shape[quant.channelAxis] ?? 1),
      rowChannel: (variable, at) => (variable === filter ? channelOf(at) : at),
    };
  }
  const [gamma = '', , , variance = ''] = end.inputs.slice(1);
  const ofFilter = largest(parameterValue(graph, filter).data, channelOf, shape[quant.channelAxis] ?? 1);
  const deviations = parameterOf(graph, variance).data.map((value) => Math.sqrt(value + end.attrs.epsilon));
  const rowRanges: Pair['rowRanges'] = (values) => {
    const factors = present(values.get(gamma), gamma);
    return ofFilter.map((range, channel) => (range * Math.abs(factors[channel]!)) / deviations[channel]!);
  };
  return { rows: own, rowRanges, rowChannel: (_variable, at) => at };
}

/** How the filter of a layer reads channels; null where it is computed, or another layer has it too. */
function columnsOf(
  graph: Graph,
  readers: ReadonlyMap<string, readonly Node[]>,
  makers: ReadonlyMap<string, Node>,
  node: Node,
): { readonly name: string; readonly channels: number; readonly channel: (at: number) => number } | null {
  const { quant } = ops[node.op];
  if (quant.kind !== 'affine') return internal(`${node.op} has no filter`);
  const name = node.inputs[quant.weight] ?? internal(`${node.name} has no filter`);
  if (!isOwn(graph, readers, name) || makers.has(name)) return null;
  const { shape } = valueOf(graph, name).type;
  const channels = valueOf(graph, node.inputs[0] ?? '').type.shape.at(-1) ?? 1;
  const last = shape.at(-1) ?? 1;
  if (node.op === 'depthwise_conv_2d') {
    const multiplier = last / channels;
    return { name, channels, channel: (at) => Math.floor((at % last) / multiplier) };
  }
  // A filter of groups reads other channels in each.
  return last === channels ? { name, channels, channel: (at) => at % last } : null;
}

/** Whether a parameter is a variable that one op alone reads. */
function isOwn(graph: Graph, readers: ReadonlyMap<string, readonly Node[]>, name: string): boolean {
  return isVariable(valueOf(graph, name)) && readers.get(name)?.length === 1;
}

function channelAlong(shape: readonly number[], axis: number): (at: number) => number {
  const inner = numElements(shape.slice(axis + 1));
  const channels = shape[axis] ?? 1;
  return (at) => Math.floor(at / inner) % channels;
}

function largest(data: Float32Array, channelOf: (at: number) => number, channels: number): Float64Array {
  const result = new Float64Array(channels);
  for (const [at, weight] of data.entries()) {
    const channel = channelOf(at);
    result[channel] = Math.max(result[channel]!, Math.abs(weight));
  }
  return result;
}
