import { histogramBins } from '../measurements/layers.ts';
import type { Histogram } from '../measurements/layers.ts';

/** Bins are no finer than this part of a unit. */
const finest = 1 / 8;

/**
 * Counts values whose extent is not known beforehand, in one pass and exactly: where they no longer fit into 64 bins,
 * two neighbours become one. A value x is in bin floor(x / width), and width is a power of two times the unit, so that
 * the counts do not depend on the order of the values. What is not finite is not counted.
 *
 * @param unit above 0, such as the scale of a quantized value
 */
export function createHistogram(unit: number) {
  let [factor, first] = [finest, 0];
  let counts: number[] = [];

  function widen(): void {
    const start = Math.floor(first / 2);
    const wider: number[] = [];
    for (const [index, occurrences] of counts.entries()) {
      const at = Math.floor((first + index) / 2) - start;
      wider[at] = (wider[at] ?? 0) + occurrences;
    }
    [factor, first, counts] = [2 * factor, start, wider];
  }

  function count(value: number): void {
    let bin = Math.floor(value / unit / factor);
    if (counts.length === 0) first = bin;
    while (Math.max(bin, first + counts.length - 1) - Math.min(bin, first) >= histogramBins) {
      widen();
      bin = Math.floor(value / unit / factor);
    }
    while (bin < first) {
      counts.unshift(0);
      first--;
    }
    while (bin >= first + counts.length) counts.push(0);
    counts[bin - first]!++;
  }

  return {
    add(values: ArrayLike<number>): void {
      for (let at = 0; at < values.length; at++) if (Number.isFinite(values[at]!)) count(values[at]!);
    },
    // Adding 0 makes 0 of -0.
    result: (): Histogram => ({ low: first * factor * unit + 0, width: factor * unit, counts: [...counts] }),
  };
}
