import type { Graph } from '../graph/graph.ts';

/** The graph as it is at inference: what read a dropout reads its input. */
export function removeDropout(graph: Graph): Graph {
  const removed = new Map<string, string>();
  const nodes = graph.nodes.flatMap((node) => {
    const inputs = node.inputs.map((input) => removed.get(input) ?? input);
    if (node.op !== 'dropout') return [{ ...node, inputs }];
    removed.set(node.name, inputs[0] ?? node.name);
    return [];
  });
  if (removed.size === 0) return graph;
  const keys = new Set(graph.nodes.flatMap((node) => (node.op === 'dropout' ? node.inputs.slice(1, 2) : [])));
  const values = new Map([...graph.values].filter(([name]) => !removed.has(name) && !keys.has(name)));
  const outputs = graph.outputs.map((output) => removed.get(output) ?? output);
  return { ...graph, values, nodes, outputs, inputs: graph.inputs.filter((name) => !keys.has(name)) };
}
