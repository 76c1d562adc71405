/** Moving values without computing: what pad, slices, concatenation, split and transpose share. */
import type { Shape } from '../core/tensor.ts';
import { numElements, strides } from '../core/tensor.ts';

/** Walks both arrays over a common grid: element i of the grid moves from one offset + i . strides to the other. */
export interface StridedCopy {
  readonly sizes: Shape;
  readonly from: Walk;
  readonly to: Walk;
}

/** In elements. */
export interface Walk {
  readonly offset: number;
  readonly strides: readonly number[];
}

interface NumberArray {
  readonly [index: number]: number;
}

/** The whole of an array of that shape, in reading order. */
export const wholeWalk = (shape: Shape): Walk => ({ offset: 0, strides: strides(shape) });

/** The part that starts at `start` on each axis and takes `steps`. */
export function partWalk(shape: Shape, start: readonly number[], steps: readonly number[]): Walk {
  const own = strides(shape);
  return {
    offset: start.reduce((total, index, axis) => total + index * own[axis]!, 0),
    strides: own.map((stride, axis) => stride * steps[axis]!),
  };
}

/** The part of an array that holds indices from `start` on of one axis, and all of the others. */
export function axisWalk(shape: Shape, axis: number, start: number): Walk {
  return { offset: start * strides(shape)[axis]!, strides: strides(shape) };
}

export function copyStrided(
  { sizes, from, to }: StridedCopy,
  source: NumberArray,
  target: Record<number, number>,
): void {
  const count = numElements(sizes);
  const index = new Array<number>(sizes.length).fill(0);
  let fromAt = from.offset;
  let toAt = to.offset;
  for (let done = 0; done < count; done++) {
    target[toAt] = source[fromAt]!;
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      fromAt += from.strides[axis]!;
      toAt += to.strides[axis]!;
      if (index[axis]! < sizes[axis]!) break;
      fromAt -= from.strides[axis]! * sizes[axis]!;
      toAt -= to.strides[axis]! * sizes[axis]!;
      index[axis] = 0;
    }
  }
}
