// PNG files that are written, as a PNG decoder reads them.
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { writePng } from '../../src/formats/png-write.ts';
import { decodePng } from '../../src/formats/png.ts';

/** Of few different values, so that they repeat, or of all. */
function drawn(length: number, values: number, seed: number): Uint8Array {
  const random = createRandom(seed, 'png-write');
  return Uint8Array.from({ length }, () => random.below(values));
}

describe('a PNG file', () => {
  it.each([1, 3] as const)('of %i samples has its pixels', (samples) => {
    for (const [width, height] of [
      [1, 1],
      [5, 1],
      [1, 7],
      [28, 28],
      [13, 9],
      // Compressed, as smaller ones are not.
      [70, 61],
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

  it('has the same bytes everywhere', () => {
    const pixels = Uint8Array.from({ length: 6400 }, (_, at) => at % 7);
    const digest = createHash('sha256')
      .update(writePng({ width: 80, height: 80, pixels, samples: 1 }))
      .digest('hex');
    expect(digest).toBe('0665849c6bf863a1f2570ec5acdb957eb43d3b186b51536cd67b41fc82ad2912');
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
