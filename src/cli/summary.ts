import type { createColors } from 'picocolors';
import { significant } from '../report/format.ts';
import { foundText, groupLints, lintsShown } from '../report/lints.ts';
import type { Measured, MeasuredError, MeasuredScore, Report } from '../report/report.ts';
import { errorName, gateText, headlineDiagnosis, headlineTest } from '../report/report.ts';
import { textTable, wrap } from '../report/text-table.ts';
import { accuracyName } from '../report/titles.ts';
import { matrixLines } from './matrix-text.ts';
import { runtimeTitles } from '../measurements/runtime-titles.ts';
import type { RuntimeName } from '../measurements/metrics.ts';
import { runtimes } from '../measurements/metrics.ts';

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
  const diagnosis = headlineDiagnosis(report);
  if (diagnosis !== undefined) lines.push(...wrap(diagnosis, columns).map((line) => colors.dim(line)));
  for (const { sentence } of report.quantizations) lines.push(...wrap(sentence.replaceAll('`', ''), columns));
  const { title, rows } = results(report);
  if (report.matrix !== undefined) {
    lines.push(...matrixLines(report.matrix, columns, (text, row) => (row < 0 ? colors.dim(text) : text)));
  } else if (rows.length > 0) {
    const numbers = [title, '95 % interval', 'examples'].map((head) => ({ head, kind: 'numbers' as const }));
    lines.push(
      ...textTable([{ head: 'model', kind: 'words' }, ...numbers], rows, columns, (text, row) =>
        row < 0 ? colors.dim(text) : text,
      ),
    );
  }
  // Those of a matrix are in its table.
  for (const gate of report.matrix === undefined ? report.gates : []) {
    const paint = gate.ok ? colors.green : colors.red;
    lines.push(...marked(`gate ${gate.ok ? 'met' : 'not met'}`, paint, `${gate.name}: ${gateText(gate)}`, columns));
  }
  lines.push(...lintLines(report, columns, colors));
  lines.push(`report ${folder}/report.html`);
  return lines.join('\n').replaceAll('\u202f', ' ');
}

/** Texts of all lines with a mark begin in one column. */
const margin = 'gate not met  '.length;

function marked(mark: string, paint: (text: string) => string, text: string, columns: number): string[] {
  const [first = '', ...rest] = wrap(text, columns - margin);
  return [`${paint(mark.padEnd(margin))}${first}`, ...rest.map((line) => `${' '.repeat(margin)}${line}`)];
}

function lintLines(report: Report, columns: number, colors: ReturnType<typeof createColors>): string[] {
  return groupLints(lintsShown(report)).flatMap((group) => {
    const { severity } = group.worst;
    return marked(severity, severity === 'warning' ? colors.yellow : colors.dim, foundText(group), columns);
  });
}

function results(report: Report): { readonly title: string; readonly rows: string[][] } {
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  if ('accuracy' in report) {
    return { title: accuracyName(report), rows: rowsOf(report.accuracy, ({ top1 }) => top1, percent) };
  }
  if ('score' in report) {
    const last = headlineTest(report);
    const title = last !== undefined && 'score' in last ? last.metrics.scoreName : 'score';
    return { title, rows: rowsOf(report.score, ({ value }) => value, percent) };
  }
  if (report.task === null) return { title: '', rows: [] };
  return { title: errorName(report), rows: rowsOf(report.error, ({ mean }) => mean, significant) };
}

function rowsOf<M extends Measured | MeasuredError | MeasuredScore>(
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
