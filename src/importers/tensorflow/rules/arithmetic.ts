/** Ops that work element by element, and batch norms that are spelled out in them. */
import { numElements } from '../../../core/tensor.ts';
import type { ValueRef } from '../../../ops/define.ts';
import { numberOf } from '../../elements.ts';
import { refuse } from '../../refusal.ts';
import type { Steps } from '../../spelled-out.ts';
import { absolute as spelledAbsolute, clipped, larger, negated, smaller } from '../../spelled-out.ts';
import type { Call, Rule, Value } from '../context.ts';
import { computed, input, operand, operandOf, staticInput } from '../context.ts';
import type { NormPart, Static } from '../static.ts';
import { asFloats } from '../static.ts';
import { isBiasOf } from './layers.ts';

const plain = { activation: 'none' } as const;

type Arithmetic = 'add' | 'sub' | 'mul';

const combined = (call: Call, op: Arithmetic, a: ValueRef, b: ValueRef): readonly Value[] => [
  computed(call.target.add(op, call.node.name, [a, b], plain)),
];

/** The constant among two operands, and the other one. */
function withStatic(call: Call): readonly [Value, Static] | null {
  const [a, b] = [input(call, 0), input(call, 1)];
  if (b.kind === 'static') return [a, b];
  return a.kind === 'static' ? [b, a] : null;
}

export const add: Rule = (call) => {
  const [value, constant] = withStatic(call) ?? [];
  if (value?.kind === 'affine' && constant !== undefined && isBiasOf(value, constant)) {
    return [computed(value.finish(call.node.name, { ...constant, shape: [numElements(constant.shape)] }))];
  }
  const norm = value === undefined || constant === undefined ? null : normWith(value, offsetIn(constant));
  if (norm !== null) return [computed(batchNorm(call, norm))];
  const [a, b] = settled(call);
  return combined(call, 'add', a, b);
};

export const sub: Rule = (call) => {
  const [a, b] = [input(call, 0), input(call, 1)];
  const shift = b.kind === 'static' && b.part?.kind === 'product' ? b.part : null;
  const norm = normWith(a, shift === null ? null : { beta: null, mean: shift.other, scale: shift.scale });
  if (norm !== null) return [computed(batchNorm(call, norm))];
  const [left, right] = settled(call);
  return combined(call, 'sub', left, right);
};

export const mul: Rule = (call) => {
  const [value, constant] = withStatic(call) ?? [];
  if (value !== undefined && constant !== undefined && isScale(constant)) {
    const ref = settle(call, value);
    const finish = (): ValueRef => call.target.add('mul', call.node.name, [ref, call.target.constant(constant)], plain);
    return [{ kind: 'scaled', input: ref, scale: constant, finish }];
  }
  const [a, b] = settled(call);
  return combined(call, 'mul', a, b);
};

/** Values that wait for more are complete here. */
function settle(call: Call, value: Value): ValueRef {
  if (value.kind === 'affine') return value.finish(`${call.node.name}/layer`, null);
  return value.kind === 'scaled' ? value.finish() : operandOf(call.target, value);
}

const settled = (call: Call): readonly [ValueRef, ValueRef] => [
  settle(call, input(call, 0)),
  settle(call, input(call, 1)),
];

interface Offset {
  readonly beta: Static | null;
  readonly mean: Static;
  readonly scale: Static;
}

interface Norm {
  readonly input: ValueRef;
  readonly epsilon: number;
  readonly beta: Static | null;
  readonly gamma: Static | null;
  readonly mean: Static;
  readonly variance: Static;
}

/** rsqrt(variance + epsilon), or that times gamma. */
const isScale = ({ part }: Static): boolean =>
  part?.kind === 'root' || (part?.kind === 'product' && part.scale.part?.kind === 'root');

/** beta - mean * scale, or -mean * scale. */
function offsetIn({ part }: Static): Offset | null {
  if (part?.kind === 'offset') return part;
  const negated = part?.kind === 'product' ? part.other.part : null;
  return part?.kind === 'product' && negated?.kind === 'negated'
    ? { beta: null, mean: negated.of, scale: part.scale }
    : null;
}

