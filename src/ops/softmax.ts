import { perTensor } from '../core/affine.ts';
import {
  expOnNegativeValues,
  oneOverOnePlusX,
  quantizeMultiplier,
  roundingDivideByPowerOfTwo,
  saturatingRoundingDoublingHighMul,
} from '../core/fixedpoint.ts';
import { T_FLOAT, numberOption, storedRange } from './bindings.ts';
import { ShapeError, defineOp } from './define.ts';
import { exp } from '../core/math.ts';
import { broadcastGrad } from './mean.ts';
import { mul } from './mul.ts';
import { sub } from './sub.ts';
import { sum } from './sum.ts';

const plain = { activation: 'none' } as const;

export interface SoftmaxAttrs {
  readonly beta: number;
}

/** exp(beta * x), normalized over the last axis. */
export const softmax = defineOp({
  name: 'softmax',
  operands: [{ name: 'logits', role: 'activation' }],
  quant: { kind: 'fixed_output', scale: 1 / 256, zeroPoint: -128 },
  infer: ([logits], _attrs: SoftmaxAttrs) => [logits!],
  float([logits], { beta }, [output]) {
    const depth = logits!.shape.at(-1)!;
    for (let base = 0; base < logits!.data.length; base += depth) {
      softmaxRow(logits!.data, base, depth, beta, output!.data);
    }
  },
  // beta * y * (dy - sum(dy * y)), over the last axis.
  vjp({ emit }, { inputs: [logits], outputs: [output], attrs: { beta } }, gradient) {
    const shape = logits!.type.shape;
    const total = emit(sum, [emit(mul, [gradient, output!], plain)], { axes: [shape.length - 1], keepDims: true });
    const scaled = emit(mul, [output!, emit(sub, [gradient, total], plain)], plain);
    return [beta === 1 ? scaled : emit(broadcastGrad, [scaled], { axes: [], inputShape: shape, factor: beta })];
  },

  // LiteRT tflite/kernels/internal/reference/softmax.h.
  int8({ inputs: [logits], outputs: [output], attrs: { beta } }) {
    const depth = logits!.type.shape.at(-1)!;
    const { scale } = perTensor(logits!.quant, 'the logits');
    const range = storedRange(output!.type);
    const { multiplier, shift } = quantizeMultiplier(Math.min(beta * scale * 2 ** 26, 2147483647));
    // Differences below this would leave Q5.26 when scaled; their exponential is 0 anyway.
    const minDifference = -Math.floor((31 * 2 ** 26) / 2 ** shift);
    const exponential = (difference: number): number =>
      expOnNegativeValues(saturatingRoundingDoublingHighMul(difference << shift, multiplier), 5);

    return ([x], [y]) => {
      for (let base = 0; base < x!.length; base += depth) {
        let largest = x![base]!;
        for (let index = 1; index < depth; index++) largest = Math.max(largest, x![base + index]!);
        let total = 0;
        for (let index = 0; index < depth; index++) {
          const difference = x![base + index]! - largest;
          if (difference >= minDifference) total += roundingDivideByPowerOfTwo(exponential(difference), 12);
        }
        const headroom = Math.clz32(total);
        const reciprocal = oneOverOnePlusX(((total << headroom) >>> 0) - 2147483648);
        const outputShift = 12 - headroom + 31 - 8;
        for (let index = 0; index < depth; index++) {
          const difference = x![base + index]! - largest;
          const probability =
            // Beyond a shift of 31 every probability is below half a step; the C++ shift is undefined there.
            difference < minDifference || outputShift > 31
              ? 0
              : roundingDivideByPowerOfTwo(
                  saturatingRoundingDoublingHighMul(reciprocal, exponential(difference)),
                  outputShift,
                );
          y![base + index] = Math.min(probability + range.min, range.max);
        }
      }
    };
  },
  tflite: {
    builtinCode: 25,
    optionsType: 9,
    fields: [{ id: 0, name: 'beta', type: 'float32', default: 0 }],
    version: ({ inputs: [logits] }) =>
      logits!.type.dtype === 'int8'
        ? { version: 2, minimumRuntime: '1.14.0' }
        : { version: 1, minimumRuntime: '1.5.0' },
    parameterPositions: [],
    encode: ({ attrs }) => ({ options: { beta: attrs.beta }, parameters: [] }),
    decode: ({ options }) => ({ beta: numberOption(options, 'beta') }),
  },
  graphdef: {
    write(writer, { name, inputs, attrs: { beta } }) {
      if (beta !== 1) throw new ShapeError(`beta is ${beta}; TensorFlow's Softmax expects 1`);
      return [writer.node('Softmax', name, inputs, T_FLOAT)];
    },
    reads: { Softmax: (_node, { inputs }) => ({ inputs, attrs: { beta: 1 } }) },
  },
});

/** One row of softmax; the largest logit is subtracted first, so no exponential overflows. */
export function softmaxRow(
  logits: Float32Array,
  base: number,
  depth: number,
  beta: number,
  output: Float32Array,
): void {
  let largest = -Infinity;
  for (let index = 0; index < depth; index++) largest = Math.max(largest, logits[base + index]!);
  let total = 0;
  for (let index = 0; index < depth; index++) {
    const value = exp(beta * (logits[base + index]! - largest));
    output[base + index] = value;
    total += value;
  }
  for (let index = 0; index < depth; index++) output[base + index]! /= total;
}
