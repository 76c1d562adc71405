/** The sections of the report on a network whose answers have a score of all examples together. */
import { capitalized, fixed, orNone, percent, points } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import type { Column } from '../page.ts';
import type { MeasuredScore, ScoreResult } from '../report.ts';
import { fileLead } from '../titles.ts';
import { modelsTable } from './models.ts';
import type { MeasuredRow } from './models.ts';

export function scoreSection({ score, metrics }: ScoreResult): Markup {
  const { scoreName, ignorant } = metrics;
  return markup`<p class="lead">The ${scoreName} on the test split. ${fileLead} Answering ${ignorant.answer} scores ${percent(ignorant.score)}. Intervals are 95 %, by the jackknife over the examples.</p>
${modelsTable(score, metrics.seconds, scoreColumns(scoreName))}`;
}

const scoreColumns = (name: string): readonly Column<MeasuredRow<MeasuredScore>>[] => [
  { head: capitalized(name), kind: 'number', cell: ({ measured }) => percent(measured.value) },
  {
    head: '95 % interval',
    kind: 'number',
    cell: ({ measured: { interval } }) => `${fixed(interval.low * 100, 2)} \u2013 ${percent(interval.high)}`,
  },
  { head: 'Against float', kind: 'number', cell: ({ measured }) => orNone(measured.drop, (drop) => points(-drop)) },
];
