/** A comparison as one self-contained page, like the report. */
import { counted, listText } from '../../core/words.ts';
import { tickText } from '../charts/axes.ts';
import { curveChart } from '../charts/curve-chart.ts';
import type { Series } from '../charts/curve-chart.ts';
import { integer } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { page, table } from '../page.ts';
import type { Column } from '../page.ts';
import { scatterChart } from './scatter.ts';
import type { Comparison, Training } from './schema.ts';
import type { Cell, Sheet } from './sheets.ts';
import { sheetsOf } from './sheets.ts';

/** Where a page of a server links to; a file on disk stands alone. */
export interface Links {
  /** Address of the report of a run. */
  readonly run: (id: string) => string;
  /** Above the heading. */
  readonly above: Markup;
}

export function renderComparisonHtml(comparison: Comparison, links?: Links): string {
  const { runs, settings, tradeoff } = comparison;
  const pipelines = [...new Set(runs.map(({ pipeline }) => pipeline))];
  const sheets = sheetsOf(comparison);
  const isBefore = ({ title }: Sheet): boolean => !title.startsWith('Layers') && !title.startsWith('Examples');
  const behind = Math.max(0, sheets.findLastIndex(({ title }) => /^(Results|Sizes)/.test(title)) + 1);
  const sections = sheets.map((sheet) => sheetSection(sheet, comparison));
  const split = sheets.slice(0, behind).every(isBefore) ? behind : 0;
  return page(
    `${runs.map(({ id }) => id).join(', ')} \u2013 qpipe compare`,
    markup`${links?.above ?? null}<header><h1>${listText(pipelines)}</h1>
<p class="byline">${runs.map(({ name, id, status }) => {
      const said = markup`<span class="mono">${id}</span>`;
      const linked = links === undefined ? said : markup`<a href="${links.run(id)}">${said}</a>`;
      return markup`<span><strong>${name}</strong> ${linked}, ${status}</span>`;
    })}</p></header>
${verdict(comparison)}
${settings.length === 0 ? markup`<section><h2>Settings</h2><p class="muted">The settings are equal.</p></section>` : null}
${sections.slice(0, split)}
${curvesSection(comparison)}
${tradeoff === null ? null : markup`<section><h2>Accuracy against size</h2>${scatterChart(tradeoff)}</section>`}
${sections.slice(split)}`,
  );
}

function verdict({ sentence, notes, tests }: Comparison): Markup {
  const found = tests.flatMap(({ models }) =>
    models.flatMap(({ runtime, against }) =>
      runtime === 'int8' ? against.flatMap((contrast) => contrast?.judgement ?? []) : [],
    ),
  );
  const tone = found.includes('worse') ? 'bad' : found.includes('better') ? 'good' : 'plain';
  return markup`<div class="verdict ${tone}"><p>${sentence}</p>${notes.map((note) => markup`<p class="diagnosis">${note}</p>`)}</div>`;
}

function sheetSection(sheet: Sheet, { runs }: Comparison): Markup {
  const { title, lead, rows, shown } = sheet;
  const rest = rows.slice(shown);
  const folded =
    rest.length === 0
      ? null
      : markup`<details><summary>${counted(rest.length, 'more row')}</summary>${htmlTable(sheet, rest)}</details>`;
  const wide = runs.length > 4;
  return markup`<section${wide ? markup` class="wide"` : null}><h2>${title}</h2>${lead === null ? null : markup`<p class="lead">${lead}</p>`}
${htmlTable(sheet, rows.slice(0, shown))}${folded}</section>
`;
}

function htmlTable({ columns }: Sheet, rows: Sheet['rows']): Markup {
  const shown = columns.map(({ head, kind }, at): Column<readonly Cell[]> => ({
    head,
    kind: kind === 'numbers' ? 'number' : 'text',
    cell: (row) => {
      const { text, tone } = row[at] ?? { text: '', tone: 'plain' };
      return tone === 'plain' ? text : markup`<span class="${tone}">${text}</span>`;
    },
  }));
  return table(rows, shown, { sorting: 'fixed', width: 'full' });
}

/** The losses of all runs, moved so that quantization begins at the same place. */
function curvesSection({ training, runs }: Comparison): Markup | null {
  const drawn = training.filter(
    ({ identical, curves }) => !identical && curves.filter((one) => one !== null).length > 1,
  );
  const same = training.filter(({ identical }) => identical).map(({ stage }) => `\`${stage}\``);
  if (drawn.length === 0) return null;
  return markup`<section><h2>Training</h2><p class="lead">Pale: the loss of single batches. Lines: its moving average over about a twentieth of the training. Points: validation after each epoch.${
    same.length === 0 ? '' : ` Not shown is ${listText(same)}, which trained the same model in all runs.`
  }</p>
<div class="charts">${drawn.map((one) => lossChart(one, runs))}</div></section>`;
}

function lossChart({ stage, curves }: Training, runs: Comparison['runs']): Markup {
  const delays = curves.flatMap((curve) => curve?.delay ?? []);
  const latest = Math.max(0, ...delays);
  const series = curves.flatMap((curve, run): Series[] => {
    if (curve === null) return [];
    const shift = curve.delay === null ? 0 : latest - curve.delay;
    const name = runs[run]?.name ?? '';
    const moved = (points: readonly (readonly [number, number])[]) =>
      points.map(([step, y]) => ({ x: step + shift, y }));
    return [
      { name, color: run % 6, kind: 'noisy', points: moved(curve.loss) },
      { name: `${name}, validation`, color: run % 6, kind: 'points', points: moved(curve.validation) },
    ];
  });
  const shifts = curves.flatMap((curve, run) =>
    curve?.delay == null || curve.delay === latest
      ? []
      : [`${runs[run]?.name ?? ''} by ${integer(latest - curve.delay)}`],
  );
  return markup`<div>${curveChart({
    title: `Loss of ${stage}`,
    ...{ xName: 'step', yName: 'loss' },
    series,
    marks: latest > 0 ? [{ x: latest, label: 'quantization begins' }] : [],
    scale: 'logarithmic',
    floor: 0,
    tick: tickText,
  })}${shifts.length === 0 ? null : markup`<p class="muted">Moved to the right: ${listText(shifts)} steps.</p>`}</div>`;
}
