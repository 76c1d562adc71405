/** Names of strangers, made such that every file that we write may have them. */
import { internal } from '../core/assert.ts';
import type { Graph, Node, Value } from '../graph/graph.ts';
import { dropoutKeyInput, learningRateInput, lossNames, stepVariable } from '../passes/index.ts';

/**
 * The same graph with other names. Names that become equal, and those that training gives to values of its own, get a
 * number.
 *
 * @param rename what a value is to be called; what TensorFlow does not take in a name is replaced
 */
export function withNames(graph: Graph, rename: (name: string) => string): Graph {
  const names = new Map<string, string>();
  const taken = new Set(reserved);
  // What is read aloud comes first: inputs and layers.
  const first = [...graph.inputs, ...graph.nodes.map(({ name }) => name)];
  const placed = new Set([...first, ...graph.nodes.flatMap(({ outputs }) => outputs.slice(1))]);
  const others = [...graph.values.keys()].filter((name) => !placed.has(name));
  for (const name of [...first, ...others]) {
    const wanted = legal(rename(name));
    let unique = wanted;
    for (let count = 1; taken.has(unique); count++) unique = `${wanted}_${count}`;
    taken.add(unique);
    names.set(name, unique);
  }
  for (const { name, outputs } of graph.nodes) {
    for (const [index, output] of outputs.entries())
      if (index > 0) names.set(output, `${names.get(name) ?? ''}:${index}`);
  }
  const named = (name: string): string => names.get(name) ?? internal(`"${name}" is in no graph`);
  const values = Array.from(graph.values, ([name, value]): readonly [string, Value] => {
    const { source } = value;
    const owned =
      source.kind === 'variable' && source.owner !== null ? { ...source, owner: named(source.owner) } : source;
    return [named(name), { ...value, name: named(name), source: owned }];
  });
  return {
    ...graph,
    values: new Map(values),
    nodes: graph.nodes.map((node): Node => ({
      ...node,
      name: named(node.name),
      inputs: node.inputs.map(named),
      outputs: node.outputs.map(named),
    })),
    inputs: graph.inputs.map(named),
    outputs: graph.outputs.map(named),
    updates: graph.updates.map(({ variable, value }) => ({ variable: named(variable), value: named(value) })),
  };
}

/** What training calls values of its own. */
const reserved = [...Object.values(lossNames), learningRateInput, dropoutKeyInput, stepVariable];

/** TensorFlow's rule for names of nodes: a letter, digit or dot, then also `_`, `-`, `/` and `>`. */
const legal = (name: string): string =>
  name
    .replaceAll(/[^A-Za-z0-9_./>-]+/g, '_')
    .replace(/^[^A-Za-z0-9.]+/, '')
    .replace(/\/+$/, '') || 'value';
