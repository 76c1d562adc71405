import Table from 'cli-table3';
import type { createColors } from 'picocolors';
import { runtimeTitles } from '../report/html.ts';
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
  for (const { message } of report.lints) {
    const [first = '', ...rest] = wrap(message, columns - 6);
    lines.push(`${colors.yellow('note')}  ${first}`, ...rest.map((line) => `      ${line}`));
  }
  lines.push(`report ${folder}/report.html`);
  return lines.join('\n');
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
