import { clamp, perTensor } from '../core/affine.ts';
import { quantizeMultiplier } from '../core/fixedpoint.ts';
import type { QuantizedMultiplier } from '../core/fixedpoint.ts';
import { storedRange } from './bindings.ts';
import type { IntegerKernel, IntegerNode } from './define.ts';
import { ShapeError, UnsupportedError, defineInferenceOp } from './define.ts';
import type { ReduceAttrs } from './reduce.ts';
import { forEachReduced, inferReduce, reduceTflite, reducedCount } from './reduce.ts';

/**
 * The product over the given axes. Converters multiply the sizes of a shape with it, in int32. TensorFlow Lite has it
 * for int8 too, not for uint8.
 *
 * @see LiteRT tflite/kernels/reduce.cc, EvalProd
 */
export const reduceProd = defineInferenceOp<'reduce_prod', ReduceAttrs>({
  name: 'reduce_prod',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'independent', unscaled: true },
  infer([input], attrs) {
    if (input!.dtype === 'uint8') throw new UnsupportedError('the input is uint8; expected int8 or int32');
    return inferReduce([input!], attrs);
  },
  int8(node) {
    const {
      inputs: [input],
      outputs: [output],
      attrs: { axes },
    } = node;
    const isPlain = input!.type.dtype === 'int32' || (input!.quant === null && output!.quant === null);
    if (!isPlain) return quantizedProduct(node);
    return ([x], [y]) => {
      y!.fill(1);
      forEachReduced(input!.type.shape, axes, (inputAt, outputAt) => {
        // It wraps around, also where the array keeps its lowest 8 bits.
        y![outputAt] = Math.imul(y![outputAt]!, x![inputAt]!);
      });
    };
  },
  tflite: reduceTflite(81, ({ inputs: [input] }) =>
    input!.type.dtype === 'int8' ? { version: 2, minimumRuntime: '2.6.0' } : { version: 1, minimumRuntime: '1.11.0' },
  ),
});

/** Every factor is scaled by the root of the whole scale, so that the product never outgrows an int32. */
function quantizedProduct({
  inputs: [input],
  outputs: [output],
  attrs: { axes },
}: IntegerNode<ReduceAttrs>): IntegerKernel {
  if (input!.quant === null || output!.quant === null) {
    throw new ShapeError('the input or the output has a scale and the other has none; expected both or none');
  }
  const from = perTensor(input!.quant, 'the input');
  const to = perTensor(output!.quant, 'the output');
  const { min, max } = storedRange(output!.type);
  const step = quantizeMultiplier(from.scale / to.scale ** (1 / reducedCount(input!.type.shape, axes)));
  return ([x], [y]) => {
    const products = new Map<number, number>();
    forEachReduced(input!.type.shape, axes, (inputAt, outputAt) => {
      const factor = x![inputAt]! - from.zeroPoint;
      const product = products.get(outputAt);
      products.set(outputAt, product === undefined ? factor : scaleWide(product * factor, step));
    });
    for (const [at, product] of products) y![at] = clamp(scaleWide(product, step) + to.zeroPoint, min, max);
  };
}

/**
 * Scales an integer of up to 48 bits by `multiplier * 2^(shift - 31)` of which it keeps 15 bits, half up.
 *
 * @see LiteRT tflite/kernels/internal/common.cc, MultiplyByQuantizedMultiplier of int64
 */
function scaleWide(value: number, { multiplier, shift }: QuantizedMultiplier): number {
  const reduced = multiplier < 0x7fff0000 ? (multiplier + (1 << 15)) >> 16 : 0x7fff;
  const bits = BigInt(15 - shift);
  return Number(BigInt.asIntN(32, (BigInt(value) * BigInt(reduced) + (1n << (bits - 1n))) >> bits));
}
