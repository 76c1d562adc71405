import { clamp, perTensor } from '../core/affine.ts';
import {
  inverseSquareRoot,
  multiplyByQuantizedMultiplier,
  roundingDivideByPowerOfTwo,
  saturatingRoundingDoublingHighMul,
} from '../core/fixedpoint.ts';
import { activationField, decodeActivation, int8Version, plainGraphDef, storedRange } from './bindings.ts';
import type { NoAttrs } from './define.ts';
import { ShapeError, defineOp, float32 } from './define.ts';
import { expectSameShape } from './geometry.ts';

/** The least length that is divided by. */
const EPSILON = Math.fround(1e-6);

/** Every row along the last axis divided by its Euclidean length. */
export const l2Normalization = defineOp<'l2_normalization', NoAttrs>({
  name: 'l2_normalization',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'fixed_output', scale: 1 / 128, zeroPoint: 0 },
  infer: ([input]) => [input!],
  float([input], _attrs, [output]) {
    const depth = input!.shape.at(-1) ?? 1;
    for (let base = 0; base < input!.data.length; base += depth) {
      const length = rowLength(input!.data, base, depth);
      for (let at = base; at < base + depth; at++) output!.data[at] = input!.data[at]! / length;
    }
  },
  vjp: ({ emit }, { inputs: [input] }, gradient) => [emit(l2NormalizationGrad, [gradient, input!], {})],
  // LiteRT tflite/kernels/internal/reference/integer_ops/l2normalization.h and reference/l2normalization.h.
  int8({ inputs: [input], outputs: [output] }) {
    const depth = input!.type.shape.at(-1) ?? 1;
    const { zeroPoint } = perTensor(input!.quant, 'the input');
    const { min, max } = storedRange(output!.type);
    const { dtype } = output!.type;
    return ([x], [y]) => {
      for (let base = 0; base < x!.length; base += depth) {
        let squares = 0;
        for (let at = base; at < base + depth; at++) squares += (x![at]! - zeroPoint) ** 2;
        const { multiplier, shift } = inverseSquareRoot(squares, -1);
        for (let at = base; at < base + depth; at++) {
          const value = x![at]! - zeroPoint;
          // Both are value * 128 / length; the older kernel shifts before the product, the newer one within it.
          const scaled =
            dtype === 'uint8'
              ? 128 + roundingDivideByPowerOfTwo(saturatingRoundingDoublingHighMul(128 * value, multiplier), -shift)
              : multiplyByQuantizedMultiplier(value, multiplier, shift + 7);
          y![at] = clamp(scaled, min, max);
        }
      }
    };
  },
  tflite: {
    builtinCode: 11,
    optionsType: 12,
    fields: [activationField(0)],
    version: int8Version(2, '1.14.0'),
    parameterPositions: [],
    encode: () => ({ options: { fused_activation_function: 0 }, parameters: [] }),
    decode({ options }) {
      const activation = decodeActivation(options);
      if (activation !== 'none') throw new ShapeError(`fused activation is ${activation}; expected none`);
      return {};
    },
  },
  // TensorFlow spells it out; src/graphdef/composites.ts does, both ways.
  graphdef: plainGraphDef('L2Normalize'),
});

function rowLength(data: Float32Array, base: number, depth: number): number {
  let squares = 0;
  for (let at = base; at < base + depth; at++) squares += data[at]! * data[at]!;
  return Math.max(Math.sqrt(squares), EPSILON);
}

/** Inputs: output gradient, input of the function. */
export const l2NormalizationGrad = defineOp<'l2_normalization_grad', NoAttrs>({
  name: 'l2_normalization_grad',
  operands: [
    { name: 'gradient', role: 'activation' },
    { name: 'input', role: 'activation' },
  ],
  quant: { kind: 'float_only' },
  infer([gradient, input]) {
    expectSameShape(gradient!.shape, input!.shape, 'the gradient');
    return [float32(gradient!.shape)];
  },
  // With y = x / length: (gradient - y * (gradient . y)) / length.
  float([gradient, input], _attrs, [result]) {
    const depth = input!.shape.at(-1) ?? 1;
    for (let base = 0; base < input!.data.length; base += depth) {
      const length = rowLength(input!.data, base, depth);
      let projection = 0;
      for (let at = base; at < base + depth; at++) projection += gradient!.data[at]! * input!.data[at]!;
      projection /= length * length;
      for (let at = base; at < base + depth; at++) {
        result!.data[at] = (gradient!.data[at]! - input!.data[at]! * projection) / length;
      }
    }
  },
  vjp: null,
  int8: null,
  tflite: null,
  graphdef: null,
});
