/** Batch norms of strangers, made such that training can move their statistics and export can fold them. */
import { internal } from '../core/assert.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import { buildGraph, copyNode, copySources } from '../graph/builder.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { consumers, producers, valueOf } from '../graph/graph.ts';
import { afterIdentity } from '../models/batch-norm.ts';
import type { ValueRef } from '../ops/define.ts';
import { ops } from '../ops/index.ts';

/**
 * The same function, in which every batch norm has parameters of its own and, before it, an affine op that nothing else
 * reads and whose weights nothing else uses. Batch norm that shares its parameters gets copies of them, and one that
 * has no such op before it gets a depthwise convolution that multiplies by 1.
 *
 * @param graph level float, inference form
 */
export function separateBatchNorms(graph: Graph): { readonly graph: Graph; readonly notes: readonly string[] } {
  const norms = graph.nodes.filter((node) => node.op === 'batch_norm');
  if (norms.length === 0) return { graph, notes: [] };
  const builder = buildGraph(graph.name, graph.level);
  copySources(builder, graph);
  const [makers, readers] = [producers(graph), consumers(graph)];
  const renamed = new Map<string, string>();
  const notes: string[] = [];
  const used = new Set<string>();
  for (const node of graph.nodes) {
    if (node.op !== 'batch_norm') {
      copyNode(builder, node, (name) => renamed.get(name) ?? name);
      continue;
    }
    const [input = '', ...parameters] = node.inputs;
    const isShared = parameters.some((name) => used.has(name));
    if (isShared) notes.push(`batch norm "${node.name}" shares its parameters with another, and gets a copy of them`);
    const own = parameters.map((name) => (isShared ? copied(builder, graph, node, name) : builder.ref(name)));
    for (const name of parameters) used.add(name);
    const add = (value: ValueRef): ValueRef => {
      const [output] = builder.node('batch_norm', node.name, [value, ...own], node.attrs);
      return output ?? internal('batch norm has an output');
    };
    const source = builder.ref(renamed.get(input) ?? input);
    if (canTake(graph, makers.get(input), input, readers)) {
      add(source);
      continue;
    }
    const output = afterIdentity(builder, node.name, source, add);
    if (output.name !== node.name) renamed.set(node.name, output.name);
  }
  const outputs = graph.outputs.map((name) => builder.ref(renamed.get(name) ?? name));
  return { graph: builder.finish(outputs), notes };
}

/** Whether batch norm behind a value can go into the weights of what makes it. */
function canTake(
  graph: Graph,
  maker: Node | undefined,
  value: string,
  readers: ReadonlyMap<string, readonly Node[]>,
): boolean {
  if (maker === undefined || ops[maker.op].quant.kind !== 'affine' || graph.outputs.includes(value)) return false;
  const isAlone = (name: string): boolean => readers.get(name)?.length === 1;
  const isParameter = (name: string): boolean => valueOf(graph, name).source.kind !== 'node';
  return isAlone(value) && maker.inputs.slice(1).every((name) => isParameter(name) && isAlone(name));
}

function copied(builder: GraphBuilder, graph: Graph, node: Node, name: string): ValueRef {
  const { source } = valueOf(graph, name);
  const own = `${node.name}/${name.slice(name.lastIndexOf('/') + 1)}`;
  switch (source.kind) {
    case 'variable':
      return builder.variable(own, source.initial, source.role, source);
    case 'constant':
      return builder.constant(own, source.data);
    case 'input':
    case 'node':
      return internal(`"${name}" of batch norm "${node.name}" is computed`);
  }
}
