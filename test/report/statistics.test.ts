import { describe, expect, it } from 'vitest';
import {
  mcnemarExact,
  overlaps,
  pairedShareDifference,
  shareDifference,
  wilsonInterval,
} from '../../src/report/statistics.ts';

const tenths = ({ low, high }: { low: number; high: number }) => [low, high].map((x) => Math.round(x * 1000) / 10);

describe('wilsonInterval', () => {
  it('gives the published intervals of 85 % of 200, 85 % of 10,000 and 90 % of 4,890', () => {
    expect(tenths(wilsonInterval(170, 200))).toEqual([79.4, 89.3]);
    expect(tenths(wilsonInterval(8500, 10_000))).toEqual([84.3, 85.7]);
    expect(tenths(wilsonInterval(4401, 4890))).toEqual([89.1, 90.8]);
  });
  it('stays inside 0..1 and is not a point where everything is right', () => {
    // By hand, all of 10 right: low = n / (n + z^2) = 10 / 13.84146.
    expect(wilsonInterval(10, 10).low).toBeCloseTo(10 / 13.84146, 6);
    expect(wilsonInterval(10, 10).high).toBeLessThanOrEqual(1);
    expect(wilsonInterval(0, 10).low).toBe(0);
  });
  it('knows nothing without examples', () => {
    expect(wilsonInterval(0, 0)).toEqual({ low: 0, high: 1 });
  });
});

describe('overlaps', () => {
  it('counts touching intervals as overlapping', () => {
    expect(overlaps({ low: 0.1, high: 0.2 }, { low: 0.2, high: 0.3 })).toBe(true);
    expect(overlaps({ low: 0.21, high: 0.3 }, { low: 0.1, high: 0.2 })).toBe(false);
  });
});

describe('mcnemarExact', () => {
  it('is twice the binomial tail, by hand', () => {
    expect(mcnemarExact(5, 1)).toBeCloseTo((2 * (1 + 6)) / 64, 12);
    expect(mcnemarExact(2, 10)).toBeCloseTo((2 * (1 + 12 + 66)) / 4096, 12);
    expect(mcnemarExact(0, 5)).toBeCloseTo(2 / 32, 12);
  });
  it('is 1 for an even split and for no disagreement', () => {
    expect([mcnemarExact(4, 4), mcnemarExact(0, 0)]).toEqual([1, 1]);
  });
  it('does not underflow for thousands of disagreements', () => {
    // Normal approximation with continuity correction: z = (100 - 1) / sqrt(2000) = 2.2137, two-sided p = 0.02685.
    expect(mcnemarExact(1050, 950)).toBeCloseTo(0.02685, 3);
  });
});

describe('shareDifference', () => {
  it('gives the published intervals of Newcombe (1998), table II, method 10, with their signs turned', () => {
    const rounded = (a: [number, number], b: [number, number]) => {
      const { low, high } = shareDifference({ correct: a[0], n: a[1] }, { correct: b[0], n: b[1] });
      return [low, high].map((value) => Number(value.toFixed(4)));
    };
    expect(rounded([48, 80], [56, 70])).toEqual([0.0524, 0.3339]);
    expect(rounded([3, 10], [9, 10])).toEqual([0.1705, 0.809]);
    expect(rounded([0, 20], [10, 10])).toEqual([0.6791, 1]);
  });
});

describe('pairedShareDifference', () => {
  it('is the formula of Bonett and Price, by hand', () => {
    // (1 + 1) / 100 and (7 + 1) / 100: 0.06 +- 1.96 * sqrt((0.1 - 0.0036) / 100).
    const { low, high } = pairedShareDifference(1, 7, 98);
    expect([low, high]).toEqual([expect.closeTo(-0.0008533, 6), expect.closeTo(0.1208533, 6)]);
  });
});
