import { log } from '../../core/math.ts';
import { markup, nothing } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { decadeTicks, linearTicks, maximum, minimum, place, shorten, textWidth, tickText } from './axes.ts';
import type { Point } from './axes.ts';
import { placeMarks } from './mark-lanes.ts';
import type { PlacedMark } from './mark-lanes.ts';
import { smoothed } from './smoothing.ts';

export interface Series {
  readonly name: string;
  /** Index into the palette. */
  readonly color: number;
  readonly points: readonly Point[];
  /** `noisy`: the values pale, and their moving average as a line. `exact`: a line. `points`: points, joined thinly. */
  readonly kind: 'noisy' | 'exact' | 'points';
}

export interface CurveChart {
  readonly title: string;
  readonly xName: string;
  readonly yName: string;
  readonly series: readonly Series[];
  /** Vertical lines, for example at the quantization delay. */
  readonly marks: readonly { readonly x: number; readonly label: string }[];
  readonly scale: 'linear' | 'logarithmic';
  /** Values below are not drawn: the way from chance level would take all the height. */
  readonly floor: number;
  readonly tick: (value: number) => string;
}

type StepMark = PlacedMark & { readonly step: number };

/** Where the plot lies in the view box, and where values go. */
interface Frame {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly xTicks: readonly number[];
  readonly yTicks: readonly number[];
  readonly marks: readonly StepMark[];
  readonly atX: (x: number) => number;
  readonly atY: (y: number) => number;
}

const SIZE = { width: 520, plotHeight: 190, right: 22, bottom: 40, axisName: 20, lane: 15 } as const;
const LONGEST_LABEL = 28;

/**
 * Curves over steps. Nothing where there is no point to draw. The drawing says all by itself; the data beside it is for
 * the script that adds zooming.
 */
export function curveChart(chart: CurveChart): Markup {
  const all = chart.series.flatMap((one) => {
    const isNumber = ({ y }: Point): boolean => Number.isFinite(y) && (chart.scale === 'linear' || y > 0);
    const points = one.points.filter(isNumber);
    return points.length === 0 ? [] : [{ ...one, points, line: one.kind === 'noisy' ? smoothed(points) : points }];
  });
  const drawn = within(all, floorOf(chart, all));
  if (drawn.length === 0) return nothing;
  const frame = frameOf(
    chart,
    drawn.flatMap(({ points }) => points),
  );
  const { width, height, left, right, bottom, atX, atY } = frame;
  const base = height - bottom;
  return markup`<figure class="chart curves" data-curves="${curveData(chart, drawn, frame)}"><figcaption>${chart.title}<span class="legend">${drawn.map(
    ({ name, color, kind }) => markup`<span class="key c${color} ${kind}">${name}</span>`,
  )}</span></figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${chart.title}: ${chart.yName} over ${chart.xName}">
${frame.yTicks.map(
  (y) => markup`<line class="grid" x1="${left}" x2="${width - right}" y1="${place(atY(y))}" y2="${place(atY(y))}"/>
<text class="tick" x="${left - 6}" y="${place(atY(y) + 4)}" text-anchor="end">${chart.tick(y)}</text>`,
)}
${frame.xTicks.map(
  (x) => markup`<text class="tick" x="${place(atX(x))}" y="${base + 16}" text-anchor="middle">${tickText(x)}</text>`,
)}
<text class="name" x="${place((left + width - right) / 2)}" y="${height - 6}" text-anchor="middle">${chart.xName}</text>
<text class="name" x="15" y="${place((frame.top + base) / 2)}" text-anchor="middle" transform="rotate(-90 15 ${place((frame.top + base) / 2)})">${chart.yName}</text>
${frame.marks.map((mark) => markLine(mark, frame))}
${drawn.map((one) => curve(one, frame, chart))}
<line class="axis" x1="${left}" x2="${width - right}" y1="${base}" y2="${base}"/>
</svg></figure>`;
}

type Drawn = Series & { readonly line: readonly Point[] };

/** On a logarithmic scale single batches may lie far below all that matters: a decade below the lines is enough. */
function floorOf({ scale, floor }: CurveChart, series: readonly Drawn[]): number {
  if (scale === 'linear') return floor;
  return Math.max(floor, minimum(series.flatMap(({ line }) => line.map(({ y }) => y))) / 10);
}

