import { runtimes } from '../../measurements/metrics.ts';
import type { RuntimeName } from '../../measurements/metrics.ts';
import { runtimeTitles } from '../../measurements/runtime-titles.ts';
import { capitalized, fixed, integer, orNone, percent, points, probability, seconds } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { table } from '../page.ts';
import type { Column } from '../page.ts';
import type { ClassifyResult, Measured } from '../report.ts';
import { accuracyName, fileLead } from '../titles.ts';

interface AccuracyRow {
  readonly runtime: RuntimeName;
  readonly measured: Measured;
  readonly seconds: number | null;
}

export function accuracySection(test: ClassifyResult): Markup {
  const rows: AccuracyRow[] = runtimes.flatMap((runtime) => {
    const measured = test.accuracy[runtime];
    return measured === null ? [] : [{ runtime, measured, seconds: test.metrics.seconds[runtime] }];
  });
  const { flips, agreement } = test.metrics;
  const agreements = [
    { pair: 'fake-quant and float', share: agreement.fake_quant_vs_float },
    { pair: `${runtimeTitles.int8} and fake-quant`, share: agreement.int8_vs_fake_quant },
    {
      pair: `${runtimeTitles.int8} and ${runtimeTitles.int8_litert.replace('int8 ', '')}`,
      share: agreement.int8_vs_litert,
    },
  ];
  return markup`<p class="lead">${test.task === 'classify' ? 'Top-1 accuracy' : 'Accuracy'} on the test split. ${fileLead} Intervals are 95 % (Wilson).</p>
${table(rows, accuracyColumns(accuracyName(test)), { sorting: 'fixed', width: 'full' })}
${
  flips === null || test.mcnemarP === null
    ? null
    : markup`<p>From float to int8, ${integer(flips.rightToWrong)} examples become wrong and ${integer(flips.wrongToRight)} become right. If there were no real difference, the probability of a split at least this uneven would be ${probability(test.mcnemarP)} (exact McNemar test): ${
        test.mcnemarP < 0.05 ? 'unlikely to be chance' : 'consistent with chance'
      }.</p>`
}
<h3>Same predicted class</h3>
${table(
  agreements.filter(({ share }) => share !== null),
  [
    { head: 'Pair', kind: 'text', cell: ({ pair }) => pair },
    { head: 'Share of examples', kind: 'number', cell: ({ share }) => orNone(share, percent) },
  ],
  { sorting: 'fixed', width: 'narrow' },
)}`;
}

const accuracyColumns = (name: string): readonly Column<AccuracyRow>[] => [
  { head: 'Model', kind: 'text', cell: ({ runtime }) => runtimeTitles[runtime] },
  { head: capitalized(name), kind: 'number', cell: ({ measured }) => percent(measured.top1) },
  {
    head: '95 % interval',
    kind: 'number',
    cell: ({ measured: { interval } }) => `${fixed(interval.low * 100, 2)} \u2013 ${percent(interval.high)}`,
  },
  { head: 'Against float', kind: 'number', cell: ({ measured }) => orNone(measured.drop, (drop) => points(-drop)) },
  { head: 'Correct', kind: 'number', cell: ({ measured }) => integer(measured.correct) },
  { head: 'n', kind: 'number', cell: ({ measured }) => integer(measured.n) },
  { head: 'Time', kind: 'number', cell: (row) => orNone(row.seconds, seconds) },
];
