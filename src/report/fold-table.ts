import { markup } from './markup.ts';
import type { Markup } from './markup.ts';
import type { Column } from './page.ts';
import { scrollArea } from './scroll-area.ts';

/** A column that narrow windows leave out; what it says has to be in the fold, too. */
export type FoldColumn<Row> = Column<Row> & { readonly wideOnly?: true };

/** A table whose rows open. Each row has a body of its own, so that a row and its fold stay together when sorted. */
export function foldTable<Row>(
  rows: readonly Row[],
  columns: readonly FoldColumn<Row>[],
  fold: { readonly summary: string; readonly body: (row: Row) => Markup },
): Markup {
  const classOf = ({ kind, wideOnly }: FoldColumn<Row>): string =>
    [kind === 'number' ? 'n' : '', wideOnly === true ? 'wide-only' : ''].filter((name) => name !== '').join(' ');
  return scrollArea(
    `Table: ${columns.map(({ head }) => head).join(', ')}`,
    markup`<table class="full sortable folding"><thead><tr>${columns.map(
      (column) => markup`<th scope="col" class="${classOf(column)}">${column.head}</th>`,
    )}</tr></thead>
${rows.map(
  (row) => markup`<tbody><tr>${columns.map((column, index) => {
    const value = column.value === undefined ? null : markup` data-value="${column.value(row) ?? ''}"`;
    return index === 0
      ? markup`<th scope="row" class="${classOf(column)}"${value}>${column.cell(row)}</th>`
      : markup`<td class="${classOf(column)}"${value}>${column.cell(row)}</td>`;
  })}</tr><tr class="fold"><td colspan="${columns.length}"><details><summary>${fold.summary}</summary>${fold.body(row)}</details></td></tr></tbody>
`,
)}</table>`,
  );
}
