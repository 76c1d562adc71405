/** The summary of a run as Markdown, for the page of a workflow. */
import type { MarkdownColumn } from '../report/markdown.ts';
import { markdownTable, markdownText } from '../report/markdown.ts';
import { foundText, groupLints, lintsShown } from '../report/lints.ts';
import { nextStep } from '../report/next-step.ts';
import type { Report } from '../report/report.ts';
import { gateLimit, gateNumber } from '../report/gate-text.ts';
import { headlineDiagnosis } from '../report/report.ts';
import { resultTable } from './summary.ts';
import { durationText } from './words.ts';

const marks = { pass: '✅', fail: '❌' } as const;

/** @param folder of the run, as it is said to people */
export function summaryMarkdown(report: Report, folder: string): string {
  const { run } = report;
  const diagnosis = headlineDiagnosis(report, 'cause');
  const { here, elsewhere } = lintsShown(report);
  const lints = groupLints([...here, ...elsewhere]);
  const { columns, rows } = resultTable(report);
  const parts = [
    `### ${run.status === 'pass' ? marks.pass : marks.fail} qpipe: ${markdownText(run.pipeline)}`,
    markdownText(report.sentence),
    ...(diagnosis === undefined ? [] : [markdownText(diagnosis)]),
    markdownText(`Next: ${nextStep(report)}`),
    ...(rows.length === 0 ? [] : [tableOf(columns, rows)]),
    ...(report.gates.length === 0 ? [] : [gateTable(report)]),
    ...(lints.length === 0
      ? []
      : [lints.map((group) => `- ${group.worst.severity}: ${markdownText(foundText(group))}`).join('\n')]),
    `<details>\n<summary>stages</summary>\n\n${stageTable(report)}\n\n</details>`,
    `Report: ${markdownText(`${folder}/report.html`)}`,
  ];
  return `${parts.join('\n\n').replaceAll('\u202f', '\u00a0')}\n`;
}

const words = (head: string): MarkdownColumn => ({ head, kind: 'words' });
const numbers = (head: string): MarkdownColumn => ({ head, kind: 'numbers' });

/** @param rows of plain text */
const tableOf = (columns: readonly MarkdownColumn[], rows: readonly (readonly string[])[]): string =>
  markdownTable(
    columns,
    rows.map((row) => row.map(markdownText)),
  );

function gateTable({ gates }: Report): string {
  const rows = gates.map(({ ok, stage, name, value, unit, ...limit }) => [
    ok ? marks.pass : marks.fail,
    stage,
    name,
    value === null ? 'not measured' : gateNumber(value, unit),
    gateLimit({ ...limit, ok, name, value, unit }),
  ]);
  return tableOf([words(''), words('stage'), words('gate'), numbers('found'), numbers('wanted')], rows);
}

function stageTable({ stages }: Report): string {
  const rows = stages.map(({ name, kind, cached, seconds, verdict }) => [
    verdict === 'pass' ? marks.pass : marks.fail,
    name,
    kind,
    durationText(seconds),
    cached ? 'cached' : 'ran',
  ]);
  return tableOf([words(''), words('stage'), words('kind'), numbers('time'), words('result')], rows);
}
