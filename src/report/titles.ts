import type { RuntimeName } from '../measurements/metrics.ts';

export const runtimeTitles: Readonly<Record<RuntimeName, string>> = {
  float: 'float',
  qat_float: 'QAT weights, float',
  fake_quant: 'fake-quant',
  int8: 'int8 reference',
  int8_litert: 'int8 LiteRT',
};
