/** The section of the page that puts the cells of a matrix side by side. */
import { bytes, capitalized, change, NOT_MEASURED, orNone, points, probability } from '../format.ts';
import { markup, withCode } from '../markup.ts';
import type { Markup } from '../markup.ts';
import type { CellMeasure, CellNoun, MatrixGroup, MatrixReport, MatrixRow } from '../matrix.ts';
import { differenceText, measureText } from '../matrix.ts';
import { listText } from '../../core/words.ts';
import { limitsOf } from '../gate-text.ts';
import type { ReportGate } from '../report.ts';
import { table } from '../page.ts';
import type { Column } from '../page.ts';
import type { Spread } from '../statistics.ts';

/** Up to so many comparisons are shown at once. */
const MOST_LEADS = 6;

/** @param gates of all cells, whose limits are said once */
export function matrixSection(matrix: MatrixReport, noun: CellNoun, gates: readonly ReportGate[]): Markup {
  const { rows, groups, untested } = matrix;
  const all = markup`<p class="lead">One row for each ${noun}, with the settings that differ. int8 is the .tflite file with the arithmetic of a microcontroller. Follow ${noun === 'cell' ? 'the number of a cell' : 'the name of a branch (that of its test)'} to its details, with those of a phone or browser.${limitsText(gates)}</p>
${table(rows, rowColumns(matrix, noun), { sorting: 'sortable', width: 'full' })}
${untested.length === 0 ? null : markup`<p>Without a result: ${untested.join('; ')}.</p>`}`;
  if (groups.length === 0) return markup`${all}${leadsTable(matrix)}`;
  return markup`<h3>Over the seeds</h3>
<p class="lead">Mean \u00b1 standard deviation of the cells that differ only in their seed, and their range.</p>
${table(groups, groupColumns(matrix), { sorting: 'sortable', width: 'full' })}
${leadsTable(matrix)}
<h3>All cells</h3>
${all}`;
}

/** The anchor of a cell's details. */
export const cellId = (index: number): string => `cell-${index + 1}`;

function rowColumns({ axes, rows, best }: MatrixReport, noun: CellNoun): Column<MatrixRow>[] {
  const cells = [...new Set(rows.map(({ cell }) => cell))];
  const calledOften = new Set(rows.map(({ called }) => called)).size > 1;
  const [first] = rows;
  const numbers = (read: (row: MatrixRow) => number | null) => ({
    kind: 'number' as const,
    cell: (row: MatrixRow) => orNone(read(row), (value) => measureText(row.kind, value)),
    value: read,
  });
  return [
    {
      head: capitalized(noun),
      kind: noun === 'cell' ? 'number' : 'text',
      cell: ({ cell, test }) => {
        const index = cells.indexOf(cell);
        const mark = test === best?.test ? markup`<small>best</small>` : null;
        return markup`<a href="#${cellId(index)}">${noun === 'cell' ? index + 1 : cell}</a>${mark}`;
      },
      value: ({ cell }) => cells.indexOf(cell),
    },
    ...axes.map((axis, index): Column<MatrixRow> => ({
      head: axis.name,
      kind: 'text',
      cell: ({ labels }) => labels[index] ?? '',
    })),
    ...(calledOften ? [{ head: 'Test', kind: 'text' as const, cell: ({ called }: MatrixRow) => called }] : []),
    { head: `Float ${first?.measure ?? ''}`, ...numbers(({ float }) => float) },
    { head: 'Fake-quant', ...numbers((row) => row.fake_quant) },
    { head: 'int8', ...numbers(({ int8 }) => int8) },
    {
      head: 'Against float',
      kind: 'number',
      cell: ({ kind, loss }) => orNone(loss, (value) => (kind === 'error' ? change(value) : points(-value))),
      value: ({ loss }) => loss,
    },
    ...(first?.others ?? []).flatMap(({ measure }, index) => otherColumns(measure, index)),
    { head: 'Model file', kind: 'number', cell: (row) => bytes(row.bytes), value: (row) => row.bytes },
    {
      head: 'Gates',
      kind: 'number',
      cell: ({ gates }) => gatesCell(gates),
      value: ({ gates }) => gates.unmet.length,
    },
  ];
}

/** Of another output: what int8 reaches, and what float does. */
function otherColumns(measure: string, index: number): Column<MatrixRow>[] {
  const numbers = (read: (other: CellMeasure) => number | null) => {
    const value = ({ others = [] }: MatrixRow): number | null => {
      const other = others[index];
      return other === undefined ? null : read(other);
    };
    return {
      kind: 'number' as const,
      cell: (row: MatrixRow) => orNone(value(row), (one) => measureText(row.others?.[index]?.kind ?? 'accuracy', one)),
      value,
    };
  };
  return [
    { head: `Float ${measure}`, ...numbers(({ float }) => float) },
    { head: `int8 ${measure}`, ...numbers(({ int8 }) => int8) },
  ];
}

