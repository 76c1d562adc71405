import { tanh as hyperbolicTangent } from '../core/math.ts';
import { int8Version, plainGraphDef, plainTflite } from './bindings.ts';
import type { NoAttrs } from './define.ts';
import { defineOp } from './define.ts';
import { lookupKernel } from './lookup.ts';
import { mul } from './mul.ts';
import { sub } from './sub.ts';

const quant = { kind: 'fixed_output', scale: 1 / 128, zeroPoint: 0 } as const;

export const tanh = defineOp<'tanh', NoAttrs>({
  name: 'tanh',
  operands: [{ name: 'input', role: 'activation' }],
  quant,
  infer: ([input]) => [input!],
  float([input], _attrs, [output]) {
    for (let index = 0; index < output!.data.length; index++) {
      output!.data[index] = hyperbolicTangent(input!.data[index]!);
    }
  },
  // gradient * (1 - y * y)
  vjp({ emit }, { outputs: [output] }, gradient) {
    const product = emit(mul, [gradient, output!], { activation: 'none' });
    return [emit(sub, [gradient, emit(mul, [product, output!], { activation: 'none' })], { activation: 'none' })];
  },
  int8: lookupKernel((x) => Math.fround(hyperbolicTangent(x)), quant),
  tflite: plainTflite(28, 0, int8Version(2, '1.14.0', '1.14.0')),
  graphdef: plainGraphDef('Tanh'),
});
