/** What is computed of every model that the test stage runs. */
import { dequantizeValue } from '../core/affine.ts';
import type { OutputScale } from '../evaluation/integer-input.ts';
import type { RuntimeName } from '../measurements/metrics.ts';
import type { Tested } from './tested.ts';

/** Something of every model; null where there was none, or it did not run. */
export interface OfModels<T> {
  readonly float: T | null;
  readonly qat_float: T;
  readonly fake_quant: T;
  readonly int8: T;
  readonly int8_litert: T | null;
}

export function mapModels<T, U>(of: OfModels<T>, map: (value: T, name: RuntimeName) => U) {
  const optional = (value: T | null, name: RuntimeName) => (value === null ? null : map(value, name));
  return {
    float: optional(of.float, 'float'),
    qat_float: map(of.qat_float, 'qat_float'),
    fake_quant: map(of.fake_quant, 'fake_quant'),
    int8: map(of.int8, 'int8'),
    int8_litert: optional(of.int8_litert, 'int8_litert'),
  };
}

/** Real values, and codes of the integer model. */
export function outputsOf({ float, qatFloat, fakeQuant, int8, litert }: Tested): OfModels<Float32Array | Int32Array> {
  return { float, qat_float: qatFloat, fake_quant: fakeQuant, int8, int8_litert: litert };
}

export function dequantize(codes: Int32Array, { scale, zeroPoint }: OutputScale): Float32Array {
  return Float32Array.from(codes, (code) => dequantizeValue(code, scale, zeroPoint));
}

/** Of the models that examples are shown of, as real values: the one that int8 is compared with comes first. */
export function realOutputs(tested: Tested): Readonly<Record<'first' | 'fakeQuant' | 'int8', Float32Array>> {
  const { float, qatFloat, fakeQuant, int8, output } = tested;
  return { first: float ?? qatFloat, fakeQuant, int8: dequantize(int8, output) };
}

/** Something computed from the outputs of every model, as real values. */
export function ofEachModel<T>(tested: Tested, compute: (outputs: Float32Array) => T) {
  return mapModels(outputsOf(tested), (outputs) =>
    compute(outputs instanceof Int32Array ? dequantize(outputs, tested.output) : outputs),
  );
}

/** What is lost from float to int8, and where training and where quantization loses it. */
export function costsOf<T, C>({ float, qat_float: qatFloat, int8 }: OfModels<T>, lost: (from: T, to: T) => C) {
  return {
    whole: float === null ? null : lost(float, int8),
    training: float === null ? null : lost(float, qatFloat),
    quantization: lost(qatFloat, int8),
  };
}
