/** What an integer graph takes on a device. */
import { elementBytes, numElements } from '../core/tensor.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import { ops } from '../ops/index.ts';
import { planArena } from './arena.ts';

export interface Memory {
  /** Bytes of the tensor arena of TensorFlow Lite Micro: its head, see `planArena`. */
  readonly arena: number;
  /** Multiplications of convolutions and dense layers for one example; those with padding count. */
  readonly macs: number;
}

/** @param graph level int8, batch 1, with the types of its edges set */
export function memoryOf(graph: Graph): Memory {
  return { arena: planArena(graph).head, macs: graph.nodes.reduce((sum, node) => sum + macsOf(graph, node), 0) };
}

/** Bytes of weights and biases. */
export function weightBytes(graph: Graph): number {
  return [...graph.values.values()].reduce(
    (sum, { source, type }) =>
      sum + (source.kind === 'constant' ? elementBytes[type.dtype] * numElements(type.shape) : 0),
    0,
  );
}

/** Multiplications of one op for one example; 0 of all but convolutions and dense layers. */
export function macsOf(graph: Graph, node: Node): number {
  const rule = ops[node.op].quant;
  if (rule.kind !== 'affine') return 0;
  const [input, filter, output] = [node.inputs[0], node.inputs[rule.weight], node.name].map(
    (name) => valueOf(graph, name ?? '').type.shape,
  );
  const weights = numElements(filter ?? []);
  // Each pixel of the input meets the whole filter.
  if (node.op === 'transpose_conv') return numElements((input ?? []).slice(0, 3)) * weights;
  return numElements(output ?? []) * (weights / ((filter ?? [])[rule.channelAxis] ?? 1));
}
