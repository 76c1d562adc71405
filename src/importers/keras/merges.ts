/** Layers that make one value of several. */
import type { ValueRef } from '../../ops/define.ts';
import { larger, smaller, stepsOf } from '../spelled-out.ts';
import { ConfigError } from './json.ts';
import type { LayerCall, LayerRow } from './layer.ts';
import { add, axisOf, constant, inputsOf } from './layer.ts';

type Join = (call: LayerCall, a: ValueRef, b: ValueRef) => ValueRef;

export const joins = {
  add: (call, a, b) => add(call, 'add', [a, b], { activation: 'none' }),
  sub: (call, a, b) => add(call, 'sub', [a, b], { activation: 'none' }),
  mul: (call, a, b) => add(call, 'mul', [a, b], { activation: 'none' }),
  maximum: (call, a, b) => larger(stepsOf(call.writer, call.name), a, b),
  minimum: (call, a, b) => smaller(stepsOf(call.writer, call.name), a, b),
} satisfies Readonly<Record<string, Join>>;

/** Two by two, from the first on. */
function joined(call: LayerCall, join: Join): ValueRef {
  const [first, ...others] = inputsOf(call);
  if (first === undefined || others.length === 0) throw new ConfigError('it joins fewer than two values');
  return others.reduce((value, next) => join(call, value, next), first);
}

const fold = (join: Join): LayerRow => ({ build: (call) => joined(call, join) });

const average: LayerRow = {
  build(call) {
    const count = inputsOf(call).length;
    return joins.mul(call, joined(call, joins.add), constant(call, 'share', [1], [1 / count]));
  },
};

export function concatenated(call: LayerCall, values: readonly ValueRef[], axis: unknown): ValueRef {
  const [first] = values;
  if (first === undefined) throw new ConfigError('it joins no values');
  const along = axisOf(axis, first.type.shape.length, 'axis');
  if (along === 0) throw new ConfigError('it joins examples of a batch; axis must not be 0');
  return values.length === 1 ? first : add(call, 'concatenation', values, { axis: along });
}

export const mergeLayers: Readonly<Record<string, LayerRow>> = {
  Add: fold(joins.add),
  Subtract: fold(joins.sub),
  Multiply: fold(joins.mul),
  Average: average,
  Maximum: fold(joins.maximum),
  Minimum: fold(joins.minimum),
  Concatenate: { build: (call) => concatenated(call, inputsOf(call), call.config['axis'] ?? -1) },
};
