/** Tables that a task has measured, as it describes them. */
import type { Table, TestMetrics } from '../../measurements/metrics.ts';
import { integer, NOT_MEASURED, percent, significant } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { table } from '../page.ts';

/** More rows are folded in. */
const MOST_ROWS = 24;

/** @param place folded where another section shows the same in a picture */
export function taskTables({ tables = [] }: Pick<TestMetrics, 'tables'>, place: 'open' | 'folded'): readonly Markup[] {
  return tables.map((one) => {
    if (place === 'folded')
      return markup`<details><summary>${one.title}, as a table</summary>${one.lead === null ? null : markup`<p>${one.lead}</p>`}
${rowsOf(one)}</details>`;
    return markup`<h3>${one.title}</h3>
${one.lead === null ? null : markup`<p>${one.lead}</p>`}
${one.rows.length <= MOST_ROWS ? rowsOf(one) : markup`<details><summary>${one.rows.length} rows</summary>${rowsOf(one)}</details>`}`;
  });
}

function rowsOf({ columns, rows }: Table): Markup {
  return table(
    rows,
    columns.map(({ head, unit }, at) => ({
      head,
      kind: unit === 'text' ? ('text' as const) : ('number' as const),
      cell: (row: Table['rows'][number]) => cellText(row[at] ?? null, unit),
    })),
    { sorting: 'fixed', width: 'full' },
  );
}

function cellText(value: string | number | null, unit: Table['columns'][number]['unit']): string {
  if (value === null) return NOT_MEASURED;
  if (typeof value === 'string') return value;
  switch (unit) {
    case 'text':
    case 'count':
      return integer(value);
    case 'share':
      return percent(value);
    case 'number':
      return significant(value);
  }
}