function within(series: readonly Drawn[], floor: number): Drawn[] {
  const above = (points: readonly Point[]): Point[] => points.filter(({ y }) => y >= floor);
  return series
    .map((one) => ({ ...one, points: above(one.points), line: above(one.line) }))
    .filter(({ points }) => points.length > 0);
}

function frameOf(chart: CurveChart, all: readonly Point[]): Frame {
  const ys = all.map(({ y }) => y);
  const ticksOf = chart.scale === 'linear' ? linearTicks : decadeTicks;
  const yTicks = ticksOf(minimum(ys), maximum(ys));
  const xHigh = Math.max(1, maximum([...all, ...chart.marks].map(({ x }) => x)));
  const { width, right, bottom } = SIZE;
  const left = SIZE.axisName + 8 + Math.max(24, ...yTicks.map((y) => textWidth(chart.tick(y))));
  const atX = (x: number): number => left + (x / xHigh) * (width - left - right);
  const steps = merged(chart.marks);
  const marks = placeMarks(
    steps.map(({ step, label }) => ({ x: atX(step), label })),
    left,
    width,
  ).map((mark, index) => ({ ...mark, step: steps[index]?.step ?? 0 }));
  const top = 8 + SIZE.lane * (1 + maximum([-1, ...marks.map(({ lane }) => lane)]));
  const height = top + SIZE.plotHeight + bottom;
  const measure = (value: number): number => (chart.scale === 'linear' ? value : log(value));
  const [low, high] = [measure(minimum([...ys, ...yTicks])), measure(maximum([...ys, ...yTicks]))];
  const atY = (y: number): number => height - bottom - ((measure(y) - low) / (high - low || 1)) * SIZE.plotHeight;
  const xTicks = linearTicks(0, xHigh).filter((x) => x <= xHigh);
  return { ...{ width, height, left, right, top, bottom }, ...{ xTicks, yTicks, marks, atX, atY } };
}

/** From left to right; those at the same step have a line together. */
function merged(marks: CurveChart['marks']): { step: number; label: string }[] {
  const labels = new Map<number, string[]>();
  for (const { x, label } of marks) labels.set(x, [...(labels.get(x) ?? []), label]);
  return [...labels]
    .sort(([a], [b]) => a - b)
    .map(([step, names]) => ({ step, label: shorten(names.join(', '), LONGEST_LABEL) }));
}

function markLine({ x, label, anchor, lane }: PlacedMark, { top, height, bottom }: Frame): Markup {
  const below = top - SIZE.lane * lane - 2;
  return markup`<line class="mark" x1="${place(x)}" x2="${place(x)}" y1="${place(below)}" y2="${height - bottom}"/>
<text class="mark" x="${place(x)}" y="${place(below - 3)}" text-anchor="${anchor}">${label}</text>`;
}

function curve({ kind, color, name, points, line }: Drawn, { atX, atY }: Frame, { tick, xName }: CurveChart): Markup {
  const path = (of: readonly Point[]): string =>
    of.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${place(atX(x))} ${place(atY(y))}`).join('');
  const raw = kind === 'noisy' ? markup`<path class="curve raw c${color}" d="${path(points)}"/>` : null;
  const dots = kind !== 'points' ? [] : points;
  return markup`${raw}<path class="curve c${color} ${kind}" d="${path(line)}"><title>${name}</title></path>${dots.map(
    ({ x, y }) =>
      markup`<circle class="dot c${color}" cx="${place(atX(x))}" cy="${place(atY(y))}" r="3"><title>${name}, ${xName} ${tickText(x)}: ${tick(y)}</title></circle>`,
  )}`;
}

/** What the script needs, as JSON: numbers with five digits are finer than a screen. */
function curveData(chart: CurveChart, drawn: readonly Drawn[], { marks }: Frame): string {
  const short = (value: number): number => Number(value.toPrecision(5));
  return JSON.stringify({
    ...{ x: chart.xName, y: chart.yName, log: chart.scale === 'logarithmic', percent: chart.tick(1).endsWith('%') },
    marks: marks.map(({ step, label, anchor, lane }) => ({ x: step, label, anchor, lane })),
    series: drawn.map(({ name, color, kind, points, line }) => ({
      ...{ name, color, kind },
      x: points.map(({ x }) => x),
      y: points.map(({ y }) => short(y)),
      line: kind === 'noisy' ? { x: line.map(({ x }) => x), y: line.map(({ y }) => short(y)) } : null,
    })),
  });
}
