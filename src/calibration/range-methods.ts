/** How the range of an activation is chosen from the values that calibration examples give it. */
import { fakeQuantize, nudgeRange } from '../core/affine.ts';
import { log } from '../core/math.ts';
import type { Extent, Histogram } from './histogram.ts';
import { binCenter } from './histogram.ts';

export const rangeMethodNames = ['min_max', 'percentile', 'mse', 'entropy'] as const;
export type RangeMethodName = (typeof rangeMethodNames)[number];

/** A method with its parameters. */
export type RangeMethod =
  | { readonly kind: Exclude<RangeMethodName, 'percentile'> }
  /** @see percentileRange */
  | { readonly kind: 'percentile'; readonly percentile: number };

/** Codes of an activation are 0 .. 255. */
const BITS = 8;
const LEVELS = 2 ** BITS;

/**
 * The range that a method chooses, within the extent and with 0 in it.
 *
 * @param histogram asked for by methods that need more than the extent
 */
export function chooseRange(method: RangeMethod, extent: Extent, histogram: () => Histogram): Extent {
  // All values are zero.
  if (extent.max === extent.min) return extent;
  switch (method.kind) {
    case 'min_max':
      return extent;
    case 'percentile':
      return percentileRange(histogram(), method.percentile);
    case 'mse':
      return leastSquaresRange(histogram());
    case 'entropy':
      return entropyRange(histogram());
  }
}

export const needsHistogram = ({ kind }: RangeMethod): boolean => kind !== 'min_max';

/**
 * The middle `percentile` percent of the values: half of the rest lies beyond each end. Linear within a bin, so each end
 * is off by less than the width of one.
 *
 * @param percentile above 50, at most 100
 * @see Wu et al. 2020, "Integer quantization for deep learning inference", section 3 (for symmetric ranges)
 */
export function percentileRange(histogram: Histogram, percentile: number): Extent {
  const { min, max, counts, zeros } = histogram;
  const width = (max - min) / counts.length;
  const total = counts.reduce((sum, count) => sum + count, zeros);
  const beyond = (total * (1 - percentile / 100)) / 2;
  const zeroBin = Math.floor(-min / width);
  /** How far from one end `beyond` values reach. */
  const reach = (binAt: (step: number) => number): number => {
    let left = beyond;
    for (let step = 0; step < counts.length; step++) {
      const bin = binAt(step);
      const count = counts[bin]! + (bin === zeroBin ? zeros : 0);
      if (count > left) return (step + left / count) * width;
      left -= count;
    }
    return max - min;
  };
  const below = reach((step) => step);
  const above = reach((step) => counts.length - 1 - step);
  return { min: Math.min(0, min + below), max: Math.max(0, max - above) };
}

/** Parts of an end of the extent that are tried. */
const SEARCHED = 100;
/** The ends are searched in turns, and rarely move after the second. */
const MOST_TURNS = 8;

/**
 * The range with the smallest mean squared error after fake quantization, where each bin's values are its middle. Each
 * end in turn is searched over the hundredths of the extent, until neither moves.
 *
 * @see Nagel et al. 2021, "A white paper on neural network quantization", section 3.1, equation 21
 */
export function leastSquaresRange(histogram: Histogram): Extent {
  const full = { min: histogram.min, max: histogram.max };
  let best = full;
  let least = squaredError(histogram, best);
  const search = (candidate: (part: number) => Extent): boolean => {
    let moved = false;
    for (let step = SEARCHED; step > 0; step--) {
      const range = candidate(step / SEARCHED);
      const error = squaredError(histogram, range);
      if (error >= least) continue;
      [best, least, moved] = [range, error, true];
    }
    return moved;
  };
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    const { min } = best;
    const upper = full.max > 0 && search((part) => ({ min, max: full.max * part }));
    const { max } = best;
    const lower = full.min < 0 && search((part) => ({ min: full.min * part, max }));
    if (!upper && !lower) break;
  }
  return best;
}

function squaredError(histogram: Histogram, { min, max }: Extent): number {
  const range = nudgeRange(min, max, BITS, false);
  let sum = 0;
  for (const [bin, count] of histogram.counts.entries()) {
    if (count === 0) continue;
    const center = binCenter(histogram, bin);
    sum += count * (center - fakeQuantize(center, range, 'per_tensor')) ** 2;
  }
  return sum;
}

/**
 * The range whose 256 levels tell most of the distribution: the least Kullback-Leibler divergence between the
 * distribution, with what lies outside added to its ends, and the distribution within the range in 256 levels. Ranges
 * are those of the values up to a magnitude; a level's count is spread over its bins that are not empty, and a range is
 * out of question where that leaves nothing for a bin that has values.
 *
 * @see Migacz 2017, "8-bit inference with TensorRT", for 128 levels of the magnitudes
 */
export function entropyRange(histogram: Histogram): Extent {
  const { min, max, counts } = histogram;
  const bins = counts.length;
  const width = (max - min) / bins;
  const zeroBin = Math.max(0, Math.min(bins - 1, Math.floor(-min / width)));
  const farthest = Math.max(zeroBin, bins - 1 - zeroBin);
  let best: Extent = { min, max };
  let least = Infinity;
  for (let reach = 0; reach <= farthest; reach++) {
    const [first, last] = [Math.max(0, zeroBin - reach), Math.min(bins - 1, zeroBin + reach)];
    if (last - first + 1 < LEVELS) continue;
    const divergence = divergenceWithin(counts, first, last);
    if (divergence >= least) continue;
    least = divergence;
    best = { min: min + first * width, max: last === bins - 1 ? max : min + (last + 1) * width };
  }
  return { min: Math.min(0, best.min), max: Math.max(0, best.max) };
}

/** Of the bins `first` to `last`, what lies beyond them added to the two; infinite where nothing stands for a bin. */
function divergenceWithin(counts: Float64Array, first: number, last: number): number {
  const inside = counts.slice(first, last + 1);
  const wanted = inside.slice();
  for (let bin = 0; bin < first; bin++) wanted[0]! += counts[bin]!;
  for (let bin = last + 1; bin < counts.length; bin++) wanted[wanted.length - 1]! += counts[bin]!;
  const made = inLevels(inside);
  const [ofWanted, ofMade] = [sumOf(wanted), sumOf(made)];
  let divergence = 0;
  for (const [bin, count] of wanted.entries()) {
    if (count === 0) continue;
    if (made[bin] === 0) return Infinity;
    const share = count / ofWanted;
    divergence += share * log(share / (made[bin]! / ofMade));
  }
  return divergence;
}

/** Bins as 256 levels would leave them: each level's count in equal parts in those of its bins that are not empty. */
function inLevels(counts: Float64Array): Float64Array {
  const result = new Float64Array(counts.length);
  for (let level = 0; level < LEVELS; level++) {
    const start = Math.floor((level * counts.length) / LEVELS);
    const end = Math.floor(((level + 1) * counts.length) / LEVELS);
    let [sum, filled] = [0, 0];
    for (let bin = start; bin < end; bin++) {
      sum += counts[bin]!;
      if (counts[bin]! > 0) filled++;
    }
    for (let bin = start; bin < end; bin++) if (counts[bin]! > 0) result[bin] = sum / filled;
  }
  return result;
}

const sumOf = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);
