// Goldens: quantization.md section 9, G1 and G1b.
import { describe, expect, it } from 'vitest';
import { fakeQuantize, nudgeRange, quantizeValue, roundHalfAway, roundHalfEven } from '../../src/core/affine.ts';

describe('nudgeRange', () => {
  it.each([
    [0, 6, 8, false, 0.0235294122248888, 0, 0, 6],
    [-1, 1, 8, false, 0.007843137718737125, 127, -0.9960784912109375, 1.003921627998352],
    [-1, 1, 8, true, 0.007874015718698502, 128, -1, 1],
    [-0.1, 6.2, 8, false, 0.024705881252884865, 4, -0.09882352501153946, 6.201176166534424],
    [-6, 6, 8, false, 0.0470588244497776, 128, -6.023529529571533, 5.976470470428467],
    [-0.7, 0.35, 8, true, 0.004133858252316713, 170, -0.6986220479011536, 0.3513779640197754],
    [-0.7, 0.35, 8, false, 0.004117646720260382, 170, -0.6999999284744263, 0.34999996423721313],
    [0.5, 4, 8, false, 0.013725490309298038, 0, 0, 3.5],
    [-3, -1, 8, false, 0.007843137718737125, 255, -2, 0],
    [-1, 1, 4, false, 0.13333334028720856, 7, -0.9333333969116211, 1.0666667222976685],
    [-1, 1, 4, true, 0.1428571492433548, 8, -1, 1],
    [-1, 1, 2, false, 0.6666666865348816, 2, -1.3333333730697632, 0.6666666865348816],
    [-1, 3, 16, false, 0.00006103608757257462, 16384, -1.0000152587890625, 2.9999847412109375],
  ])('[%d, %d] at %d bits, narrow %s', (min, max, bits, narrow, scale, zeroPoint, nudgedMin, nudgedMax) => {
    expect(nudgeRange(min, max, bits, narrow)).toMatchObject({ scale, zeroPoint, min: nudgedMin, max: nudgedMax });
  });
});

describe('fakeQuantize', () => {
  it.each([
    [0, 6, 8, false, -0.5, 0],
    [0, 6, 8, false, 0.012, 0.0235294122248888],
    [0, 6, 8, false, 3, 3.0117647647857666],
    [0, 6, 8, false, 5.99, 6],
    [0, 6, 8, false, 7, 6],
    [-0.1, 6.2, 8, false, -0.2, -0.09882352501153946],
    [-0.1, 6.2, 8, false, -0.05, -0.04941176250576973],
    [-0.1, 6.2, 8, false, 0.0123, 0],
    [-0.1, 6.2, 8, false, 1, 0.9882352352142334],
    [-0.7, 0.35, 8, true, -0.35, -0.3513779640197754],
    [-0.7, 0.35, 8, true, 0.1, 0.09921260178089142],
    [-0.7, 0.35, 8, true, 0.2, 0.19842520356178284],
    [-1, 1, 4, true, -0.9, -0.8571429252624512],
    [-1, 1, 4, true, 0.5, 0.5714285969734192],
  ])('in [%d, %d] at %d bits, narrow %s: %d', (min, max, bits, narrow, x, expected) => {
    expect(fakeQuantize(Math.fround(x), nudgeRange(min, max, bits, narrow), 'per_tensor')).toBe(expected);
  });

  it('maps everything to zero when the range is empty', () => {
    expect(fakeQuantize(3, nudgeRange(0, 0, 8, false), 'per_tensor')).toBe(0);
  });
});

describe('roundHalfEven', () => {
  // As C's rint has them, in the default rounding mode.
  it.each([
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [-0.5, 0],
    [-1.5, -2],
    [-2.5, -2],
    [0.49999999999999994, 0],
    [2.6, 3],
    [-2.4, -2],
    [254.5, 254],
  ])('makes %d to %d', (value, expected) => {
    // + 0 makes -0 a 0.
    expect(roundHalfEven(value) + 0).toBe(expected);
  });
});

describe('roundHalfAway', () => {
  it('rounds ties away from zero and is not fooled just below a half', () => {
    expect([2.5, -2.5, 0.5, -0.5, 0.49999999999999994, -0.49999999999999994].map(roundHalfAway)).toEqual([
      3, -3, 1, -1, 0, -0,
    ]);
  });
});

describe('quantizeValue', () => {
  it('rounds half away from zero, then clamps', () => {
    const int8 = { min: -128, max: 127 };
    expect([0.25, -0.25, 100, -100].map((x) => quantizeValue(x, 0.5, 3, int8))).toEqual([4, 2, 127, -128]);
  });
});
