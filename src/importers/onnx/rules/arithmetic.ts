/** Ops that work element by element on one or several values. */
import type { ValueRef } from '../../../ops/define.ts';
import { numberOf } from '../../elements.ts';
import { refuse } from '../../refusal.ts';
import type { Steps } from '../../spelled-out.ts';
import { absolute, clipped, larger, negated, smaller, stepsOf } from '../../spelled-out.ts';
import type { Call, Rule, Value } from '../context.ts';
import { required, valueShape, viewIn } from '../context.ts';
import type { Static } from '../static.ts';
import type { View } from '../view.ts';
import { withRef } from '../view.ts';
import { alignStatic, alignViews, trimmed } from './align.ts';

const plain = { activation: 'none' } as const;

type Arithmetic = 'add' | 'sub' | 'mul';

/** Both operands laid out for one op, constants as constants of the graph. */
function aligned(
  call: Call,
  a: Value,
  b: Value,
): { readonly operands: readonly [ValueRef, ValueRef]; readonly result: (ref: ValueRef) => View } {
  if (a.kind === 'view' && b.kind === 'view') {
    const { operands, result } = alignViews(call, a, b);
    return { operands: [operands[0]!, operands[1]!], result };
  }
  const [value, constant] = a.kind === 'view' ? [a, b] : [b, a];
  if (value.kind !== 'view' || constant.kind !== 'static') return refuse('it has no computed input');
  const { operands, values, result } = alignStatic(call, value, constant);
  const ref = call.graph.numbers(`${call.name}/constant`, trimmed(values.shape), values.data);
  return { operands: a.kind === 'view' ? [operands[0]!, ref] : [ref, operands[0]!], result };
}

function combined(call: Call, op: Arithmetic, a: Value, b: Value): View {
  const { operands, result } = aligned(call, a, b);
  return result(call.graph.add(op, `${call.name}/${op}`, operands, plain));
}

export const addViews = (call: Call, a: Value, b: Value): View => combined(call, 'add', a, b);

const operandsOf = (call: Call): readonly [Value, Value] => [required(call, 0), required(call, 1)];

export const add: Rule = (call) => [combined(call, 'add', ...operandsOf(call))];
export const sub: Rule = (call) => [combined(call, 'sub', ...operandsOf(call))];
export const mul: Rule = (call) => [combined(call, 'mul', ...operandsOf(call))];

/** By a constant: times its reciprocal. */
export const div: Rule = (call) => {
  const [a, b] = operandsOf(call);
  if (b.kind !== 'static') return refuse('it divides by a computed value; expected a constant divisor');
  if (b.data.some((value) => value === 0)) return refuse('it divides by 0');
  return [combined(call, 'mul', a, { ...b, data: Float32Array.from(b.data, (value) => 1 / value) })];
};

/** Sum and Mean of any number of values. */
const total =
  (isMean: boolean): Rule =>
  (call) => {
    const [first, ...rest] = call.inputs.map((_, index) => required(call, index));
    if (first === undefined) return refuse('it has no input');
    const sum = rest.reduce((result, value) => addOrFold(call, result, value), first);
    if (sum.kind !== 'view') return refuse('it has no computed input');
    if (!isMean || rest.length === 0) return [sum];
    return [combined(call, 'mul', sum, numberLike(1 / (rest.length + 1)))];
  };

/** Several constants among the operands are rare: each is added on its own. */
function addOrFold(call: Call, a: Value, b: Value): Value {
  return a.kind === 'static' && b.kind === 'static'
    ? refuse('its first inputs are constants; expected a computed value first')
    : addViews(call, a, b);
}

export const sum = total(false);
export const meanOf = total(true);

const numberLike = (value: number): Static => ({
  kind: 'static',
  type: 'float',
  shape: [],
  data: Float32Array.of(value),
  name: '',
});

/** Of any number of values, two by two. */
const extreme =
  (kind: 'max' | 'min'): Rule =>
  (call) => {
    const values = call.inputs.map((_, index) => required(call, index));
    // Computed ones first, so that every step has one.
    const [first, ...rest] = [
      ...values.filter(({ kind: one }) => one !== 'static'),
      ...values.filter(({ kind: one }) => one === 'static'),
    ];
    if (first === undefined) return refuse('it has no input');
    const result = rest.reduce((a, b) => extremeOfTwo(call, kind, a, b), first);
    return [result];
  };

function extremeOfTwo(call: Call, kind: 'max' | 'min', a: Value, b: Value): View {
  const steps = stepsOf(call.graph, call.name);
  const limit = b.kind === 'static' ? numberOf(b) : null;
  if (a.kind === 'view' && limit !== null && b.kind === 'static' && b.shape.length <= valueShape(a).length) {
    const [low, high] = kind === 'max' ? [limit, Infinity] : [-Infinity, limit];
    return withRef(a, clipped(steps, a.ref, low, high));
  }
  const { operands, result } = aligned(call, a, b);
  const [left, right] = operands;
  return result(kind === 'max' ? larger(steps, left, right) : smaller(steps, left, right));
}

export const max = extreme('max');
export const min = extreme('min');

const unary =
  (spell: (steps: Steps, ref: ValueRef) => ValueRef): Rule =>
  (call) => {
    const view = viewIn(call, 0);
    return [withRef(view, spell(stepsOf(call.graph, call.name), view.ref))];
  };

export const neg = unary(negated);
export const abs = unary(absolute);

const mostFactors = 8;

export const pow: Rule = (call) => {
  const view = viewIn(call, 0);
  const [, exponentValue] = operandsOf(call);
  const exponent = exponentValue.kind === 'static' ? numberOf(exponentValue) : null;
  if (exponent === null || !Number.isInteger(exponent) || exponent < 1 || exponent > mostFactors) {
    return refuse(
      `its exponent is ${exponent ?? 'no single constant'}; expected a whole number from 1 to ${mostFactors}`,
    );
  }
  let power = view.ref;
  for (let count = 1; count < exponent; count++)
    power = call.graph.add('mul', `${call.name}/mul`, [power, view.ref], plain);
  return [withRef(view, power)];
};
