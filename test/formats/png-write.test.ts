// PNG files that are written, as zlib and a PNG decoder read them.
import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { zlibStream } from '../../src/formats/deflate.ts';
import { writePng } from '../../src/formats/png-write.ts';
import { decodePng } from '../../src/formats/png.ts';

/** Of few different values, so that they repeat, or of all. */
function drawn(length: number, values: number, seed: number): Uint8Array {
  const random = createRandom(seed, 'png-write');
  return Uint8Array.from({ length }, () => random.below(values));
}

const isSame = (bytes: Uint8Array): boolean => inflateSync(zlibStream(bytes)).equals(bytes);

describe('a zlib stream', () => {
  it.each([1, 2, 3, 7, 256])('is what zlib unpacks to the same bytes, of %i values', (values) => {
    for (const length of [0, 1, 2, 3, 4, 5, 17, 100, 5000]) expect(isSame(drawn(length, values, length))).toBe(true);
  });

  it('has matches of every length', () => {
    for (let length = 1; length < 600; length++) expect(isSame(new Uint8Array(length).fill(7)), `${length}`).toBe(true);
  });

  it('has matches as far back as there may be', () => {
    // Twenty bytes that are nowhere else, then again so much later.
    for (let power = 5; power <= 15; power++) {
      for (const distance of [-1, 0, 1].map((more) => 2 ** power + more)) {
        const bytes = Uint8Array.from({ length: distance + 20 }, (_, at) =>
          at % distance < 20 ? 200 + (at % distance) : at % 89,
        );
        expect(isSame(bytes), `${distance}`).toBe(true);
      }
    }
  });

  it('is small where bytes repeat', () => {
    expect(zlibStream(new Uint8Array(10_000)).length).toBeLessThan(100);
  });
});

describe('a PNG file', () => {
  it.each([1, 3] as const)('of %i samples has its pixels', (samples) => {
    for (const [width, height] of [
      [1, 1],
      [5, 1],
      [1, 7],
      [28, 28],
      [13, 9],
    ] as const) {
      // Noise, and a slope, for which other filters are best.
      const slope = Uint8Array.from({ length: width * height * samples }, (_, at) => 3 * at);
      for (const pixels of [drawn(width * height * samples, 256, width), slope]) {
        const { channels, ...read } = decodePng(writePng({ width, height, pixels, samples }), 'image.png');
        expect(channels).toBe(samples);
        expect({ ...read, pixels: [...read.pixels] }).toEqual({ width, height, pixels: [...pixels] });
      }
    }
  });

  it('with a palette has its colours', () => {
    const palette = [
      [0, 0, 0],
      [230, 159, 0],
      [255, 255, 255],
    ] as const;
    const file = writePng({ width: 3, height: 1, pixels: Uint8Array.of(2, 0, 1), samples: 1, palette });
    expect([...decodePng(file, 'mask.png').pixels]).toEqual([255, 255, 255, 0, 0, 0, 230, 159, 0]);
  });
});
