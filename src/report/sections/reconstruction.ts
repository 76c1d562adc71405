/** The sections of the report on a network that gives its input back. */
import { change, orNone, significant } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import type { Column } from '../page.ts';
import type { MeasuredError, ReconstructResult, RegressResult } from '../report.ts';
import { fileLead } from '../titles.ts';
import { modelsTable } from './models.ts';
import type { MeasuredRow } from './models.ts';

export type ErrorRow = MeasuredRow<MeasuredError>;

export function errorSection(test: ReconstructResult): Markup {
  return markup`<p class="lead">Mean squared error between output and input on the test split, in the real units of the network's input. ${fileLead} Intervals are 95 %, from the spread over the examples.</p>
${errorTable(test, errorColumns('Mean squared error', rootColumn))}`;
}

/** The error of every model, with its interval. */
export const errorTable = (
  { error, metrics }: RegressResult | ReconstructResult,
  columns: readonly Column<ErrorRow>[],
): Markup => modelsTable(error, metrics.seconds, columns);

/** @param more columns behind those of the error */
export const errorColumns = (head: string, ...more: readonly Column<ErrorRow>[]): readonly Column<ErrorRow>[] => [
  { head, kind: 'number', cell: ({ measured }) => significant(measured.mean) },
  {
    head: '95 % interval',
    kind: 'number',
    cell: ({ measured: { interval } }) => `${significant(interval.low)} \u2013 ${significant(interval.high)}`,
  },
  { head: 'Against float', kind: 'number', cell: ({ measured }) => orNone(measured.rise, change) },
  ...more,
];

const rootColumn: Column<ErrorRow> = {
  head: 'Root',
  kind: 'number',
  cell: ({ measured }) => significant(Math.sqrt(measured.mean)),
};
