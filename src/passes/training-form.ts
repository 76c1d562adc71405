import { internal } from '../core/assert.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import { buildGraph, copyNode, copyParameters } from '../graph/builder.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';

/** The input of training graphs with dropout: two whole numbers below 2^24, others in every step and replica. */
export const dropoutKeyInput = 'dropout_key';

/**
 * The form of a network that learns: batch norm uses the statistics of the batch and moves those that inference uses,
 * and dropout drops.
 *
 * @param graph level float, inference form
 * @param momentum fraction of the moving statistics that stays in each step
 */
export function trainingForm(graph: Graph, momentum: number): Graph {
  const builder = buildGraph(graph.name, graph.level);
  for (const name of graph.inputs) builder.input(name, valueOf(graph, name).type);
  const drops = graph.nodes.some(({ op }) => op === 'dropout');
  const dropoutKey = drops ? builder.input(dropoutKeyInput, { dtype: 'float32', shape: [2] }) : null;
  copyParameters(builder, graph);
  for (const node of graph.nodes) {
    if (node.op === 'batch_norm') addBatchNorm(builder, graph, node, momentum);
    else if (node.op === 'dropout' && dropoutKey !== null) {
      builder.node('dropout', node.name, [builder.ref(node.inputs[0] ?? ''), dropoutKey], node.attrs);
    } else copyNode(builder, node, (name) => name);
  }
  return builder.finish(graph.outputs.map((output) => builder.ref(output)));
}

function addBatchNorm(builder: GraphBuilder, graph: Graph, node: Node<'batch_norm'>, momentum: number): void {
  const operands = node.inputs.slice(0, 3).map((name) => builder.ref(name));
  const [, ...statistics] = builder.node('batch_norm_train', node.name, operands, node.attrs);
  for (const [index, name] of node.inputs.slice(3).entries()) {
    const moving = builder.ref(name);
    if (valueOf(graph, name).source.kind !== 'variable') internal(`"${name}" of "${node.name}" is no variable to move`);
    const ofBatch = statistics[index] ?? internal(`"${node.name}" has no statistic for "${name}"`);
    const agreed = builder.node('cross_replica', `${name}/batch`, [ofBatch], { reduce: 'mean' });
    const [next = moving] = builder.node('moving_average', `${name}/next`, [moving, ...agreed], { decay: momentum });
    builder.update(name, next);
  }
}
