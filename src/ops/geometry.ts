import { sameShape } from '../core/tensor.ts';
import type { Shape } from '../core/tensor.ts';
import { ShapeError } from './define.ts';

export type Padding =
  | { readonly kind: 'same' }
  | { readonly kind: 'valid' }
  | {
      readonly kind: 'explicit';
      readonly top: number;
      readonly bottom: number;
      readonly left: number;
      readonly right: number;
    };

export interface WindowAttrs {
  /** [vertical, horizontal] */
  readonly strides: readonly [number, number];
  readonly padding: Padding;
}

/** A sliding window over the height and width of an NHWC tensor, all sizes in pixels. */
export interface Window {
  readonly outputHeight: number;
  readonly outputWidth: number;
  readonly padTop: number;
  readonly padLeft: number;
}

interface Axis {
  readonly output: number;
  readonly before: number;
}

/**
 * Output size and padding before the first pixel. With SAME the odd pixel of padding goes after.
 *
 * @throws ShapeError when the window does not fit into the (padded) input
 * @see LiteRT tflite/kernels/padding.h
 */
export function slidingWindow(
  input: Shape,
  filter: readonly [number, number],
  attrs: WindowAttrs,
  dilations: readonly [number, number] = [1, 1],
): Window {
  const explicit = attrs.padding.kind === 'explicit' ? attrs.padding : null;
  const vertical = windowAxis(input[1]!, filter[0], attrs.strides[0], dilations[0], attrs.padding, [
    explicit?.top ?? 0,
    explicit?.bottom ?? 0,
  ]);
  const horizontal = windowAxis(input[2]!, filter[1], attrs.strides[1], dilations[1], attrs.padding, [
    explicit?.left ?? 0,
    explicit?.right ?? 0,
  ]);
  return {
    outputHeight: vertical.output,
    outputWidth: horizontal.output,
    padTop: vertical.before,
    padLeft: horizontal.before,
  };
}

function windowAxis(
  input: number,
  filter: number,
  stride: number,
  dilation: number,
  padding: Padding,
  explicit: readonly [number, number],
): Axis {
  const effective = (filter - 1) * dilation + 1;
  if (padding.kind === 'same') {
    const output = Math.ceil(input / stride);
    const total = Math.max(0, (output - 1) * stride + effective - input);
    return { output, before: Math.floor(total / 2) };
  }
  const [before, after] = explicit;
  const output = Math.ceil((input + before + after - effective + 1) / stride);
  if (output < 1) {
    throw new ShapeError(`a window of ${effective} pixels does not fit into ${input + before + after}`);
  }
  return { output, before };
}

export function expectRank(shape: Shape, rank: number, what: string): void {
  if (shape.length !== rank) throw new ShapeError(`${what} is [${shape.join(',')}]; expected ${rank} dimensions`);
}

export function expectSameShape(shape: Shape, expected: Shape, what: string): void {
  if (!sameShape(shape, expected)) {
    throw new ShapeError(`${what} is [${shape.join(',')}]; expected [${expected.join(',')}]`);
  }
}
