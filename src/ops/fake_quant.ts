import { fakeQuantize, nudgeRange } from '../core/affine.ts';
import type { NudgedRange } from '../core/affine.ts';
import type { FloatTensor, TensorType } from '../core/tensor.ts';
import { numElements } from '../core/tensor.ts';
import { readBool, readNumber } from './bindings.ts';
import { ShapeError, defineOp, float32 } from './define.ts';
import { expectSameShape } from './geometry.ts';

export interface FakeQuantAttrs {
  readonly bits: number;
  /** Codes 1 .. 2^bits - 1: what weights use. */
  readonly narrowRange: boolean;
  /** `null`: one range for the tensor. Otherwise one range for each index of this axis. */
  readonly axis: number | null;
}

/**
 * Rounds to the values that integers in [min, max] stand for, and stays in float32.
 *
 * Inputs: values, min, max (scalars, or vectors along `axis`), and optionally `active` (scalar): where it is 0 the
 * values pass unchanged, which is how the quantization delay works.
 *
 * @see tensorflow/core/kernels/fake_quant_ops_functor.h
 */
export const fakeQuant = defineOp({
  name: 'fake_quant',
  operands: [
    { name: 'input', role: 'activation' },
    { name: 'min', role: 'range' },
    { name: 'max', role: 'range' },
    { name: 'active', role: 'range', optional: true },
  ],
  quant: { kind: 'quantizer' },
  infer: inferFakeQuant,
  float([input, min, max, active], attrs: FakeQuantAttrs, [output]) {
    if (active?.data[0] === 0) {
      output!.data.set(input!.data);
      return;
    }
    forEachRange(input!, min!, max!, attrs, (range, at) => {
      output!.data[at] = fakeQuantize(input!.data[at]!, range, attrs.axis === null ? 'per_tensor' : 'per_channel');
    });
  },
  // Straight through: inside the nudged range (bounds included) the gradient passes, outside it is 0. Ranges are
  // observed, not trained, so they get none.
  vjp: ({ emit }, { inputs: [input, min, max, active], attrs }, gradient) => [
    emit(fakeQuantGrad, [gradient, input!, min!, max!, ...(active === undefined ? [] : [active])], attrs),
    null,
    null,
    ...(active === undefined ? [] : [null]),
  ],
  int8: null,
  tflite: null,
  graphdef: {
    write(writer, { name, inputs, inputTypes, attrs }) {
      if (attrs.axis !== null && attrs.axis !== inputTypes[0]!.shape.length - 1) {
        throw new ShapeError(`FakeQuantWithMinMaxVarsPerChannel works on the last axis, not on axis ${attrs.axis}`);
      }
      const op = attrs.axis === null ? 'FakeQuantWithMinMaxVars' : 'FakeQuantWithMinMaxVarsPerChannel';
      return [
        writer.node(op, name, inputs.slice(0, 3), {
          num_bits: { kind: 'int', value: attrs.bits },
          narrow_range: { kind: 'bool', value: attrs.narrowRange },
        }),
      ];
    },
    reads: {
      FakeQuantWithMinMaxVars: (node, { inputs }) => ({
        inputs,
        attrs: {
          bits: readNumber(node, 'num_bits', 8),
          narrowRange: readBool(node, 'narrow_range', false),
          axis: null,
        },
      }),
      FakeQuantWithMinMaxVarsPerChannel: (node, { inputs, shapeOf }) => ({
        inputs,
        attrs: {
          bits: readNumber(node, 'num_bits', 8),
          narrowRange: readBool(node, 'narrow_range', false),
          axis: shapeOf(inputs[0]!).length - 1,
        },
      }),
    },
  },
});

function inferFakeQuant([input, min, max]: readonly TensorType[], { axis }: FakeQuantAttrs): readonly TensorType[] {
  const expected = axis === null ? 1 : input!.shape[axis];
  for (const range of [min!, max!]) {
    if (numElements(range.shape) !== expected) {
      throw new ShapeError(`the range holds ${numElements(range.shape)} values; expected ${expected ?? 'an axis'}`);
    }
  }
  return [input!];
}

