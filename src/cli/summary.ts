import Table from 'cli-table3';
import type { createColors } from 'picocolors';
import { runtimeTitles } from '../report/html.ts';
import { foundText, groupLints } from '../report/lints.ts';
import type { Report } from '../report/report.ts';
import { gateText } from '../report/report.ts';
import { runtimes } from '../stages/metrics.ts';

/**
 * What a person wants to know after a run: the verdict, the accuracies, the gates and where everything lies.
 *
 * @param columns at which sentences are broken between words; Infinity never breaks them
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
  const rows = runtimes.flatMap((name) => {
    const measured = report.accuracy[name];
    if (measured == null) return [];
    const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
    const interval = `${percent(measured.interval.low)} .. ${percent(measured.interval.high)}`;
    return [[runtimeTitles[name], percent(measured.top1), interval, String(measured.n)]];
  });
  if (rows.length > 0) {
    const table = new Table({
      head: ['model', 'top-1', '95 % interval', 'images'],
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
