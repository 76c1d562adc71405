import { clamp, perTensor, quantizeValue } from '../core/affine.ts';
import { multiplyByQuantizedMultiplier, quantizeMultiplier } from '../core/fixedpoint.ts';
import { storedRange } from './bindings.ts';
import type { NoAttrs } from './define.ts';
import { UnsupportedError, defineOp } from './define.ts';

/** From float32 or from other integer parameters to the output's parameters. Exists in files only. */
export const quantize = defineOp<'quantize', { readonly dtype: 'int8' | 'uint8' }>({
  name: 'quantize',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'quantizer' },
  infer: ([input], { dtype }) => [{ dtype, shape: input!.shape }],
  float: null,
  vjp: null,
  int8({ inputs: [input], outputs: [output] }) {
    const to = perTensor(output!.quant, 'the output');
    const range = storedRange(output!.type);
    if (input!.type.dtype === 'float32') {
      return ([x], [y]) => {
        for (let index = 0; index < y!.length; index++)
          y![index] = quantizeValue(x![index]!, to.scale, to.zeroPoint, range);
      };
    }
    const from = perTensor(input!.quant, 'the input');
    const { multiplier, shift } = quantizeMultiplier(from.scale / to.scale);
    return ([x], [y]) => {
      for (let index = 0; index < y!.length; index++) {
        const scaled = multiplyByQuantizedMultiplier(x![index]! - from.zeroPoint, multiplier, shift);
        y![index] = clamp(scaled + to.zeroPoint, range.min, range.max);
      }
    };
  },
  tflite: {
    builtinCode: 114,
    optionsType: 89,
    fields: [],
    version: () => ({ version: 1, minimumRuntime: '1.14.0' }),
    parameterPositions: [],
    encode: () => ({ options: {}, parameters: [] }),
    decode: ({ outputs: [output] }) => {
      if (output!.dtype === 'int8' || output!.dtype === 'uint8') return { dtype: output!.dtype };
      throw new UnsupportedError(`QUANTIZE to ${output!.dtype} is not supported`);
    },
  },
  graphdef: null,
});

/** To float32 with the input's parameters. Exists in files only. */
export const dequantize = defineOp<'dequantize', NoAttrs>({
  name: 'dequantize',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'quantizer' },
  infer: ([input]) => [{ dtype: 'float32', shape: input!.shape }],
  float: null,
  vjp: null,
  int8({ inputs: [input] }) {
    const { scale, zeroPoint } = perTensor(input!.quant, 'the input');
    return ([x], [y]) => {
      for (let index = 0; index < y!.length; index++) y![index] = scale * (x![index]! - zeroPoint);
    };
  },
  tflite: {
    builtinCode: 6,
    optionsType: 38,
    fields: [],
    version: ({ inputs: [input] }) =>
      input!.type.dtype === 'uint8'
        ? { version: 1, minimumRuntime: '1.13.1' }
        : { version: 2, minimumRuntime: '1.14.0' },
    parameterPositions: [],
    encode: () => ({ options: {}, parameters: [] }),
    decode: () => ({}),
  },
  graphdef: null,
});
