import type { Shape } from '../core/tensor.ts';
import { numElements, sameShape, strides } from '../core/tensor.ts';
import type { Emitter, ValueRef } from './define.ts';
import { ShapeError } from './define.ts';
import { reshape } from './reshape.ts';
import { sum } from './sum.ts';

/** The numpy broadcast of two shapes. */
export function broadcastShapes(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const fromA = a[axis - rank + a.length] ?? 1;
    const fromB = b[axis - rank + b.length] ?? 1;
    if (fromA !== fromB && fromA !== 1 && fromB !== 1) {
      throw new ShapeError(`[${a.join(',')}] and [${b.join(',')}] do not broadcast`);
    }
    return fromA === 1 ? fromB : fromA;
  });
}

/** Visits every output element with the elements of both operands that make it. */
export function forEachBroadcast(a: Shape, b: Shape, visit: (aAt: number, bAt: number, at: number) => void): void {
  if (sameShape(a, b)) {
    const count = numElements(a);
    for (let at = 0; at < count; at++) visit(at, at, at);
    return;
  }
  const output = broadcastShapes(a, b);
  const outputStrides = strides(output);
  const aSteps = broadcastSteps(a, output.length);
  const bSteps = broadcastSteps(b, output.length);
  const count = numElements(output);
  for (let at = 0; at < count; at++) {
    let aAt = 0;
    let bAt = 0;
    for (let axis = 0; axis < output.length; axis++) {
      const index = Math.floor(at / outputStrides[axis]!) % output[axis]!;
      aAt += index * aSteps[axis]!;
      bAt += index * bSteps[axis]!;
    }
    visit(aAt, bAt, at);
  }
}

function broadcastSteps(shape: Shape, rank: number): number[] {
  const own = strides(shape);
  return Array.from({ length: rank }, (_, axis) => {
    const at = axis - rank + shape.length;
    return at < 0 || shape[at] === 1 ? 0 : own[at]!;
  });
}

/** Sums a gradient over the axes along which its operand was broadcast. */
export function reduceToShape({ emit }: Emitter, gradient: ValueRef, shape: Shape): ValueRef {
  const from = gradient.type.shape;
  if (sameShape(from, shape)) return gradient;
  const offset = from.length - shape.length;
  const axes = from.map((_, axis) => axis).filter((axis) => axis < offset || shape[axis - offset] !== from[axis]);
  return emit(reshape, [emit(sum, [gradient], { axes, keepDims: false })], { shape });
}
