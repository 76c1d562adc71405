import { dirname } from 'node:path';
import type { createColors } from 'picocolors';
import { significant } from '../report/format.ts';
import { countLints, foundText, groupLints, lintsShown } from '../report/lints.ts';
import { nextStep } from '../report/next-step.ts';
import type { Measured, MeasuredError, MeasuredScore, Report, ReportGate, Test } from '../report/report.ts';
import { gateLimit, gateNumber, gateText } from '../report/gate-text.ts';
import { headlineDiagnosis, headlineTest, headlineTests } from '../report/report.ts';
import { errorName } from '../report/titles.ts';
import type { TextColumn } from '../report/text-table.ts';
import { textTable, wrap } from '../report/text-table.ts';
import { accuracyName } from '../report/titles.ts';
import { matrixLines, matrixTable } from './matrix-text.ts';
import { runtimeTitles } from '../measurements/runtime-titles.ts';
import type { RuntimeName } from '../measurements/metrics.ts';
import { runtimes } from '../measurements/metrics.ts';

type Colors = ReturnType<typeof createColors>;

/**
 * The summary after a run: the verdict, the accuracies, the gates and the paths of the results.
 *
 * @param columns at which sentences wrap between words; Infinity never wraps them
 */
export function summaryText(report: Report, folder: string, columns: number, colors: Colors): string {
  const lines: string[] = ['', ...wrap(report.sentence, columns)];
  const diagnosis = headlineDiagnosis(report, 'cause');
  if (diagnosis !== undefined)
    lines.push(...wrap(diagnosis.replaceAll('`', ''), columns).map((line) => colors.dim(line)));
  for (const { sentence } of report.quantizations) lines.push(...wrap(sentence.replaceAll('`', ''), columns));
  lines.push(...resultLines(report, columns, colors));
  lines.push(...gateLines(report, columns, colors));
  lines.push(...lintLines(report, columns, colors));
  lines.push(...marked('next', colors.cyan, nextStep(report).replaceAll('`', ''), columns));
  lines.push(reportLine(folder, columns));
  return lines.join('\n').replaceAll('\u202f', ' ');
}

function resultLines(report: Report, columns: number, colors: Colors): string[] {
  const paint = (text: string, row: number): string => (row < 0 ? colors.dim(text) : text);
  const { matrix, branches } = report;
  if (matrix !== undefined) return matrixLines(matrix, columns, paint);
  if (branches !== undefined) return matrixLines(branches, columns, paint, 'branch');
  const { columns: heads, rows } = resultTable(report);
  return rows.length === 0 ? [] : textTable(heads, rows, columns, paint);
}

/** A row for each cell or branch, or for each model of the only test. */
export function resultTable(report: Report): {
  readonly columns: readonly TextColumn[];
  readonly rows: readonly (readonly string[])[];
} {
  const { matrix, branches } = report;
  if (matrix !== undefined) return matrixTable(matrix);
  if (branches !== undefined) return matrixTable(branches, 'branch');
  const { heads, rows } = results(report);
  return {
    columns: heads.map((head, index) => ({ head, kind: head === 'model' || index === 0 ? 'words' : 'numbers' })),
    rows,
  };
}

/** Those of a matrix are in its table. What is met needs few words. */
function gateLines(report: Report, columns: number, colors: Colors): string[] {
  if (report.matrix !== undefined) return [];
  const nameOf = ({ stage, name }: ReportGate): string => (report.branches !== undefined ? `${stage}, ${name}` : name);
  const met = report.gates.flatMap((gate) =>
    gate.ok && gate.value !== null ? [`${nameOf(gate)} ${gateNumber(gate.value, gate.unit)} (${gateLimit(gate)})`] : [],
  );
  return [
    ...report.gates.flatMap((gate) =>
      gate.ok ? [] : marked('gate not met', colors.red, `${nameOf(gate)}: ${gateText(gate)}`, columns),
    ),
    ...(met.length === 0
      ? []
      : marked(met.length === 1 ? 'gate met' : 'gates met', colors.green, met.join(', '), columns)),
  ];
}

/** The path stays whole, so that it can be copied: the link to the newest run is shorter. */
function reportLine(folder: string, columns: number): string {
  const line = `report ${folder}/report.html`;
  return line.length <= columns ? line : `report ${dirname(folder)}/latest/report.html`;
}

/** Texts of all lines with a mark begin in one column. */
const margin = 'gate not met  '.length;

function marked(mark: string, paint: (text: string) => string, text: string, columns: number): string[] {
  const [first = '', ...rest] = wrap(text, columns - margin);
  return [`${paint(mark.padEnd(margin))}${first}`, ...rest.map((line) => `${' '.repeat(margin)}${line}`)];
}

function lintLines(report: Report, columns: number, colors: Colors): string[] {
  const { here, elsewhere } = lintsShown(report);
  const lines = groupLints(here).flatMap((group) => {
    const { severity } = group.worst;
    return marked(severity, severity === 'warning' ? colors.yellow : colors.dim, foundText(group), columns);
  });
  if (elsewhere.length === 0) return lines;
  const others = report.matrix === undefined ? 'branches' : 'cells';
  const text = `${countLints(groupLints(elsewhere))} on other ${others} in report.html`;
  return [...lines, ...marked('note', colors.dim, text, columns)];
}

interface ResultTable {
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

/** A row for each model of the only test; of several outputs each in turn. */
function results(report: Report): ResultTable {
  const tests = headlineTests(report);
  if (tests.length > 1) {
    const heads = ['output', 'model', 'value', '95 % interval', 'examples'];
    return { heads, rows: tests.flatMap((test) => outputRows(test)) };
  }
  const heads = (measure: string): string[] => ['model', measure, '95 % interval', 'examples'];
  if ('accuracy' in report) {
    return { heads: heads(accuracyName(report)), rows: rowsOf(report.accuracy, ({ top1 }) => top1, percent) };
  }
  if ('score' in report) {
    const last = headlineTest(report);
    const measure = last !== undefined && 'score' in last ? last.metrics.scoreName : 'score';
    return { heads: heads(measure), rows: rowsOf(report.score, ({ value }) => value, percent) };
  }
  if (report.task === null) return { heads: [], rows: [] };
  return { heads: heads(errorName(report)), rows: rowsOf(report.error, ({ mean }) => mean, significant) };
}

function outputRows(test: Test): string[][] {
  const called = (measure: string): string => `${test.output ?? test.stage}, ${measure}`;
  const withName = (measure: string, rows: string[][]): string[][] => rows.map((row) => [called(measure), ...row]);
  if ('accuracy' in test)
    return withName(
      accuracyName(test),
      rowsOf(test.accuracy, ({ top1 }) => top1, percent),
    );
  if ('score' in test)
    return withName(
      test.metrics.scoreName,
      rowsOf(test.score, ({ value }) => value, percent),
    );
  return withName(
    errorName(test),
    rowsOf(test.error, ({ mean }) => mean, significant),
  );
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
