import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { measureText } from '../matrix.ts';
import type { MatrixReport } from '../matrix.ts';
import { table } from '../page.ts';
import { partOf } from '../report.ts';
import type { Report } from '../report.ts';
import { gateColumns } from './gates.ts';
import { lineSections } from './lines.ts';
import { lintList } from './lint-list.ts';
import { cellId } from './matrix-page.ts';
import { diagnosisLine } from './verdict.ts';

/** Each cell as a report of its own, folded. */
export function cellsSection(report: Report, { rows }: MatrixReport): Markup {
  const cells = [...new Set(rows.map(({ cell }) => cell))];
  return markup`<p class="lead">All that was measured of each cell.</p>
${cells.map((cell, index) => {
  const own = rows.filter((row) => row.cell === cell);
  const names = new Set(own.flatMap(({ test }) => [...chainOf(report.stages, test)]));
  const part = partOf(report, names);
  const reached = own.map(({ kind, int8, measure }) => `int8 ${measure} ${measureText(kind, int8)}`).join(', ');
  return markup`<details class="cell"><summary>${index + 1}. ${cell}: ${reached}</summary><div id="${cellId(index)}">
${diagnosisLine(part)}
${part.gates.length === 0 ? null : table(part.gates, gateColumns(part), { sorting: 'fixed', width: 'full' })}
${part.lints.length === 0 ? null : lintList(part)}
${lineSections(part).map((one) =>
  one === null
    ? null
    : markup`<h3 class="part">${one.title}</h3>
${one.body}
`,
)}</div></details>
`;
})}`;
}

/** Names of a stage and of all that it depends on. */
function chainOf(stages: Report['stages'], name: string): ReadonlySet<string> {
  const reads = stages.find((stage) => stage.name === name)?.reads ?? [];
  return new Set([name, ...reads.flatMap((before) => [...chainOf(stages, before)])]);
}
