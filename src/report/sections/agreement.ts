/** Whether the models, float to .tflite, answer alike. */
import { runtimeTitles } from '../../measurements/runtime-titles.ts';
import { integer, percent } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { table } from '../page.ts';
import type { ClassifyResult } from '../report.ts';

export function agreementSection({ metrics }: ClassifyResult): Markup | null {
  const { agreement, n } = metrics;
  const all = [
    { one: runtimeTitles.fake_quant, other: runtimeTitles.float, share: agreement.fake_quant_vs_float },
    { one: runtimeTitles.int8, other: runtimeTitles.fake_quant, share: agreement.int8_vs_fake_quant },
    { one: runtimeTitles.int8_litert, other: runtimeTitles.int8, share: agreement.int8_vs_litert },
  ];
  const pairs = all.flatMap(({ share, ...pair }) => (share === null ? [] : [{ ...pair, share }]));
  if (pairs.length === 0) return null;
  return markup`<p class="lead">On how many of the ${integer(n)} test examples two models choose the same class, right or wrong. Fake-quant is the trained model with simulated rounding; int8 is the .tflite file, with the integers of two kinds of devices.</p>
${table(
  pairs,
  [
    { head: 'Model', kind: 'text', cell: ({ one }) => one },
    { head: 'Compared with', kind: 'text', cell: ({ other }) => other },
    { head: 'Same class', kind: 'number', cell: ({ share }) => percent(share) },
    { head: 'Examples that differ', kind: 'number', cell: ({ share }) => integer(Math.round((1 - share) * n)) },
  ],
  { sorting: 'fixed', width: 'full' },
)}`;
}
