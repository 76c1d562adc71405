/** Numbers that are known while a file is read, and what is computed of them: shapes, and weights that are prepared. */
import type { Shape } from '../core/tensor.ts';
import { numElements, strides } from '../core/tensor.ts';
import { broadcastShapes, forEachBroadcast } from '../ops/broadcast.ts';
import type { GraphWriter } from './graph-writer.ts';
import { refuse } from './refusal.ts';

export type ElementKind = 'float' | 'integer' | 'boolean';

export interface Elements {
  readonly type: ElementKind;
  readonly shape: Shape;
  /** Floats as float32; integers and booleans (0 or 1) as doubles. */
  readonly data: Float32Array | Float64Array;
}

/** Space for elements of a kind, which the file's allowance has to cover. */
function space(writer: GraphWriter, type: ElementKind, shape: Shape): Float32Array | Float64Array {
  if (!shape.every((size) => Number.isInteger(size) && size >= 0)) return refuse(`it makes [${shape.join(',')}]`);
  const count = numElements(shape);
  writer.take(count);
  return type === 'float' ? new Float32Array(count) : new Float64Array(count);
}

/** Element `i` of the result is what `value` says of `i`. */
export function filled(
  writer: GraphWriter,
  type: ElementKind,
  shape: Shape,
  value: (index: number) => number,
): Elements {
  const data = space(writer, type, shape);
  for (let index = 0; index < data.length; index++) data[index] = value(index);
  return { type, shape, data };
}

export const mapped = (
  writer: GraphWriter,
  { type, shape, data }: Elements,
  compute: (x: number) => number,
): Elements => filled(writer, type, shape, (index) => compute(data[index] ?? 0));

/**
 * Two operands with NumPy's broadcasting; whole numbers stay whole.
 *
 * @param type of the result, where it is not that of the first operand
 */
export function combined(
  writer: GraphWriter,
  a: Elements,
  b: Elements,
  compute: (a: number, b: number) => number,
  type: ElementKind = a.type,
): Elements {
  const shape = broadcastShapes(a.shape, b.shape);
  const data = space(writer, type, shape);
  forEachBroadcast(a.shape, b.shape, (left, right, at) => {
    const value = compute(a.data[left] ?? 0, b.data[right] ?? 0);
    data[at] = a.type === 'float' ? value : Math.trunc(value);
  });
  return { type, shape, data };
}

/** @param axes counted from the front */
export function reduced(
  writer: GraphWriter,
  { type, shape, data }: Elements,
  { axes, keepDims }: { readonly axes: readonly number[]; readonly keepDims: boolean },
  start: number,
  combine: (total: number, x: number) => number,
  finish = (total: number, _count: number): number => total,
): Elements {
  const kept = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const steps = strides(kept).map((step, axis) => (axes.includes(axis) ? 0 : step));
  const totals = new Float64Array(numElements(kept)).fill(start);
  const at = walk(shape, steps);
  for (const [index, x] of data.entries()) totals[at(index)] = combine(totals[at(index)] ?? start, x);
  const count = data.length / Math.max(1, totals.length);
  const left = keepDims ? kept : kept.filter((_, axis) => !axes.includes(axis));
  return filled(writer, type, left, (index) => finish(totals[index] ?? start, count));
}

/** The slices of an axis that indices name, in their shape. */
export function gathered(writer: GraphWriter, value: Elements, axis: number, indices: Elements): Elements {
  const size = value.shape[axis] ?? 1;
  const wanted = indices.data.map((index) => (index < 0 ? index + size : index));
  if (!wanted.every((index) => Number.isInteger(index) && index >= 0 && index < size))
    refuse(`its indices are not all among ${size}`);
  const inner = numElements(value.shape.slice(axis + 1));
  const shape = [...value.shape.slice(0, axis), ...indices.shape, ...value.shape.slice(axis + 1)];
  return filled(writer, value.type, shape, (index) => {
    const outer = Math.floor(index / (inner * wanted.length));
    const which = wanted[Math.floor(index / inner) % wanted.length] ?? 0;
    return value.data[(outer * size + which) * inner + (index % inner)] ?? 0;
  });
}

/** start, start + delta, … before limit. */
export function counted(writer: GraphWriter, type: ElementKind, start: number, limit: number, delta: number): Elements {
  const count = Math.max(0, Math.ceil((limit - start) / delta));
  if (!Number.isFinite(count)) refuse(`it goes from ${start} to ${limit} in steps of ${delta}`);
  return filled(writer, type, [count], (index) => start + index * delta);
}

/** From the index of an element of `shape` to its offset where axis i has stride `steps[i]`. */
export function walk(shape: Shape, steps: readonly number[]): (index: number) => number {
  const own = strides(shape);
  return (index) => {
    let at = 0;
    for (let axis = 0; axis < shape.length; axis++) {
      at += (Math.floor(index / (own[axis] ?? 1)) % (shape[axis] ?? 1)) * (steps[axis] ?? 0);
    }
    return at;
  };
}

/** The single number that a value of one element holds; null for others. */
export const numberOf = ({ data }: Pick<Elements, 'data'>): number | null =>
  data.length === 1 ? (data[0] ?? null) : null;

/** An axis counted from the front. */
export function axisOf(axis: number, rank: number): number {
  const found = axis < 0 ? axis + rank : axis;
  if (Number.isInteger(found) && found >= 0 && found < rank) return found;
  return refuse(`axis ${axis} is not among the ${rank} axes of its input`);
}
