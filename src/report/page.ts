import { chartStyle } from './charts/style.ts';
import { zooming } from './charts/zoom.ts';
import { exampleStyle } from './example-style.ts';
import { markup, nothing } from './markup.ts';
import type { Markup } from './markup.ts';
import { scrollArea } from './scroll-area.ts';
import { script, style } from './style.ts';

/**
 * One self-contained document: no font, image, style or script from anywhere else.
 *
 * @param own rules of the style sheet that only this kind of page has
 */
export function page(title: string, body: Markup, own: Markup = nothing): string {
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${style}${exampleStyle}${chartStyle}${own}</style>
</head>
<body>
<main>
${body}
</main>
<script>${script}</script>
${body.markup.includes('data-curves') ? zooming() : null}
</body>
</html>
`.markup;
}

export interface Column<Row> {
  readonly head: string;
  readonly kind: 'text' | 'number';
  readonly cell: (row: Row) => Markup | string;
  /** What a click on the head sorts by, where the text of the cell will not do; null sorts last. */
  readonly value?: (row: Row) => number | null;
}

export interface TableOptions {
  readonly sorting: 'sortable' | 'fixed';
  readonly width: 'full' | 'narrow';
}

/** A real table; the first column holds the row's head. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], options: TableOptions): Markup {
  const sortable = options.sorting === 'sortable' ? ' sortable' : '';
  const align = (column: Column<Row>): string => (column.kind === 'number' ? 'n' : '');
  return scrollArea(
    `Table: ${columns.map(({ head }) => head).join(', ')}`,
    markup`<table class="${options.width}${sortable}"><thead><tr>${columns.map(
      (column) => markup`<th scope="col" class="${align(column)}">${column.head}</th>`,
    )}</tr></thead><tbody>
${rows.map(
  (row) => markup`<tr>${columns.map((column, index) => {
    const value = column.value === undefined ? null : markup` data-value="${column.value(row) ?? ''}"`;
    return index === 0
      ? markup`<th scope="row" class="${align(column)}"${value}>${column.cell(row)}</th>`
      : markup`<td class="${align(column)}"${value}>${column.cell(row)}</td>`;
  })}</tr>
`,
)}</tbody></table>`,
  );
}
