import { clamp, perTensor } from '../core/affine.ts';
import { multiplyByQuantizedMultiplier, quantizeMultiplier } from '../core/fixedpoint.ts';
import { sameShape } from '../core/tensor.ts';
import type { AddAttrs } from './add.ts';
import { elementwiseGraphDef } from './add.ts';
import { activationCode, activationField, activationRange, decodeActivation, int8Version } from './bindings.ts';
import { broadcastShapes, forEachBroadcast, reduceToShape } from './broadcast.ts';
import type { IntegerOperand, OpDef } from './define.ts';
import { defineOp } from './define.ts';

/** Elementwise product with numpy broadcasting. */
export const mul: OpDef<'mul', AddAttrs> = defineOp({
  name: 'mul',
  operands: [
    { name: 'a', role: 'activation' },
    { name: 'b', role: 'activation' },
  ],
  quant: { kind: 'independent' },
  infer: ([a, b], _attrs: AddAttrs) => [{ dtype: a!.dtype, shape: broadcastShapes(a!.shape, b!.shape) }],
  float([a, b], _attrs, [output]) {
    forEachBroadcast(a!.shape, b!.shape, (aAt, bAt, at) => {
      output!.data[at] = a!.data[aAt]! * b!.data[bAt]!;
    });
  },
  vjp: (emitter, { inputs: [a, b] }, gradient) => [
    reduceToShape(emitter, emitter.emit(mul, [gradient, b!], { activation: 'none' }), a!.type.shape),
    reduceToShape(emitter, emitter.emit(mul, [gradient, a!], { activation: 'none' }), b!.type.shape),
  ],
  // LiteRT tflite/kernels/mul.cc and internal/reference/integer_ops/mul.h.
  int8({ inputs: [a, b], outputs: [output], attrs }) {
    const aZeroPoint = perTensor(a!.quant, 'input a').zeroPoint;
    const bZeroPoint = perTensor(b!.quant, 'input b').zeroPoint;
    const { zeroPoint } = perTensor(output!.quant, 'the output');
    const { multiplier, shift } = quantizeMultiplier(productScale(a!, b!, output!));
    const { min, max } = activationRange(attrs.activation, output!);
    return ([x, z], [y]) => {
      forEachBroadcast(a!.type.shape, b!.type.shape, (aAt, bAt, at) => {
        const product = (x![aAt]! - aZeroPoint) * (z![bAt]! - bZeroPoint);
        y![at] = clamp(multiplyByQuantizedMultiplier(product, multiplier, shift) + zeroPoint, min, max);
      });
    };
  },
  tflite: {
    builtinCode: 18,
    optionsType: 21,
    fields: [activationField(0)],
    version: (node) => {
      const [a, b] = node.inputs;
      if (productScale(a!, b!, node.outputs[0]!) >= 1) {
        return { version: 3, minimumRuntime: '1.15.0' };
      }
      // Older runtimes stretch one operand only.
      const { shape } = node.outputs[0]!.type;
      const stretchesBoth = !sameShape(a!.type.shape, shape) && !sameShape(b!.type.shape, shape);
      return stretchesBoth ? int8Version(2, '2.1.0', '2.1.0')(node) : int8Version(2, '1.14.0')(node);
    },
    parameterPositions: [],
    encode: ({ attrs }) => ({
      options: { fused_activation_function: activationCode(attrs.activation) },
      parameters: [],
    }),
    decode: ({ options }) => ({ activation: decodeActivation(options) }),
  },
  graphdef: elementwiseGraphDef('Mul'),
});

/** float32 at both steps, as the kernel computes it. */
function productScale(a: IntegerOperand, b: IntegerOperand, output: IntegerOperand): number {
  const product = Math.fround(perTensor(a.quant, 'input a').scale * perTensor(b.quant, 'input b').scale);
  return Math.fround(product / perTensor(output.quant, 'the output').scale);
}
