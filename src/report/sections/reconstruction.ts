/** The sections of the report on a network that gives its input back. */
import { runtimes } from '../../measurements/metrics.ts';
import type { RuntimeName } from '../../measurements/metrics.ts';
import { change, integer, orNone, significant } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { table } from '../page.ts';
import type { Column } from '../page.ts';
import type { MeasuredError, ReconstructResult, RegressResult } from '../report.ts';
import { runtimeTitles } from '../../measurements/runtime-titles.ts';
import { fileLead } from '../titles.ts';
import { timesOf } from './times.ts';

export interface ErrorRow {
  readonly runtime: RuntimeName;
  readonly measured: MeasuredError;
  readonly seconds: number | null;
}

export function errorSection(test: ReconstructResult): Markup {
  return markup`<p class="lead">Mean squared error between output and input on the test split, in the real units of the network's input. ${fileLead} Intervals are 95 %, from the spread over the examples.</p>
${errorTable(test, errorColumns('Mean squared error', rootColumn))}`;
}

/** The error of every model, with its interval. */
export function errorTable(
  { error, metrics }: RegressResult | ReconstructResult,
  columns: readonly Column<ErrorRow>[],
): Markup {
  const rows: ErrorRow[] = runtimes.flatMap((runtime) => {
    const measured = error[runtime];
    return measured === null ? [] : [{ runtime, measured, seconds: metrics.seconds[runtime] }];
  });
  return markup`${table(rows, columns, { sorting: 'fixed', width: 'full' })}
${timesOf(rows)}`;
}

/** @param more columns behind those of the error */
export const errorColumns = (head: string, ...more: readonly Column<ErrorRow>[]): readonly Column<ErrorRow>[] => [
  { head: 'Model', kind: 'text', cell: ({ runtime }) => runtimeTitles[runtime] },
  { head, kind: 'number', cell: ({ measured }) => significant(measured.mean) },
  {
    head: '95 % interval',
    kind: 'number',
    cell: ({ measured: { interval } }) => `${significant(interval.low)} \u2013 ${significant(interval.high)}`,
  },
  { head: 'Against float', kind: 'number', cell: ({ measured }) => orNone(measured.rise, change) },
  ...more,
  { head: 'Examples', kind: 'number', cell: ({ measured }) => integer(measured.n) },
];

const rootColumn: Column<ErrorRow> = {
  head: 'Root',
  kind: 'number',
  cell: ({ measured }) => significant(Math.sqrt(measured.mean)),
};
