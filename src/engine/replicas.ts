/** What both engines must agree on: which nodes run, and which values exist once for each replica. */
import { internal, present } from '../core/assert.ts';
import { numElements } from '../core/tensor.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import type { CrossReplicaAttrs } from '../ops/training.ts';

/** The nodes that the outputs or the updates need, in graph order. */
export function liveNodes(graph: Graph): readonly Node[] {
  const needed = new Set([...graph.outputs, ...graph.updates.map((update) => update.value)]);
  const live = graph.nodes.toReversed().filter((node) => {
    if (!node.outputs.some((output) => needed.has(output))) return false;
    for (const input of node.inputs) needed.add(input);
    return true;
  });
  return live.reverse();
}

/** The inputs whose feed holds `replicas` times the graph's element count. Checks every feed's size. */
export function splitInputs(
  graph: Graph,
  feeds: ReadonlyMap<string, Float32Array>,
  replicas: number,
): ReadonlySet<string> {
  for (const name of feeds.keys()) {
    if (!graph.inputs.includes(name)) internal(`graph "${graph.name}" has no input "${name}"`);
  }
  return new Set(
    graph.inputs.filter((name) => {
      const { length } = present(feeds.get(name), `feed of "${name}"`);
      const count = numElements(valueOf(graph, name).type.shape);
      if (length !== count && length !== count * replicas) {
        internal(`the feed of "${name}" has ${length} elements; expected ${count} or ${count * replicas}`);
      }
      return length !== count;
    }),
  );
}

/** @throws Error `internal:` where other inputs are split than in the first run of a session */
export function assertSameSplit(first: ReadonlySet<string>, now: ReadonlySet<string>): void {
  if (now.size !== first.size || [...now].some((name) => !first.has(name))) {
    internal('which inputs are split among the replicas has changed since the first run');
  }
}

/**
 * The values that exist once for each replica: those that depend on a split input, not through `cross_replica`.
 *
 * @param nodes in an order in which they can run
 */
export function replicaValues(graph: Graph, nodes: readonly Node[], split: ReadonlySet<string>): ReadonlySet<string> {
  const result = new Set(split);
  for (const node of nodes) {
    if (node.op === 'cross_replica' || !node.inputs.some((input) => result.has(input))) continue;
    for (const output of node.outputs) result.add(output);
  }
  for (const { variable, value } of graph.updates) {
    if (result.has(value)) internal(`the update of "${variable}" differs between replicas; cross_replica is missing`);
  }
  return result;
}

/** Combines the replicas' values in order: their mean (float32 sums, divided once), minimum or maximum. */
export function combineReplicas(
  values: readonly Float32Array[],
  { reduce }: CrossReplicaAttrs,
  result: Float32Array,
): void {
  for (let index = 0; index < result.length; index++) {
    let combined = values[0]![index]!;
    for (const value of values.slice(1)) {
      const other = value[index]!;
      if (reduce === 'mean') combined = Math.fround(combined + other);
      else combined = reduce === 'min' ? Math.min(combined, other) : Math.max(combined, other);
    }
    result[index] = reduce === 'mean' ? combined / values.length : combined;
  }
}
