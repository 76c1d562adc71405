import { clamp, perTensor } from '../core/affine.ts';
import { multiplyByQuantizedMultiplier, quantizeMultiplier } from '../core/fixedpoint.ts';
import { sameShape } from '../core/tensor.ts';
import { plainTflite, storedRange } from './bindings.ts';
import { broadcastShapes, forEachBroadcast } from './broadcast.ts';
import type { NoAttrs } from './define.ts';
import { ShapeError, defineInferenceOp } from './define.ts';

const f32 = Math.fround;

/** x where x >= 0, else alpha * x; alpha is broadcast to the input. */
export const prelu = defineInferenceOp<'prelu', NoAttrs>({
  name: 'prelu',
  operands: [
    { name: 'input', role: 'activation' },
    { name: 'alpha', role: 'activation' },
  ],
  quant: { kind: 'independent' },
  infer([input, alpha]) {
    if (!sameShape(broadcastShapes(input!.shape, alpha!.shape), input!.shape)) {
      throw new ShapeError(`alpha is [${alpha!.shape.join(',')}]; expected to fit [${input!.shape.join(',')}]`);
    }
    if (input!.dtype !== alpha!.dtype) {
      throw new ShapeError(`alpha is ${alpha!.dtype}; expected ${input!.dtype}, the type of the input`);
    }
    return [input!];
  },
  // LiteRT tflite/kernels/activations.cc and internal/reference/prelu.h.
  int8({ inputs: [input, alpha], outputs: [output] }) {
    const from = perTensor(input!.quant, 'the input');
    const slope = perTensor(alpha!.quant, 'alpha');
    const to = perTensor(output!.quant, 'the output');
    const { min, max } = storedRange(output!.type);
    const identity = quantizeMultiplier(f32(from.scale / to.scale));
    const leak = quantizeMultiplier(f32(f32(from.scale * slope.scale) / to.scale));
    return ([x, a], [y]) =>
      forEachBroadcast(input!.type.shape, alpha!.type.shape, (at, alphaAt) => {
        const value = x![at]! - from.zeroPoint;
        const { multiplier, shift } = value >= 0 ? identity : leak;
        const factor = value >= 0 ? 1 : a![alphaAt]! - slope.zeroPoint;
        y![at] = clamp(multiplyByQuantizedMultiplier(value * factor, multiplier, shift) + to.zeroPoint, min, max);
      });
  },
  tflite: plainTflite(54, 0, () => ({ version: 1, minimumRuntime: '1.8.0' })),
});
