/** The tensor arena of TensorFlow Lite Micro, planned as its own planner does, before there is a device or a file. */
import { elementBytes, numElements } from '../core/tensor.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import { ops } from '../ops/index.ts';

/** A buffer of the arena. `first` and `last` are the steps at which it is in use: 0 is the input, n the n-th op. */
export interface ArenaBuffer {
  /** Of the value, or `<node>/scratch` for memory that a kernel asks for while it runs. */
  readonly name: string;
  /** A multiple of 16. */
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

export interface PlacedBuffer extends ArenaBuffer {
  /** From the start of the arena. */
  readonly offset: number;
}

export interface Arena {
  /**
   * Bytes of activations and scratch memory: what the allocator of TensorFlow Lite Micro reports as head. The
   * tail beside it (structures of the interpreter, multipliers of channels) depends on the build and is not in it.
   */
  readonly head: number;
  /** In the order of the tensors in the file, scratch memory last. */
  readonly buffers: readonly PlacedBuffer[];
}

/** MicroArenaBufferAlignment: tflite-micro, tensorflow/lite/micro/micro_arena_constants.h at 0167db3. */
const alignment = 16;

const aligned = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

/**
 * The arena of an integer graph with reference kernels. Kernels of a chip's vendor (CMSIS-NN, ESP-NN) ask for scratch
 * memory of their own.
 *
 * @param graph level int8, with the types of its edges set
 */
export function planArena(graph: Graph): Arena {
  return placeBuffers([...activations(graph), ...scratchBuffers(graph)]);
}

/**
 * Lifetimes as in tflite-micro, tensorflow/lite/micro/micro_allocation_info.cc (MarkAllocationLifetimes) at 01010b3.
 * The order is that in which `writeTflite` numbers tensors, since it decides between buffers of one size.
 */
function activations(graph: Graph): readonly ArenaBuffer[] {
  const end = graph.nodes.length;
  const first = new Map(graph.inputs.map((name) => [name, 0]));
  const last = new Map(graph.inputs.map((name) => [name, 0]));
  const order = new Set(graph.inputs);
  for (const [index, node] of graph.nodes.entries()) {
    const operandOrder = ops[node.op].tflite?.operandOrder ?? node.inputs.map((_, position) => position);
    for (const position of operandOrder) {
      const input = node.inputs[position];
      if (input === undefined) continue;
      order.add(input);
      last.set(input, index + 1);
    }
    for (const output of node.outputs) {
      order.add(output);
      first.set(output, index + 1);
      last.set(output, index + 1);
    }
  }
  for (const output of graph.outputs) last.set(output, end);
  return [...order].flatMap((name) => {
    const { source, type } = valueOf(graph, name);
    const bytes = aligned(elementBytes[type.dtype] * numElements(type.shape));
    if ((source.kind !== 'node' && source.kind !== 'input') || bytes === 0) return [];
    return [{ name, bytes, first: first.get(name) ?? 0, last: last.get(name) ?? end }];
  });
}

function scratchBuffers(graph: Graph): readonly ArenaBuffer[] {
  return graph.nodes.flatMap((node, index) =>
    scratchBytes(graph, node).map((bytes) => ({
      ...{ name: `${node.name}/scratch`, bytes: aligned(bytes) },
      ...{ first: index + 1, last: index + 1 },
    })),
  );
}

const int32Bytes = elementBytes.int32;

/**
 * What the reference kernels request with RequestScratchBufferInArena, in their order: tflite-micro,
 * tensorflow/lite/micro/kernels. All other kernels of our ops ask for nothing with 8 bits.
 */
function scratchBytes(graph: Graph, node: Node): readonly number[] {
  switch (node.op) {
    // transpose_conv.cc: a sum of 32 bits for each output.
    case 'transpose_conv':
      return [int32Bytes * outputSize(graph, node)];
    // mirror_pad.cc: elements of each dimension, before and after.
    case 'mirror_pad':
      return [int32Bytes * node.attrs.paddings.length, int32Bytes * node.attrs.paddings.length];
    // reduce_common.cc: an index and the axes; means and sums also have a sum of 32 bits for each output.
    case 'reduce_max':
    case 'reduce_min':
      return reductionBytes(graph, node, node.attrs.axes);
    case 'mean':
    case 'sum':
      return [...reductionBytes(graph, node, node.attrs.axes), int32Bytes * outputSize(graph, node)];
    default:
      return [];
  }
}

function reductionBytes(graph: Graph, node: Node, axes: readonly number[]): readonly number[] {
  const rank = valueOf(graph, node.inputs[0] ?? '').type.shape.length;
  return [int32Bytes * rank, int32Bytes * axes.length];
}

const outputSize = (graph: Graph, node: Node): number => numElements(valueOf(graph, node.name).type.shape);

/**
 * Largest first, each into the lowest gap between the buffers that are in use at the same time; of buffers of one size
 * the later one first. tflite-micro, tensorflow/lite/micro/memory_planner/greedy_memory_planner.cc
 * (CalculateOffsetsIfNeeded) at 17bebc0.
 */
export function placeBuffers(buffers: readonly ArenaBuffer[]): Arena {
  const order = [...buffers.keys()].sort((a, b) => (buffers[b]?.bytes ?? 0) - (buffers[a]?.bytes ?? 0) || b - a);
  const offsets = new Map<number, number>();
  // By offset; of equal offsets the later placed last, as a list that is searched from its start gives.
  const placed: PlacedBuffer[] = [];
  for (const index of order) {
    const buffer = buffers[index];
    if (buffer === undefined) continue;
    const offset = lowestGap(placed, buffer);
    offsets.set(index, offset);
    const at = placed.findIndex((other) => other.offset > offset);
    placed.splice(at < 0 ? placed.length : at, 0, { ...buffer, offset });
  }
  return {
    head: placed.reduce((most, { offset, bytes }) => Math.max(most, offset + bytes), 0),
    buffers: buffers.map((buffer, index) => ({ ...buffer, offset: offsets.get(index) ?? 0 })),
  };
}

function lowestGap(placed: readonly PlacedBuffer[], { bytes, first, last }: ArenaBuffer): number {
  let offset = 0;
  for (const other of placed) {
    if (other.first > last || first > other.last) continue;
    if (other.offset - offset >= bytes) break;
    offset = Math.max(offset, other.offset + other.bytes);
  }
  return offset;
}
