/** Text for terminals: nothing is wider than it may be, and no number is ever cut. */
import { textWidth, wrap } from '../core/screen-text.ts';

export { wrap };

const gap = '  ';

/** Below that a column of words is no longer read. */
const narrowestWords = 16;

export interface TextColumn {
  readonly head: string;
  /** Words may be broken into lines; numbers stay whole. */
  readonly kind: 'words' | 'numbers';
}

/** Colours a piece of a cell; the head's row is -1. */
export type Paint = (text: string, row: number, column: number) => string;

/**
 * Columns side by side, words broken into lines as needed. Where even that does not fit, each row becomes a paragraph:
 * its first cell, and below it the others with the heads of their columns.
 *
 * @param width columns of the terminal; Infinity breaks nothing
 */
export function textTable(
  columns: readonly TextColumn[],
  rows: readonly (readonly string[])[],
  width: number,
  paint: Paint = (text) => text,
): string[] {
  const widths = columnWidths(columns, rows, width);
  if (widths === null) return rows.flatMap((row, index) => paragraph(columns, row, width, index, paint));
  return [columns.map(({ head }) => head), ...rows].flatMap((row, index) => {
    const cells = row.map((cell, column) => wrap(cell, widths[column] ?? 0));
    const height = Math.max(...cells.map((lines) => lines.length));
    return Array.from({ length: height }, (_, line) =>
      cells
        .map((lines, column) => {
          const text = lines[line] ?? '';
          const padding = ' '.repeat(Math.max(0, (widths[column] ?? 0) - textWidth(text)));
          const painted = text === '' ? '' : paint(text, index - 1, column);
          return columns[column]?.kind === 'numbers' ? `${padding}${painted}` : `${painted}${padding}`;
        })
        .join(gap)
        .trimEnd(),
    );
  });
}

/** Null when numbers and the narrowest words do not fit. */
function columnWidths(
  columns: readonly TextColumn[],
  rows: readonly (readonly string[])[],
  width: number,
): number[] | null {
  const widths = columns.map(({ head }, column) =>
    Math.max(textWidth(head), ...rows.map((row) => textWidth(row[column] ?? ''))),
  );
  const needed = () => widths.reduce((sum, one) => sum + one, gap.length * (widths.length - 1));
  while (needed() > width) {
    const words = widths.filter((_, column) => columns[column]?.kind === 'words');
    const widest = Math.max(0, ...words);
    if (widest <= narrowestWords) return null;
    const at = widths.findIndex((one, column) => one === widest && columns[column]?.kind === 'words');
    widths[at] = widest - 1;
  }
  return widths;
}

function paragraph(
  columns: readonly TextColumn[],
  [first = '', ...others]: readonly string[],
  width: number,
  row: number,
  paint: Paint,
): string[] {
  const lines: { readonly text: string; readonly length: number }[] = [];
  for (const [index, cell] of others.entries()) {
    const head = columns[index + 1]?.head ?? '';
    for (const part of wrap(head === '' ? cell : `${head} ${cell}`, width - gap.length)) {
      if (part === '') continue;
      const painted = paint(part, row, index + 1);
      const last = lines.at(-1);
      if (last === undefined || last.length + gap.length + textWidth(part) > width) {
        lines.push({ text: `${gap}${painted}`, length: gap.length + textWidth(part) });
      } else {
        lines.splice(-1, 1, {
          text: `${last.text}${gap}${painted}`,
          length: last.length + gap.length + textWidth(part),
        });
      }
    }
  }
  return [...wrap(first, width).map((line) => paint(line, row, 0)), ...lines.map(({ text }) => text)];
}
