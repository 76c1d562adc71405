import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { createHistogram } from '../../src/evaluation/histogram.ts';

const histogram = (unit: number, ...parts: readonly (readonly number[])[]) => {
  const made = createHistogram(unit);
  for (const part of parts) made.add(part);
  return made.result();
};

describe('a histogram', () => {
  it('has bins of an eighth of the unit until they no longer fit', () => {
    expect(histogram(1, [0, 0.1, 0.125, 0.3])).toEqual({ low: 0, width: 0.125, counts: [2, 1, 1] });
    // 64 bins of an eighth reach from 0 to below 8.
    expect(histogram(1, [0, 7.99]).width).toBe(0.125);
    expect(histogram(1, [0, 8]).width).toBe(0.25);
    expect(histogram(0.5, [0, 8])).toMatchObject({ low: 0, width: 0.25 });
  });

  it('counts both sides of 0, and the edge of a bin in the upper one', () => {
    const { low, width, counts } = histogram(1, [-16, -0.01, 0, 15.99]);
    expect({ low, width }).toEqual({ low: -16, width: 0.5 });
    expect(counts).toHaveLength(64);
    expect([counts[0], counts[31], counts[32], counts[63]]).toEqual([1, 1, 1, 1]);
  });

  it('does not depend on the order of the values, nor on how they come', () => {
    const random = createRandom(3, 'histogram');
    const values = Array.from({ length: 5000 }, (_, index) => (random.float() - 0.3) * 2 ** (index % 12));
    const whole = histogram(0.0173, values);
    expect(histogram(0.0173, values.toReversed())).toEqual(whole);
    expect(histogram(0.0173, values.slice(0, 7), values.slice(7, 4000), values.slice(4000))).toEqual(whole);
    expect(whole.counts.reduce((sum, count) => sum + count)).toBe(5000);
    expect(whole.counts.length).toBeGreaterThan(31);
    expect(whole.counts.length).toBeLessThan(65);
  });

  it('is empty without values, and leaves out what is not finite', () => {
    expect(histogram(1)).toEqual({ low: 0, width: 0.125, counts: [] });
    expect(histogram(1, [Number.NaN, Infinity, -0])).toEqual({ low: 0, width: 0.125, counts: [1] });
  });
});
