/** A float graph as JSON and tensors: what a model's file holds, whatever the graph was made from. */
import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { Value as Schema } from '@sinclair/typebox/value';
import { internal } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import type { Tensor } from '../core/tensor.ts';
import { ops } from '../ops/index.ts';
import type { OpName } from '../ops/index.ts';
import type { GraphBuilder } from './builder.ts';
import { buildGraph } from './builder.ts';
import type { Graph, Node } from './graph.ts';
import { valueOf } from './graph.ts';
import type { VariableRole } from './roles.ts';
import { roleNames } from './roles.ts';
import { verify } from './verify.ts';

const Parameter = Type.Union([
  Type.Object({ name: Type.String(), kind: Type.Literal('constant') }),
  Type.Object({
    name: Type.String(),
    kind: Type.Literal('variable'),
    role: Type.Unsafe<VariableRole>(Type.Union(roleNames.map((role) => Type.Literal(role)))),
    trainable: Type.Boolean(),
    owner: Type.Union([Type.String(), Type.Null()]),
  }),
]);

const SerializedGraph = Type.Object({
  name: Type.String(),
  /** Shapes with the batch in front. */
  inputs: Type.Array(Type.Object({ name: Type.String(), shape: Type.Array(Type.Integer({ minimum: 0 })) })),
  /** Their values are tensors of the same names. */
  parameters: Type.Array(Parameter),
  /** In an order in which they can run; types and names of outputs follow. */
  nodes: Type.Array(
    Type.Object({
      op: Type.String(),
      name: Type.String(),
      inputs: Type.Array(Type.String()),
      attrs: Type.Record(Type.String(), Type.Unknown()),
    }),
  ),
  outputs: Type.Array(Type.String()),
});

export type SerializedGraph = Static<typeof SerializedGraph>;

/** @param graph level float without updates */
export function serializeGraph(graph: Graph): {
  readonly json: SerializedGraph;
  readonly tensors: ReadonlyMap<string, Tensor>;
} {
  if (graph.level !== 'float' || graph.updates.length > 0) internal(`"${graph.name}" is not a float inference graph`);
  const tensors = new Map<string, Tensor>();
  const parameters: SerializedGraph['parameters'] = [];
  for (const { name, source } of graph.values.values()) {
    if (source.kind === 'constant') {
      tensors.set(name, source.data);
      parameters.push({ name, kind: 'constant' });
    } else if (source.kind === 'variable') {
      const { kind, role, trainable, owner, initial } = source;
      tensors.set(name, initial);
      parameters.push({ name, kind, role, trainable, owner });
    }
  }
  const json = {
    name: graph.name,
    inputs: graph.inputs.map((name) => ({ name, shape: [...valueOf(graph, name).type.shape] })),
    parameters,
    nodes: graph.nodes.map(({ op, name, inputs, attrs }) => ({ op, name, inputs: [...inputs], attrs: { ...attrs } })),
    outputs: [...graph.outputs],
  };
  return { json, tensors };
}

/**
 * Builds the graph again, node by node, so that types are inferred and every rule of the level is checked.
 *
 * @param path named in errors
 * @throws UserError `damaged-model` for what is no graph, or does not go with the tensors
 */
export function readGraph(json: unknown, tensors: ReadonlyMap<string, Tensor>, path: string): Graph {
  const damaged = (message: string) =>
    userError(path, 'damaged-model', message, 'the file is damaged, or another version of qpipe wrote it: train again');
  if (!Schema.Check(SerializedGraph, json)) {
    const [first] = Schema.Errors(SerializedGraph, json);
    throw damaged(`its graph is not in the form of this version: ${first?.path ?? ''} ${first?.message ?? ''}`);
  }
  for (const { name } of json.parameters) if (!tensors.has(name)) throw damaged(`it has no tensor "${name}"`);
  const unknown = json.nodes.find(({ op }) => !Object.hasOwn(ops, op));
  if (unknown !== undefined)
    throw damaged(`"${unknown.name}" is of op ${unknown.op}, which this version does not know`);
  try {
    return verify(rebuild(json, tensors));
  } catch (error) {
    // Whatever fails, in an op's rule or in the builder, fails because of what the file says.
    throw damaged(`its graph does not fit together: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function rebuild(json: SerializedGraph, tensors: ReadonlyMap<string, Tensor>): Graph {
  const builder = buildGraph(json.name, 'float');
  for (const { name, shape } of json.inputs) builder.input(name, { dtype: 'float32', shape });
  for (const parameter of json.parameters) {
    const { name } = parameter;
    const tensor = tensors.get(name) ?? internal(`no tensor "${name}"`);
    if (parameter.kind === 'constant') builder.constant(name, tensor);
    else builder.variable(name, tensor, parameter.role, parameter);
  }
  for (const node of json.nodes) addNode(builder, node);
  return builder.finish(json.outputs.map((output) => builder.ref(output)));
}

function addNode(builder: GraphBuilder, { op, name, inputs, attrs }: SerializedGraph['nodes'][number]): void {
  // The op is one of the table, and its shape rule looks at the attributes.
  const known = { op: op as OpName, attrs: attrs as Node['attrs'] };
  builder.node(
    known.op,
    name,
    inputs.map((input) => builder.ref(input)),
    known.attrs,
  );
}
