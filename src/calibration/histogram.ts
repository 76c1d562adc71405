/** Of how many values a tensor has which size, over all calibration examples. */

/** Bins between the smallest and the largest value, as many as TensorRT's calibration has. */
export const BINS = 2048;

/** The range of all values, with 0 in it. */
export interface Extent {
  readonly min: number;
  readonly max: number;
}

/**
 * Counts of the values other than 0, in bins of one width. Zeros are counted apart: every range represents them
 * exactly, and after a ReLU they are about half of all values.
 */
export interface Histogram extends Extent {
  readonly counts: Float64Array;
  readonly zeros: number;
}

export interface ExtentCollector {
  /** @returns false where a value is not finite; the extent then means nothing */
  add(values: Float32Array): boolean;
  extent(): Extent;
}

export function collectExtent(): ExtentCollector {
  let [min, max] = [0, 0];
  return {
    add(values) {
      let finite = true;
      for (let at = 0; at < values.length; at++) {
        const x = values[at]!;
        if (x < min) min = x;
        if (x > max) max = x;
        // NaN for all that is not finite.
        if (x - x !== 0) finite = false;
      }
      return finite;
    },
    extent: () => ({ min, max }),
  };
}

export interface HistogramCollector {
  /** Values within the extent. */
  add(values: Float32Array): void;
  histogram(): Histogram;
}

export function collectHistogram({ min, max }: Extent, bins = BINS): HistogramCollector {
  const counts = new Float64Array(bins);
  const binsPerUnit = bins / (max - min);
  let zeros = 0;
  return {
    add(values) {
      for (let at = 0; at < values.length; at++) {
        const x = values[at]!;
        if (x === 0) zeros++;
        // The largest value belongs to the last bin.
        else counts[Math.min(bins - 1, Math.floor((x - min) * binsPerUnit))]!++;
      }
    },
    histogram: () => ({ min, max, counts, zeros }),
  };
}

/** The middle of a bin, for which all its values stand. */
export function binCenter({ min, max, counts }: Histogram, bin: number): number {
  return min + ((bin + 0.5) * (max - min)) / counts.length;
}