/** The batch norm of a product and the sum behind it; null where they are none, or not over the last axis. */
function normWith(value: Value, offset: Offset | null): Norm | null {
  if (value.kind !== 'scaled' || offset?.scale !== value.scale) return null;
  const { part } = value.scale;
  const root = part?.kind === 'product' ? part.scale.part : part;
  if (root?.kind !== 'root') return null;
  const { variance, epsilon } = root;
  const gamma = part?.kind === 'product' ? part.other : null;
  const { input: source } = value;
  const norm = { input: source, epsilon, beta: offset.beta, gamma, mean: offset.mean, variance };
  const channels = source.type.shape.at(-1);
  const isByChannel = (one: Static | null): boolean =>
    one === null || (one.shape.length === 1 && one.shape[0] === channels);
  return [norm.beta, gamma, norm.mean, variance].every(isByChannel) ? norm : null;
}

function batchNorm(call: Call, { input: value, epsilon, beta, gamma, mean, variance }: Norm): ValueRef {
  const { target, node } = call;
  const all = (name: string, number: number): Static => ({
    ...mean,
    ...{ name: `${node.name}/${name}`, part: null, data: new Float32Array(mean.data.length).fill(number) },
  });
  const parameters = [
    target.variable(gamma ?? all('gamma', 1), 'gamma'),
    target.variable(beta ?? all('beta', 0), 'beta'),
    target.variable(mean, 'moving_mean'),
    target.variable(variance, 'moving_variance'),
  ];
  return target.add('batch_norm', node.name, [value, ...parameters], { epsilon });
}

/** What an op on constants makes of the parts of a batch norm; null for what is none. */
export function normPart(op: string, [a, b]: readonly Static[]): NormPart | null {
  if (a === undefined) return null;
  if (op === 'Rsqrt') return a.part?.kind === 'biased_variance' ? { ...a.part, kind: 'root' } : null;
  if (op === 'Neg') return { kind: 'negated', of: a };
  if (b === undefined) return null;
  const orders = [
    [a, b],
    [b, a],
  ] as const;
  for (const [first, second] of orders) {
    const epsilon = numberOf(second);
    const isSum = op === 'Add' || op === 'AddV2';
    if (isSum && epsilon !== null && first.shape.length === 1)
      return { kind: 'biased_variance', variance: first, epsilon };
    if (op === 'Mul' && isScale(first)) return { kind: 'product', scale: first, other: second };
  }
  if (op === 'Sub' && b.part?.kind === 'product')
    return { kind: 'offset', beta: a, mean: b.part.other, scale: b.part.scale };
  return null;
}

/** By a constant: times its reciprocal. */
export const divide: Rule = (call) => {
  const divisor = staticInput(call, 1, 'what it divides by');
  if (divisor.data.some((value) => value === 0)) return refuse('it divides by 0');
  const reciprocal: Static = { ...divisor, part: null, data: asFloats(divisor).data.map((value) => 1 / value) };
  return combined(call, 'mul', operand(call, 0), call.target.constant(reciprocal));
};

/** The result has the name of the node, so that an output keeps it. */
const stepsAt = ({ target, node }: Call): Steps => ({
  writer: target,
  inner: (part) => `${node.name}/${part}`,
  last: () => node.name,
});

const unary =
  (spell: (steps: Steps, ref: ValueRef) => ValueRef): Rule =>
  (call) => [computed(spell(stepsAt(call), operand(call, 0)))];

export const negate = unary(negated);
export const absolute = unary(spelledAbsolute);

export const square: Rule = (call) => combined(call, 'mul', operand(call, 0), operand(call, 0));

export const addAll: Rule = (call) => {
  const [first, ...rest] = call.inputs.map((_, index) => operand(call, index));
  if (first === undefined) return refuse('it has no input');
  return [computed(rest.reduce((sum, ref) => call.target.add('add', call.node.name, [sum, ref], plain), first))];
};

const extreme =
  (kind: 'max' | 'min'): Rule =>
  (call) => {
    const steps = stepsAt(call);
    const [value, constant] = withStatic(call) ?? [];
    const limit = constant === undefined ? null : numberOf(constant);
    if (value !== undefined && limit !== null) {
      const [low, high] = kind === 'max' ? [limit, Infinity] : [-Infinity, limit];
      return [computed(clipped(steps, operandOf(call.target, value), low, high))];
    }
    const [a, b] = [operand(call, 0), operand(call, 1)];
    return [computed(kind === 'max' ? larger(steps, a, b) : smaller(steps, a, b))];
  };

export const maximum = extreme('max');
export const minimum = extreme('min');

export const clip: Rule = (call) => {
  const [low, high] = [1, 2].map((index) => numberOf(staticInput(call, index, 'the limits')));
  if (low === undefined || high === undefined || low === null || high === null)
    return refuse('its limits are no single numbers');
  return [computed(clipped(stepsAt(call), operand(call, 0), low, high))];
};
