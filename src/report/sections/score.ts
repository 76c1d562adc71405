/** The sections of the report on a network whose answers have a score of all examples together. */
import { runtimes } from '../../measurements/metrics.ts';
import type { RuntimeName } from '../../measurements/metrics.ts';
import { capitalized, fixed, integer, orNone, percent, points } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { table } from '../page.ts';
import type { Column } from '../page.ts';
import type { MeasuredScore, ScoreResult } from '../report.ts';
import { runtimeTitles } from '../../measurements/runtime-titles.ts';
import { fileLead } from '../titles.ts';
import { timesOf } from './times.ts';

interface ScoreRow {
  readonly runtime: RuntimeName;
  readonly measured: MeasuredScore;
  readonly seconds: number | null;
}

export function scoreSection({ score, metrics }: ScoreResult): Markup {
  const { scoreName, ignorant } = metrics;
  const rows: ScoreRow[] = runtimes.flatMap((runtime) => {
    const measured = score[runtime];
    return measured === null ? [] : [{ runtime, measured, seconds: metrics.seconds[runtime] }];
  });
  return markup`<p class="lead">The ${scoreName} on the test split. ${fileLead} Answering ${ignorant.answer} scores ${percent(ignorant.score)}. Intervals are 95 %, by the jackknife over the examples.</p>
${table(rows, scoreColumns(scoreName), { sorting: 'fixed', width: 'full' })}
${timesOf(rows)}`;
}

const scoreColumns = (name: string): readonly Column<ScoreRow>[] => [
  { head: 'Model', kind: 'text', cell: ({ runtime }) => runtimeTitles[runtime] },
  { head: capitalized(name), kind: 'number', cell: ({ measured }) => percent(measured.value) },
  {
    head: '95 % interval',
    kind: 'number',
    cell: ({ measured: { interval } }) => `${fixed(interval.low * 100, 2)} \u2013 ${percent(interval.high)}`,
  },
  { head: 'Against float', kind: 'number', cell: ({ measured }) => orNone(measured.drop, (drop) => points(-drop)) },
  { head: 'Examples', kind: 'number', cell: ({ measured }) => integer(measured.n) },
];
