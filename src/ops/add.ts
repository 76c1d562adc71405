import { clamp, perTensor } from '../core/affine.ts';
import {
  quantizeMultiplier,
  roundingDivideByPowerOfTwo,
  saturatingRoundingDoublingHighMul,
} from '../core/fixedpoint.ts';
import type { QuantizedMultiplier } from '../core/fixedpoint.ts';
import {
  T_FLOAT,
  activationCode,
  activationField,
  activationRange,
  decodeActivation,
  int8Version,
} from './bindings.ts';
import { broadcastShapes, forEachBroadcast, reduceToShape } from './broadcast.ts';
import type { FusedActivation, GraphDefBinding, IntegerKernelFactory, TfliteBinding } from './define.ts';
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
  int8: commonScale((a, b) => a + b),
  tflite: sumTflite(0, 11, int8Version(2, '1.14.0')),
  graphdef: elementwiseGraphDef('AddV2', 'Add'),
});

/**
 * The integer kernel of ADD and SUB: both operands at a common scale, then the sum or difference at the output's.
 *
 * @see LiteRT tflite/kernels/add.cc, sub.cc and internal/reference/integer_ops/add.h, reference/sub.h
 */
export function commonScale(combine: (a: number, b: number) => number): IntegerKernelFactory<AddAttrs> {
  return ({ inputs: [a, b], outputs: [output], attrs }) => {
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
        y![at] = clamp(scaleDown(combine(scaledA, scaledB), outputMultiplier) + outputQuant.zeroPoint, min, max);
      });
    };
  };
}

/** MultiplyByQuantizedMultiplierSmallerThanOneExp: the shift is never to the left. */
function scaleDown(x: number, { multiplier, shift }: QuantizedMultiplier): number {
  return roundingDivideByPowerOfTwo(saturatingRoundingDoublingHighMul(x, multiplier), -shift);
}

/** The file form of ADD and SUB. */
export function sumTflite(
  builtinCode: number,
  optionsType: number,
  version: TfliteBinding<AddAttrs>['version'],
): TfliteBinding<AddAttrs> {
  return {
    builtinCode,
    optionsType,
    fields: [activationField(0), { id: 1, name: 'pot_scale_int16', type: 'bool', default: true }],
    version,
    parameterPositions: [],
    encode: ({ attrs }) => ({
      options: { fused_activation_function: activationCode(attrs.activation), pot_scale_int16: true },
      parameters: [],
    }),
    decode: ({ options }) => ({ activation: decodeActivation(options) }),
  };
}

/** One TensorFlow node; the first op is written, all are read. */
export function elementwiseGraphDef(
  ...[written, ...others]: readonly [string, ...string[]]
): GraphDefBinding<AddAttrs> {
  return {
    write: (writer, { name, inputs }) => [writer.node(written, name, inputs, T_FLOAT)],
    reads: Object.fromEntries(
      [written, ...others].map((op) => [op, (_node, { inputs }) => ({ inputs, attrs: { activation: 'none' } })]),
    ),
  };
}
