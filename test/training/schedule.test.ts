import { describe, expect, it } from 'vitest';
import { learningRateAt } from '../../src/training/schedule.ts';
import { stepsPerEpoch } from '../../src/training/steps.ts';

const rates = (schedule: 'constant' | 'cosine', warmup: number, steps: number): number[] =>
  Array.from({ length: steps }, (_, step) =>
    learningRateAt({ learningRate: 0.8, schedule, warmup, change: null }, step, steps),
  );

function expectRates(found: readonly number[], expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  for (const [index, rate] of expected.entries()) expect(found[index]).toBeCloseTo(rate, 14);
}

describe('the learning rate', () => {
  it('of a constant schedule stays', () => {
    expectRates(rates('constant', 0, 3), [0.8, 0.8, 0.8]);
  });

  it('of a cosine begins at its value, passes its half in the middle and ends above 0', () => {
    // (1 + cos(pi * step / 4)) / 2 of 0.8.
    expectRates(rates('cosine', 0, 4), [0.8, 0.4 * (1 + Math.SQRT1_2), 0.4, 0.4 * (1 - Math.SQRT1_2)]);
  });

  it('rises linearly in the warm-up, whose last step has all of it', () => {
    expectRates(rates('constant', 0.5, 8), [0.2, 0.4, 0.6, 0.8, 0.8, 0.8, 0.8, 0.8]);
  });

  it('falls along the cosine over the steps that the warm-up leaves', () => {
    expectRates(rates('cosine', 0.5, 8), [
      ...[0.2, 0.4, 0.6, 0.8],
      ...[0.8, 0.4 * (1 + Math.SQRT1_2), 0.4, 0.4 * (1 - Math.SQRT1_2)],
    ]);
  });

  it('rises to the end where the warm-up is everything', () => {
    expectRates(rates('cosine', 1, 4), [0.2, 0.4, 0.6, 0.8]);
  });

  it('changes from the step of the delay on, counted from 1, and follows the same curve', () => {
    const change = { step: 3, learningRate: 0.08 };
    const at = (schedule: 'constant' | 'cosine') =>
      [0, 1, 2, 3].map((step) => learningRateAt({ learningRate: 0.8, schedule, warmup: 0, change }, step, 4));
    expectRates(at('constant'), [0.8, 0.8, 0.08, 0.08]);
    expectRates(at('cosine'), [0.8, 0.4 * (1 + Math.SQRT1_2), 0.04, 0.04 * (1 - Math.SQRT1_2)]);
  });

  it('has a warm-up of whole steps, the nearest', () => {
    // 0.26 of 10 is 2.6: three steps.
    expectRates(rates('constant', 0.26, 10).slice(0, 4), [0.8 / 3, 1.6 / 3, 0.8, 0.8]);
  });
});

describe('an epoch', () => {
  it('leaves a last incomplete batch out', () => {
    expect(stepsPerEpoch(100, 32)).toBe(3);
    expect(stepsPerEpoch(96, 32)).toBe(3);
    expect(stepsPerEpoch(31, 32)).toBe(0);
  });
});
