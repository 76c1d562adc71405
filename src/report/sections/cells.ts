import { listText } from '../../core/words.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { chainOf } from '../lines-of-stages.ts';
import { measureText } from '../matrix.ts';
import type { CellNoun, MatrixReport } from '../matrix.ts';
import { table } from '../page.ts';
import { partOf } from '../report.ts';
import type { Report } from '../report.ts';
import { gateColumns } from './gates.ts';
import { lineSections } from './lines.ts';
import { lintList } from './lint-list.ts';
import { cellId } from './matrix-page.ts';
import { diagnosisLine } from './verdict.ts';

/** Of the page without what folds out. */
const LARGEST_DETAILS = 1_300_000;

/** What is left out of the details of most cells, in this order, until the page is small enough. */
const leftOut = ['examples', 'training', 'confusion', 'layers'] as const;

/** Each cell or branch as a report of its own, folded; where they are many, with less than that. */
export function cellsSection(report: Report, matrix: MatrixReport, noun: CellNoun): Markup {
  for (let count = 0; count <= leftOut.length; count++) {
    const details = detailsOf(report, matrix, noun, leftOut.slice(0, count));
    if (details.markup.length <= LARGEST_DETAILS) return details;
  }
  return markup`<p class="lead">There are too many for one page; report.json has all that was measured of each.</p>`;
}

function detailsOf(report: Report, { rows, best }: MatrixReport, noun: CellNoun, without: readonly string[]): Markup {
  const cells = [...new Set(rows.map(({ cell }) => cell))];
  const all =
    without.length === 0
      ? `All that was measured of each ${noun}.`
      : `What was measured of each ${noun}. To keep the page small, only the best shows ${listText(without)}; report.json has the numbers of all.`;
  return markup`<p class="lead">${all}</p>
${cells.map((cell, index) => {
  const own = rows.filter((row) => row.cell === cell);
  const names = new Set(own.flatMap(({ test }) => chainOf(report.stages, test)));
  const part = partOf(report, names);
  const isBest = own.some(({ test }) => test === best?.test);
  const reached = own.map(({ kind, int8, measure }) => `int8 ${measure} ${measureText(kind, int8)}`).join(', ');
  return markup`<details class="cell"><summary>${noun === 'cell' ? `${index + 1}. ` : ''}${cell}: ${reached}</summary><div id="${cellId(index)}">
${diagnosisLine(part)}
${part.gates.length === 0 ? null : table(part.gates, gateColumns(part), { sorting: 'fixed', width: 'full' })}
${part.lints.length === 0 ? null : lintList(part)}
${lineSections(part).map((one) =>
  one === null || (!isBest && without.some((kind) => one.id.startsWith(kind)))
    ? null
    : markup`<h3 class="part">${one.title}</h3>
${one.body}
`,
)}</div></details>
`;
})}`;
}
