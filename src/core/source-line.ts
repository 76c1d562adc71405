/** One line of a file with a caret under a part of it, as a terminal shows them. */
import stringWidth from 'fast-string-width';

export interface SourceLine {
  readonly line: string;
  readonly caret: string;
}

/** How a tab is shown: terminals would put the caret elsewhere. */
const tab = '  ';
const cut = '…';

/** UTF-16 units on either side of the mark that are looked at; a file that is no text may be one long line. */
const mostUnits = 2000;

/** A character as a reader sees it, with its place in the text and its width on the screen. */
interface Cell {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly columns: number;
}

/**
 * The line, cut around the marked part where it does not fit, and the carets below that part.
 *
 * @param start index of the first marked UTF-16 unit in `text`; past its end, the caret is after the line
 * @param length marked units, at least 1
 * @param columns width of the screen, where tabs count 2 and wide characters of East Asia and emoji 2; Infinity never
 * cuts
 */
export function sourceLine(text: string, start: number, length: number, columns: number): SourceLine {
  const cells = cellsOf(text, Math.max(0, start - mostUnits), start + mostUnits);
  const marked = (cell: Cell): boolean => cell.end > start && cell.start < start + length;
  const first = cells.findIndex(marked);
  // A caret after the end has a cell of its own.
  const from = first < 0 ? cells.length : first;
  const total = widthOf(cells);
  if (total < columns) return draw(cells, marked, '');
  // A third of the screen shows the text before the mark.
  let begin = from;
  let before = 0;
  while (begin > 0 && before + cells[begin - 1]!.columns <= Math.floor(columns / 3)) before += cells[--begin]!.columns;
  if (widthOf(cells.slice(0, from)) <= columns / 2) begin = 0;
  const lead = begin > 0 ? cut : '';
  let end = begin;
  let used = lead.length;
  while (end < cells.length && used + cells[end]!.columns <= columns - 2) used += cells[end++]!.columns;
  const shown = cells.slice(begin, end);
  const drawn = draw(shown, marked, lead);
  return end < cells.length ? { ...drawn, line: drawn.line + cut } : drawn;
}

function draw(cells: readonly Cell[], marked: (cell: Cell) => boolean, lead: string): SourceLine {
  const line = lead + cells.map(({ text }) => text).join('');
  const first = cells.findIndex(marked);
  const before = lead.length + widthOf(first < 0 ? cells : cells.slice(0, first));
  const carets = Math.max(1, widthOf(cells.filter(marked)));
  return { line, caret: ' '.repeat(before) + '^'.repeat(carets) };
}

function widthOf(cells: readonly Cell[]): number {
  return cells.reduce((sum, { columns }) => sum + columns, 0);
}

function cellsOf(text: string, from: number, to: number): Cell[] {
  const part = text.slice(from, to);
  // Most lines, and much faster than looking for characters of several code points.
  if (/^[ -~]*$/.test(part)) {
    return part.split('').map((letter, index) => ({
      ...{ start: from + index, end: from + index + 1 },
      ...{ text: letter, columns: 1 },
    }));
  }
  const segments = new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(part);
  return [...segments].map(({ segment, index }) => {
    const shown = segment === '\t' ? tab : visible(segment);
    return { start: from + index, end: from + index + segment.length, text: shown, columns: stringWidth(shown) };
  });
}

/** The text with a replacement character for each control character, which could move a terminal's cursor. */
export function visible(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd');
}
