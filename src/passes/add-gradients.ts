import { internal } from '../core/assert.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import { buildGraph } from '../graph/builder.ts';
import { floatTensor } from '../core/tensor.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { variablesOf } from '../graph/graph.ts';
import { add } from '../ops/add.ts';
import type { ValueRef, Vjp } from '../ops/define.ts';
import { ops } from '../ops/index.ts';
import { lossNames } from './add-loss.ts';

/** The name of a trainable variable's gradient, averaged over the replicas. */
export const gradientName = (variable: string): string => `${variable}/gradient`;

/** Adds the gradient of the loss for every trainable variable: more nodes of the same graph, in reverse order. */
export function addGradients(graph: Graph): Graph {
  const builder = buildGraph(graph.name, graph.level, graph);
  const needed = dependsOnTrainable(graph);
  const gradients = new Map<string, ValueRef>();
  gradients.set(lossNames.localLoss, builder.constant(`${lossNames.loss}/gradient`, floatTensor([], [1])));

  for (const node of graph.nodes.toReversed()) {
    const [output] = node.outputs;
    const gradient = output === undefined ? undefined : gradients.get(output);
    if (gradient === undefined || !node.inputs.some((input) => needed.has(input))) continue;
    const contributions = builder.scoped(`gradients/${node.name}`, () => differentiate(builder, node, gradient));
    for (const [index, input] of node.inputs.entries()) {
      const contribution = contributions[index];
      if (contribution == null || !needed.has(input)) continue;
      const earlier = gradients.get(input);
      const total =
        earlier === undefined
          ? contribution
          : builder.scoped(`gradients/${input}`, () =>
              builder.emit(add, [earlier, contribution], { activation: 'none' }),
            );
      gradients.set(input, total);
    }
  }
  for (const { name, source } of variablesOf(graph)) {
    if (!source.trainable) continue;
    const gradient = gradients.get(name) ?? internal(`the loss does not depend on "${name}"`);
    builder.node('cross_replica', gradientName(name), [gradient], { reduce: 'mean' });
  }
  return builder.finish(graph.outputs.map((output) => builder.ref(output)));
}

function differentiate(builder: GraphBuilder, node: Node, gradient: ValueRef): readonly (ValueRef | null)[] {
  // The op's own record made these attributes, so its own rule reads them.
  const vjp = ops[node.op].vjp as Vjp<Node['attrs']> | null;
  if (vjp === null)
    return internal(`${node.op} "${node.name}" is on the way to a trainable variable but has no gradient`);
  return vjp(
    builder,
    {
      inputs: node.inputs.map((input) => builder.ref(input)),
      outputs: node.outputs.map((output) => builder.ref(output)),
      attrs: node.attrs,
    },
    gradient,
  );
}

/** Values through which a trainable variable reaches the loss; gradients of anything else are not built. */
function dependsOnTrainable(graph: Graph): ReadonlySet<string> {
  const result = new Set<string>();
  for (const { name, source } of variablesOf(graph)) if (source.trainable) result.add(name);
  for (const node of graph.nodes) {
    if (node.inputs.some((input) => result.has(input))) for (const output of node.outputs) result.add(output);
  }
  return result;
}
