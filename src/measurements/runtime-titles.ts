/** What the models of a test are called where a person reads. */
import type { RuntimeName } from './metrics.ts';

/**
 * Two kinds of devices that run an 8-bit file. Their integers differ: a microcontroller scales sums in fixed point, a
 * phone or browser in float32 (docs/quantization.md, section 5.3).
 */
export const witnesses = {
  microcontroller: 'microcontroller (TFLM)',
  phone: 'phone or browser (LiteRT, XNNPACK)',
} as const;

export const runtimeTitles: Readonly<Record<RuntimeName, string>> = {
  float: 'float',
  qat_float: 'float, weights before rounding',
  fake_quant: 'fake-quant',
  int8: `int8 ${witnesses.microcontroller}`,
  int8_litert: `int8 ${witnesses.phone}`,
};
