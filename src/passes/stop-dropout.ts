import type { Graph } from '../graph/graph.ts';
import { quantizationActive } from './insert-fake-quant.ts';
import { removeDropout } from './remove-dropout.ts';

/**
 * Switches dropout off from the step on at which quantization is applied, so that ranges settle without its noise.
 *
 * @param graph level qat with observed ranges
 */
export function stopDropout(graph: Graph): Graph {
  // Without a delay, quantization is applied from the first step on.
  if (!graph.values.has(quantizationActive)) return removeDropout(graph);
  return {
    ...graph,
    nodes: graph.nodes.map((node) =>
      node.op === 'dropout' ? { ...node, inputs: [...node.inputs, quantizationActive] } : node,
    ),
  };
}
