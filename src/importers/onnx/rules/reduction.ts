/** Reductions over any axes. Our ops reduce whole dimensions, which are found where the axes lie: nothing moves. */
import type { ValueRef } from '../../../ops/define.ts';
import type { Call, Rule } from '../context.ts';
import { axesOf, optionalIntegers, viewIn } from '../context.ts';
import { refuse } from '../refusal.ts';
import type { Atom, View } from '../view.ts';
import { dimensionsOf, rankOf, sizeOf } from '../view.ts';
import { absolute, negated } from './arithmetic.ts';
import { indicesOf } from './pooling.ts';

const plain = { activation: 'none' } as const;

interface Reduction {
  readonly view: View;
  readonly reduced: ReadonlySet<Atom>;
  /** The view of the result. */
  readonly result: (ref: ValueRef) => View;
}

function reductionOf(call: Call): Reduction {
  const { attributes } = call;
  const view = viewIn(call, 0);
  const named = optionalIntegers(call, 1) ?? attributes.ints('axes');
  const all = view.axes.map((_, axis) => axis);
  const isNoOp = attributes.int('noop_with_empty_axes', 0) !== 0;
  const axes = named === null || named.length === 0 ? (isNoOp ? [] : all) : axesOf(named, rankOf(view));
  const keeps = attributes.int('keepdims', 1) !== 0;
  const reduced = new Set(axes.flatMap((axis) => view.axes[axis] ?? []));
  const kept = view.axes.flatMap((atoms, axis) => (axes.includes(axis) ? (keeps ? [[]] : []) : [atoms]));
  const memory = view.memory.filter((atom) => !reduced.has(atom));
  return { view, reduced, result: (ref) => ({ kind: 'view', ref, memory, axes: kept }) };
}

/** Mean and sum: one node. */
const summing =
  (op: 'mean' | 'sum', prepare: (call: Call, ref: ValueRef) => ValueRef = (_, ref) => ref): Rule =>
  (call) => {
    const { graph, name } = call;
    const { view, reduced, result } = reductionOf(call);
    const prepared = { ...view, ref: prepare(call, view.ref) };
    if (reduced.size === 0) return [result(prepared.ref)];
    const isUniform = (atoms: readonly Atom[]): boolean => new Set(atoms.map((atom) => reduced.has(atom))).size <= 1;
    const own = dimensionsOf(prepared);
    const dimensions = own?.every(isUniform) === true ? own.slice(1) : prepared.memory.map((atom) => [atom]);
    const ref = graph.placed(name, prepared, dimensions);
    const axes = dimensions.flatMap((atoms, index) => (atoms.some((atom) => reduced.has(atom)) ? [index + 1] : []));
    return [result(graph.add(op, `${name}/${op}`, [ref], { axes, keepDims: false }))];
  };

export const reduceMean = summing('mean');
export const reduceSum = summing('sum');
export const reduceL1 = summing('sum', absolute);
export const reduceSumSquare = summing('sum', ({ graph, name }, ref) =>
  graph.add('mul', `${name}/mul`, [ref, ref], plain),
);

/** A stretch of reduced atoms that lie together: elements before it, in it and behind it. */
type Stretch = readonly [before: number, inside: number, after: number];

/** Reduces one stretch after the other, each as an image [1, before, inside, after]. */
function reducedStretches(
  call: Call,
  reduction: Reduction,
  reduce: (ref: ValueRef, stretch: Stretch) => ValueRef,
): ValueRef {
  const { graph, name } = call;
  let memory = reduction.view.memory;
  let ref = reduction.view.ref;
  for (;;) {
    const start = memory.findIndex((atom) => reduction.reduced.has(atom));
    if (start < 0)
      return graph.reshape(
        name,
        ref,
        memory.map(({ size }) => size),
      );
    const length = memory.slice(start).findIndex((atom) => !reduction.reduced.has(atom));
    const end = length < 0 ? memory.length : start + length;
    const stretch = [memory.slice(0, start), memory.slice(start, end), memory.slice(end)].map(sizeOf) as [
      number,
      number,
      number,
    ];
    ref = reduce(graph.reshape(name, ref, stretch), stretch);
    memory = [...memory.slice(0, start), ...memory.slice(end)];
  }
}

/** The largest of each stretch: a pool with a window of all of it. */
function largest({ graph, name }: Call, ref: ValueRef, [, inside]: Stretch): ValueRef {
  const attrs = { window: [1, inside], strides: [1, 1], padding: { kind: 'valid' }, activation: 'none' } as const;
  return graph.add('max_pool_2d', `${name}/max_pool_2d`, [ref], attrs);
}

export const reduceMax: Rule = (call) => {
  const reduction = reductionOf(call);
  return [reduction.result(reducedStretches(call, reduction, (ref, stretch) => largest(call, ref, stretch)))];
};

/** -max(-x). */
export const reduceMin: Rule = (call) => {
  const reduction = reductionOf(call);
  const turned = { ...reduction, view: { ...reduction.view, ref: negated(call, reduction.view.ref) } };
  const most = reducedStretches(call, turned, (ref, stretch) => largest(call, ref, stretch));
  return [reduction.result(negated(call, most))];
};

const mostFactors = 64;

/** One factor after the other. */
export const reduceProd: Rule = (call) => {
  const { graph, name } = call;
  const reduction = reductionOf(call);
  const product = reducedStretches(call, reduction, (ref, [, inside]) => {
    if (inside > mostFactors) refuse(`it multiplies ${inside} values; expected at most ${mostFactors}`);
    const factors = Array.from({ length: inside }, (_, index) => indicesOf(graph, name, ref, 2, index, index + 1));
    return factors.reduce((a, b) => graph.add('mul', `${name}/mul`, [a, b], plain));
  });
  return [reduction.result(product)];
};
