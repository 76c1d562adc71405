import { describe, expect, it } from 'vitest';
import { completeNormalize, pixelMeaning } from '../../src/data/normalize.ts';
import { measurePixels } from '../../src/data/pixel-measure.ts';

const measured = [
  { mean: 33.3184, deviation: 78.5675 },
  { mean: 20, deviation: 10 },
  { mean: 130, deviation: 50 },
];

describe('what pixels mean', () => {
  it('is what was written, where the scale and zero point of the input say it', () => {
    expect(completeNormalize({}, undefined)).toEqual({ scale: 1 / 255, mean: 0 });
    expect(pixelMeaning(completeNormalize({ mean: 121 }, 1 / 64), 3, measured)).toEqual({
      normalize: { scale: 1 / 64, mean: 121 },
    });
    // One number for all channels is no more than a scale and a zero point.
    expect(pixelMeaning(completeNormalize({ mean: 121, std: 64 }, undefined), 3, undefined)).toEqual({
      normalize: { scale: 1 / 64, mean: 121 },
    });
    expect(pixelMeaning(completeNormalize({ mean: [50, 50], std: [5, 5] }, undefined), 2, undefined)).toEqual({
      normalize: { scale: 1 / 5, mean: 50 },
    });
  });

  it('is measured of one channel with a whole number as its zero point', () => {
    expect(pixelMeaning('auto', 1, measured.slice(0, 1))).toEqual({ normalize: { scale: 1 / 78.5675, mean: 33 } });
  });

  it('is the network\u2019s own where channels differ, with an input between them', () => {
    expect(pixelMeaning('auto', 2, measured.slice(1))).toEqual({
      normalize: { scale: 1 / 30, mean: 75 },
      pixels: [
        { name: '0', mean: 20, deviation: 10 },
        { name: '1', mean: 130, deviation: 50 },
      ],
    });
    // The published statistics, 0.485, 0.456, 0.406 and 0.229, 0.224, 0.225 of 1.
    const { normalize, pixels } = pixelMeaning('imagenet', 3, undefined);
    expect(pixels?.map(({ name }) => name)).toEqual(['red', 'green', 'blue']);
    const rounded = (value: number): number => Number((value / 255).toFixed(6));
    expect(pixels?.map(({ mean }) => rounded(mean))).toEqual([0.485, 0.456, 0.406]);
    expect(pixels?.map(({ deviation }) => rounded(deviation))).toEqual([0.229, 0.224, 0.225]);
    expect(normalize.mean).toBe(114);
  });

  it('of a written mean that is no whole number keeps it exactly', () => {
    const { normalize, pixels } = pixelMeaning(completeNormalize({ mean: 33.3, std: 78 }, undefined), 1, undefined);
    expect(normalize.mean).toBe(33);
    expect(pixels).toEqual([{ name: 'grey', mean: 33.3, deviation: 78 }]);
  });
});

describe('measured pixels', () => {
  it('have the mean and the deviation of their channel, in any order', () => {
    // Of 0, 10, 20, 30: mean 15, squares 225 + 25 + 25 + 225 = 500 over 4.
    const pixels = measurePixels(2);
    pixels.add(Uint8Array.of(0, 7, 10, 7));
    pixels.add(Uint8Array.of(20, 7, 30, 7));
    expect(pixels.moments()).toEqual([
      { mean: 15, deviation: Math.sqrt(125) },
      { mean: 7, deviation: 1 },
    ]);
  });
});
