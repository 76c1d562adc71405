/** What the rows of the table of layers are given: one call of one layer. */
import type { FloatTensor, Shape } from '../../core/tensor.ts';
import type { VariableRole } from '../../graph/roles.ts';
import type { ValueRef } from '../../ops/define.ts';
import type { Attrs, OpName } from '../../ops/index.ts';
import type { Argument } from './network.ts';
import type { GraphWriter } from '../graph-writer.ts';
import { Refusal } from '../refusal.ts';
import type { Config } from './json.ts';
import { ConfigError, list } from './json.ts';

/** An argument whose values of the network are there. */
export type Given =
  | { readonly kind: 'value'; readonly value: ValueRef }
  | { readonly kind: 'list'; readonly items: readonly Given[] }
  | { readonly kind: 'constant'; readonly value: unknown };

export interface LayerCall {
  /** Of the layer, with the networks it is in; numbered from the second call on. */
  readonly name: string;
  readonly className: string;
  /** 2 or 3: some functions have changed. */
  readonly version: number;
  readonly config: Config;
  readonly args: readonly Given[];
  readonly kwargs: Readonly<Record<string, Given>>;
  readonly writer: GraphWriter;
  /** The values of the layer's variables, in Keras's order. */
  readonly read: (variables: readonly string[]) => readonly FloatTensor[];
  /** A variable of the graph, made at the first call of the layer. */
  readonly variable: (part: string, role: VariableRole, make: () => FloatTensor) => ValueRef;
}

/** A class of layers: the nodes that a call becomes. */
export interface LayerRow {
  /**
   * @returns the outputs of the call
   * @throws Refusal for what cannot be expressed, ConfigError for a configuration that makes no sense
   */
  readonly build: (call: LayerCall) => ValueRef | readonly ValueRef[];
}

/** A row for layers of one input. */
export const unary = (build: (call: LayerCall, input: ValueRef) => ValueRef): LayerRow => ({
  build: (call) => build(call, inputOf(call)),
});

export function inputOf(call: LayerCall): ValueRef {
  const [input, ...others] = inputsOf(call);
  if (input === undefined || others.length > 0)
    throw new ConfigError(`it is called with ${others.length + 1} inputs; expected one`);
  return input;
}

/** All values of the network that a layer is called with, those in lists among them. */
export function inputsOf({ args, kwargs }: Pick<LayerCall, 'args' | 'kwargs'>): readonly ValueRef[] {
  const flat = (given: Given): readonly ValueRef[] =>
    given.kind === 'value' ? [given.value] : given.kind === 'list' ? given.items.flatMap(flat) : [];
  return [...args, ...Object.values(kwargs)].flatMap(flat);
}

export type { Argument };

type Named = Pick<LayerCall, 'writer' | 'name'>;

/** Adds a node of one output, named after the layer and the op. */
export const add = <K extends OpName>(
  { writer, name }: Named,
  op: K,
  inputs: readonly ValueRef[],
  attrs: Attrs[K],
  part = '',
): ValueRef => writer.add(op, `${name}/${part}${op}`, inputs, attrs);

/** A constant that the layer's configuration says. */
export const constant = ({ writer, name }: Named, part: string, shape: Shape, values: ArrayLike<number>): ValueRef =>
  writer.numbers(`${name}/${part}`, shape, values);

/** Reshapes to what the dimensions after the batch say. */
export const reshape = (call: Named, input: ValueRef, shape: Shape, part = ''): ValueRef =>
  add(call, 'reshape', [input], { shape: [-1, ...shape] }, part);

export const channelsOf = (value: ValueRef): number => value.type.shape.at(-1) ?? 1;

export function expectRank(value: ValueRef, rank: number, what: string): void {
  const { shape } = value.type;
  if (shape.length === rank) return;
  throw new ConfigError(`${what} is [${shape.slice(1).join(', ')}]; expected ${rank - 1} dimensions`);
}

/** The channels as the last axis: qpipe has no other order. */
export function requireChannelsLast({ config }: LayerCall): void {
  const { data_format: format = 'channels_last' } = config;
  if (format !== 'channels_last')
    throw new Refusal(`data_format is ${String(format)}`, 'data_format must be channels_last');
}

/** An axis, counted from the end where it is negative. */
export function axisOf(value: unknown, rank: number, what: string): number {
  const axis = Array.isArray(value) && value.length === 1 ? list(value, what)[0] : value;
  if (typeof axis !== 'number' || !Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new ConfigError(`${what} is ${JSON.stringify(value)}; expected an axis of ${rank} dimensions`);
  }
  return axis < 0 ? axis + rank : axis;
}
