/** Reductions over any axes. Our ops reduce whole dimensions, which are found where the axes lie: nothing moves. */
import type { ValueRef } from '../../../ops/define.ts';
import { refuse } from '../../refusal.ts';
import { absolute, negated, stepsOf } from '../../spelled-out.ts';
import type { Call, Rule } from '../context.ts';
import { axesOf, optionalIntegers, viewIn } from '../context.ts';
import type { Atom, View } from '../view.ts';
import { dimensionsOf, liesIn, rankOf, sizeOf } from '../view.ts';
import { indicesOf } from './pooling.ts';
import { viewOfImage } from './windows.ts';

const plain = { activation: 'none' } as const;

interface Reduction {
  readonly view: View;
  readonly reduced: ReadonlySet<Atom>;
  /** The view of the result. */
  readonly result: (ref: ValueRef) => View;
}

/** Which axes a node reduces, and whether they stay as axes of size 1. */
type Axes = (call: Call, rank: number) => { readonly axes: readonly number[]; readonly keeps: boolean };

const namedAxes: Axes = (call, rank) => {
  const { attributes } = call;
  const named = optionalIntegers(call, 1) ?? attributes.ints('axes') ?? [];
  const isNoOp = attributes.int('noop_with_empty_axes', 0) !== 0;
  const all = isNoOp ? [] : Array.from({ length: rank }, (_, axis) => axis);
  return { axes: named.length === 0 ? all : axesOf(named, rank), keeps: attributes.int('keepdims', 1) !== 0 };
};

/** All but batch and channels. */
const spatialAxes: Axes = (_, rank) => {
  if (rank < 3) refuse(`its input has ${rank} axes; expected batch, channels and others`);
  return { axes: Array.from({ length: rank - 2 }, (_unused, index) => index + 2), keeps: true };
};

function reductionOf(call: Call, choose: Axes): Reduction {
  const view = viewIn(call, 0);
  const { axes, keeps } = choose(call, rankOf(view));
  const reduced = new Set(axes.flatMap((axis) => view.axes[axis] ?? []));
  const kept = view.axes.flatMap((atoms, axis) => (axes.includes(axis) ? (keeps ? [[]] : []) : [atoms]));
  const memory = view.memory.filter((atom) => !reduced.has(atom));
  return { view, reduced, result: (ref) => ({ kind: 'view', ref, memory, axes: kept }) };
}

/** Mean and sum: one node. */
const summing =
  (op: 'mean' | 'sum', choose: Axes, prepare: (call: Call, ref: ValueRef) => ValueRef = (_, ref) => ref): Rule =>
  (call) => {
    const { graph, name } = call;
    const { view, reduced, result } = reductionOf(call, choose);
    const prepared = { ...view, ref: prepare(call, view.ref) };
    if (reduced.size === 0) return [result(prepared.ref)];
    const isUniform = (atoms: readonly Atom[]): boolean => new Set(atoms.map((atom) => reduced.has(atom))).size <= 1;
    const own = dimensionsOf(prepared);
    const dimensions = own?.every(isUniform) === true ? own.slice(1) : prepared.memory.map((atom) => [atom]);
    const ref = graph.placed(name, prepared, dimensions);
    const axes = dimensions.flatMap((atoms, index) => (atoms.some((atom) => reduced.has(atom)) ? [index + 1] : []));
    return [result(graph.add(op, `${name}/${op}`, [ref], { axes, keepDims: false }))];
  };

export const reduceMean = summing('mean', namedAxes);
export const globalAveragePool = summing('mean', spatialAxes);
export const reduceSum = summing('sum', namedAxes);
export const reduceL1 = summing('sum', namedAxes, ({ graph, name }, ref) => absolute(stepsOf(graph, name), ref));
export const reduceSumSquare = summing('sum', namedAxes, ({ graph, name }, ref) =>
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

const maximum =
  (choose: Axes): Rule =>
  (call) => {
    const reduction = reductionOf(call, choose);
    return [reduction.result(reducedStretches(call, reduction, (ref, stretch) => largest(call, ref, stretch)))];
  };

export const reduceMax = maximum(namedAxes);

const largestOfAll = maximum(spatialAxes);

/** Of an image that lies as we have images: a pool with a window of all of it. */
export const globalMaxPool: Rule = (call) => {
  const view = viewIn(call, 0);
  if (rankOf(view) !== 4 || !liesIn(view, [2, 3, 1])) return largestOfAll(call);
  const image = call.graph.arranged(call.name, view, [[2], [3], [1]]);
  const [height = 1, width = 1] = image.type.shape.slice(1);
  const attrs = { window: [height, width], strides: [1, 1], padding: { kind: 'valid' }, activation: 'none' } as const;
  const output = call.graph.add('max_pool_2d', `${call.name}/max_pool_2d`, [image], attrs);
  return [viewOfImage(output, 2)];
};

/** -max(-x). */
export const reduceMin: Rule = (call) => {
  const reduction = reductionOf(call, namedAxes);
  const steps = stepsOf(call.graph, call.name);
  const turned = { ...reduction, view: { ...reduction.view, ref: negated(steps, reduction.view.ref) } };
  const most = reducedStretches(call, turned, (ref, stretch) => largest(call, ref, stretch));
  return [reduction.result(negated(steps, most))];
};

const mostFactors = 64;

/** One factor after the other. */
export const reduceProd: Rule = (call) => {
  const { graph, name } = call;
  const reduction = reductionOf(call, namedAxes);
  const product = reducedStretches(call, reduction, (ref, [, inside]) => {
    if (inside > mostFactors) refuse(`it multiplies ${inside} values; expected at most ${mostFactors}`);
    const factors = Array.from({ length: inside }, (_, index) => indicesOf(graph, name, ref, 2, index, index + 1));
    return factors.reduce((a, b) => graph.add('mul', `${name}/mul`, [a, b], plain));
  });
  return [reduction.result(product)];
};
