import { log } from '../../core/math.ts';
import type { Histogram } from '../../measurements/layers.ts';
import { integer, significant } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { linearTicks, maximum, minimum, place, textWidth, tickText } from './axes.ts';

export interface HistogramChart {
  readonly title: string;
  readonly note: string;
  readonly histogram: Histogram;
  /** What the codes can say; values outside are drawn as clipped. */
  readonly range: { readonly min: number; readonly max: number } | null;
}

const SIZE = { width: 340, height: 150, left: 8, right: 8, top: 10, bottom: 22 } as const;

/** Counts over values. Heights are logarithms of counts, since of a rectifier's values most are 0. */
export function histogramChart({ title, note, histogram, range }: HistogramChart): Markup {
  const { low, width, counts } = histogram;
  const { left, right, top, bottom } = SIZE;
  const high = low + width * counts.length;
  const ends = range === null ? [low, high, 0] : [low, high, 0, range.min, range.max];
  const [first, last] = [minimum(ends), maximum(ends)];
  const atX = (x: number): number => left + ((x - first) / (last - first || 1)) * (SIZE.width - left - right);
  const base = SIZE.height - bottom;
  const most = log(1 + maximum([1, ...counts]));
  const outline = (isShown: (x: number) => boolean): string => {
    const shown = counts.map((count, index) => (isShown(low + width * (index + 0.5)) ? count : 0));
    if (shown.every((count) => count === 0)) return '';
    const tops = shown.map((count, index) => {
      const y = base - (log(1 + count) / most) * (base - top);
      return `V${place(y)}H${place(atX(low + width * (index + 1)))}`;
    });
    return `M${place(atX(low))} ${base}${tops.join('')}V${base}Z`;
  };
  const isInside = (x: number): boolean => range === null || (x >= range.min - width && x <= range.max + width);
  return markup`<figure class="chart small"><figcaption>${title}<span class="muted">${note}</span></figcaption>
<svg viewBox="0 0 ${SIZE.width} ${SIZE.height}" role="img" aria-label="${title}: ${describe(histogram, range)}">
${range === null ? null : rangeBand(atX(range.min), atX(range.max), top, base)}
<path class="fill c0" d="${outline(isInside)}"/><path class="fill c1" d="${outline((x) => !isInside(x))}"/>
<line class="axis" x1="${left}" x2="${SIZE.width - right}" y1="${base}" y2="${base}"/>
${xTicks(first, last, atX).map(
  ({ x, text }) =>
    markup`<text class="tick" x="${place(x)}" y="${SIZE.height - 6}" text-anchor="middle">${text}</text>`,
)}
</svg></figure>`;
}

function rangeBand(from: number, to: number, top: number, base: number): Markup {
  return markup`<rect class="range" x="${place(from)}" y="${top}" width="${place(to - from)}" height="${base - top}"/>
<line class="clip" x1="${place(from)}" x2="${place(from)}" y1="${top - 6}" y2="${base}"/><line class="clip" x1="${place(to)}" x2="${place(to)}" y1="${top - 6}" y2="${base}"/>`;
}

/** Those whose text lies within the chart. */
function xTicks(first: number, last: number, atX: (x: number) => number): { x: number; text: string }[] {
  return linearTicks(first, last, 4).flatMap((value) => {
    const [x, text] = [atX(value), tickText(value)];
    const half = textWidth(text) / 2;
    return x - half < 0 || x + half > SIZE.width ? [] : [{ x, text }];
  });
}

function describe({ low, width, counts }: Histogram, range: HistogramChart['range']): string {
  const sum = counts.reduce((total, count) => total + count, 0);
  const extent = `${integer(sum)} values from ${significant(low)} to ${significant(low + width * counts.length)}`;
  return range === null ? extent : `${extent}, range ${significant(range.min)} to ${significant(range.max)}`;
}

/** The extremes of each channel, from the one that reaches least to the one that reaches furthest. */
export function channelChart(
  title: string,
  note: string,
  channels: readonly { readonly channel: number; readonly min: number; readonly max: number }[],
): Markup {
  const { left, right, top, bottom } = SIZE;
  const first = minimum([0, ...channels.map(({ min }) => min)]);
  const last = maximum([0, ...channels.map(({ max }) => max)]);
  const labels = linearTicks(first, last, 5).filter((tick) => tick >= first && tick <= last);
  const start = left + Math.max(...labels.map((tick) => textWidth(tickText(tick))));
  const step = (SIZE.width - start - right) / Math.max(1, channels.length);
  const base = SIZE.height - bottom;
  const atY = (y: number): number => top + ((last - y) / (last - first || 1)) * (base - top);
  const sticks = channels.map(({ min, max }, index) => {
    const x = start + step * (index + 0.5);
    return `M${place(x)} ${place(atY(max))}V${place(Math.max(atY(min), atY(max) + 1))}`;
  });
  return markup`<figure class="chart small"><figcaption>${title}<span class="muted">${note}</span></figcaption>
<svg viewBox="0 0 ${SIZE.width} ${SIZE.height}" role="img" aria-label="${title}, ${note}">
${labels.map(
  (
    tick,
  ) => markup`<line class="grid" x1="${place(start)}" x2="${SIZE.width - right}" y1="${place(atY(tick))}" y2="${place(atY(tick))}"/>
<text class="tick" x="${place(start - 5)}" y="${place(atY(tick) + 4)}" text-anchor="end">${tickText(tick)}</text>`,
)}
<path class="sticks c0" stroke-width="${place(Math.max(0.5, step * 0.76))}" d="${sticks.join('')}"/>
<text class="name" x="${place((start + SIZE.width - right) / 2)}" y="${SIZE.height - 6}" text-anchor="middle">output channels, by reach</text>
</svg></figure>`;
}
