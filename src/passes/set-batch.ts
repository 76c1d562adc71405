import { buildGraph, copyNode, copyParameters } from '../graph/builder.ts';
import type { Graph } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';

/** The same graph for another batch size: changes the first dimension of every input and infers all types again. */
export function setBatch(graph: Graph, batch: number): Graph {
  const builder = buildGraph(graph.name, graph.level);
  for (const name of graph.inputs) {
    const { type, quant } = valueOf(graph, name);
    builder.input(name, { dtype: type.dtype, shape: [batch, ...type.shape.slice(1)] }, quant);
  }
  copyParameters(builder, graph);
  for (const node of graph.nodes) copyNode(builder, node, (input) => input, valueOf(graph, node.name).quant);
  for (const update of graph.updates) builder.update(update.variable, builder.ref(update.value));
  return builder.finish(graph.outputs.map((output) => builder.ref(output)));
}
