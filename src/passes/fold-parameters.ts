import { buildGraph, copyNode, copySources } from '../graph/builder.ts';
import type { Graph } from '../graph/graph.ts';
import { consumers } from '../graph/graph.ts';
import { computedParameters, parameterValue } from '../graph/parameters.ts';
import { ops } from '../ops/index.ts';

/**
 * Computes the parameters that nodes make of others, such as a filter for raw pixels, and puts variables with their
 * values and names in place. Quantizers of weights stay.
 *
 * @param graph inference form, its variables with their final values
 */
export function foldParameters(graph: Graph): Graph {
  const computed = computedParameters(graph);
  const folded = graph.nodes.filter(({ op, name }) => op !== 'fake_quant' && computed.has(name));
  if (folded.length === 0) return graph;
  const readers = consumers(graph);
  const gone = new Set(folded.map(({ name }) => name));
  const builder = buildGraph(graph.name, graph.level);
  copySources(builder, graph);
  for (const node of graph.nodes) {
    if (!gone.has(node.name)) {
      copyNode(builder, node, (input) => input);
      continue;
    }
    const reader = (readers.get(node.name) ?? []).find(({ name }) => !gone.has(name));
    if (reader === undefined) continue;
    const isBias = ops[reader.op].operands[reader.inputs.indexOf(node.name)]?.role === 'bias';
    builder.variable(node.name, parameterValue(graph, node.name), isBias ? 'bias' : 'weight', { trainable: false });
  }
  return builder.finish(graph.outputs.map((output) => builder.ref(output)));
}
