/** What tasks that measure an error of every example have in common. */
import { dequantizeValue } from '../core/affine.ts';
import type { OutputScale } from '../evaluation/integer-input.ts';
import type { ImageErrors, RegressTest } from '../measurements/metrics.ts';
import type { Tested } from './tested.ts';

/** Mean and standard deviation over the examples. */
export function summarize(errors: Float64Array): ImageErrors {
  const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  const squares = errors.reduce((sum, error) => sum + (error - mean) ** 2, 0);
  return { mean, deviation: errors.length > 1 ? Math.sqrt(squares / (errors.length - 1)) : 0 };
}

export function dequantize(codes: Int32Array, { scale, zeroPoint }: OutputScale): Float32Array {
  return Float32Array.from(codes, (code) => dequantizeValue(code, scale, zeroPoint));
}

/** Something computed from the outputs of every model, as real values. */
export function ofEachModel<T>(
  { float, qatFloat, fakeQuant, int8, litert, output }: Tested,
  compute: (outputs: Float32Array) => T,
) {
  return {
    float: float === null ? null : compute(float),
    qat_float: compute(qatFloat),
    fake_quant: compute(fakeQuant),
    int8: compute(dequantize(int8, output)),
    int8_litert: litert === null ? null : compute(dequantize(litert, output)),
  };
}

type Errors = ReturnType<typeof ofEachModel<Float64Array>>;

/** The mean of every model's errors. */
export function summaries(errors: Errors) {
  const optional = (of: Float64Array | null) => (of === null ? null : summarize(of));
  return {
    float: optional(errors.float),
    qat_float: summarize(errors.qat_float),
    fake_quant: summarize(errors.fake_quant),
    int8: summarize(errors.int8),
    int8_litert: optional(errors.int8_litert),
  };
}

/** What the error of each example grows by, where training and where quantization makes it grow. */
export function costs({ float, qat_float: qatFloat, int8 }: Errors) {
  return {
    whole: float === null ? null : growth(float, int8),
    training: float === null ? null : growth(float, qatFloat),
    quantization: growth(qatFloat, int8),
  };
}

function growth(from: Float64Array, to: Float64Array): ImageErrors {
  return summarize(to.map((error, index) => error - from[index]!));
}

/** Of the mean error from float to int8, as a share of that of float; null without a float model. */
export function errorRise({ error: { float, int8 } }: Pick<RegressTest, 'error'>): number | null {
  return float === null ? null : int8.mean / float.mean - 1;
}
