import { internal } from '../core/assert.ts';
import type { QuantParams } from '../core/affine.ts';
import type { Tensor, TensorType } from '../core/tensor.ts';
import type { Emitter, OpDef, ValueRef } from '../ops/define.ts';
import { ShapeError } from '../ops/define.ts';
import type { Attrs, OpName } from '../ops/index.ts';
import { ops } from '../ops/index.ts';
import type { Graph, Level, Node, Update, Value, ValueSource, VariableSource } from './graph.ts';
import { valueOf } from './graph.ts';
import type { VariableRole } from './roles.ts';
import { isTrainable } from './roles.ts';

/** Adds values and nodes one by one, inferring types; `finish` gives the graph. */
export interface GraphBuilder extends Emitter {
  input(name: string, type: TensorType, quant?: QuantParams | null): ValueRef;
  constant(name: string, data: Tensor, quant?: QuantParams | null): ValueRef;
  /** Left out, `trainable` is what the role says, and nothing owns the variable. */
  variable(
    name: string,
    initial: Tensor,
    role: VariableRole,
    options?: Partial<Pick<VariableSource, 'trainable' | 'owner'>>,
  ): ValueRef;
  /** Adds a node under a name of its own; the output values have the given parameters, if any. */
  node<K extends OpName>(
    op: K,
    name: string,
    inputs: readonly ValueRef[],
    attrs: Attrs[K],
    quant?: QuantParams | null,
  ): readonly ValueRef[];
  /** Nodes emitted by rules inside `body` are named `scope/op`, numbered where that is taken. */
  scoped<Result>(scope: string, body: () => Result): Result;
  update(variable: string, value: ValueRef): void;
  /** The reference of a value that exists already. */
  ref(name: string): ValueRef;
  has(name: string): boolean;
  finish(outputs: readonly ValueRef[]): Graph;
}

/** Starts empty, or from an existing graph whose values and nodes are kept. */
export function buildGraph(name: string, level: Level, from?: Graph): GraphBuilder {
  const values = new Map<string, Value>(from?.values);
  const nodes: Node[] = [...(from?.nodes ?? [])];
  const inputs: string[] = [...(from?.inputs ?? [])];
  const updates: Update[] = [...(from?.updates ?? [])];
  let scope = '';

  const addValue = (valueName: string, type: TensorType, source: ValueSource, quant: QuantParams | null): ValueRef => {
    if (values.has(valueName)) internal(`the graph "${name}" already has a value "${valueName}"`);
    values.set(valueName, { name: valueName, type, source, quant });
    return { name: valueName, type };
  };

  const addNode = <K extends OpName>(
    op: K,
    nodeName: string,
    operands: readonly ValueRef[],
    attrs: Attrs[K],
    quant: QuantParams | null = null,
  ): readonly ValueRef[] => {
    const types = inferTypes(op, nodeName, operands, attrs);
    const outputs = types.map((_, index) => (index === 0 ? nodeName : `${nodeName}:${index}`));
    // The compiler cannot see that op and attrs belong together inside a generic; the signature guarantees it.
    nodes.push({ op, name: nodeName, inputs: operands.map((operand) => operand.name), outputs, attrs } as Node);
    return outputs.map((output, index) => addValue(output, types[index]!, { kind: 'node' }, quant));
  };

  const freshName = (base: string): string => {
    const full = scope === '' ? base : `${scope}/${base}`;
    if (!values.has(full)) return full;
    let count = 1;
    while (values.has(`${full}_${count}`)) count++;
    return `${full}_${count}`;
  };

  const emitAll = <Name extends string, A>(
    definition: OpDef<Name, A>,
    operands: readonly ValueRef[],
    attrs: A,
  ): readonly ValueRef[] => {
    const op = definition.name as string as OpName; // every definition that rules emit is in the table
    return addNode(op, freshName(op), operands, attrs as unknown as Attrs[OpName]);
  };

  return {
    input(valueName, type, quant = null) {
      inputs.push(valueName);
      return addValue(valueName, type, { kind: 'input' }, quant);
    },
    constant: (valueName, data, quant = null) =>
      addValue(valueName, { dtype: data.dtype, shape: data.shape }, { kind: 'constant', data }, quant),
    variable: (valueName, initial, role, { trainable = isTrainable(role), owner = null } = {}) =>
      addValue(
        valueName,
        { dtype: initial.dtype, shape: initial.shape },
        { kind: 'variable', initial, role, trainable, owner },
        null,
      ),
    node: addNode,
    emitAll,
    emit: (definition, operands, attrs) => {
      const [output] = emitAll(definition, operands, attrs);
      return output ?? internal(`${definition.name} has no output`);
    },
    scoped(inner, body) {
      const outer = scope;
      scope = inner;
      try {
        return body();
      } finally {
        scope = outer;
      }
    },
    update: (variable, value) => updates.push({ variable, value: value.name }),
    ref(valueName) {
      const value = values.get(valueName);
      return value === undefined
        ? internal(`the graph "${name}" has no value "${valueName}"`)
        : { name: valueName, type: value.type };
    },
    has: (valueName) => values.has(valueName),
    finish: (outputs) => ({
      name,
      level,
      values,
      nodes,
      inputs,
      outputs: outputs.map((output) => output.name),
      updates,
    }),
  };
}

/**
 * The output types of a node.
 *
 * @throws ShapeError naming the op and the node
 */
export function inferTypes<K extends OpName>(
  op: K,
  name: string,
  operands: readonly { readonly type: TensorType }[],
  attrs: Attrs[K],
): readonly TensorType[] {
  try {
    return ops[op].infer(
      operands.map((operand) => operand.type),
      attrs,
    );
  } catch (error) {
    if (error instanceof ShapeError) throw error.at(`${op} "${name}"`);
    throw error;
  }
}

/** Adds the inputs, constants and variables of a graph to a builder, less the parameters that `drop` names. */
export function copySources(builder: GraphBuilder, graph: Graph, drop?: ReadonlySet<string>): void {
  for (const name of graph.inputs) {
    const { type, quant } = valueOf(graph, name);
    builder.input(name, type, quant);
  }
  copyParameters(builder, graph, drop);
}

/** Adds the constants and variables of a graph to a builder, less those that `drop` names. */
export function copyParameters(builder: GraphBuilder, graph: Graph, drop: ReadonlySet<string> = new Set()): void {
  for (const { name, source, quant } of graph.values.values()) {
    if (drop.has(name)) continue;
    if (source.kind === 'constant') builder.constant(name, source.data, quant);
    if (source.kind === 'variable') builder.variable(name, source.initial, source.role, source);
  }
}

/**
 * Adds a copy of a node to a builder, with renamed operands and newly inferred types.
 *
 * @param rename the operand to use in place of a name
 */
export function copyNode(
  builder: GraphBuilder,
  node: Node,
  rename: (name: string) => string,
  quant?: QuantParams | null,
) {
  return builder.node(
    node.op,
    node.name,
    node.inputs.map((input) => builder.ref(rename(input))),
    node.attrs,
    quant,
  );
}