/** Inputs: output gradient, values, min, max, and `active` as in fake_quant. */
export const fakeQuantGrad = defineOp({
  name: 'fake_quant_grad',
  operands: [
    { name: 'gradient', role: 'activation' },
    { name: 'input', role: 'activation' },
    { name: 'min', role: 'range' },
    { name: 'max', role: 'range' },
    { name: 'active', role: 'range', optional: true },
  ],
  quant: { kind: 'float_only' },
  infer([gradient, input, ...ranges], attrs: FakeQuantAttrs) {
    expectSameShape(gradient!.shape, input!.shape, 'the gradient');
    return inferFakeQuant([input!, ...ranges], attrs);
  },
  float([gradient, input, min, max, active], attrs, [result]) {
    if (active?.data[0] === 0) {
      result!.data.set(gradient!.data);
      return;
    }
    forEachRange(input!, min!, max!, attrs, (range, at) => {
      const x = input!.data[at]!;
      // An empty range ([0, 0]) passes everything, as TensorFlow's kernel does.
      const inside = range.scale === 0 || (x >= range.min && x <= range.max);
      result!.data[at] = inside ? gradient!.data[at]! : 0;
    });
  },
  vjp: null,
  int8: null,
  tflite: null,
  graphdef: null,
});

/** Visits every element with the nudged range that covers it. */
function forEachRange(
  input: FloatTensor,
  min: FloatTensor,
  max: FloatTensor,
  { bits, narrowRange, axis }: FakeQuantAttrs,
  visit: (range: NudgedRange, at: number) => void,
): void {
  const ranges = Array.from(min.data, (low, index) => nudgeRange(low, max.data[index]!, bits, narrowRange));
  const inner = axis === null ? input.data.length : numElements(input.shape.slice(axis + 1));
  for (let at = 0; at < input.data.length; at++) visit(ranges[Math.floor(at / inner) % ranges.length]!, at);
}

export interface ObserveRangeAttrs {
  readonly axis: number | null;
  /** [-largest, largest] of the absolute values: what weights use. */
  readonly symmetric: boolean;
}

/** The narrowest half-range that a weight channel gets: an all-zero channel must not have scale 0 (LiteRT's rule). */
export const SMALLEST_WEIGHT_RANGE = 5e-7;

/**
 * An end of an activation range that is nearer to zero is zero. A layer that dies leaves a range that only shrinks;
 * below about 1e-36 the inverse of its scale is infinite, and long before that no multiplier leads to its codes. The
 * range [0, 0] is one that every kernel knows: all values are zero, and all gradients pass.
 */
export const SMALLEST_ACTIVATION_RANGE = 5e-7;

/** The range of the values, always containing zero. Outputs: min, max (scalars, or vectors along `axis`). */
export const observeRange = defineOp({
  name: 'observe_range',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'float_only' },
  infer([input], attrs: ObserveRangeAttrs): readonly TensorType[] {
    const shape = attrs.axis === null ? [] : [input!.shape[attrs.axis]!];
    return [float32(shape), float32(shape)];
  },
  float([input], { axis, symmetric }, [min, max]) {
    const inner = axis === null ? input!.data.length : numElements(input!.shape.slice(axis + 1));
    const channels = min!.data.length;
    min!.data.fill(0);
    max!.data.fill(0);
    for (let at = 0; at < input!.data.length; at++) {
      const channel = Math.floor(at / inner) % channels;
      const x = input!.data[at]!;
      if (x < min!.data[channel]!) min!.data[channel] = x;
      if (x > max!.data[channel]!) max!.data[channel] = x;
    }
    if (!symmetric) return;
    for (let channel = 0; channel < channels; channel++) {
      const largest = Math.max(-min!.data[channel]!, max!.data[channel]!, Math.fround(SMALLEST_WEIGHT_RANGE));
      min!.data[channel] = -largest;
      max!.data[channel] = largest;
    }
  },
  vjp: null,
  int8: null,
  tflite: null,
  graphdef: null,
});
