/** How many examples fit, into memory and into reasonable time, when nothing is trained. */
import { numElements } from '../core/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import { ops } from '../ops/index.ts';

/** Examples per run at most: more make no run faster. */
const largestBatch = 250;

/**
 * Room for the activations of one run. A number of ours and not the machine's, since the engine of TensorFlow may add
 * in another order for another batch: the same pipeline has to give the same bytes everywhere.
 */
const activationBytes = 256 * 2 ** 20;

/** Patches of convolutions and packed operands lie beside the activations and are of their size. */
const scratchFactor = 2;

/**
 * The batch for a graph that runs over `count` examples: as many as fit, at least 1. What does not fit even alone is
 * the engine's to refuse.
 *
 * @param graph inference form, batch 1
 */
export function evaluationBatch(graph: Graph, count: number): number {
  const fitting = Math.floor(activationBytes / (scratchFactor * peakActivationBytes(graph)));
  return Math.max(1, Math.min(largestBatch, count, fitting));
}

/** Bytes of the float32 values that are alive at once, at most, when nodes run in order and free what nobody reads. */
export function peakActivationBytes(graph: Graph): number {
  const lastUse = new Map<string, number>();
  for (const [index, node] of graph.nodes.entries()) for (const input of node.inputs) lastUse.set(input, index);
  for (const output of graph.outputs) lastUse.set(output, graph.nodes.length);
  const bytesOf = (name: string): number => 4 * numElements(valueOf(graph, name).type.shape);
  const living = new Map<string, number>(graph.inputs.map((name) => [name, bytesOf(name)]));
  let [alive, peak] = [[...living.values()].reduce((sum, bytes) => sum + bytes, 0), 0];
  for (const [index, node] of graph.nodes.entries()) {
    for (const output of node.outputs) {
      living.set(output, bytesOf(output));
      alive += bytesOf(output);
    }
    peak = Math.max(peak, alive);
    for (const name of new Set([...node.inputs, ...node.outputs])) {
      const bytes = living.get(name);
      if (bytes === undefined || (lastUse.get(name) ?? index) > index) continue;
      living.delete(name);
      alive -= bytes;
    }
  }
  return Math.max(peak, alive);
}

/** Products of the reference loops over all examples together: some minutes. */
const mostProducts = 1e10;

/** To compare a value of a layer in all its forms takes as long as so many products. */
const productsPerValue = 40;

/**
 * Examples that the reference loops go through, each layer watched, in reasonable time: `most`, or fewer of a large
 * network, at least 1.
 *
 * @param graph level int8, batch 1
 */
export function affordableExamples(graph: Graph, most: number): number {
  const products = graph.nodes.reduce((sum, node) => {
    const values = numElements(valueOf(graph, node.name).type.shape);
    const rule = ops[node.op].quant;
    if (rule.kind !== 'affine') return sum + productsPerValue * values;
    const { shape } = valueOf(graph, node.inputs[rule.weight] ?? '').type;
    const perValue = numElements(shape) / (shape[rule.channelAxis] ?? 1);
    return sum + (productsPerValue + perValue) * values;
  }, 1);
  return Math.max(1, Math.min(most, Math.floor(mostProducts / products)));
}

/** `count` of `total` indices, spread over them: the examples of a class may lie side by side. */
export function spread(count: number, total: number): Uint32Array {
  return Uint32Array.from({ length: Math.min(count, total) }, (_, index) =>
    Math.floor((index * total) / Math.min(count, total)),
  );
}
