import { fixed, significant } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';

export interface Histogram {
  /** The lower edge of the first bin and the upper edge of the last. */
  readonly low: number;
  readonly high: number;
  readonly counts: readonly number[];
  /** Of the finite values; null where there are none. */
  readonly min: number | null;
  readonly max: number | null;
  readonly zeros: number;
  readonly notFinite: number;
  readonly total: number;
}

export const numBins = 64;

/** Bins of four codes, so that none holds more codes than another. */
const codes: { readonly [type: string]: readonly [number, number] | undefined } = {
  int8: [-128, 128],
  uint8: [0, 256],
};

/** Of 64 bins of one width: of 8-bit codes over all of them, of other numbers from the least to the greatest. */
export function histogramOf(values: ArrayLike<number>, dtype: string): Histogram {
  let [min, max, zeros, finite] = [Infinity, -Infinity, 0, 0];
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? Number.NaN;
    if (!Number.isFinite(value)) continue;
    finite += 1;
    if (value === 0) zeros += 1;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const [low, high] = codes[dtype] ?? (finite === 0 ? [0, 1] : min === max ? [min - 0.5, max + 0.5] : [min, max]);
  const counts = Array.from({ length: numBins }, () => 0);
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? Number.NaN;
    if (!Number.isFinite(value)) continue;
    const bin = Math.min(numBins - 1, Math.floor(((value - low) / (high - low)) * numBins));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const [least, greatest] = finite === 0 ? [null, null] : [min, max];
  return {
    low,
    high,
    counts,
    min: least,
    max: greatest,
    zeros,
    notFinite: values.length - finite,
    total: values.length,
  };
}

const size = { width: 192, height: 36 } as const;

/** Bars as high as their share of the fullest bin; a bin with a single value is still seen. */
export function histogramDrawing({ low, high, counts, total }: Histogram): Markup {
  const most = Math.max(1, ...counts);
  const step = size.width / numBins;
  const bars = counts.map((count, bin) => {
    const height = count === 0 ? 0 : Math.max(1, Math.round((count / most) * size.height));
    return height === 0 ? '' : `M${bin * step} ${size.height}v${-height}h${step}v${height}z`;
  });
  const label = `${total} values from ${significant(low)} to ${significant(high)}, the fullest bin with ${fixed((100 * most) / Math.max(1, total), 1)} %`;
  return markup`<svg class="bins" viewBox="0 0 ${size.width} ${size.height}" width="${size.width}" height="${size.height}" role="img" aria-label="${label}"><path d="${bars.join('')}"/></svg>`;
}
