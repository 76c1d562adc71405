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
  const growing = new GrowingGraph(name, from);
  let scope = '';

  const emitAll = <Name extends string, A>(
    definition: OpDef<Name, A>,
    operands: readonly ValueRef[],
    attrs: A,
  ): readonly ValueRef[] => {
    const op = definition.name as string as OpName; // every definition that rules emit is in the table
    const nodeName = growing.freshName(scope === '' ? op : `${scope}/${op}`);
    return growing.addNode(op, nodeName, operands, attrs as unknown as Attrs[OpName], null);
  };

  return {
    input: (valueName, type, quant = null) => growing.addInput(valueName, type, quant),
    constant: (valueName, data, quant = null) =>
      growing.addValue(valueName, { dtype: data.dtype, shape: data.shape }, { kind: 'constant', data }, quant),
    variable(valueName, initial, role, { trainable = isTrainable(role), owner = null } = {}) {
      const source = { kind: 'variable', initial, role, trainable, owner } as const;
      return growing.addValue(valueName, { dtype: initial.dtype, shape: initial.shape }, source, null);
    },
    node: (op, nodeName, operands, attrs, quant = null) => growing.addNode(op, nodeName, operands, attrs, quant),
    emitAll,
    emit(definition, operands, attrs) {
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
    update: (variable, value) => growing.addUpdate(variable, value),
    ref: (valueName) => growing.ref(valueName),
    has: (valueName) => growing.has(valueName),
    finish: (outputs) => growing.finish(level, outputs),
  };
}

/** The values and nodes so far; names are taken once. */
class GrowingGraph {
  private readonly name: string;
  private readonly values: Map<string, Value>;
  private readonly nodes: Node[];
  private readonly inputs: string[];
  private readonly updates: Update[];

  constructor(name: string, from?: Graph) {
    this.name = name;
    this.values = new Map(from?.values);
    this.nodes = [...(from?.nodes ?? [])];
    this.inputs = [...(from?.inputs ?? [])];
    this.updates = [...(from?.updates ?? [])];
  }

  addValue(name: string, type: TensorType, source: ValueSource, quant: QuantParams | null): ValueRef {
    if (this.values.has(name)) internal(`the graph "${this.name}" already has a value "${name}"`);
    this.values.set(name, { name, type, source, quant });
    return { name, type };
  }

  addInput(name: string, type: TensorType, quant: QuantParams | null): ValueRef {
    this.inputs.push(name);
    return this.addValue(name, type, { kind: 'input' }, quant);
  }

  addNode<K extends OpName>(
    op: K,
    name: string,
    operands: readonly ValueRef[],
    attrs: Attrs[K],
    quant: QuantParams | null,
  ): readonly ValueRef[] {
    const types = inferTypes(op, name, operands, attrs);
    const outputs = types.map((_, index) => (index === 0 ? name : `${name}:${index}`));
    // The compiler cannot see that op and attrs belong together inside a generic; the signature guarantees it.
    this.nodes.push({ op, name, inputs: operands.map((operand) => operand.name), outputs, attrs } as Node);
    return outputs.map((output, index) => this.addValue(output, types[index]!, { kind: 'node' }, quant));
  }

  addUpdate(variable: string, value: ValueRef): void {
    this.updates.push({ variable, value: value.name });
  }

  has(name: string): boolean {
    return this.values.has(name);
  }

  ref(name: string): ValueRef {
    const value = this.values.get(name) ?? internal(`the graph "${this.name}" has no value "${name}"`);
    return { name, type: value.type };
  }

  /** The base, numbered where that is taken. */
  freshName(base: string): string {
    if (!this.values.has(base)) return base;
    let count = 1;
    while (this.values.has(`${base}_${count}`)) count++;
    return `${base}_${count}`;
  }

  finish(level: Level, outputs: readonly ValueRef[]): Graph {
    const { name, values, nodes, inputs, updates } = this;
    return { name, level, values, nodes, inputs, outputs: outputs.map((output) => output.name), updates };
  }
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
