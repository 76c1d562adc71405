import type { Graph } from '../graph/graph.ts';

/** Drops nodes, constants and variables that no output and no update needs. Inputs stay: they are the interface. */
export function prune(graph: Graph): Graph {
  const needed = new Set<string>([...graph.inputs, ...graph.outputs]);
  for (const update of graph.updates) needed.add(update.variable).add(update.value);
  const kept = graph.nodes.toReversed().filter((node) => {
    if (!node.outputs.some((output) => needed.has(output))) return false;
    for (const name of [...node.inputs, ...node.outputs]) needed.add(name);
    return true;
  });
  const values = new Map([...graph.values].filter(([name]) => needed.has(name)));
  return { ...graph, values, nodes: kept.toReversed() };
}
