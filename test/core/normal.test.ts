import { describe, expect, it } from 'vitest';
import { normal, normals } from '../../src/core/normal.ts';
import { createRandom } from '../../src/core/random.ts';

const count = 400_000;
const random = createRandom(1, 'normal');
const drawn = Float64Array.from({ length: count }, () => normal(random)).sort();

describe('normal numbers', () => {
  it('have the moments of the distribution', () => {
    const moment = (power: number): number => drawn.reduce((sum, x) => sum + x ** power, 0) / count;
    // Four standard errors: sqrt(1, 2, 15 and 96 / count).
    expect(Math.abs(moment(1))).toBeLessThan(4 * Math.sqrt(1 / count));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(4 * Math.sqrt(2 / count));
    expect(Math.abs(moment(3))).toBeLessThan(4 * Math.sqrt(15 / count));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(4 * Math.sqrt(96 / count));
  });

  it('have its shares, in the tails and between', () => {
    // By scipy.stats.norm.cdf.
    for (const [x, share] of [
      [-3.6, 0.00015910859],
      [-3, 0.001349898032],
      [-2, 0.022750131948],
      [-1, 0.158655253931],
      [-0.1, 0.460172162723],
      [0, 0.5],
      [0.5, 0.691462461274],
      [1.5, 0.933192798731],
      [2.5, 0.993790334674],
      [3.5, 0.999767370921],
    ] as const) {
      const found = drawn.findIndex((value) => value >= x) / count;
      expect(Math.abs(found - share)).toBeLessThan(4.5 * Math.sqrt((share * (1 - share)) / count));
    }
  });

  it('are the same many at once, and leave the stream where it would be', () => {
    const [one, many] = [createRandom(3, 'many'), createRandom(3, 'many')];
    // Enough for the tail, which has 1 of 1750.
    for (const length of [1, 2, 7, 5000, 20_000]) {
      const together = new Float64Array(length);
      normals(many, together);
      expect([...together]).toEqual(Array.from({ length }, () => normal(one)));
      expect(many.uint32()).toBe(one.uint32());
    }
  });
});