/** ` Gates: drop_max at most 5.00 pp.`; nothing where there is none. */
function limitsText(gates: readonly ReportGate[]): string {
  const limits = limitsOf(gates);
  return limits.length === 0 ? '' : ` ${limits.length === 1 ? 'Gate' : 'Gates'}: ${listText(limits)}.`;
}

function gatesCell({ met, all, unmet }: MatrixRow['gates']): Markup | string {
  if (all === 0) return NOT_MEASURED;
  if (unmet.length === 0) return markup`<span class="mark-good">\u2713 met</span>`;
  return markup`<span class="mark-bad">\u2717 ${met} of ${all}</span><small>${unmet.join(', ')}</small>`;
}

function groupColumns({ axes, groups }: MatrixReport): Column<MatrixGroup>[] {
  const calledOften = new Set(groups.map(({ called }) => called)).size > 1;
  const others = axes.filter(({ isSeed }) => !isSeed);
  const spread = (head: string, read: (group: MatrixGroup) => Spread | null): Column<MatrixGroup> => ({
    head,
    kind: 'number',
    cell: (group) => spreadCell(group.kind, read(group)),
    value: (group) => read(group)?.mean ?? null,
  });
  return [
    ...others.map(({ name }, index): Column<MatrixGroup> => ({
      head: name,
      kind: 'text',
      cell: ({ labels }) => labels[index] ?? '',
    })),
    ...(calledOften ? [{ head: 'Test', kind: 'text' as const, cell: ({ called }: MatrixGroup) => called }] : []),
    { head: 'Seeds', kind: 'number', cell: ({ int8 }) => String(int8.n) },
    spread(`Float ${groups[0]?.measure ?? ''}`, ({ float }) => float),
    spread('Fake-quant', (group) => group.fake_quant),
    spread('int8', ({ int8 }) => int8),
    {
      head: 'Against float',
      kind: 'number',
      cell: ({ kind, loss }) => {
        if (loss === null) return NOT_MEASURED;
        const mean = kind === 'error' ? change(loss.mean) : points(-loss.mean);
        const deviation =
          loss.deviation === null ? null : kind === 'error' ? change(loss.deviation) : points(loss.deviation);
        return deviation === null ? mean : `${mean} \u00b1 ${deviation.replace('+', '')}`;
      },
      value: ({ loss }) => loss?.mean ?? null,
    },
  ];
}

function spreadCell(kind: MatrixRow['kind'], spread: Spread | null): Markup | string {
  if (spread === null) return NOT_MEASURED;
  const { mean, deviation, low, high } = spread;
  if (deviation === null) return measureText(kind, mean);
  return markup`${measureText(kind, mean)} \u00b1 ${differenceText(kind, deviation)}<small>${measureText(kind, low)} \u2013 ${measureText(kind, high)}</small>`;
}

/** What the best is compared with, and how. */
function leadsTable({ best, rows }: MatrixReport): Markup | null {
  if (best === null || best.leads.length === 0) return null;
  const isError = rows[0]?.kind === 'error';
  const how =
    best.pairedBy === 'seeds'
      ? 'A t-test of the differences between trainings with the same seed. With few seeds, only large differences are more than chance.'
      : 'On the same test examples: the exact McNemar test where they are right or wrong, else a t-test. It does not cover other seeds: for those, use a matrix over `seed`.';
  const body = table(
    best.leads,
    [
      { head: `${best.name} over`, kind: 'text', cell: ({ over }) => over },
      {
        head: 'Lead',
        kind: 'number',
        cell: ({ difference }) => (isError ? differenceText('error', difference) : points(difference)),
        value: ({ difference }) => difference,
      },
      { head: 'p', kind: 'number', cell: ({ p }) => orNone(p, probability), value: ({ p }) => p },
      {
        head: 'Lead is',
        kind: 'text',
        cell: ({ p, beyondChance }) =>
          p === null ? 'not comparable' : beyondChance ? 'more than chance' : 'within chance',
      },
    ],
    { sorting: 'sortable', width: 'full' },
  );
  const lead = markup`<p class="lead">${withCode(capitalized(how))}${best.leads.length === 1 ? '' : ` p is corrected for ${best.leads.length} comparisons (Holm).`}</p>`;
  return best.leads.length > MOST_LEADS
    ? markup`<details><summary>The best against the others</summary>${lead}${body}</details>`
    : markup`<h3>The best against the others</h3>${lead}${body}`;
}
