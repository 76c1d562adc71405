// Goldens: quantization.md section 9, G4 and G5, whose script was checked against LiteRT's quantization_util_test.cc.
import { describe, expect, it } from 'vitest';
import {
  inverseSquareRoot,
  multiplyByQuantizedMultiplier,
  quantizeMultiplier,
  roundingDivideByPowerOfTwo,
  saturatingRoundingDoublingHighMul,
} from '../../src/core/fixedpoint.ts';

const MIN = -2147483648;

describe('quantizeMultiplier', () => {
  it.each([
    [0.5, 1073741824, 0],
    [0.25, 1073741824, -1],
    [1, 1073741824, 1],
    [0.75, 1610612736, 0],
    [1.5, 1610612736, 1],
    [3.75, 2013265920, 2],
    [0.0003, 1319413953, -11],
    [0.00390625, 1073741824, -7],
    [0.123456789, 2120971485, -3],
    [1e-9, 1152921505, -29],
    [2 ** -31, 1073741824, -30],
    [2 ** -33, 0, 0],
    [0.5 - 5e-9, 2147483627, -1],
    [0.5 - 1e-10, 1073741824, 0],
    [1 - 1e-9, 2147483646, 0],
    [2 - 1e-11, 1073741824, 2],
    [0, 0, 0],
  ])('splits %d', (real, multiplier, shift) => {
    expect(quantizeMultiplier(real)).toEqual({ multiplier, shift });
  });
});

describe('saturatingRoundingDoublingHighMul', () => {
  it.each([
    [2 ** 30, 2 ** 30, 536870912],
    [MIN, MIN, 2147483647],
    [3, 2 ** 29, 1],
    [1, 2 ** 30, 1],
    [-1, 2 ** 30, 0],
    [3, 2 ** 30, 2],
    [-3, 2 ** 30, -1],
  ])('of %d and %d', (a, b, expected) => {
    expect(saturatingRoundingDoublingHighMul(a, b)).toBe(expected);
  });

  it('equals the 64-bit definition on random pairs', () => {
    let state = 12345;
    const next = () => (state = (Math.imul(state, 1664525) + 1013904223) | 0);
    for (let count = 0; count < 20000; count++) {
      const a = next() >> (count % 20);
      const b = next() >> ((count * 7) % 20);
      const product = BigInt(a) * BigInt(b);
      const nudge = product >= 0n ? 1n << 30n : 1n - (1n << 30n);
      // BigInt division truncates, as the C expression does.
      expect(saturatingRoundingDoublingHighMul(a, b)).toBe(Number((product + nudge) / (1n << 31n)));
    }
  });
});

describe('roundingDivideByPowerOfTwo', () => {
  it.each([
    [5, 1, 3],
    [-5, 1, -3],
    [3, 1, 2],
    [-3, 1, -2],
    [6, 2, 2],
    [-6, 2, -2],
    [7, 2, 2],
    [-1, 31, 0],
  ])('%d by 2^%d', (x, exponent, expected) => {
    expect(roundingDivideByPowerOfTwo(x, exponent)).toBe(expected);
  });
});

describe('multiplyByQuantizedMultiplier', () => {
  it.each([
    [12345, 0.0123, 152],
    [-1, 0.5, 0],
    [-3, 0.5, -1],
    [10, 0.25, 3],
    [-10, 0.25, -3],
    [-6, 0.25, -2],
    [-2, 0.25, -1],
    [100, 1.5, 150],
    [-101, 1.5, -151],
    [-196, 0.4, -79],
    [-1983, 0.15, -298],
    [2 ** 20, 0.001, 1049],
    [10000, 0.00097656, 10],
    [MIN, 0.00001, -21475],
  ])('%d times %d', (x, real, expected) => {
    const { multiplier, shift } = quantizeMultiplier(real);
    expect(multiplyByQuantizedMultiplier(x, multiplier, shift)).toBe(expected);
  });
});

describe('inverseSquareRoot', () => {
  it.each([
    [2, 1518498372, 0],
    [100, 214748363, 0],
    [10000, 343597361, 4],
    [2 ** 30, 268435457, 12],
  ])('of %d', (input, multiplier, shift) => {
    expect(inverseSquareRoot(input, 1)).toEqual({ multiplier, shift });
  });
});
