import type { ConvertMetrics } from '../../measurements/metrics.ts';
import { bytes, integer } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { linearTicks, maximum, place, shorten, textWidth, tickText } from './axes.ts';

type Memory = NonNullable<ConvertMetrics['memory']>;
export type Buffer = NonNullable<Memory['buffers']>[number];

const SIZE = { width: 720, height: 280, right: 10, top: 8, bottom: 36 } as const;
const lineHeight = 16;

/** Where in the arena each tensor lies, and from which op to which. The largest is drawn in another colour. */
export function arenaChart(buffers: readonly Buffer[], arena: number): Markup {
  const steps = 1 + maximum([0, ...buffers.map(({ last }) => last)]);
  const unit = arena < 4096 ? { bytes: 1, name: 'bytes' } : { bytes: 1024, name: 'KiB' };
  const ticks = linearTicks(0, arena / unit.bytes, 4)
    .map((value) => ({ value, at: value * unit.bytes }))
    .filter(({ at }) => at <= arena);
  const left = 30 + Math.max(...ticks.map(({ value }) => textWidth(tickText(value))));
  const base = SIZE.height - SIZE.bottom;
  const atX = (step: number): number => left + (step / steps) * (SIZE.width - left - SIZE.right);
  const atY = (offset: number): number => base - (offset / Math.max(1, arena)) * (base - SIZE.top);
  const largest = largestBuffer(buffers);
  const every = Math.ceil(steps / 20);
  return markup`<figure class="chart wide"><figcaption>Tensor arena by lifetime</figcaption>
<div class="scroll" tabindex="0" role="region" aria-label="tensor arena"><svg viewBox="0 0 ${SIZE.width} ${SIZE.height}" role="img" aria-label="tensors in the arena of ${bytes(arena)}, by op">
${ticks.map(
  ({
    value,
    at,
  }) => markup`<line class="grid" x1="${place(left)}" x2="${SIZE.width - SIZE.right}" y1="${place(atY(at))}" y2="${place(atY(at))}"/>
<text class="tick" x="${place(left - 6)}" y="${place(atY(at) + 4)}" text-anchor="end">${tickText(value)}</text>`,
)}
<text class="name" x="12" y="${place((SIZE.top + base) / 2)}" text-anchor="middle" transform="rotate(-90 12 ${place((SIZE.top + base) / 2)})">${unit.name}</text>
${buffers.map((buffer) => {
  const [x, y] = [atX(buffer.first), atY(buffer.offset + buffer.bytes)];
  const [width, height] = [atX(buffer.last + 1) - x, atY(buffer.offset) - y];
  return markup`<g class="buffer${buffer === largest ? ' largest' : ''}"><title>${describe(buffer)}</title>
<rect x="${place(x + 0.5)}" y="${place(y)}" width="${place(Math.max(1, width - 1))}" height="${place(Math.max(1, height - 1))}"/>${label(buffer.name, x, y, width, height)}</g>`;
})}
${Array.from({ length: steps }, (_, step) => step)
  .filter((step) => step % every === 0)
  .map(
    (step) =>
      markup`<text class="tick" x="${place((atX(step) + atX(step + 1)) / 2)}" y="${base + 15}" text-anchor="middle">${step}</text>`,
  )}
<text class="name" x="${place((left + SIZE.width - SIZE.right) / 2)}" y="${SIZE.height - 5}" text-anchor="middle">op that runs (0: the input is written)</text>
<line class="axis" x1="${place(left)}" x2="${SIZE.width - SIZE.right}" y1="${base}" y2="${base}"/>
</svg></div></figure>`;
}

/** The first of those with the most bytes. */
export function largestBuffer(buffers: readonly Buffer[]): Buffer | undefined {
  return buffers.reduce<Buffer | undefined>((a, b) => (a === undefined || b.bytes > a.bytes ? b : a), undefined);
}

/** The name of the layer, where at least some of it fits; of scratch memory that it is some. */
function label(name: string, x: number, y: number, width: number, height: number): Markup | null {
  const room = Math.floor((width - 8) / textWidth('m'));
  if (height < lineHeight || room < 4) return null;
  const short = name.endsWith('/scratch') ? 'scratch' : (name.split('/').at(0) ?? name);
  return markup`<text class="buffer" x="${place(x + width / 2)}" y="${place(y + height / 2 + 4)}" text-anchor="middle">${shorten(short, room)}</text>`;
}

function describe({ name, bytes: size, offset, first, last }: Buffer): string {
  return `${name}: ${integer(size)} bytes at ${integer(offset)}, ops ${first} to ${last}`;
}
