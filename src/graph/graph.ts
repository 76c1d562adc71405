import { internal, present } from '../core/assert.ts';
import type { QuantParams } from '../core/affine.ts';
import type { FloatTensor, Tensor, TensorType } from '../core/tensor.ts';
import { expectDType } from '../core/tensor.ts';
import type { Attrs, OpName } from '../ops/index.ts';
import type { VariableRole } from './roles.ts';

/** float: as trained at first; qat: with fake quant, observers and delay; eval: fake quant only; int8: integers. */
export type Level = 'float' | 'qat' | 'eval' | 'int8';

export const levels: readonly Level[] = ['float', 'qat', 'eval', 'int8'];

export type ValueSource =
  | { readonly kind: 'input' }
  | { readonly kind: 'constant'; readonly data: Tensor }
  | VariableSource
  | { readonly kind: 'node' };

/** Lives across steps. */
export interface VariableSource {
  readonly kind: 'variable';
  readonly initial: Tensor;
  readonly role: VariableRole;
  /** Trainable ones get a gradient and an optimizer. */
  readonly trainable: boolean;
  /** The quantizer, or the variable, that it belongs to; null where the ops that read it say enough. */
  readonly owner: string | null;
}

export interface Value {
  readonly name: string;
  readonly type: TensorType;
  readonly source: ValueSource;
  /** How stored integers stand for real numbers; null on float levels and for shapes. */
  readonly quant: QuantParams | null;
}

interface NodeShape<K extends OpName> {
  readonly op: K;
  readonly name: string;
  /** Names of values; trailing optional operands may be missing. */
  readonly inputs: readonly string[];
  /** Output 0 has the node's name; output k is `name:k`. */
  readonly outputs: readonly string[];
  readonly attrs: Attrs[K];
}

/** A union discriminated by `op`. */
export type Node<K extends OpName = OpName> = { readonly [P in K]: NodeShape<P> }[K];

/** After each step the variable takes the value. */
export interface Update {
  readonly variable: string;
  readonly value: string;
}

/** A static single-assignment graph: values by name, nodes in an order in which they can run. */
export interface Graph {
  readonly name: string;
  readonly level: Level;
  readonly values: ReadonlyMap<string, Value>;
  readonly nodes: readonly Node[];
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly updates: readonly Update[];
}

export type Variable = Value & { readonly source: VariableSource };

export function valueOf(graph: Graph, name: string): Value {
  return present(graph.values.get(name), `value "${name}" in graph "${graph.name}"`);
}

/** The value of a constant or, at first, of a variable. */
export function parameterOf(graph: Graph, name: string): FloatTensor {
  const { source } = valueOf(graph, name);
  if (source.kind === 'constant') return expectDType(source.data, 'float32');
  if (source.kind === 'variable') return expectDType(source.initial, 'float32');
  return internal(`"${name}" is computed; expected a parameter`);
}

export function variablesOf(graph: Graph): readonly Variable[] {
  return [...graph.values.values()].filter(isVariable);
}

export function isVariable(value: Value): value is Variable {
  return value.source.kind === 'variable';
}

/** The node that makes a value; undefined for inputs, constants and variables. */
export function producers(graph: Graph): ReadonlyMap<string, Node> {
  return new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
}

/** The nodes that read a value, in graph order; a node that reads it twice appears once. */
export function consumers(graph: Graph): ReadonlyMap<string, readonly Node[]> {
  const result = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const input of new Set(node.inputs)) {
      const readers = result.get(input);
      if (readers === undefined) result.set(input, [node]);
      else readers.push(node);
    }
  }
  return result;
}
