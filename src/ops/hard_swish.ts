import { clamp, perTensor } from '../core/affine.ts';
import { quantizeMultiplier, roundingDivideByPowerOfTwo } from '../core/fixedpoint.ts';
import { plainGraphDef, plainTflite, storedRange } from './bindings.ts';
import type { NoAttrs } from './define.ts';
import { ShapeError, defineOp, float32 } from './define.ts';
import { expectSameShape } from './geometry.ts';

const f32 = Math.fround;

/** x * relu6(x + 3) / 6. */
export const hardSwish = defineOp<'hard_swish', NoAttrs>({
  name: 'hard_swish',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'independent' },
  infer: ([input]) => [input!],
  float([input], _attrs, [output]) {
    for (let index = 0; index < output!.data.length; index++) {
      const x = input!.data[index]!;
      output!.data[index] = (x * Math.min(Math.max(x + 3, 0), 6)) / 6;
    }
  },
  vjp: ({ emit }, { inputs: [input] }, gradient) => [emit(hardSwishGrad, [gradient, input!], {})],
  // LiteRT tflite/kernels/activations.cc, HardSwishPrepare, and internal/reference/hard_swish.h: 16-bit arithmetic.
  int8({ inputs: [input], outputs: [output] }) {
    const from = perTensor(input!.quant, 'the input');
    const to = perTensor(output!.quant, 'the output');
    const { min, max } = storedRange(output!.type);
    // Codes are shifted up by 7 bits: the most that 16 bits hold.
    const fineScale = f32(f32(1 / 128) * from.scale);
    const toOutput = quantizeMultiplier(f32(fineScale / to.scale));
    if (toOutput.shift > 0) {
      throw new ShapeError(`the output scale is ${to.scale}; expected at least ${fineScale}, 1/128 of the input's`);
    }
    // Where the real value 3 is 32768.
    const toGate = quantizeMultiplier(f32(fineScale / f32(3 / 32768)));
    const outputFactor = halfWidth(toOutput.multiplier);
    const gateFactor = halfWidth(toGate.multiplier);
    return ([x], [y]) => {
      for (let index = 0; index < y!.length; index++) {
        const fine = (x![index]! - from.zeroPoint) * 128;
        const value = roundingDoublingHighMul16(fine, outputFactor);
        let gate = fine;
        // The last bit is shifted after the product, so that saturation happens there and only there.
        if (toGate.shift > 0) gate = saturate16(gate * 2 ** (toGate.shift - 1));
        gate = roundingDoublingHighMul16(gate, gateFactor);
        if (toGate.shift > 0) gate = saturate16(gate * 2);
        if (toGate.shift < 0) gate = roundingDivideByPowerOfTwo(gate, -toGate.shift);
        // From [-1, 1] to [0, 1].
        gate = (gate + 32768) >> 1;
        const product = Math.trunc((gate * value) / 32768);
        y![index] = clamp(roundingDivideByPowerOfTwo(product, -toOutput.shift) + to.zeroPoint, min, max);
      }
    };
  },
  tflite: plainTflite(117, 91, () => ({ version: 1, minimumRuntime: '1.15.0' })),
  // TensorFlow spells it out; src/graphdef/composites.ts does, both ways.
  graphdef: plainGraphDef('HardSwish'),
});

/** A Q0.31 multiplier as Q0.15. */
function halfWidth(multiplier: number): number {
  return multiplier >= 2147483647 - 32768 ? 32767 : (multiplier + 32768) >> 16;
}

/** gemmlowp's SaturatingRoundingDoublingHighMul on 16 bits; `b` is never negative, so nothing saturates. */
function roundingDoublingHighMul16(a: number, b: number): number {
  const product = a * b;
  return Math.trunc((product + (product >= 0 ? 16384 : -16383)) / 32768);
}

function saturate16(value: number): number {
  return clamp(value, -32768, 32767);
}

/** Inputs: output gradient, input of the function. */
export const hardSwishGrad = defineOp<'hard_swish_grad', NoAttrs>({
  name: 'hard_swish_grad',
  operands: [
    { name: 'gradient', role: 'activation' },
    { name: 'input', role: 'activation' },
  ],
  quant: { kind: 'float_only' },
  infer([gradient, input]) {
    expectSameShape(gradient!.shape, input!.shape, 'the gradient');
    return [float32(gradient!.shape)];
  },
  float([gradient, input], _attrs, [result]) {
    for (let index = 0; index < result!.data.length; index++) {
      const x = input!.data[index]!;
      const slope = x <= -3 ? 0 : x >= 3 ? 1 : (2 * x + 3) / 6;
      result!.data[index] = gradient!.data[index]! * slope;
    }
  },
  vjp: null,
  int8: null,
  tflite: null,
  graphdef: null,
});
