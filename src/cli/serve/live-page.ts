/** A run that goes on: its stages and curves, drawn here and sent whole whenever something has happened. */
import { tickText } from '../../report/charts/axes.ts';
import { curveChart } from '../../report/charts/curve-chart.ts';
import type { Series } from '../../report/charts/curve-chart.ts';
import { markup, trustedMarkup } from '../../report/markup.ts';
import type { Markup } from '../../report/markup.ts';
import { table } from '../../report/page.ts';
import type { RunEvent } from '../../runner/event.ts';
import type { RunRecord, RunStatus } from '../../runner/record.ts';
import { doingText, stagesOf } from '../status.ts';
import { servedPage, toList } from './frame.ts';

type Point = { readonly x: number; readonly y: number };

interface Curve {
  readonly loss: readonly Point[];
  readonly validation: readonly Point[];
}

/** What of the events so far is shown. */
export interface LiveState {
  /** Those that say how far the stages are: of progress only the last of each. */
  readonly events: readonly RunEvent[];
  readonly curves: ReadonlyMap<string, Curve>;
}

export const nothingYet: LiveState = { events: [], curves: new Map() };

/** The most points of a curve; more are thinned out. */
const mostPoints = 400;

export function follow(state: LiveState, events: readonly RunEvent[]): LiveState {
  const curves = new Map(state.curves);
  for (const event of events) {
    if (event.kind !== 'stage-progress') continue;
    const curve = curves.get(event.stage) ?? { loss: [], validation: [] };
    const { loss, validation_loss: validation } = event.values;
    curves.set(event.stage, {
      loss: extended(curve.loss, event.step, loss),
      validation:
        curve.validation.at(-1)?.y === validation
          ? curve.validation
          : extended(curve.validation, event.step, validation),
    });
  }
  const all = [...state.events, ...events];
  const last = new Map(all.map((event, index) => [event.kind === 'stage-progress' ? event.stage : index, index]));
  return {
    events: all.filter((event, index) => event.kind !== 'stage-progress' || last.get(event.stage) === index),
    curves,
  };
}

function extended(points: readonly Point[], step: number, value: number | null | undefined): readonly Point[] {
  if (value == null) return points;
  const all = [...points, { x: step, y: value }];
  return all.length <= mostPoints ? all : all.filter((_, index) => index % 2 === 0 || index === all.length - 1);
}

/** The part of the page that changes. */
export function liveMarkup(state: LiveState, status: RunStatus): Markup {
  const stages = stagesOf(state.events, status, new Map());
  const drawn = stages.flatMap(({ name }) => {
    const curve = state.curves.get(name);
    return curve === undefined || curve.loss.length < 2 ? [] : [{ name, ...curve }];
  });
  return markup`<p class="byline"><span class="status-${status}">${status}</span></p>
${
  stages.length === 0
    ? markup`<p>Nothing has begun yet.</p>`
    : table(
        stages,
        [
          { head: 'Stage', kind: 'text', cell: ({ name }) => name },
          { head: 'State', kind: 'text', cell: (stage) => doingText(stage, 60) },
        ],
        { sorting: 'fixed', width: 'full' },
      )
}
<div class="charts">${drawn.map(({ name, loss, validation }) =>
    curveChart({
      title: `Loss of ${name}`,
      ...{ xName: 'step', yName: 'loss' },
      series: [
        { name: 'batches', color: 0, kind: 'noisy', points: loss } satisfies Series,
        { name: 'validation', color: 1, kind: 'points', points: validation } satisfies Series,
      ].filter(({ points }) => points.length > 0),
      marks: [],
      scale: 'logarithmic',
      floor: 0,
      tick: tickText,
    }),
  )}</div>`;
}

/** Puts what the server draws in its place; when the run has ended, its report is there. */
const script = trustedMarkup(`<script>
const source = new EventSource('events');
source.addEventListener('state', ({ data }) => { document.getElementById('live').innerHTML = JSON.parse(data); });
source.addEventListener('ended', () => { source.close(); document.getElementById('ended').hidden = false; });
</script>`);

export function livePage({ id, pipeline, status }: RunRecord, state: LiveState): string {
  return servedPage(
    pipeline,
    markup`${toList}<header><h1>${pipeline}</h1><p class="byline"><span class="mono">${id}</span></p></header>
<p id="ended" role="status" hidden>The run has ended: <a href="./">its report</a>.</p>
<div id="live">${liveMarkup(state, status)}</div>
<noscript><p>Load the page again to see how far it is.</p></noscript>
${script}`,
  );
}
