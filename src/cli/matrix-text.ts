/** The cells of a matrix in a terminal. */
import { change, orNone, points } from '../report/format.ts';
import type { CellNoun, MatrixGroup, MatrixReport, MatrixRow } from '../report/matrix.ts';
import { cellNouns, differenceText, measureText } from '../report/matrix.ts';
import type { Spread } from '../report/statistics.ts';
import type { Paint, TextColumn } from '../report/text-table.ts';
import { textTable } from '../report/text-table.ts';
import { kib } from '../targets/file.ts';

/** More cells than that are in the report; the best are shown. */
const mostRows = 16;

const numbers = (head: string): TextColumn => ({ head, kind: 'numbers' });
const words = (head: string): TextColumn => ({ head, kind: 'words' });

/** A row a cell or branch; of many the best. */
export function matrixTable(
  { axes, rows }: MatrixReport,
  noun: CellNoun = 'cell',
): {
  readonly columns: readonly TextColumn[];
  readonly rows: readonly (readonly string[])[];
} {
  const [first] = rows;
  if (first === undefined) return { columns: [], rows: [] };
  const calledOften = new Set(rows.map(({ called }) => called)).size > 1;
  const shown = rows.length <= mostRows ? rows : best(rows);
  const columns = [
    ...(noun === 'branch' ? [words('branch')] : []),
    ...axes.map(({ name }) => words(name)),
    ...(calledOften ? [words('test')] : []),
    ...[numbers(`int8 ${first.measure}`), numbers('float'), numbers('fake-quant'), numbers('against float')],
    ...(first.others ?? []).map(({ measure }) => numbers(`int8 ${measure}`)),
    ...[numbers('size'), words('gates')],
  ];
  return {
    columns,
    rows: shown.map((row) => [...(noun === 'branch' ? [row.cell] : []), ...cellsOf(row, calledOften)]),
  };
}

/** The same for a terminal; where seeds vary, also the mean and the spread of the cells that differ only in them. */
export function matrixLines(matrix: MatrixReport, columns: number, paint: Paint, noun: CellNoun = 'cell'): string[] {
  const { groups } = matrix;
  const { columns: heads, rows } = matrixTable(matrix, noun);
  if (rows.length === 0) return [];
  const lines = textTable(heads, rows, columns, paint);
  const hidden = matrix.rows.length - rows.length;
  if (hidden > 0)
    lines.push(`the best ${rows.length} of ${matrix.rows.length} ${cellNouns[noun]}; report.html has all`);
  return groups.length === 0 ? lines : [...lines, '', ...groupLines(matrix, columns, paint)];
}

/** In their order in the matrix. */
function best(rows: readonly MatrixRow[]): MatrixRow[] {
  const ordered = rows.toSorted((a, b) => (a.kind === 'error' ? a.int8 - b.int8 : b.int8 - a.int8));
  const chosen = new Set(ordered.slice(0, mostRows));
  return rows.filter((row) => chosen.has(row));
}

function cellsOf(row: MatrixRow, calledOften: boolean): string[] {
  const { kind, labels, called, float, fake_quant: fakeQuant, int8, loss, bytes, gates, others = [] } = row;
  const value = (one: number): string => measureText(kind, one);
  const met = gates.all === 0 ? 'none' : gates.unmet.length === 0 ? 'met' : `not met: ${gates.unmet.join(', ')}`;
  return [
    ...labels,
    ...(calledOften ? [called] : []),
    ...[value(int8), orNone(float, value), orNone(fakeQuant, value)],
    orNone(loss, (one) => (kind === 'error' ? change(one) : points(-one))),
    ...others.map((other) => measureText(other.kind, other.int8)),
    ...[kib(bytes), met],
  ];
}

function groupLines({ axes, groups }: MatrixReport, columns: number, paint: Paint): string[] {
  const others = axes.filter(({ isSeed }) => !isSeed);
  const calledOften = new Set(groups.map(({ called }) => called)).size > 1;
  const rows = groups.map((group) => [
    ...group.labels,
    ...(calledOften ? [group.called] : []),
    ...[
      String(group.int8.n),
      spreadText(group, group.int8),
      rangeText(group, group.int8),
      spreadText(group, group.float),
    ],
  ]);
  const heads = [
    ...others.map(({ name }) => words(name)),
    ...(calledOften ? [words('test')] : []),
    ...[numbers('seeds'), numbers(`int8 ${groups[0]?.measure ?? ''}`), numbers('range'), numbers('float')],
  ];
  return textTable(heads, rows, columns, paint);
}

const spreadText = ({ kind }: MatrixGroup, spread: Spread | null): string =>
  orNone(spread?.mean ?? null, (mean) => {
    const deviation = spread?.deviation ?? null;
    return `${measureText(kind, mean)}${deviation === null ? '' : ` ± ${differenceText(kind, deviation)}`}`;
  });

const rangeText = ({ kind }: MatrixGroup, { low, high }: Spread): string =>
  `${measureText(kind, low)} .. ${measureText(kind, high)}`;
