/** The sections of the report on a network that gives numbers. */
import { runtimes } from '../../measurements/metrics.ts';
import type { RegressTest } from '../../measurements/metrics.ts';
import { orNone, significant } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { table } from '../page.ts';
import type { Column } from '../page.ts';
import { errorColumns, errorTable } from './reconstruction.ts';
import type { RegressResult } from '../report.ts';
import { runtimeTitles } from '../../measurements/runtime-titles.ts';
import { fileLead } from '../titles.ts';

type Target = RegressTest['targets'][number];

export function regressionSection(test: RegressResult): Markup {
  const { unit, meanAnswer, targets } = test.metrics;
  const unitText = unit === null ? 'in standard deviations, averaged over the targets' : `in the unit of ${unit}`;
  return markup`<p class="lead">Mean absolute error on the test split, ${unitText}. ${fileLead} Always answering the mean of the test targets has an error of ${significant(meanAnswer)}. Intervals are 95 %, from the spread over the examples.</p>
${errorTable(test, errorColumns('Mean absolute error'))}
<h3>By target</h3>
<p>The device must compute target = mean + deviation \u00d7 output.</p>
${table(targets, targetColumns, { sorting: 'fixed', width: 'full' })}`;
}

const targetColumns: readonly Column<Target>[] = [
  { head: 'Target', kind: 'text', cell: ({ name }) => name },
  { head: 'Mean', kind: 'number', cell: ({ mean }) => significant(mean) },
  { head: 'Deviation', kind: 'number', cell: ({ deviation }) => significant(deviation) },
  ...runtimes.map((runtime): Column<Target> => ({
    head: runtimeTitles[runtime],
    kind: 'number',
    cell: ({ error }) => orNone(error[runtime], significant),
  })),
  { head: 'Mean answer', kind: 'number', cell: ({ meanAnswer }) => significant(meanAnswer) },
];
