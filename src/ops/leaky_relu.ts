import { clamp, perTensor } from '../core/affine.ts';
import { multiplyByQuantizedMultiplier, quantizeMultiplier } from '../core/fixedpoint.ts';
import { T_FLOAT, numberOption, readNumber, storedRange } from './bindings.ts';
import { defineOp, float32 } from './define.ts';
import { expectSameShape } from './geometry.ts';

export interface LeakyReluAttrs {
  /** A float32 number. */
  readonly alpha: number;
}

/** x where x >= 0, else alpha * x. */
export const leakyRelu = defineOp<'leaky_relu', LeakyReluAttrs>({
  name: 'leaky_relu',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'independent' },
  infer: ([input]) => [input!],
  float([input], { alpha }, [output]) {
    for (let index = 0; index < output!.data.length; index++) {
      const x = input!.data[index]!;
      output!.data[index] = x >= 0 ? x : x * alpha;
    }
  },
  vjp: ({ emit }, { inputs: [input], attrs }, gradient) => [emit(leakyReluGrad, [gradient, input!], attrs)],
  // LiteRT tflite/kernels/activations.cc and internal/reference/leaky_relu.h.
  int8({ inputs: [input], outputs: [output], attrs: { alpha } }) {
    const from = perTensor(input!.quant, 'the input');
    const to = perTensor(output!.quant, 'the output');
    const { min, max } = storedRange(output!.type);
    const identity = quantizeMultiplier(Math.fround(from.scale / to.scale));
    const slope = Math.fround(Math.fround(from.scale * Math.fround(alpha)) / to.scale);
    const leak = quantizeMultiplier(Math.abs(slope));
    return ([x], [y]) => {
      for (let index = 0; index < y!.length; index++) {
        const value = x![index]! - from.zeroPoint;
        const { multiplier, shift } = value >= 0 ? identity : leak;
        const scaled = multiplyByQuantizedMultiplier(value, multiplier, shift);
        y![index] = clamp((value < 0 && slope < 0 ? -scaled : scaled) + to.zeroPoint, min, max);
      }
    };
  },
  tflite: {
    builtinCode: 98,
    optionsType: 75,
    fields: [{ id: 0, name: 'alpha', type: 'float32', default: 0 }],
    // Older runtimes refuse int8 and compute uint8 otherwise.
    version: () => ({ version: 1, minimumRuntime: '2.3.0' }),
    parameterPositions: [],
    encode: ({ attrs }) => ({ options: { alpha: attrs.alpha }, parameters: [] }),
    decode: ({ options }) => ({ alpha: numberOption(options, 'alpha') }),
  },
  graphdef: {
    write: (writer, { name, inputs, attrs }) => [
      writer.node('LeakyRelu', name, inputs, { ...T_FLOAT, alpha: { kind: 'float', value: attrs.alpha } }),
    ],
    reads: {
      LeakyRelu: (node, { inputs }) => ({
        inputs,
        attrs: { alpha: readNumber(node, 'alpha', Math.fround(0.2)) },
      }),
    },
  },
});

/** Inputs: output gradient, input of the function. */
export const leakyReluGrad = defineOp({
  name: 'leaky_relu_grad',
  operands: [
    { name: 'gradient', role: 'activation' },
    { name: 'input', role: 'activation' },
  ],
  quant: { kind: 'float_only' },
  infer([gradient, input], _attrs: LeakyReluAttrs) {
    expectSameShape(gradient!.shape, input!.shape, 'the gradient');
    return [float32(gradient!.shape)];
  },
  float([gradient, input], { alpha }, [result]) {
    for (let index = 0; index < result!.data.length; index++) {
      result!.data[index] = input!.data[index]! >= 0 ? gradient!.data[index]! : gradient!.data[index]! * alpha;
    }
  },
  vjp: null,
  int8: null,
  tflite: null,
  graphdef: null,
});
