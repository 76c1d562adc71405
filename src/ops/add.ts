import { clamp, perTensor } from '../core/affine.ts';
import {
  quantizeMultiplier,
  roundingDivideByPowerOfTwo,
  saturatingRoundingDoublingHighMul,
} from '../core/fixedpoint.ts';
import type { QuantizedMultiplier } from '../core/fixedpoint.ts';
import { T_FLOAT, activationCode, activationField, activationRange, decodeActivation } from './bindings.ts';
import { broadcastShapes, forEachBroadcast, reduceToShape } from './broadcast.ts';
import type { FusedActivation } from './define.ts';
import { ShapeError, defineOp } from './define.ts';

export interface AddAttrs {
  readonly activation: FusedActivation;
}

// Both inputs are brought to a common scale with 20 bits of headroom before they are added.
const LEFT_SHIFT = 20;

/** Elementwise sum with numpy broadcasting. */
export const add = defineOp<'add', AddAttrs>({
  name: 'add',
  operands: [
    { name: 'a', role: 'activation' },
    { name: 'b', role: 'activation' },
  ],
  quant: { kind: 'independent' },
  infer: ([a, b], _attrs: AddAttrs) => [{ dtype: a!.dtype, shape: broadcastShapes(a!.shape, b!.shape) }],
  float([a, b], _attrs, [output]) {
    forEachBroadcast(a!.shape, b!.shape, (aAt, bAt, at) => {
      output!.data[at] = a!.data[aAt]! + b!.data[bAt]!;
    });
  },
  vjp: (emitter, { inputs: [a, b] }, gradient) => [
    reduceToShape(emitter, gradient, a!.type.shape),
    reduceToShape(emitter, gradient, b!.type.shape),
  ],
  // LiteRT tflite/kernels/add.cc and reference/integer_ops/add.h.
  int8({ inputs: [a, b], outputs: [output], attrs }) {
    const aQuant = perTensor(a!.quant, 'input a');
    const bQuant = perTensor(b!.quant, 'input b');
    const outputQuant = perTensor(output!.quant, 'the output');
    const twiceMax = 2 * Math.max(aQuant.scale, bQuant.scale);
    const aMultiplier = quantizeMultiplier(aQuant.scale / twiceMax);
    const bMultiplier = quantizeMultiplier(bQuant.scale / twiceMax);
    const outputMultiplier = quantizeMultiplier(twiceMax / (2 ** LEFT_SHIFT * outputQuant.scale));
    if (outputMultiplier.shift > 0) {
      throw new ShapeError(
        `the output scale is ${outputQuant.scale}; expected more than ${twiceMax / 2 ** LEFT_SHIFT}`,
      );
    }
    const { min, max } = activationRange(attrs.activation, output!);
    return ([x, z], [y]) => {
      forEachBroadcast(a!.type.shape, b!.type.shape, (aAt, bAt, at) => {
        const scaledA = scaleDown((x![aAt]! - aQuant.zeroPoint) << LEFT_SHIFT, aMultiplier);
        const scaledB = scaleDown((z![bAt]! - bQuant.zeroPoint) << LEFT_SHIFT, bMultiplier);
        y![at] = clamp(scaleDown(scaledA + scaledB, outputMultiplier) + outputQuant.zeroPoint, min, max);
      });
    };
  },
  tflite: {
    builtinCode: 0,
    optionsType: 11,
    fields: [activationField(0), { id: 1, name: 'pot_scale_int16', type: 'bool', default: true }],
    version: ({ inputs: [a] }) =>
      a!.type.dtype === 'int8' ? { version: 2, minimumRuntime: '1.14.0' } : { version: 1, minimumRuntime: '1.5.0' },
    parameterPositions: [],
    encode: ({ attrs }) => ({
      options: { fused_activation_function: activationCode(attrs.activation), pot_scale_int16: true },
      parameters: [],
    }),
    decode: ({ options }) => ({ activation: decodeActivation(options) }),
  },
  graphdef: {
    write: (writer, { name, inputs }) => [writer.node('AddV2', name, inputs, T_FLOAT)],
    reads: {
      AddV2: (_node, { inputs }) => ({ inputs, attrs: { activation: 'none' } }),
      Add: (_node, { inputs }) => ({ inputs, attrs: { activation: 'none' } }),
    },
  },
});

/** MultiplyByQuantizedMultiplierSmallerThanOneExp: the shift is never to the left. */
function scaleDown(x: number, { multiplier, shift }: QuantizedMultiplier): number {
  return roundingDivideByPowerOfTwo(saturatingRoundingDoublingHighMul(x, multiplier), -shift);
}
