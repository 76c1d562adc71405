/** Ops that run on integers alone, in ops that float graphs have. */
import type { Diagnostic } from '../core/diagnostic.ts';
import { UserError } from '../core/diagnostic.ts';
import type { AttributeValue } from '../formats/protobuf/attribute-value.ts';
import { buildGraph, copyNode, copySources } from '../graph/builder.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import type { ValueRef } from '../ops/define.ts';
import { ShapeError } from '../ops/define.ts';
import type { Attrs, InferenceOp } from '../ops/index.ts';
import { ops } from '../ops/index.ts';
import type { Rule, Value } from './tensorflow/context.ts';
import { Target, computed } from './tensorflow/context.ts';
import { Refusal, refuse } from './refusal.ts';
import { absolute, maximum, minimum } from './tensorflow/rules/arithmetic.ts';
import { depthToSpace, expandDims, pack, slice, spaceToDepth, tile, unpack } from './tensorflow/rules/movement.ts';
import { reduceMax } from './tensorflow/rules/others.ts';
import type { Static } from './tensorflow/static.ts';
import { integers, scalar, staticOf } from './tensorflow/static.ts';

/** The same op as TensorFlow's graphs have it, whose rule makes float ops of it. */
interface Form {
  readonly rule: Rule;
  readonly constants?: readonly Static[];
  readonly attributes?: { readonly [name: string]: AttributeValue };
}

const int = (value: number): AttributeValue => ({ kind: 'int', value });

const forms: { readonly [K in InferenceOp]?: (attrs: Attrs[K]) => Form } = {
  abs: () => ({ rule: absolute }),
  maximum: () => ({ rule: maximum }),
  minimum: () => ({ rule: minimum }),
  pack: ({ axis }) => ({ rule: pack, attributes: { axis: int(axis) } }),
  unpack: ({ axis }) => ({ rule: unpack, attributes: { axis: int(axis) } }),
  expand_dims: ({ axis }) => ({ rule: expandDims, constants: [scalar(axis, 'axis')] }),
  slice: ({ begin, size }) => ({ rule: slice, constants: [integers(begin, 'begin'), integers(size, 'size')] }),
  tile: ({ multiples }) => ({ rule: tile, constants: [integers(multiples, 'multiples')] }),
  space_to_depth: ({ blockSize }) => ({ rule: spaceToDepth, attributes: { block_size: int(blockSize) } }),
  depth_to_space: ({ blockSize }) => ({ rule: depthToSpace, attributes: { block_size: int(blockSize) } }),
  reduce_max: ({ axes, keepDims }) => ({
    ...{ rule: reduceMax, constants: [integers(axes, 'axes')] },
    attributes: { keep_dims: { kind: 'bool', value: keepDims } },
  }),
};

/**
 * The same function, in which every op has a float form.
 *
 * @param path of the file, for messages
 * @throws UserError for all nodes at once that have none
 */
export function withFloatForms(graph: Graph, path: string): Graph {
  if (graph.nodes.every(({ op }) => ops[op].float !== null)) return graph;
  const builder = buildGraph(graph.name, graph.level);
  copySources(builder, graph);
  const target = new Target(builder);
  const renamed = new Map<string, string>();
  const problems: Diagnostic[] = [];
  const refOf = (name: string): ValueRef => builder.ref(renamed.get(name) ?? name);
  for (const node of graph.nodes) {
    if (!node.inputs.every((name) => builder.has(renamed.get(name) ?? name))) continue;
    try {
      if (ops[node.op].float !== null) copyNode(builder, node, (name) => renamed.get(name) ?? name);
      else for (const [name, to] of rewritten(graph, node, target, refOf)) renamed.set(name, to);
    } catch (error) {
      if (!(error instanceof Refusal) && !(error instanceof ShapeError)) throw error;
      problems.push({
        ...{ code: 'unsupported-model', place: { file: path } },
        message: `${node.op} "${node.name}": ${error.message}`,
        hint: (error instanceof Refusal ? error.remedy : null) ?? 'change the network, or cut it before this op',
      });
    }
  }
  if (problems.length > 0) throw new UserError(problems);
  return builder.finish(graph.outputs.map(refOf));
}

/** What each output of a node is called now. */
function rewritten(
  graph: Graph,
  node: Node,
  target: Target,
  refOf: (name: string) => ValueRef,
): readonly (readonly [string, string])[] {
  const make = formOf(node);
  if (make === null) return refuse('it has no float form, which an imported network is made of');
  const operands = node.inputs.map((name): Value => {
    const { source } = valueOf(graph, name);
    return source.kind === 'constant' ? staticOf(source.data, name) : computed(refOf(name));
  });
  const attributes = new Map(Object.entries(make.attributes ?? {}));
  const inputs = [...operands, ...(make.constants ?? [])];
  const values = make.rule({
    target,
    node: { name: node.name, op: node.op, inputs: [], device: '', attributes },
    inputs,
  });
  return node.outputs.map((name, index) => {
    const value = values[index];
    return value?.kind === 'computed' ? [name, value.ref.name] : refuse('all its inputs are constants');
  });
}

function formOf(node: Node): Form | null {
  const form = forms[node.op as InferenceOp] as ((attrs: Node['attrs']) => Form) | undefined; // of this very row
  return form?.(node.attrs) ?? null;
}
