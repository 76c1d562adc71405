import { describe, expect, it } from 'vitest';
import { mcnemarExact, overlaps, wilsonInterval } from '../../src/report/statistics.ts';

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
