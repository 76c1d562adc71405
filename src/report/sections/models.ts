/** The table of the models of one test: float, fake-quant and the integers of each device. */
import { runtimes } from '../../measurements/metrics.ts';
import type { RuntimeName } from '../../measurements/metrics.ts';
import { runtimeTitles } from '../../measurements/runtime-titles.ts';
import { integer } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { table } from '../page.ts';
import type { Column } from '../page.ts';
import { timesOf } from './times.ts';

export interface MeasuredRow<Measured> {
  readonly runtime: RuntimeName;
  readonly measured: Measured;
  readonly seconds: number | null;
}

/**
 * @param measured null for models that were not tested, which have no row
 * @param seconds how long the test of each took
 * @param columns between the name of the model and the number of examples
 * @param note below the table
 */
export function modelsTable<Measured extends { readonly n: number }>(
  measured: Readonly<Record<RuntimeName, Measured | null>>,
  seconds: Readonly<Record<RuntimeName, number | null>>,
  columns: readonly Column<MeasuredRow<Measured>>[],
  note: Markup | null = null,
): Markup {
  const rows = runtimes.flatMap((runtime): readonly MeasuredRow<Measured>[] => {
    const own = measured[runtime];
    return own === null ? [] : [{ runtime, measured: own, seconds: seconds[runtime] }];
  });
  const all: readonly Column<MeasuredRow<Measured>>[] = [
    { head: 'Model', kind: 'text', cell: ({ runtime }) => runtimeTitles[runtime] },
    ...columns,
    { head: 'Examples', kind: 'number', cell: (row) => integer(row.measured.n) },
  ];
  return markup`${table(rows, all, { sorting: 'fixed', width: 'full' })}
${note}
${timesOf(rows)}`;
}
