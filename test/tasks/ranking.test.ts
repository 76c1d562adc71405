import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { ThresholdAim } from '../../src/tasks/ranking.ts';
import { areaUnderCurve, bestThreshold, thresholdAims } from '../../src/tasks/ranking.ts';

const random = createRandom(3, 'ranking');

/** Few different values, so that many are equal. */
const drawn = (count: number, different: number) => ({
  values: Array.from({ length: count }, () => random.below(different) / 4),
  kinds: Array.from({ length: count }, () => random.below(2) === 1),
});

describe('the area under the ROC curve', () => {
  it('is the share of pairs in order, equal ones counted half', () => {
    // Positive: 3, 2. Negative: 2, 1, 0. Of 6 pairs 5 are in order, and one is equal.
    const kinds = [true, true, false, false, false];
    expect(areaUnderCurve([3, 2, 2, 1, 0], (index) => kinds[index]!)).toBe(5.5 / 6);
    expect(areaUnderCurve([1, 1, 1, 1, 1], (index) => kinds[index]!)).toBe(0.5);
    expect(areaUnderCurve([0, 1, 2, 3, 4], (index) => kinds[index]!)).toBe(0);
  });

  it('is what counting every pair gives, for random values with ties', () => {
    for (let trial = 0; trial < 50; trial++) {
      const { values, kinds } = drawn(2 + random.below(30), 1 + random.below(9));
      const of = (kind: boolean) => values.filter((_, index) => kinds[index] === kind);
      const pairs = of(true).flatMap((a) => of(false).map((b) => (a > b ? 1 : a === b ? 0.5 : 0)));
      const expected = pairs.length === 0 ? null : pairs.reduce<number>((sum, pair) => sum + pair, 0) / pairs.length;
      const area = areaUnderCurve(values, (index) => kinds[index]!);
      if (expected === null) expect(area).toBeNull();
      else expect(area).toBeCloseTo(expected, 12);
    }
  });

  it('is nothing where all examples are of one kind', () => {
    expect(areaUnderCurve([1, 2], () => true)).toBeNull();
    expect(areaUnderCurve([1, 2], () => false)).toBeNull();
    expect(areaUnderCurve([], () => true)).toBeNull();
  });
});

/** By the definitions of the measures, with all that is above the threshold taken for positive. */
function quality(aim: ThresholdAim, values: readonly number[], kinds: readonly boolean[], threshold: number): number {
  const count = (found: boolean, kind: boolean): number =>
    values.filter((value, index) => value >= threshold === found && kinds[index] === kind).length;
  const [tp, fp, fn, tn] = [count(true, true), count(true, false), count(false, true), count(false, false)];
  const [precision, recall] = [tp === 0 ? 0 : tp / (tp + fp), tp / (tp + fn)];
  return {
    balanced_accuracy: (recall + tn / (tn + fp)) / 2,
    accuracy: (tp + tn) / values.length,
    f1: precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall),
  }[aim];
}

describe('a threshold', () => {
  it.each(thresholdAims)('for %s is as good as any other that tells values apart', (aim) => {
    for (let trial = 0; trial < 60; trial++) {
      const { values, kinds } = drawn(2 + random.below(25), 2 + random.below(12));
      const sorted = [...new Set(values)].sort((a, b) => a - b);
      const found = bestThreshold(values, (index) => kinds[index]!, aim);
      if (new Set(kinds).size < 2 || sorted.length < 2) {
        expect(found).toBeNull();
        continue;
      }
      const best = Math.max(...sorted.slice(1).map((threshold) => quality(aim, values, kinds, threshold)));
      expect(quality(aim, values, kinds, found!)).toBeCloseTo(best, 12);
      // Half-way between two neighbours.
      const above = sorted.findIndex((value) => value > found!);
      expect(found).toBe((sorted[above - 1]! + sorted[above]!) / 2);
    }
  });

  it('serves its aim: one positive among many is found at the price of others, or not', () => {
    // By value: -, -, +, -, -, -, +.
    const kinds = [false, false, true, false, false, false, true];
    const chosen = thresholdAims.map((aim) => bestThreshold([0, 1, 2, 3, 4, 5, 6], (index) => kinds[index]!, aim));
    // Balanced: above 1.5 are both and 3 of 5 others, (1 + 2/5) / 2; above 5.5 (1/2 + 1) / 2.
    expect(chosen).toEqual([5.5, 5.5, 5.5]);
    // With the balance towards positives: -, +, -, +, +.
    const others = [false, true, false, true, true];
    const found = thresholdAims.map((aim) => bestThreshold([0, 1, 2, 3, 4], (index) => others[index]!, aim));
    // Balanced: 2.5 gives (2/3 + 1) / 2, 0.5 gives (1 + 1/2) / 2. Right: 4 of 5 at both. F1: 0.8 at 2.5, 6/7 at 0.5.
    expect(found).toEqual([2.5, 0.5, 0.5]);
  });

  it('of equally good ones is the one in the middle', () => {
    // 3 of 4 are right at 0.5 and at 2.5: of two the lower.
    const kinds = [false, true, false, true];
    expect(bestThreshold([0, 1, 2, 3], (index) => kinds[index]!, 'accuracy')).toBe(0.5);
    const six = [false, true, false, true, false, true];
    expect(bestThreshold([0, 1, 2, 3, 4, 5], (index) => six[index]!, 'accuracy')).toBe(2.5);
  });

  it('is not chosen where nothing tells examples apart', () => {
    expect(bestThreshold([1, 1], (index) => index === 0, 'f1')).toBeNull();
    expect(bestThreshold([1, 2], () => true, 'f1')).toBeNull();
  });
});
