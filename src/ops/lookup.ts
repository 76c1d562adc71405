/** Integer kernels of functions of one value: a table for all 256 codes. */
import { clamp, perTensor, roundHalfAway } from '../core/affine.ts';
import { storedRange } from './bindings.ts';
import type { IntegerKernelFactory, NoAttrs } from './define.ts';
import { ShapeError } from './define.ts';

const f32 = Math.fround;

/**
 * The kernel of LiteRT: the function in float32 at every code's real value, rounded half away from zero. TFLM's
 * fixed-point kernel differs from it by one code in one of a hundred thousand points of logistic, in none of tanh.
 *
 * @param compute in float32
 * @param scale of the output, which the format fixes
 * @see LiteRT tflite/kernels/internal/common.h, LUTPopulate
 */
export function lookupKernel(
  compute: (x: number) => number,
  { scale, zeroPoint }: { readonly scale: number; /** for int8 */ readonly zeroPoint: number },
): IntegerKernelFactory<NoAttrs> {
  return ({ inputs: [input], outputs: [output] }) => {
    const from = perTensor(input!.quant, 'the input');
    const to = perTensor(output!.quant, 'the output');
    const expected = zeroPoint + (output!.type.dtype === 'uint8' ? 128 : 0);
    if (to.scale !== scale || to.zeroPoint !== expected) {
      throw new ShapeError(
        `the output has scale ${to.scale} and zero point ${to.zeroPoint}; expected ${scale} and ${expected}`,
      );
    }
    const range = storedRange(output!.type);
    const inverseScale = f32(1 / to.scale);
    const { min } = storedRange(input!.type);
    const table = Int16Array.from({ length: 256 }, (_, index) => {
      const value = compute(f32(from.scale * (min + index - from.zeroPoint)));
      return clamp(roundHalfAway(f32(value * inverseScale)) + to.zeroPoint, range.min, range.max);
    });
    return ([x], [y]) => {
      for (let index = 0; index < y!.length; index++) y![index] = table[x![index]! - min]!;
    };
  };
}
