/** A comparison for the terminal. */
import { createColors } from 'picocolors';
import { counted } from '../../core/words.ts';
import { textTable, wrap } from '../text-table.ts';
import type { Comparison } from './schema.ts';
import type { Sheet } from './sheets.ts';
import { sheetsOf } from './sheets.ts';

export interface TextOptions {
  readonly color: 'color' | 'plain';
  /** Columns of the terminal; longer cells are broken into lines. */
  readonly width: number;
  /** Whether long tables are whole; default: they say how many rows are left out. */
  readonly rows?: 'first' | 'all';
}

type Colors = ReturnType<typeof createColors>;

export function renderComparisonText(comparison: Comparison, options: TextOptions): string {
  const colors = createColors(options.color === 'color');
  const { sentence, notes, runs, settings } = comparison;
  const { width } = options;
  const lines = wrap(sentence, width).map((line) => colors.bold(line));
  for (const note of notes) lines.push(...wrap(note, width));
  lines.push('', ...runs.flatMap(({ name, id, status }) => wrap(`${name}  ${id}  ${status}`, width)));
  if (settings.length === 0) lines.push('', 'The settings are equal.');
  for (const sheet of sheetsOf(comparison)) {
    lines.push('', colors.bold(sheet.title), ...sheetText(sheet, options, colors));
  }
  return `${lines.join('\n').replaceAll('\u202f', ' ')}\n`;
}

function sheetText(sheet: Sheet, { width, rows = 'first' }: TextOptions, colors: Colors): string[] {
  const shown = rows === 'all' ? sheet.rows : sheet.rows.slice(0, sheet.shown);
  const paint = (text: string, row: number, column: number): string => {
    const tone = row < 0 ? 'muted' : (shown[row]?.[column]?.tone ?? 'plain');
    if (tone === 'better') return colors.green(text);
    if (tone === 'worse') return colors.red(text);
    return tone === 'muted' ? colors.dim(text) : text;
  };
  const texts = shown.map((cells) => cells.map(({ text }) => text));
  const left = sheet.rows.length - shown.length;
  return [
    ...(sheet.lead === null ? [] : wrap(sheet.lead, width).map((line) => colors.dim(line))),
    ...textTable(sheet.columns, texts, width, paint),
    ...(left === 0
      ? []
      : wrap(`${counted(left, 'more row')}: --all shows them`, width).map((line) => colors.dim(line))),
  ];
}
