import { clamp, perTensor } from '../core/affine.ts';
import {
  expOnNegativeValues,
  logOfAtLeastOne,
  multiplyByQuantizedMultiplier,
  quantizeMultiplier,
  roundingDivideByPowerOfTwo,
} from '../core/fixedpoint.ts';
import { int8Version, plainTflite, storedRange } from './bindings.ts';
import type { NoAttrs } from './define.ts';
import { ShapeError, defineInferenceOp } from './define.ts';

const INT32_MIN = -(2 ** 31);

/** The logarithm of softmax over the last axis; the output covers [-16, 0]. */
export const logSoftmax = defineInferenceOp<'log_softmax', NoAttrs>({
  name: 'log_softmax',
  operands: [{ name: 'logits', role: 'activation' }],
  quant: { kind: 'fixed_output', scale: 16 / 256, zeroPoint: 127 },
  infer([logits]) {
    if (logits!.shape.length === 0) throw new ShapeError('the logits are a scalar; expected at least 1 dimension');
    return [logits!];
  },
  // LiteRT tflite/kernels/activations.cc, LogSoftmaxPrepare, and internal/reference/integer_ops/log_softmax.h.
  int8({ inputs: [logits], outputs: [output] }) {
    const depth = logits!.type.shape.at(-1)!;
    const range = storedRange(output!.type);
    const to = perTensor(output!.quant, 'the output');
    if (to.scale !== 16 / 256 || to.zeroPoint !== range.max) {
      throw new ShapeError(
        `the output has scale ${to.scale} and zero point ${to.zeroPoint}; expected 0.0625 and ${range.max}`,
      );
    }
    const { scale } = perTensor(logits!.quant, 'the logits');
    const { multiplier, shift } = quantizeMultiplier(Math.min(scale * 2 ** 26, 2147483647));
    if (shift < 0) throw new ShapeError(`the scale of the logits is ${scale}; expected at least ${2 ** -27}`);
    const reverse = quantizeMultiplier(2 ** (31 - shift) / multiplier);
    const minDifference = -Math.floor((31 * 2 ** 26) / 2 ** shift);
    const scaled = (difference: number): number => multiplyByQuantizedMultiplier(difference, multiplier, shift);
    return ([x], [y]) => {
      for (let base = 0; base < x!.length; base += depth) {
        let largest = x![base]!;
        for (let index = 1; index < depth; index++) largest = Math.max(largest, x![base + index]!);
        let total = 0;
        for (let index = 0; index < depth; index++) {
          const difference = x![base + index]! - largest;
          if (difference < minDifference) continue;
          total = (total + roundingDivideByPowerOfTwo(expOnNegativeValues(scaled(difference), 5), 12)) | 0;
        }
        const logTotal = logOfAtLeastOne(total, 12, 5);
        const least = multiplyByQuantizedMultiplier(logTotal + INT32_MIN, reverse.multiplier, reverse.shift);
        const adjustedMin = Math.max(minDifference - 1, least);
        for (let index = 0; index < depth; index++) {
          const difference = x![base + index]! - largest;
          // `>` here and `>=` above, as in the reference.
          const log =
            difference > adjustedMin
              ? roundingDivideByPowerOfTwo((scaled(difference) - logTotal) | 0, 22) + range.max
              : range.min;
          y![base + index] = clamp(log, range.min, range.max);
        }
      }
    };
  },
  tflite: plainTflite(50, 36, int8Version(2, '1.14.0', '1.14.0')),
});
