import type { CountedTask, RuntimeName, Task } from '../measurements/metrics.ts';

export const runtimeTitles: Readonly<Record<RuntimeName, string>> = {
  float: 'float',
  qat_float: 'QAT weights, float',
  fake_quant: 'fake-quant',
  int8: 'int8 reference',
  int8_litert: 'int8 LiteRT',
};

/** What the share of right answers is called. */
export function accuracyName({ task }: { readonly task: Task }): string {
  return task === 'classify' ? 'top-1' : 'accuracy';
}

/** What the share of right answers is called that training counts. */
export function sharedName(task: CountedTask): string {
  return task === 'segment' ? 'pixels right' : accuracyName({ task });
}
