import { clamp, perTensor } from '../core/affine.ts';
import { multiplyByQuantizedMultiplier, quantizeMultiplier } from '../core/fixedpoint.ts';
import { sameShape } from '../core/tensor.ts';
import type { TensorType } from '../core/tensor.ts';
import { T_FLOAT, plainTflite, storedRange } from './bindings.ts';
import { broadcastShapes, forEachBroadcast, reduceToShape } from './broadcast.ts';
import type { NoAttrs } from './define.ts';
import { ShapeError, defineOp, float32 } from './define.ts';
import { expectSameShape } from './geometry.ts';
import { mul } from './mul.ts';
import { relu } from './relu.ts';
import { sub } from './sub.ts';

const f32 = Math.fround;

/** x where x >= 0, else alpha * x; alpha is broadcast to the input. */
export const prelu = defineOp({
  name: 'prelu',
  operands: [
    { name: 'input', role: 'activation' },
    { name: 'alpha', role: 'activation' },
  ],
  quant: { kind: 'independent' },
  infer([input, alpha], _attrs: NoAttrs) {
    expectSlopes(input!, alpha!);
    return [input!];
  },
  float([input, alpha], _attrs, [output]) {
    forEachBroadcast(input!.shape, alpha!.shape, (at, alphaAt) => {
      const x = input!.data[at]!;
      output!.data[at] = x >= 0 ? x : x * alpha!.data[alphaAt]!;
    });
  },
  vjp(emitter, { inputs: [input, alpha] }, gradient) {
    const { emit } = emitter;
    // min(x, 0), by which the output changes with alpha.
    const negative = emit(sub, [input!, emit(relu, [input!], {})], { activation: 'none' });
    const slopes = emit(mul, [gradient, negative], { activation: 'none' });
    return [emit(preluGrad, [gradient, input!, alpha!], {}), reduceToShape(emitter, slopes, alpha!.type.shape)];
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
  // Older runtimes refuse int8, and leave what is positive at the scale of the input.
  tflite: plainTflite(54, 0, () => ({ version: 1, minimumRuntime: '2.3.0' })),
  // Keras's layer; Prelu is spelled out as its nodes, see graphdef/composites.ts.
  graphdef: {
    write: (writer, { name, inputs }) => [writer.node('Prelu', name, inputs, T_FLOAT)],
    reads: { Prelu: (_node, { inputs }) => ({ inputs, attrs: {} }) },
  },
});

function expectSlopes(input: TensorType, alpha: TensorType): void {
  if (!sameShape(broadcastShapes(input.shape, alpha.shape), input.shape)) {
    throw new ShapeError(`alpha is [${alpha.shape.join(',')}]; expected to fit [${input.shape.join(',')}]`);
  }
  if (input.dtype !== alpha.dtype) {
    throw new ShapeError(`alpha is ${alpha.dtype}; expected ${input.dtype}, the type of the input`);
  }
}

/** Inputs: output gradient, input of the function, alpha. Output: gradient of the input. */
export const preluGrad = defineOp({
  name: 'prelu_grad',
  operands: [
    { name: 'gradient', role: 'activation' },
    { name: 'input', role: 'activation' },
    { name: 'alpha', role: 'activation' },
  ],
  quant: { kind: 'float_only' },
  infer([gradient, input, alpha], _attrs: NoAttrs) {
    expectSameShape(gradient!.shape, input!.shape, 'the gradient');
    expectSlopes(input!, alpha!);
    return [float32(gradient!.shape)];
  },
  float([gradient, input, alpha], _attrs, [result]) {
    forEachBroadcast(input!.shape, alpha!.shape, (at, alphaAt) => {
      const slope = input!.data[at]! >= 0 ? 1 : alpha!.data[alphaAt]!;
      result!.data[at] = gradient!.data[at]! * slope;
    });
  },
  vjp: null,
  int8: null,
  tflite: null,
  graphdef: null,
});
