/** A comparison for a pull request: one sentence, a short table, and the detail folded. */
import { counted } from '../../core/words.ts';
import { markdownEntities as entities, markdownTable, markdownText as escaped } from '../markdown.ts';
import type { Comparison } from './schema.ts';
import type { Cell, Sheet } from './sheets.ts';
import { sheetsOf, summarySheet } from './sheets.ts';

/** GitHub takes 65,536 characters a comment. */
const mostRows = 25;

/** GitHub-flavoured Markdown; whatever names contain shows as text. */
export function renderComparisonMarkdown(comparison: Comparison): string {
  const { sentence, notes, runs } = comparison;
  const summary = summarySheet(comparison);
  const parts = [
    `**qpipe compare** \u2013 ${escaped(sentence)}`,
    ...notes.map((note) => `> ${escaped(note)}`),
    ...(summary.rows.length === 0 ? [] : [tableText(summary)]),
    `<details>\n<summary>${runs.map(({ name, id }) => `${name} ${entities(id)}`).join(' \u00b7 ')}</summary>`,
    ...sheetsOf(comparison).map(sheetText),
    '</details>',
  ];
  return `${parts.join('\n\n').replaceAll('\u202f', '\u00a0')}\n`;
}

function sheetText(sheet: Sheet): string {
  const rows = sheet.rows.slice(0, mostRows);
  const left = sheet.rows.length - rows.length;
  return [
    `#### ${escaped(sheet.title)}`,
    ...(sheet.lead === null ? [] : [escaped(sheet.lead)]),
    tableText({ ...sheet, rows }),
    ...(left === 0 ? [] : [`${counted(left, 'more row')}.`]),
  ].join('\n\n');
}

const tableText = ({ columns, rows }: Sheet): string =>
  markdownTable(
    columns,
    rows.map((row) => row.map(cellText)),
  );

function cellText({ text, tone }: Cell): string {
  const shown = escaped(text);
  return (tone === 'better' || tone === 'worse') && shown !== '' ? `**${shown}**` : shown;
}
