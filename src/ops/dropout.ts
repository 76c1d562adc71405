import { mixBits } from '../core/random.ts';
import type { OpDef } from './define.ts';
import { ShapeError, defineOp } from './define.ts';
import { expectSameShape } from './geometry.ts';

export interface DropoutAttrs {
  /** Fraction of the elements set to 0, in [0, 1); a multiple of 2^-24 after rounding. */
  readonly rate: number;
  /** Tells the masks of the layers apart: a whole number 0 .. 2^32 - 1. */
  readonly stream: number;
}

/**
 * Sets a random fraction of the elements to 0 and divides the others by 1 - rate, so that the mean stays. A model
 * marks with it where training drops: without a key the values pass, and what runs the model leaves it out.
 *
 * Inputs: values; key (two whole numbers below 2^24), which says where in time and on which replica this is; and
 * optionally `off` (scalar): where it is 1 the values pass unchanged. Whether an element is kept is a pure function of
 * key, stream and its index, so the mask is the same on any number of threads, after a resume and in the gradient.
 *
 * @see Srivastava et al. 2014, section 10, where the factor stands at training time
 */
export const dropout: OpDef<'dropout', DropoutAttrs> = defineOp({
  name: 'dropout',
  operands: [
    { name: 'input', role: 'activation' },
    { name: 'key', role: 'activation', optional: true },
    { name: 'off', role: 'activation', optional: true },
  ],
  quant: { kind: 'float_only' },
  infer([input, key], { rate }: DropoutAttrs) {
    if (key !== undefined) expectSameShape(key.shape, [2], 'the key');
    if (!(rate >= 0 && rate < 1)) throw new ShapeError(`the rate is ${rate}; expected at least 0 and less than 1`);
    return [input!];
  },
  float([input, key, off], { rate, stream }, [output]) {
    if (key === undefined || off?.data[0] === 1) {
      output!.data.set(input!.data);
      return;
    }
    const least = dropThreshold(rate);
    const factor = Math.fround(1 / (1 - rate));
    const first = mixBits(stream ^ key.data[0]!);
    const second = mixBits(first ^ key.data[1]!);
    for (let index = 0; index < output!.data.length; index++) {
      const drawn = mixBits(mixBits(index ^ first) ^ second) >>> 8;
      output!.data[index] = drawn >= least ? input!.data[index]! * factor : 0;
    }
  },
  // The same mask and factor on the gradient.
  vjp: ({ emit }, { inputs: [, ...rest], attrs }, gradient) => [
    emit(dropout, [gradient, ...rest], attrs),
    ...rest.map(() => null),
  ],
  int8: null,
  tflite: null,
  graphdef: null,
});

/** An element whose 24 random bits are below this is dropped. */
export function dropThreshold(rate: number): number {
  return Math.round(rate * 2 ** 24);
}
