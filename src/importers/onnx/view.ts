/**
 * How a value of ONNX lies in one of ours. ONNX says the order of axes by which ops are named ([batch, channels, height,
 * width]), we keep images as [batch, height, width, channels]. Each axis is made of atoms, runs of elements that stay
 * together: the axes name their atoms in ONNX's order, and memory has the same atoms in ours. Reshapes and transposes
 * only rename. Something moves where an op needs atoms elsewhere than they are, so that nothing moves that the network
 * itself does not move.
 *
 * Axes of size 1 have no atoms. The batch is one of them, and always the first axis of our value.
 */
import { internal } from '../../core/assert.ts';
import type { Shape } from '../../core/tensor.ts';
import { numElements, sameShape } from '../../core/tensor.ts';
import type { ValueRef } from '../../ops/define.ts';

/** Told apart by identity. `size` is at least 2. */
export interface Atom {
  readonly size: number;
}

export interface View {
  readonly kind: 'view';
  readonly ref: ValueRef;
  /** In the order of our value, batch and axes of size 1 left out. */
  readonly memory: readonly Atom[];
  /** The axes of ONNX's value. */
  readonly axes: readonly (readonly Atom[])[];
}

export const sizeOf = (atoms: readonly Atom[]): number => atoms.reduce((product, { size }) => product * size, 1);

export const shapeOf = (view: View): Shape => view.axes.map(sizeOf);

export const rankOf = (view: View): number => view.axes.length;

const atomOf = (size: number): readonly Atom[] => (size === 1 ? [] : [{ size }]);

/** A value that is new: axis by axis as `order` says, which leaves axes of size 1 out or not. */
export function viewOf(ref: ValueRef, shape: Shape, order: readonly number[] = shape.map((_, axis) => axis)): View {
  const axes = shape.map(atomOf);
  return { kind: 'view', ref, memory: order.flatMap((axis) => axes[axis] ?? []), axes };
}

/** The same axes around the result of an op that works element by element. */
export const withRef = (view: View, ref: ValueRef): View => ({ ...view, ref });

export function permutedView(view: View, permutation: readonly number[]): View {
  return { ...view, axes: permutation.map((axis) => view.axes[axis] ?? internal(`no axis ${axis}`)) };
}

/**
 * The sizes into which two ways to factor the same product have to be cut so that each is made of whole pieces; null
 * where the pieces of one lie across those of the other.
 */
export function commonPieces(a: Shape, b: Shape): readonly number[] | null {
  const pieces: number[] = [];
  let [atA, atB, restA, restB] = [0, 0, 1, 1];
  for (;;) {
    while (restA === 1 && atA < a.length) restA = a[atA++] ?? 1;
    while (restB === 1 && atB < b.length) restB = b[atB++] ?? 1;
    if (restA === 1 && restB === 1) return pieces;
    const piece = Math.min(restA, restB);
    if (piece < 2 || restA % piece !== 0 || restB % piece !== 0) return null;
    pieces.push(piece);
    restA /= piece;
    restB /= piece;
  }
}

/** Replaces atoms by those that a list names, in memory and in the axes. */
function replaced(view: View, parts: ReadonlyMap<Atom, readonly Atom[]>): View {
  const exchange = (atoms: readonly Atom[]): readonly Atom[] => atoms.flatMap((atom) => parts.get(atom) ?? [atom]);
  return { ...view, memory: exchange(view.memory), axes: view.axes.map(exchange) };
}

/** The view with `wanted` as the atoms of an axis; null where they are not pieces of what it has. */
export function withAtoms(view: View, axis: number, wanted: readonly Atom[]): View | null {
  const parts = new Map<Atom, readonly Atom[]>();
  let next = 0;
  for (const atom of view.axes[axis] ?? []) {
    const own: Atom[] = [];
    while (sizeOf(own) < atom.size) {
      const piece = wanted[next++];
      if (piece === undefined) return null;
      own.push(piece);
    }
    if (sizeOf(own) !== atom.size) return null;
    parts.set(atom, own);
  }
  return next === wanted.length ? replaced(view, parts) : null;
}

/** The value in another shape, as ONNX reads it; null where atoms would lie across axes. */
export function regrouped(view: View, shape: Shape): View | null {
  const atoms = view.axes.flat();
  const pieces = commonPieces(
    atoms.map(({ size }) => size),
    shape,
  );
  if (pieces === null) return null;
  const fine = pieces.map((size): Atom => ({ size }));
  const flat = withAtoms({ ...view, axes: [atoms] }, 0, fine);
  if (flat === null) return null;
  let next = 0;
  const axes = shape.map((size) => {
    const own: Atom[] = [];
    while (sizeOf(own) < size) own.push(fine[next++] ?? internal('a shape has more pieces than were cut'));
    return own;
  });
  return { ...flat, axes };
}

/** Splits an axis into several, outer ones first. */
export function splitAxis(view: View, axis: number, sizes: Shape): View | null {
  const shape = shapeOf(view);
  return regrouped(view, [...shape.slice(0, axis), ...sizes, ...shape.slice(axis + 1)]);
}

const sameAtoms = (a: readonly Atom[], b: readonly Atom[]): boolean =>
  a.length === b.length && a.every((atom, index) => atom === b[index]);

