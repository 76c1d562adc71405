import type { Graph, Value } from '../graph/graph.ts';

/** Turns variables into constants of the same name and value, and drops their updates. */
export function freezeVariables(graph: Graph): Graph {
  const freeze = (value: Value): Value =>
    value.source.kind === 'variable' ? { ...value, source: { kind: 'constant', data: value.source.initial } } : value;
  return { ...graph, values: new Map([...graph.values].map(([name, value]) => [name, freeze(value)])), updates: [] };
}
