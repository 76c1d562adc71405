import { log } from '../core/math.ts';
import { integer } from './format.ts';
import { markup, nothing } from './markup.ts';
import type { Markup } from './markup.ts';

/** Static SVG and image helpers. Colours are classes `c0`..`c5` of the style sheet, so that they follow the theme. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Series {
  readonly name: string;
  /** Index into the palette. */
  readonly color: number;
  readonly points: readonly Point[];
  readonly stroke: 'faint' | 'dotted';
}

export interface LineChart {
  readonly title: string;
  readonly series: readonly Series[];
  /** Vertical lines, for example at the quantization delay. */
  readonly marks: readonly { readonly x: number; readonly label: string }[];
  readonly scale: 'linear' | 'logarithmic';
  /** Points below are not drawn: the way from chance level would take all the height. */
  readonly floor: number;
  readonly tick: (value: number) => string;
}

const CHART = { width: 520, height: 250, left: 58, right: 12, top: 38, bottom: 34 } as const;

/** Curves over steps. Nothing where there is no point to draw. */
export function lineChart(chart: LineChart): Markup {
  const shown = (points: readonly Point[]) =>
    points.filter(({ y }) => y >= chart.floor && (chart.scale === 'linear' || y > 0));
  const all = chart.series.flatMap((series) => shown(series.points));
  if (all.length === 0) return nothing;
  const { width, height, left, right, top, bottom } = CHART;
  const ys = all.map((point) => point.y);
  const yTicks =
    chart.scale === 'linear' ? linearTicks(minimum(ys), maximum(ys)) : decadeTicks(minimum(ys), maximum(ys));
  const measure = (value: number): number => (chart.scale === 'linear' ? value : log(value));
  const yLow = measure(minimum([...ys, ...yTicks]));
  const yHigh = measure(maximum([...ys, ...yTicks]));
  const xHigh = Math.max(1, maximum([...all, ...chart.marks].map((point) => point.x)));
  const atX = (x: number): number => left + (x / xHigh) * (width - left - right);
  const atY = (y: number): number =>
    height - bottom - ((measure(y) - yLow) / (yHigh - yLow || 1)) * (height - top - bottom);
  const path = (points: readonly Point[]): string =>
    points.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${place(atX(x))} ${place(atY(y))}`).join('');

  return markup`<figure class="chart"><figcaption>${chart.title}<span class="legend">${chart.series.map(
    ({ name, color, stroke }) => markup`<span class="key c${color} ${stroke}">${name}</span>`,
  )}</span></figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${chart.title}">
${yTicks.map(
  (y) => markup`<line class="grid" x1="${left}" x2="${width - right}" y1="${place(atY(y))}" y2="${place(atY(y))}"/>
<text class="tick" x="${left - 8}" y="${place(atY(y) + 4)}" text-anchor="end">${chart.tick(y)}</text>`,
)}
${linearTicks(0, xHigh)
  .filter((x) => x <= xHigh)
  .map(
    (x) =>
      markup`<text class="tick" x="${place(atX(x))}" y="${height - bottom + 18}" text-anchor="middle">${integer(x)}</text>`,
  )}
${chart.marks.map(({ x, label }, index) => {
  const before = atX(x) > (width * 2) / 3;
  return markup`<line class="mark" x1="${place(atX(x))}" x2="${place(atX(x))}" y1="${top - 22}" y2="${height - bottom}"/>
<text class="mark" x="${place(atX(x) + (before ? -5 : 5))}" y="${top - 14 + 13 * (index % 2)}" text-anchor="${
    before ? 'end' : 'start'
  }">${label}</text>`;
})}
${chart.series.map(
  ({ color, stroke, points, name }) =>
    markup`<path class="curve c${color} ${stroke}" d="${path(shown(points))}"><title>${name}</title></path>${
      stroke === 'dotted'
        ? shown(points).map(
            ({ x, y }) =>
              markup`<circle class="dot c${color}" cx="${place(atX(x))}" cy="${place(atY(y))}" r="3"><title>${name}, step ${integer(x)}: ${chart.tick(y)}</title></circle>`,
          )
        : null
    }`,
)}
<line class="axis" x1="${left}" x2="${width - right}" y1="${height - bottom}" y2="${height - bottom}"/>
</svg></figure>`;
}

/** The band between a minimum and a maximum over steps, small enough for a table cell. */
export function bandSparkline(history: readonly { step: number; min: number; max: number }[], delay: number): Markup {
  const first = history[0];
  const last = history.at(-1);
  if (first === undefined || last === undefined || history.length < 2) return nothing;
  const width = 180;
  const height = 30;
  const low = minimum(history.map(({ min }) => min));
  const high = maximum(history.map(({ max }) => max));
  const atX = (step: number): number => ((step - first.step) / (last.step - first.step || 1)) * width;
  const atY = (value: number): number => 1 + ((high - value) / (high - low || 1)) * (height - 2);
  const upper = history.map(({ step, max }) => `${place(atX(step))} ${place(atY(max))}`);
  const lower = history.map(({ step, min }) => `${place(atX(step))} ${place(atY(min))}`);
  return markup`<svg class="spark" viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" role="img" aria-label="range over steps">
<path class="band" d="M${[...upper, ...lower.toReversed()].join('L')}Z"/><path class="curve c1" d="M${upper.join('L')}"/><path class="curve c1" d="M${lower.join('L')}"/>${
    delay > first.step && delay < last.step
      ? markup`<line class="mark" x1="${place(atX(delay))}" x2="${place(atX(delay))}" y1="0" y2="${height}"/>`
      : null
  }</svg>`;
}

export interface FlowNode {
  readonly name: string;
  readonly note: string;
  readonly state: 'hit' | 'run' | 'failed' | 'waiting';
  /** Indices of the nodes it reads from; all smaller than its own. */
  readonly parents: readonly number[];
}

/** The stages from left to right, a column per distance from the sources. */
export function flowChart(nodes: readonly FlowNode[]): Markup {
  const box = { width: 138, height: 50, gapX: 30, gapY: 18 } as const;
  const column: number[] = [];
  const row: number[] = [];
  const filled: number[] = [];
  for (const node of nodes) {
    const depth = maximum([-1, ...node.parents.map((parent) => column[parent] ?? 0)]) + 1;
    column.push(depth);
    row.push(filled[depth] ?? 0);
    filled[depth] = (filled[depth] ?? 0) + 1;
  }
  const atX = (index: number): number => 1 + (column[index] ?? 0) * (box.width + box.gapX);
  const atY = (index: number): number => 1 + (row[index] ?? 0) * (box.height + box.gapY);
  const span = (parent: number, child: number): number => (column[child] ?? 0) - (column[parent] ?? 0);
  const edge = (parent: number, child: number): string => {
    const x1 = atX(child);
    if (span(parent, child) === 1) {
      const y0 = atY(parent) + box.height / 2;
      const y1 = atY(child) + box.height / 2;
      const middle = x1 - box.gapX / 2;
      return `M${atX(parent) + box.width} ${y0}C${middle} ${y0} ${middle} ${y1} ${x1} ${y1}`;
    }
    // Below the boxes in between: a straight line would look as if it came from the last of them.
    const [from, to] = [atX(parent) + box.width - 24, x1 + 24];
    const [y0, y1] = [atY(parent) + box.height, atY(child) + box.height];
    const deep = Math.max(y0, y1) + 10 + 9 * span(parent, child);
    return `M${from} ${y0}C${from + 20} ${deep} ${to - 20} ${deep} ${to} ${y1}`;
  };
  const longest = maximum(nodes.flatMap((node, child) => node.parents.map((parent) => span(parent, child))));
  const width = maximum(nodes.map((_, index) => atX(index))) + box.width + 1;
  const height = maximum(nodes.map((_, index) => atY(index))) + box.height + 1 + (longest > 1 ? 10 + 7 * longest : 0);
  return markup`<div class="scroll"><svg class="flow" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="stages and their inputs">
${nodes.map((node, child) => node.parents.map((parent) => markup`<path class="edge" d="${edge(parent, child)}"/>`))}
${nodes.map(
  (node, index) => markup`<g class="node ${node.state}"><title>${node.name}: ${node.note}</title>
<rect x="${atX(index)}" y="${atY(index)}" width="${box.width}" height="${box.height}" rx="6"/>
<text class="name" x="${atX(index) + 12}" y="${atY(index) + 21}">${shorten(node.name, 17)}</text>
<text class="note" x="${atX(index) + 12}" y="${atY(index) + 38}">${shorten(node.note, 20)}</text></g>`,
)}
</svg></div>`;
}

/** A horizontal bar behind nothing: its length is `share` of the cell. */
export function bar(share: number, color: number): Markup {
  return markup`<span class="bar"><span class="fill c${color}" style="width:${place(100 * Math.min(1, Math.max(0, share)))}%"></span></span>`;
}

/** Round numbers (1, 2 or 5 times a power of ten) that cover the interval, about five of them. */
export function linearTicks(low: number, high: number): number[] {
  const rough = (high - low || Math.abs(high) || 1) / 5;
  const exponent = Number(rough.toExponential().split('e')[1]);
  const power = Number(`1e${exponent}`);
  const step = ([1, 2, 5].find((factor) => factor * power >= rough * 0.999) ?? 10) * power;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  const places = Math.max(0, -exponent);
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toFixed(places)));
}

/** 1, 2 and 5 in every decade that the interval touches, or the powers of ten alone where that is too many. */
function decadeTicks(low: number, high: number): number[] {
  const ticks: number[] = [];
  for (let exponent = -12; exponent <= 12; exponent++) {
    for (const factor of [1, 2, 5]) ticks.push(Number(`${factor}e${exponent}`));
  }
  const first = Math.max(
    0,
    ticks.findLastIndex((tick) => tick <= low),
  );
  const last = ticks.findIndex((tick) => tick >= high);
  const covering = ticks.slice(first, last === -1 ? ticks.length : Math.max(last, first + 1) + 1);
  return covering.length <= 9 ? covering : covering.filter((tick) => tick.toExponential().startsWith('1e'));
}

const place = (value: number): string => String(Number(value.toFixed(1)));
const shorten = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, length - 1)}\u2026`;
const minimum = (values: readonly number[]): number => values.reduce((a, b) => Math.min(a, b), Infinity);
const maximum = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), -Infinity);