/** The atoms of some axes, joined. */
export const atomsOf = (view: View, axes: readonly number[]): readonly Atom[] =>
  axes.flatMap((axis) => view.axes[axis] ?? []);

/** Whether memory has exactly these axes in this order. */
export const liesIn = (view: View, order: readonly number[]): boolean => sameAtoms(view.memory, atomsOf(view, order));

/** How to move a value: reshape to `from` (runs that stay together), transpose, reshape. Without the batch. */
export interface Movement {
  readonly from: Shape;
  readonly permutation: readonly number[];
}

/** The movement that brings memory into another order; null when it is in that order. */
export function movementTo(view: View, wanted: readonly Atom[]): Movement | null {
  if (sameAtoms(view.memory, wanted)) return null;
  const place = new Map(wanted.map((atom, index) => [atom, index]));
  const runs: { start: number; end: number; size: number }[] = [];
  for (const atom of view.memory) {
    const at = place.get(atom) ?? internal('an atom is not wanted where memory should go');
    const run = runs.at(-1);
    if (run?.end === at) {
      run.end++;
      run.size *= atom.size;
    } else {
      runs.push({ start: at, end: at + 1, size: atom.size });
    }
  }
  const permutation = runs.map((_, index) => index).sort((a, b) => (runs[a]?.start ?? 0) - (runs[b]?.start ?? 0));
  return { from: runs.map(({ size }) => size), permutation };
}

/**
 * The order of axes that is nearest to how the value lies, the batch left out: channels last or as ONNX has it where
 * one of them is it, else by where each axis begins. Memory need not be in it.
 */
export function naturalOrder(view: View): readonly number[] {
  const shape = shapeOf(view);
  const all = shape.map((_, axis) => axis).filter((axis) => axis > 0 || shape[0] !== 1);
  const last = channelsLast(view);
  const candidates = (last === null ? [all] : [last, all]).filter((order) => liesIn(view, order));
  const shown = view.ref.type.shape.slice(1);
  const fitting = candidates.find((order) =>
    sameShape(
      shown,
      order.map((axis) => shape[axis] ?? 1),
    ),
  );
  if (fitting !== undefined) return fitting;
  if (candidates[0] !== undefined) return candidates[0];
  const start = (axis: number): number => view.memory.indexOf(view.axes[axis]?.[0] ?? { size: 0 });
  return all.toSorted((a, b) => start(a) - start(b) || a - b);
}

/**
 * The order of axes in which an output is given: as ONNX has it, or with the channels behind the rest, whichever is
 * nearer to how it lies.
 */
export function outputOrder(view: View): readonly number[] {
  const shape = shapeOf(view);
  const natural = naturalOrder(view);
  const all = shape.map((_, axis) => axis).filter((axis) => axis > 0 || shape[0] !== 1);
  const candidates = [channelsLast(view) ?? all, all];
  const same = candidates.find((order) => order.every((axis, index) => axis === natural[index]));
  const [last = all] = candidates;
  return same ?? (inversions(view, last) <= inversions(view, all) ? last : all);
}

/** How many pairs of atoms have to pass each other. */
function inversions(view: View, order: readonly number[]): number {
  const places = atomsOf(view, order).map((atom) => view.memory.indexOf(atom));
  return places.reduce(
    (total, place, index) => total + places.slice(index + 1).filter((later) => later < place).length,
    0,
  );
}

/** The axes of an image or a series with the channels behind the others; null for other ranks. */
function channelsLast(view: View): readonly number[] | null {
  const rank = rankOf(view);
  if (rank < 3 || sizeOf(view.axes[0] ?? []) !== 1) return null;
  return [...Array.from({ length: rank - 2 }, (_, index) => index + 2), 1];
}

/** For each element of the axis in memory's order of its atoms, its index in ONNX's order; null where both are one. */
export function innerOrder(atoms: readonly Atom[], inMemory: readonly Atom[]): readonly number[] | null {
  if (sameAtoms(atoms, inMemory)) return null;
  const step = new Map<Atom, number>();
  let product = 1;
  for (const atom of atoms.toReversed()) {
    step.set(atom, product);
    product *= atom.size;
  }
  let indices: readonly number[] = [0];
  for (const atom of inMemory) {
    const by = step.get(atom) ?? internal('an atom of another axis');
    indices = indices.flatMap((index) => Array.from({ length: atom.size }, (_, at) => index + at * by));
  }
  return indices;
}

/** Dimensions of our value as groups of atoms; null where a dimension holds parts of atoms. Dimensions of size 1 are empty. */
export function dimensionsOf(view: View): readonly (readonly Atom[])[] | null {
  let next = 0;
  const dimensions = view.ref.type.shape.map((size) => {
    const own: Atom[] = [];
    while (sizeOf(own) < size && next < view.memory.length) own.push(view.memory[next++]!);
    return sizeOf(own) === size ? own : null;
  });
  const whole = dimensions.filter((dimension) => dimension !== null);
  return whole.length === dimensions.length && next === view.memory.length ? whole : null;
}

export const countOf = (view: View): number => numElements(view.ref.type.shape);
