import { exp } from '../core/math.ts';
import { int8Version, plainGraphDef, plainTflite } from './bindings.ts';
import type { NoAttrs } from './define.ts';
import { defineOp } from './define.ts';
import { lookupKernel } from './lookup.ts';
import { mul } from './mul.ts';
import { sub } from './sub.ts';

const quant = { kind: 'fixed_output', scale: 1 / 256, zeroPoint: -128 } as const;
const f32 = Math.fround;

/** 1 / (1 + exp(-x)). */
export const logistic = defineOp<'logistic', NoAttrs>({
  name: 'logistic',
  operands: [{ name: 'input', role: 'activation' }],
  quant,
  infer: ([input]) => [input!],
  float([input], _attrs, [output]) {
    for (let index = 0; index < output!.data.length; index++) {
      output!.data[index] = 1 / (1 + exp(-input!.data[index]!));
    }
  },
  // gradient * y * (1 - y)
  vjp({ emit }, { outputs: [output] }, gradient) {
    const product = emit(mul, [gradient, output!], { activation: 'none' });
    return [emit(sub, [product, emit(mul, [product, output!], { activation: 'none' })], { activation: 'none' })];
  },
  int8: lookupKernel((x) => f32(1 / f32(1 + f32(exp(-x)))), quant),
  tflite: plainTflite(14, 0, int8Version(2, '1.14.0', '1.14.0')),
  graphdef: plainGraphDef('Sigmoid'),
});
