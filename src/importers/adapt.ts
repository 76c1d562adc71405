/** An imported network made to take the examples of a data set and to give what its task compares. */
import { internal } from '../core/assert.ts';
import type { FloatTensor, Shape } from '../core/tensor.ts';
import { numElements, sameShape } from '../core/tensor.ts';
import { buildGraph, copyNode, copyParameters } from '../graph/builder.ts';
import type { InputChannel, Target } from '../graph/contract.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { consumers, parameterOf, producers, valueOf } from '../graph/graph.ts';
import { verify } from '../graph/verify.ts';
import type { PixelNormalizer } from '../models/layers/define.ts';
import { addPixelNormalization } from '../models/pixels.ts';
import type { ValueRef } from '../ops/define.ts';

/** What undoes a device's standardization: a network may have learned from the values as they were measured. */
export function measuredValues(channels: readonly InputChannel[]): PixelNormalizer {
  return {
    factors: channels.map(({ deviation }) => deviation),
    offsets: channels.map(({ mean, deviation }) => mean / deviation),
    raw: new Set(),
  };
}

/** Whether a network with this input can take such examples, as they are or in another shape. */
export function takesShape(input: Shape, example: Shape): boolean {
  const long = (shape: Shape): Shape => shape.filter((size) => size !== 1);
  return (
    sameShape(long(input), long(example)) || (long(input).length === 1 && numElements(input) === numElements(example))
  );
}

/**
 * The same network behind a change of its examples' values and shape.
 *
 * @param graph of one input
 * @param example without the batch
 * @param change by the last axis of `example`; null for none
 */
export function withInput(graph: Graph, example: Shape, change: PixelNormalizer | null): Graph {
  const [name = internal('a network has an input')] = graph.inputs;
  const { shape } = valueOf(graph, name).type;
  const padded = [
    ...Array.from({ length: Math.max(0, example.length + 1 - shape.length) }, () => 1),
    ...shape.slice(1),
  ];
  const isReshaped = !sameShape(padded, example);
  if (change === null && !isReshaped) return graph;
  const builder = buildGraph(graph.name, graph.level);
  let value = builder.input(name, { dtype: 'float32', shape: isReshaped || change !== null ? [1, ...example] : shape });
  if (change !== null) value = addPixelNormalization(builder, change, value);
  if (!sameShape(value.type.shape, shape))
    value = single(builder.node('reshape', `${name}/reshape`, [value], { shape }));
  copyParameters(builder, graph);
  const last = value.name;
  for (const node of graph.nodes) copyNode(builder, node, (read) => (read === name ? last : read));
  return verify(builder.finish(graph.outputs.map((output) => builder.ref(output === name ? last : output))));
}

/**
 * The same network with outputs in standard deviations from the mean of each target: (output - mean) / deviation. The
 * fully connected layer at the end takes that in; without one, it cannot.
 *
 * @returns null where the network does not end in a fully connected layer with a bias
 */
export function withTargets(graph: Graph, targets: readonly Target[]): Graph | null {
  const [output = internal('a network has an output')] = graph.outputs;
  const last = producers(graph).get(output);
  if (last?.op !== 'fully_connected') return null;
  const [, filter, bias] = last.inputs;
  if (filter === undefined || bias === undefined || !isOnlyFor(graph, last, [filter, bias])) return null;
  const scaled = new Map<string, FloatTensor>([
    [filter, byRow(parameterOf(graph, filter), (value, row) => value / at(targets, row).deviation)],
    [
      bias,
      byRow(parameterOf(graph, bias), (value, row) => (value - at(targets, row).mean) / at(targets, row).deviation),
    ],
  ]);
  const values = new Map(
    [...graph.values].map(([name, value]) => {
      const initial = scaled.get(name);
      return initial === undefined || value.source.kind !== 'variable'
        ? ([name, value] as const)
        : ([name, { ...value, source: { ...value.source, initial } }] as const);
    }),
  );
  return { ...graph, values };
}

const at = (targets: readonly Target[], row: number): Target => targets[row] ?? internal(`no target ${row}`);

/** Whether parameters are variables that no other node reads. */
function isOnlyFor(graph: Graph, node: Node, names: readonly string[]): boolean {
  const readers = consumers(graph);
  return names.every(
    (name) =>
      valueOf(graph, name).source.kind === 'variable' && (readers.get(name) ?? []).every((reader) => reader === node),
  );
}

/** Every value by the index of its first axis. */
function byRow(given: FloatTensor, change: (value: number, row: number) => number): FloatTensor {
  const size = given.data.length / (given.shape[0] ?? 1);
  return { ...given, data: given.data.map((value, index) => change(value, Math.floor(index / size))) };
}

const single = (values: readonly ValueRef[]): ValueRef => values[0] ?? internal('a node has an output');
