import Table from 'cli-table3';
import type { createColors } from 'picocolors';
import { unreachable } from '../core/assert.ts';
import { significant } from '../report/format.ts';
import { foundText, groupLints } from '../report/lints.ts';
import type { Measured, MeasuredError, Report } from '../report/report.ts';
import { gateText } from '../report/report.ts';
import { runtimeTitles } from '../report/titles.ts';
import type { RuntimeName } from '../stages/metrics.ts';
import { runtimes } from '../stages/metrics.ts';

/**
 * The summary after a run: the verdict, the accuracies, the gates and the paths of the results.
 *
 * @param columns at which sentences wrap between words; Infinity never wraps them
 */
export function summaryText(
  report: Report,
  folder: string,
  columns: number,
  colors: ReturnType<typeof createColors>,
): string {
  const lines: string[] = ['', ...wrap(report.sentence, columns)];
  const diagnosis = report.tests.at(-1)?.diagnosis?.sentence;
  if (diagnosis !== undefined) lines.push(...wrap(diagnosis, columns).map((line) => colors.dim(line)));
  const { title, rows } = results(report);
  if (rows.length > 0) {
    const table = new Table({
      head: ['model', title, '95 % interval', 'images'],
      colAligns: ['left', 'right', 'right', 'right'],
      style: { head: [], border: [], compact: true },
    });
    table.push(...rows);
    lines.push(table.toString());
  }
  for (const gate of report.gates) {
    const mark = gate.ok ? colors.green('met    ') : colors.red('not met');
    lines.push(`gate ${mark}  ${gate.name}: ${gateText(gate)}`);
  }
  lines.push(...lintLines(report, columns, colors));
  lines.push(`report ${folder}/report.html`);
  return lines.join('\n');
}

/** The rest, and what to do about them, is in the report. */
const mostLints = 3;

function lintLines(report: Report, columns: number, colors: ReturnType<typeof createColors>): string[] {
  const groups = groupLints(report.lints);
  const margin = 'warning  '.length;
  const lines = groups.slice(0, mostLints).flatMap((group) => {
    const { severity } = group.worst;
    const paint = severity === 'warning' ? colors.yellow : colors.dim;
    const [first = '', ...rest] = wrap(foundText(group), columns - margin);
    return [`${paint(severity.padEnd(margin))}${first}`, ...rest.map((line) => `${' '.repeat(margin)}${line}`)];
  });
  const more = groups.length - mostLints;
  return more > 0 ? [...lines, `${' '.repeat(margin)}and ${more} more in the report`] : lines;
}

function results(report: Report): { readonly title: string; readonly rows: string[][] } {
  switch (report.task) {
    case 'classify': {
      const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
      return { title: 'top-1', rows: rowsOf(report.accuracy, ({ top1 }) => top1, percent) };
    }
    case 'reconstruct':
      return { title: 'mean squared error', rows: rowsOf(report.error, ({ mean }) => mean, significant) };
    case null:
      return { title: '', rows: [] };
    default:
      return unreachable(report);
  }
}

function rowsOf<M extends Measured | MeasuredError>(
  measurements: Readonly<Record<RuntimeName, M | null>>,
  valueOf: (measured: M) => number,
  format: (value: number) => string,
): string[][] {
  return runtimes.flatMap((name) => {
    const measured = measurements[name];
    if (measured === null) return [];
    const { low, high } = measured.interval;
    return [[runtimeTitles[name], format(valueOf(measured)), `${format(low)} .. ${format(high)}`, String(measured.n)]];
  });
}

/** Breaks a sentence between words; a longer word stays whole. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= columns) lines.push(`${lines.pop() ?? ''} ${word}`);
    else lines.push(word);
  }
  return lines;
}
