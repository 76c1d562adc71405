import { zeros } from '../core/tensor.ts';
import { buildGraph, copyNode, copySources } from '../graph/builder.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { consumers, valueOf } from '../graph/graph.ts';
import { ops } from '../ops/index.ts';

/**
 * Gives a bias of zeros to each layer with weights that has neither a bias nor batch norm behind it.
 *
 * @param graph level float, inference form
 */
export function addBiases(graph: Graph): Graph {
  const readers = consumers(graph);
  const lacksBias = (node: Node): boolean => {
    const { quant } = ops[node.op];
    if (quant.kind !== 'affine' || node.inputs.length > quant.bias) return false;
    return (readers.get(node.name) ?? []).every(({ op }) => op !== 'batch_norm');
  };
  const lacking = new Set(graph.nodes.filter(lacksBias).map(({ name }) => name));
  if (lacking.size === 0) return graph;
  const builder = buildGraph(graph.name, graph.level);
  copySources(builder, graph);
  for (const node of graph.nodes) {
    const { quant } = ops[node.op];
    if (!lacking.has(node.name) || quant.kind !== 'affine') {
      copyNode(builder, node, (name) => name);
      continue;
    }
    const channels = valueOf(graph, node.name).type.shape.at(-1) ?? 1;
    const bias = builder.variable(`${node.name}/bias`, zeros('float32', [channels]), 'bias');
    const operands = [...node.inputs.map((name) => builder.ref(name)), bias];
    builder.node(node.op, node.name, operands, node.attrs);
  }
  return builder.finish(graph.outputs.map((output) => builder.ref(output)));
}
