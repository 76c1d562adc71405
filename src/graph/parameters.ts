/** Parameters that are computed from others: a filter for raw pixels out of one for normalized ones, for example. */
import { internal } from '../core/assert.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { zeros } from '../core/tensor.ts';
import type { FloatKernel } from '../ops/define.ts';
import { ops } from '../ops/index.ts';
import type { Graph } from './graph.ts';
import { parameterOf, producers, valueOf } from './graph.ts';

/** The values that nodes compute out of constants and variables alone: the same for every example. */
export function computedParameters(graph: Graph): ReadonlySet<string> {
  const found = new Set<string>();
  for (const node of graph.nodes) {
    const isParameter = (name: string): boolean => {
      const { kind } = valueOf(graph, name).source;
      return kind === 'constant' || kind === 'variable' || found.has(name);
    };
    if (node.inputs.every(isParameter)) for (const output of node.outputs) found.add(output);
  }
  return found;
}

/** The value of a parameter, with the variables as they are at first; `internal` for what depends on an input. */
export function parameterValue(graph: Graph, name: string): FloatTensor {
  const makers = producers(graph);
  const known = new Map<string, FloatTensor>();
  const value = (wanted: string): FloatTensor => {
    const before = known.get(wanted);
    if (before !== undefined) return before;
    const node = makers.get(wanted);
    if (node === undefined) return parameterOf(graph, wanted);
    const outputs = node.outputs.map((output) => zeros('float32', valueOf(graph, output).type.shape));
    // The op's own record made these attributes, so its own loops read them.
    const kernel = ops[node.op].float as FloatKernel<typeof node.attrs> | null;
    if (kernel === null) return internal(`${node.op} "${node.name}" has no float form`);
    kernel(node.inputs.map(value), node.attrs, outputs);
    for (const [index, output] of node.outputs.entries()) known.set(output, outputs[index]!);
    return known.get(wanted) ?? internal(`"${wanted}" was not computed`);
  };
  return value(name);
}
