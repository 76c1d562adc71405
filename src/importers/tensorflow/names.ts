/** Names as a reader of the network knows them. */
import type { Graph } from '../../graph/graph.ts';
import { consumers, valueOf } from '../../graph/graph.ts';
import { withNames } from '../names.ts';

/** What calls of functions add to names. */
const call = /^(?:Stateful)?PartitionedCall(?:_\d+)?$/;

/** Ops at the end of a layer's name. */
const op = /\/(?:BiasAdd|Conv2D|MatMul|depthwise|conv2d_transpose|FusedBatchNormV3|batchnorm\/add_1|layer|linear)$/;

/**
 * Layers without the names of functions and of the model that all of them share; weights after the layer that reads
 * them and their role.
 *
 * @param outputs names that the model gives to its outputs, by value
 */
export function withReadableNames(graph: Graph, outputs: ReadonlyMap<string, string>): Graph {
  const parts = new Map(graph.nodes.map(({ name }) => [name, name.split('/').filter((part) => !call.test(part))]));
  const shared = sharedParts([...parts.values()]);
  const short = (name: string): string => (parts.get(name) ?? [name]).slice(shared).join('/');
  const readers = consumers(graph);
  return withNames(graph, (name) => {
    const given = outputs.get(name);
    if (given !== undefined) return given;
    const { source } = valueOf(graph, name);
    const reader = readers.get(name)?.[0]?.name;
    if (graph.inputs.includes(name)) return name.replace(/^serving_default_/, '');
    if (source.kind !== 'variable' || reader === undefined) return short(name);
    return `${short(reader).replace(op, '')}/${source.role}`;
  });
}

/** How many parts at the beginning all names have, and a further part behind them. */
function sharedParts(names: readonly (readonly string[])[]): number {
  const [first = []] = names;
  let count = 0;
  while (
    first[count] !== undefined &&
    names.every((parts) => parts.length > count + 1 && parts[count] === first[count])
  )
    count++;
  // The name of a single layer is not that of the model.
  return names.length > 1 ? count : 0;
}
