import { integer, significant } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { linearTicks, maximum, minimum, place, textWidth, tickText } from './axes.ts';

export interface RangeTrack {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly updates: number;
  readonly history: readonly { readonly step: number; readonly min: number; readonly max: number }[];
}

const SIZE = { width: 340, height: 140, right: 8, top: 20, bottom: 20 } as const;

/** The band between the minimum and the maximum of a range over steps. */
export function rangeChart({ name, min, max, updates, history }: RangeTrack, delay: number): Markup {
  const low = minimum([0, ...history.map((point) => point.min)]);
  const high = maximum([0, ...history.map((point) => point.max)]);
  const labels = linearTicks(low, high, 5).filter((tick) => tick >= low && tick <= high);
  const left = 8 + Math.max(...labels.map((tick) => textWidth(tickText(tick))));
  const [first, last] = [history[0]?.step ?? 0, history.at(-1)?.step ?? 1];
  const base = SIZE.height - SIZE.bottom;
  const atX = (step: number): number =>
    left + ((step - first) / (last - first || 1)) * (SIZE.width - left - SIZE.right);
  const atY = (value: number): number => SIZE.top + ((high - value) / (high - low || 1)) * (base - SIZE.top);
  const upper = history.map((point) => `${place(atX(point.step))} ${place(atY(point.max))}`);
  const lower = history.map((point) => `${place(atX(point.step))} ${place(atY(point.min))}`);
  const delayed = delay > first && delay < last;
  const label = 'delay ends';
  const fitsRight = atX(delay) + textWidth(label) < SIZE.width;
  return markup`<figure class="chart small"><figcaption>${name}<span class="muted">kept: ${significant(min)} to ${significant(max)}, ${integer(updates)} updates</span></figcaption>
<svg viewBox="0 0 ${SIZE.width} ${SIZE.height}" role="img" aria-label="range of ${name} over steps; kept: ${significant(min)} to ${significant(max)}">
${labels.map(
  (
    tick,
  ) => markup`<line class="grid" x1="${place(left)}" x2="${SIZE.width - SIZE.right}" y1="${place(atY(tick))}" y2="${place(atY(tick))}"/>
<text class="tick" x="${place(left - 5)}" y="${place(atY(tick) + 4)}" text-anchor="end">${tickText(tick)}</text>`,
)}
<path class="band" d="M${[...upper, ...lower.toReversed()].join('L')}Z"/><path class="curve c1" d="M${upper.join('L')}"/><path class="curve c1" d="M${lower.join('L')}"/>
${
  delayed
    ? markup`<line class="mark" x1="${place(atX(delay))}" x2="${place(atX(delay))}" y1="${SIZE.top - 4}" y2="${base}"/>
<text class="mark" x="${place(atX(delay))}" y="${SIZE.top - 8}" text-anchor="${fitsRight ? 'start' : 'end'}">${label}</text>`
    : null
}
<text class="tick" x="${place(left)}" y="${SIZE.height - 5}">step ${tickText(first)}</text>
<text class="tick" x="${SIZE.width - SIZE.right}" y="${SIZE.height - 5}" text-anchor="end">${tickText(last)}</text>
</svg></figure>`;
}
