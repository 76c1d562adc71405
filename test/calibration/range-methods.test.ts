// Ranges of activations by each method: cases that can be derived by hand, and properties.
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { collectExtent, collectHistogram } from '../../src/calibration/histogram.ts';
import { chooseRange, entropyRange, leastSquaresRange, percentileRange } from '../../src/calibration/range-methods.ts';
import type { RangeMethod } from '../../src/calibration/range-methods.ts';

function histogramOf(values: Float32Array, bins?: number) {
  const extent = collectExtent();
  extent.add(values);
  const collector = collectHistogram(extent.extent(), bins);
  collector.add(values);
  return collector.histogram();
}

/** 0.001, 0.002 .. 1 */
const ramp = Float32Array.from({ length: 1000 }, (_, index) => (index + 1) / 1000);
/** Sums of uniform numbers: nearly normal, with deviation 1. */
function normal(count: number): Float32Array {
  const random = createRandom(1, 'normal');
  return Float32Array.from({ length: count }, () => {
    let sum = -6;
    for (let draw = 0; draw < 12; draw++) sum += random.float();
    return sum;
  });
}

describe('the extent', () => {
  it('holds 0 and all values, and says what is not finite', () => {
    const extent = collectExtent();
    expect(extent.add(Float32Array.of(2, 5))).toBe(true);
    expect(extent.extent()).toEqual({ min: 0, max: 5 });
    expect(extent.add(Float32Array.of(-3, NaN))).toBe(false);
    expect(collectExtent().add(Float32Array.of(1, -Infinity))).toBe(false);
    expect(collectExtent().add(Float32Array.of(0, -0))).toBe(true);
  });
});

describe('the histogram', () => {
  it('counts zeros apart, and the largest value in the last bin', () => {
    const { counts, zeros } = histogramOf(Float32Array.of(0, 0, 1, 2, 3, 4), 4);
    expect([...counts]).toEqual([0, 1, 1, 2]);
    expect(zeros).toBe(2);
  });
});

describe('percentile', () => {
  it('keeps the middle of the values: 1 % of the ramp lies beyond, half of it above', () => {
    const { min, max } = percentileRange(histogramOf(ramp), 99);
    expect(min).toBe(0);
    // 5 of the 1,000 values are above 0.995; bins are 1/2048 wide.
    expect(Math.abs(max - 0.995)).toBeLessThan(1.5 / 1000);
  });

  it('cuts both ends, and counts zeros as values', () => {
    const values = Float32Array.of(...ramp, ...ramp.map((x) => -2 * x), ...new Array<number>(2000).fill(0));
    const { min, max } = percentileRange(histogramOf(values), 99);
    // 0.5 % of 4,000 values are 20 at each end.
    expect(Math.abs(max - 0.98)).toBeLessThan(0.003);
    expect(Math.abs(min + 1.96)).toBeLessThan(0.005);
  });

  it('of 100 is all', () => {
    expect(percentileRange(histogramOf(ramp), 100)).toEqual({ min: 0, max: 1 });
  });
});

describe('mse', () => {
  it('keeps values that a full range holds exactly: 256 levels, each taken as often', () => {
    const levels = Float32Array.from({ length: 256 * 8 }, (_, index) => (index % 256) / 255);
    expect(leastSquaresRange(histogramOf(levels)).max).toBeGreaterThan(0.98);
  });

  it('cuts a single outlier off, as long as clipping it costs less than coarser steps', () => {
    // 100,000 values up to 1, one of 4. A range of r rounds with (r/255)^2 / 12 each, and clips (4 - r)^2 in all.
    // At r = 4 that is 2.05; at r = 1 it is 0.13 and 9; the sum is least where 2 r 1e5 / (12 * 255^2) = 2 (4 - r): 3.55.
    const values = Float32Array.of(...Array.from({ length: 100_000 }, (_, index) => (index + 1) / 100_000), 4);
    // Fine bins, since the sum takes values as evenly spread over each step; candidates are 0.04 apart.
    expect(Math.abs(leastSquaresRange(histogramOf(values, 2 ** 16)).max - 3.55)).toBeLessThan(0.05);
  });

  it('narrows both ends of a distribution with tails', () => {
    const values = normal(200_000);
    const histogram = histogramOf(values);
    const { min, max } = leastSquaresRange(histogram);
    expect(min).toBeGreaterThan(histogram.min);
    expect(max).toBeLessThan(histogram.max);
  });
});

describe('entropy', () => {
  it('keeps a range whose 256 levels hold all that is there', () => {
    // As many bins as levels: the full range loses nothing, and a narrower one cannot be told in 256 levels.
    expect(entropyRange(histogramOf(ramp, 256))).toEqual({ min: 0, max: 1 });
  });

  it('leaves out a far value that costs levels for all others', () => {
    const values = Float32Array.of(...normal(100_000).map(Math.abs), 10);
    const { max } = entropyRange(histogramOf(values));
    expect(max).toBeGreaterThan(3);
    expect(max).toBeLessThan(8);
  });
});

describe('every method', () => {
  const methods: readonly RangeMethod[] = [
    { kind: 'min_max' },
    { kind: 'percentile', percentile: 99.9 },
    { kind: 'mse' },
    { kind: 'entropy' },
  ];
  const choose = (method: RangeMethod, values: Float32Array) => {
    const extent = collectExtent();
    extent.add(values);
    return chooseRange(method, extent.extent(), () => histogramOf(values));
  };

  it.each(methods)('$kind takes values that are all alike, and values that are all 0', (method) => {
    expect(choose(method, new Float32Array(100))).toEqual({ min: 0, max: 0 });
    const { min, max } = choose(method, new Float32Array(1000).fill(3));
    expect([min, max > 2.9 && max <= 3]).toEqual([0, true]);
    const below = choose(method, new Float32Array(1000).fill(-3));
    expect([below.min < -2.9 && below.min >= -3, below.max]).toEqual([true, 0]);
    expect(choose(method, Float32Array.of(7)).max).toBeGreaterThan(6.9);
  });

  it.each(methods)('$kind stays within the extent and holds 0', (method) => {
    for (const values of [normal(5000), normal(5000).map((x) => x + 20), normal(5000).map((x) => -(x * x))]) {
      const { min, max } = choose(method, values);
      expect(min).toBeGreaterThanOrEqual(Math.min(0, ...values));
      expect(max).toBeLessThanOrEqual(Math.max(0, ...values));
      expect(min <= 0 && max >= 0).toBe(true);
    }
  });
});
