import { describe, expect, it } from 'vitest';
import type { Sampled } from '../../src/training/sampler.ts';
import { sampler } from '../../src/training/sampler.ts';

interface Point {
  readonly step: number;
}

const offered = (count: number, most: number): Point[] => {
  const points = sampler<Point>(most);
  for (let step = 1; step <= count; step++) points.offer({ step });
  return points.points();
};
const stepsOf = (points: readonly Point[]): number[] => points.map(({ step }) => step);

describe('the points that are kept', () => {
  it('are all of them while there are few', () => {
    expect(stepsOf(offered(4, 4))).toEqual([1, 2, 3, 4]);
    expect(offered(0, 4)).toEqual([]);
  });

  it('are each second, fourth, eighth … of more, the first and the last always', () => {
    expect(stepsOf(offered(5, 4))).toEqual([1, 3, 5]);
    expect(stepsOf(offered(6, 4))).toEqual([1, 3, 5, 6]);
    expect(stepsOf(offered(8, 4))).toEqual([1, 3, 5, 7, 8]);
    expect(stepsOf(offered(9, 4))).toEqual([1, 5, 9]);
    expect(stepsOf(offered(1000, 4))).toEqual([1, 257, 513, 769, 1000]);
  });

  it('are at most one more than asked for and at least half, evenly', () => {
    for (let count = 100; count < 3000; count += 7) {
      const steps = stepsOf(offered(count, 80));
      expect(steps.length).toBeGreaterThan(40);
      expect(steps.length).toBeLessThanOrEqual(81);
      expect([steps[0], steps.at(-1)]).toEqual([1, count]);
      const gaps = new Set(steps.slice(1, -1).map((step, index) => step - steps[index]!));
      expect(gaps.size).toBe(1);
    }
  });

  it('are the same wherever it was interrupted, as JSON', () => {
    for (let at = 0; at <= 40; at++) {
      const before = sampler<Point>(6);
      for (let step = 1; step <= at; step++) before.offer({ step });
      const state = JSON.parse(JSON.stringify(before.state())) as Sampled<Point>;
      const after = sampler<Point>(6, state);
      for (let step = at + 1; step <= 40; step++) after.offer({ step });
      expect(after.points()).toEqual(offered(40, 6));
    }
  });
});
