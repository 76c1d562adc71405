import { clamp, perTensor } from '../core/affine.ts';
import { multiplyByQuantizedMultiplier, quantizeMultiplier } from '../core/fixedpoint.ts';
import { plainTflite, storedRange } from './bindings.ts';
import type { NoAttrs } from './define.ts';
import { UnsupportedError, defineInferenceOp } from './define.ts';

/** The absolute value; TensorFlow Lite has it for int8, not for uint8. */
export const abs = defineInferenceOp<'abs', NoAttrs>({
  name: 'abs',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'independent' },
  infer([input]) {
    if (input!.dtype === 'uint8') throw new UnsupportedError('the input is uint8; expected int8');
    return [input!];
  },
  // LiteRT tflite/kernels/elementwise.cc, AbsEvalQuantized.
  int8({ inputs: [input], outputs: [output] }) {
    const from = perTensor(input!.quant, 'the input');
    const to = perTensor(output!.quant, 'the output');
    const { min, max } = storedRange(output!.type);
    const { multiplier, shift } = quantizeMultiplier(Math.fround(from.scale / to.scale));
    const rescale = (value: number): number =>
      from.scale === to.scale ? value : multiplyByQuantizedMultiplier(value, multiplier, shift);
    return ([x], [y]) => {
      for (let at = 0; at < y!.length; at++) {
        y![at] = clamp(rescale(Math.abs(x![at]! - from.zeroPoint)) + to.zeroPoint, min, max);
      }
    };
  },
  tflite: plainTflite(101, 78, () => ({ version: 2, minimumRuntime: '2.4.0' })),
});
