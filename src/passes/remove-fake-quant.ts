import { buildGraph, copyNode, copySources } from '../graph/builder.ts';
import type { Graph } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import { prune } from './prune.ts';

/**
 * The float graph under an eval graph: the same weights, no rounding. What quantization is compared with.
 *
 * @param kept names of quantizers that stay, to see what they alone do
 */
export function removeFakeQuant(graph: Graph, kept: ReadonlySet<string> = new Set()): Graph {
  const builder = buildGraph(graph.name, kept.size === 0 ? 'float' : graph.level);
  const renamed = new Map<string, string>();
  const current = (name: string): string => renamed.get(name) ?? name;
  copySources(builder, graph);
  for (const node of graph.nodes) {
    if (node.op === 'fake_quant' && !kept.has(node.name)) renamed.set(node.name, current(node.inputs[0] ?? node.name));
    else copyNode(builder, node, current, valueOf(graph, node.name).quant);
  }
  return prune(builder.finish(graph.outputs.map((output) => builder.ref(current(output)))));
}
