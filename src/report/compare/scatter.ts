/** Runs as points: what is reached against the size of the file. */
import { linearTicks } from '../charts/axes.ts';
import { bytes } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { measureText } from '../matrix.ts';
import type { Tradeoff } from './schema.ts';

const frame = { width: 640, height: 300, left: 74, right: 70, top: 16, bottom: 52 } as const;
const lineHeight = 14;

type Point = Tradeoff['points'][number];

interface PlacedPoint extends Point {
  readonly x: number;
  readonly y: number;
}

export function scatterChart({ measure, kind, points }: Tradeoff): Markup {
  const { width, height, left, right, top, bottom } = frame;
  const sizes = points.map((point) => point.bytes);
  const values = points.map(({ value }) => value);
  const xTicks = sizeTicks(Math.min(...sizes), Math.max(...sizes));
  const yTicks = linearTicks(Math.min(...values), Math.max(...values));
  const scale = (ticks: readonly number[], from: number, to: number) => {
    const [low = 0, high = 1] = [ticks[0], ticks.at(-1)];
    return (value: number): number => from + ((value - low) / (high - low || 1)) * (to - from);
  };
  const [atX, atY] = [scale(xTicks, left, width - right), scale(yTicks, height - bottom, top)];
  const placed = points.map((point) => ({ ...point, x: atX(point.bytes), y: atY(point.value) }));
  const best = placed.filter((point) => point.best).sort((a, b) => a.x - b.x);
  return markup`<figure class="chart"><figcaption>int8 ${measure} against the size of the file</figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="int8 ${measure} against the size of the file; the table below has the numbers">
${yTicks.map(
  (y) => markup`<line class="grid" x1="${left}" x2="${width - right}" y1="${place(atY(y))}" y2="${place(atY(y))}"/>
<text class="tick" x="${left - 8}" y="${place(atY(y) + 4)}" text-anchor="end">${measureText(kind, y)}</text>`,
)}
${xTicks.map((x) => markup`<text class="tick" x="${place(atX(x))}" y="${height - bottom + 18}" text-anchor="middle">${bytes(x)}</text>`)}
<text class="tick" x="${(left + width - right) / 2}" y="${height - 10}" text-anchor="middle">model file</text>
<line class="axis" x1="${left}" x2="${width - right}" y1="${height - bottom}" y2="${height - bottom}"/>
<path class="curve c2" d="${best.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${place(x)} ${place(y)}`).join('')}"/>
${placed.map(
  (point) =>
    markup`<circle class="dot ${point.best ? 'c2' : 'c0'}" cx="${place(point.x)}" cy="${place(point.y)}" r="4.5"><title>${titleOf(point, kind)}</title></circle>`,
)}
${labelsOf(placed).map(({ x, y, text }) => markup`<text class="mark" x="${place(x)}" y="${place(y)}">${text}</text>`)}
</svg></figure>`;
}

const titleOf = ({ run, test, value, bytes: size }: Point, kind: Tradeoff['kind']): string =>
  `${run}, ${test}: ${measureText(kind, value)}, ${bytes(size)}`;

/** Powers of two times 1, 2.5 or 5 read well as KiB. */
function sizeTicks(low: number, high: number): number[] {
  const unit = high >= 1024 * 1024 ? 1024 * 1024 : high >= 1024 ? 1024 : 1;
  const spread = Math.max(high - low, high / 20, 1);
  const ticks = linearTicks((low - spread / 10) / unit, (high + spread / 10) / unit).map((tick) => tick * unit);
  return ticks.filter((tick) => tick >= 0);
}

/** Points that lie together share a label, and labels move down until none covers another. */
function labelsOf(points: readonly PlacedPoint[]): { readonly x: number; readonly y: number; readonly text: string }[] {
  const groups: { x: number; y: number; names: string[] }[] = [];
  for (const { run, x, y } of points) {
    const group = groups.find((one) => Math.abs(one.x - x) < 14 && Math.abs(one.y - y) < lineHeight);
    if (group === undefined) groups.push({ x, y, names: [run] });
    else if (!group.names.includes(run)) group.names.push(run);
  }
  return groups.map(({ x, y, names }) => {
    const shown = names.length > 4 ? [...names.slice(0, 3), '\u2026'] : names;
    return { x: x + 8, y: Math.max(frame.top + 8, y - 5), text: shown.join(', ') };
  });
}

const place = (value: number): string => String(Number(value.toFixed(1)));
