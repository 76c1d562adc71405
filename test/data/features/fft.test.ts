import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../src/core/random.ts';
import { createFft } from '../../../src/data/features/fft.ts';
import { createFixedFft } from '../../../src/data/features/fixed-fft.ts';

/** The definition. */
function slowly(re: Float64Array, im: Float64Array): { readonly re: number[]; readonly im: number[] } {
  const size = re.length;
  const sums = Array.from({ length: size }, (_, k) => {
    let [sumRe, sumIm] = [0, 0];
    for (let n = 0; n < size; n++) {
      const angle = (-2 * Math.PI * ((k * n) % size)) / size;
      sumRe += re[n]! * Math.cos(angle) - im[n]! * Math.sin(angle);
      sumIm += re[n]! * Math.sin(angle) + im[n]! * Math.cos(angle);
    }
    return [sumRe, sumIm] as const;
  });
  return { re: sums.map(([sum]) => sum), im: sums.map(([, sum]) => sum) };
}

const random = createRandom(1, 'fft');
const noise = (size: number): Float64Array => Float64Array.from({ length: size }, () => random.float() * 2 - 1);

describe('createFft', () => {
  it.each([1, 2, 3, 4, 5, 7, 8, 30, 64, 97, 240, 256, 400, 480, 512, 1000])(
    'is the sum by definition at %d',
    (size) => {
      const [re, im] = [noise(size), noise(size)];
      const expected = slowly(re, im);
      createFft(size)({ re, im });
      // The sums themselves err by some 1e-16 times the size.
      const worst = re.map((value, k) =>
        Math.max(Math.abs(value - expected.re[k]!), Math.abs(im[k]! - expected.im[k]!)),
      );
      expect(Math.max(...worst)).toBeLessThan(1e-11);
    },
  );

  it('refuses sizes that are no count', () => {
    expect(() => createFft(0)).toThrow('internal: a Fourier transform of size 0');
    expect(() => createFft(2.5)).toThrow('internal');
  });
});

describe('createFixedFft', () => {
  it.each([4, 8, 16, 64, 256, 512, 2048])('is the transform divided by its size, within rounding, at %d', (size) => {
    const samples = Int16Array.from(noise(size), (value) => value * 32767);
    const [re, im] = [Float64Array.from(samples), new Float64Array(size)];
    createFft(size)({ re, im });
    const found = createFixedFft(size)(samples);
    for (let k = 1; k < size / 2; k++) {
      // Each of up to ten butterflies rounds by up to 1.5 and loses 1 / 8192 of its inputs.
      expect(Math.abs(found.re[k]! - re[k]! / size), `bin ${k}`).toBeLessThan(16);
      expect(Math.abs(found.im[k]! - im[k]! / size), `bin ${k}`).toBeLessThan(16);
    }
  });

  it('refuses what is no power of two', () => {
    expect(() => createFixedFft(480)).toThrow('internal: a fixed-point Fourier transform of size 480');
    expect(() => createFixedFft(2)).toThrow('internal');
  });
});
