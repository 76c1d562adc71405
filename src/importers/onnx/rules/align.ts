/** Brings operands of an elementwise op together: the same atoms, the same order, one rank. */
import { internal } from '../../../core/assert.ts';
import type { Shape } from '../../../core/tensor.ts';
import { broadcastShapes } from '../../../ops/broadcast.ts';
import type { ValueRef } from '../../../ops/define.ts';
import type { Call } from '../context.ts';
import type { Static } from '../static.ts';
import { inShape, permutedStatic } from '../static.ts';
import type { Atom, View } from '../view.ts';
import { commonPieces, dimensionsOf, shapeOf, sizeOf, viewOf, withAtoms } from '../view.ts';

export interface Aligned {
  readonly operands: readonly ValueRef[];
  /** The view of an op's result over them. */
  readonly result: (ref: ValueRef) => View;
}

const widened = (view: View, rank: number): View => ({
  ...view,
  axes: [...new Array<readonly Atom[]>(rank - view.axes.length).fill([]), ...view.axes],
});

/** Two computed values whose axes are made of the same atoms where both have them. */
function sharingAtoms(call: Call, a: View, b: View): readonly [View, View] {
  let [left, right] = [a, b];
  for (const [axis, own] of a.axes.entries()) {
    const others = b.axes[axis] ?? [];
    if (own.length === 0 || others.length === 0) continue;
    const pieces = commonPieces(own.map(({ size }) => size), others.map(({ size }) => size)); // prettier-ignore
    if (pieces === null) return sharingAtoms(call, inOrder(call, a), inOrder(call, b));
    const shared = pieces.map((size): Atom => ({ size }));
    left = withAtoms(left, axis, shared) ?? internal('the pieces of an axis do not fit');
    right = withAtoms(right, axis, shared) ?? internal('the pieces of an axis do not fit');
  }
  return [left, right];
}

/** A value moved to ONNX's order, each axis in one piece. */
function inOrder({ graph, name }: Call, view: View): View {
  const axes = view.axes.map((_, axis) => [axis]);
  return viewOf(graph.arranged(name, view, axes), shapeOf(view));
}

/** Channels behind the rest of an image or a series, whose parts come from both operands. */
function joinedMemory(axes: readonly (readonly Atom[])[]): readonly Atom[] {
  const [batch = [], channels = [], ...rest] = axes;
  return axes.length < 3 ? axes.flat() : [...batch, ...rest.flat(), ...channels];
}

/** The atoms of two values in an order that needs the least movement. */
function memoryOf(a: View, b: View): readonly Atom[] {
  const all = new Set([...a.memory, ...b.memory]);
  if (a.memory.length === all.size) return a.memory;
  if (b.memory.length === all.size) return b.memory;
  return joinedMemory(a.axes.map((own, axis) => (own.length > 0 ? own : (b.axes[axis] ?? []))));
}

/** Cuts memory into dimensions: as `view` has them where the other operand has all or nothing of each. */
function dimensionsFor(view: View, memory: readonly Atom[], other: ReadonlySet<Atom>): readonly (readonly Atom[])[] {
  const finest = memory.map((atom) => [atom]);
  if (view.memory.length !== memory.length || view.memory.some((atom, index) => atom !== memory[index])) return finest;
  const [, ...own] = dimensionsOf(view) ?? [[], ...finest];
  const isUniform = (atoms: readonly Atom[]): boolean => new Set(atoms.map((atom) => other.has(atom))).size <= 1;
  return own.every(isUniform) ? own : finest;
}

/** Two computed values. */
export function alignViews(call: Call, first: View, second: View): Aligned {
  const shape = broadcastShapes(shapeOf(first), shapeOf(second));
  const [a, b] = sharingAtoms(call, widened(first, shape.length), widened(second, shape.length));
  const memory = memoryOf(a, b);
  const larger = a.memory.length >= b.memory.length ? a : b;
  const dimensions = dimensionsFor(larger, memory, new Set((larger === a ? b : a).memory));
  const operands = [a, b].map((view) => {
    const own = new Set(view.memory);
    return call.graph.placed(
      call.name,
      view,
      dimensions.map((atoms) => atoms.filter((atom) => own.has(atom))),
    );
  });
  const axes = a.axes.map((own, axis) => (own.length > 0 ? own : (b.axes[axis] ?? [])));
  return { operands, result: (ref) => ({ kind: 'view', ref, memory, axes }) };
}

/** A computed value and a constant, which is laid out as the value is. */
export function alignStatic(call: Call, value: View, constant: Static): Aligned & { readonly values: Static } {
  const shape = broadcastShapes(shapeOf(value), constant.shape);
  const view = widened(value, shape.length);
  const wide = inShape(constant, [
    ...new Array<number>(shape.length - constant.shape.length).fill(1),
    ...constant.shape,
  ]);
  // Axes that the constant alone has.
  const axes = view.axes.map((own, axis) =>
    own.length > 0 ? own : (wide.shape[axis] ?? 1) > 1 ? [{ size: wide.shape[axis] ?? 1 }] : [],
  );
  const isLarger = axes.some((own, axis) => own.length !== view.axes[axis]?.length);
  const memory = isLarger ? joinedMemory(axes) : view.memory;
  const has = new Set(axes.flatMap((own, axis) => ((wide.shape[axis] ?? 1) === 1 ? [] : own)));
  const dimensions = isLarger ? memory.map((atom) => [atom]) : dimensionsFor(view, memory, has);
  const own = new Set(view.memory);
  const ref = call.graph.placed(
    call.name,
    view,
    dimensions.map((atoms) => atoms.filter((atom) => own.has(atom))),
  );
  const values = inShape(
    laidOut(wide, axes, memory),
    dimensions.map((atoms) => sizeOf(atoms.filter((atom) => has.has(atom)))),
  );
  return { operands: [ref], values, result: (output) => ({ kind: 'view', ref: output, memory, axes }) };
}

/** A constant's elements in the order of memory, with size 1 for atoms of axes that it is stretched along. */
function laidOut(wide: Static, axes: readonly (readonly Atom[])[], memory: readonly Atom[]): Static {
  const cut = axes.flatMap((own, axis) =>
    (wide.shape[axis] ?? 1) === 1 ? own.map(() => 1) : own.map(({ size }) => size),
  );
  const order = new Map(axes.flat().map((atom, index) => [atom, index]));
  return permutedStatic(
    inShape(wide, cut),
    memory.map((atom) => order.get(atom) ?? internal('an atom that no axis has')),
  );
}

/** A constant's own shape is enough where leading dimensions are 1: one number, or one for each channel. */
export function trimmed(shape: Shape): Shape {
  const first = shape.findIndex((size) => size !== 1);
  return first < 0 ? [1] : shape.slice(first);
}
