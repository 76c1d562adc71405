import { describe, expect, it } from 'vitest';
import { cosinePi, exp, integerPower, log } from '../../src/core/math.ts';

/** Relative distance in units of 2^-52. */
const ulps = (value: number, reference: number): number =>
  Math.abs(value - reference) / (Math.abs(reference) * 2 ** -52);

describe('exp', () => {
  it('is within 3 units in the last place of the platform', () => {
    for (let x = -700; x <= 700; x += 0.37) expect(ulps(exp(x), Math.exp(x))).toBeLessThan(3);
  });
  it('underflows to zero and overflows to infinity', () => {
    expect([exp(-800), exp(-Infinity), exp(800), exp(NaN)]).toEqual([0, 0, Infinity, NaN]);
  });
});

describe('log', () => {
  it('is within 3 units in the last place of the platform', () => {
    for (let x = 1e-30; x < 1e30; x *= 1.7) expect(ulps(log(x), Math.log(x))).toBeLessThan(3);
  });
  it('has the limits of a logarithm', () => {
    expect([log(1), log(0), log(-1)]).toEqual([0, -Infinity, NaN]);
  });
});

describe('cosinePi', () => {
  it('is cos(pi x) on [0, 1]', () => {
    for (let x = 0; x <= 1; x += 1 / 512) expect(cosinePi(x)).toBeCloseTo(Math.cos(Math.PI * x), 14);
    expect([cosinePi(0), cosinePi(1)]).toEqual([1, -1]);
  });
});

describe('integerPower', () => {
  it('multiplies exactly where the result is exact', () => {
    expect([integerPower(2, 10), integerPower(3, 0), integerPower(0.5, 3)]).toEqual([1024, 1, 0.125]);
  });
});
