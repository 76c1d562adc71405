import { perTensor } from '../core/affine.ts';
import { multiplyByQuantizedMultiplier, quantizeMultiplier } from '../core/fixedpoint.ts';
import { T_FLOAT, activationRange, int8Version } from './bindings.ts';
import type { FusedActivation, IntegerKernelFactory, NoAttrs, OpDef, TfliteBinding } from './define.ts';
import { defineOp, float32 } from './define.ts';
import { expectSameShape } from './geometry.ts';

/** The rectifiers: max(x, 0), and max(min(x, 6), 0). They differ in a limit and in their names only. */
function rectifier<const Name extends FusedActivation>(
  name: Name,
  limit: number,
  file: {
    readonly builtinCode: number;
    readonly version: TfliteBinding<NoAttrs>['version'];
    readonly tensorflowOp: string;
  },
): OpDef<Name, NoAttrs> {
  return defineOp<Name, NoAttrs>({
    name,
    operands: [{ name: 'input', role: 'activation' }],
    quant: { kind: 'activation', fused: name },
    infer: ([input]) => [input!],
    float([input], _attrs, [output]) {
      for (let index = 0; index < output!.data.length; index++) {
        output!.data[index] = Math.min(Math.max(input!.data[index]!, 0), limit);
      }
    },
    vjp: ({ emit }, { outputs: [output] }, gradient) => [emit(reluGrad, [gradient, output!], { limit })],
    int8: rescaledRectifier(name),
    tflite: {
      builtinCode: file.builtinCode,
      optionsType: 0,
      fields: [],
      version: file.version,
      parameterPositions: [],
      encode: () => ({ options: {}, parameters: [] }),
      decode: () => ({}),
    },
    graphdef: {
      write: (writer, { name, inputs }) => [writer.node(file.tensorflowOp, name, inputs, T_FLOAT)],
      reads: { [file.tensorflowOp]: (_node, { inputs }) => ({ inputs, attrs: {} }) },
    },
  });
}

/** Rescales to the output's parameters, then clamps: what a rectifier does when it stands alone. */
const rescaledRectifier =
  (activation: FusedActivation): IntegerKernelFactory<NoAttrs> =>
  ({ inputs: [input], outputs: [output] }) => {
    const from = perTensor(input!.quant, 'the input');
    const to = perTensor(output!.quant, 'the output');
    const { multiplier, shift } = quantizeMultiplier(Math.fround(from.scale / to.scale));
    const { min, max } = activationRange(activation, output!);
    return ([x], [y]) => {
      for (let index = 0; index < y!.length; index++) {
        const scaled = multiplyByQuantizedMultiplier(x![index]! - from.zeroPoint, multiplier, shift) + to.zeroPoint;
        y![index] = scaled < min ? min : scaled > max ? max : scaled;
      }
    };
  };

export const relu = rectifier('relu', Infinity, {
  builtinCode: 19,
  version: () => ({ version: 2, minimumRuntime: '2.1.0' }),
  tensorflowOp: 'Relu',
});

export const relu6 = rectifier('relu6', 6, {
  builtinCode: 21,
  // Older runtimes have the versions too, but clamp without rescaling.
  version: int8Version(2, '2.1.0', '2.1.0'),
  tensorflowOp: 'Relu6',
});

/** Inputs: output gradient, rectifier output. The gradient passes where 0 < output < limit. */
export const reluGrad = defineOp({
  name: 'relu_grad',
  operands: [
    { name: 'gradient', role: 'activation' },
    { name: 'output', role: 'activation' },
  ],
  quant: { kind: 'float_only' },
  infer([gradient, output], _attrs: { /** Infinity for relu */ readonly limit: number }) {
    expectSameShape(gradient!.shape, output!.shape, 'the gradient');
    return [float32(gradient!.shape)];
  },
  float([gradient, output], { limit }, [result]) {
    for (let index = 0; index < result!.data.length; index++) {
      const y = output!.data[index]!;
      result!.data[index] = y > 0 && y < limit ? gradient!.data[index]! : 0;
    }
  },
  vjp: null,
  int8: null,
  tflite: null,
  graphdef: null,
});
