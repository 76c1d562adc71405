import { describe, expect, it } from 'vitest';
import type { ImageAugmentation } from '../../src/data/augment.ts';
import { augmentEpoch, augmentImages, cropAndFlip, epochVariations } from '../../src/data/augment.ts';
import { createRandom } from '../../src/core/random.ts';
import { inputsOf } from '../../src/data/inputs.ts';

/** From first principles: the padded image as a whole, its window, and the mirror of that. */
function varied(
  pixels: Uint8Array,
  [height, width, channels]: Shape,
  crop: number,
  [top, left]: Corner,
  flip: boolean,
) {
  const black = new Array<number>(channels).fill(0);
  const pixelAt = (y: number, x: number): number[] => {
    if (y < 0 || y >= height || x < 0 || x >= width) return black;
    return [...pixels.subarray((y * width + x) * channels, (y * width + x + 1) * channels)];
  };
  const range = (count: number): number[] => [...new Array(count).keys()];
  const padded = range(height + 2 * crop).map((y) => range(width + 2 * crop).map((x) => pixelAt(y - crop, x - crop)));
  const window = padded.slice(top, top + height).map((row) => row.slice(left, left + width));
  return (flip ? window.map((row) => row.toReversed()) : window).flat(2);
}

type Shape = readonly [height: number, width: number, channels: number];
type Corner = readonly [top: number, left: number];

const imageShape = ([height, width, channels]: Shape) => ({ height, width, channels });

/** Distinct from black and from each other, as far as 255 values go. */
const numbered = ([height, width, channels]: Shape): Uint8Array =>
  Uint8Array.from({ length: height * width * channels }, (_, index) => 1 + (index % 255));

describe('cropping and flipping', () => {
  it('moves a 3 x 3 image up and to the right, and mirrors it', () => {
    const image = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9);
    const shape = { height: 3, width: 3, channels: 1 };
    const out = new Uint8Array(9).fill(77);
    cropAndFlip(image, shape, 1, { top: 2, left: 0, mirrored: false }, out);
    expect([...out]).toEqual([0, 4, 5, 0, 7, 8, 0, 0, 0]);
    cropAndFlip(image, shape, 1, { top: 2, left: 0, mirrored: true }, out);
    expect([...out]).toEqual([5, 4, 0, 8, 7, 0, 0, 0, 0]);
  });

  it.each<Shape>([
    [4, 6, 3],
    [5, 4, 1],
    [32, 32, 3],
  ])('is the window of the padded image for every place and side (%i x %i x %i)', (...shape) => {
    const image = numbered(shape);
    const out = new Uint8Array(image.length);
    for (const crop of [0, 1, 3]) {
      for (let top = 0; top <= 2 * crop; top++) {
        for (let left = 0; left <= 2 * crop; left++) {
          for (const mirrored of [false, true]) {
            cropAndFlip(image, imageShape(shape), crop, { top, left, mirrored }, out);
            expect([...out]).toEqual(varied(image, shape, crop, [top, left], mirrored));
          }
        }
      }
    }
  });
});

describe('the variations of an epoch', () => {
  const count = 20_000;
  const augmentation: ImageAugmentation = { crop: 2, flip: true };
  const all = (seed: number, epoch: number, length = count) => {
    const at = epochVariations(length, seed, epoch, augmentation);
    return Array.from({ length }, (_, position) => at(position));
  };

  it('have every place and both sides equally often, independently of each other', () => {
    const seen = new Map<string, number>();
    for (const { top, left, mirrored } of all(1, 0)) {
      const name = `${top},${left},${String(mirrored)}`;
      seen.set(name, (seen.get(name) ?? 0) + 1);
    }
    expect(seen.size).toBe(5 * 5 * 2);
    // Each count is binomial(n, 1/50): by Hoeffding-Chernoff beyond 5 standard deviations less than once in a million.
    const [mean, deviation] = [count / 50, Math.sqrt((count * (1 / 50) * 49) / 50)];
    for (const times of seen.values()) expect(Math.abs(times - mean)).toBeLessThan(5 * deviation);
    const mirrored = all(1, 0).filter((variation) => variation.mirrored).length;
    expect(Math.abs(mirrored - count / 2)).toBeLessThan(5 * Math.sqrt(count / 4));
  });

  it('depend on seed, epoch and position alone', () => {
    expect(all(1, 3)).toEqual(all(1, 3));
    expect(all(1, 3, 100)).toEqual(all(1, 3).slice(0, 100));
    const at = epochVariations(count, 1, 3, augmentation);
    expect([at(70), at(7), at(70)]).toEqual([all(1, 3)[70], all(1, 3)[7], all(1, 3)[70]]);
  });

  it('differ between epochs and seeds', () => {
    const texts = [all(1, 0, 50), all(1, 1, 50), all(2, 0, 50)].map((variations) => JSON.stringify(variations));
    expect(new Set(texts).size).toBe(3);
  });

  it('neither move nor mirror what is not asked for', () => {
    const onlyFlip = epochVariations(100, 1, 0, { crop: 0, flip: true });
    const onlyCrop = epochVariations(100, 1, 0, { crop: 2, flip: false });
    for (let position = 0; position < 100; position++) {
      expect(onlyFlip(position)).toMatchObject({ top: 0, left: 0 });
      expect(onlyCrop(position).mirrored).toBe(false);
    }
    expect(augmentImages(100, 1, 0, { crop: 0, flip: false }, imageShape([4, 4, 1]))).toBeNull();
  });

  it('are what is done to the images of the epoch', () => {
    const shape: Shape = [6, 5, 3];
    const image = numbered(shape);
    const vary = augmentImages(50, 9, 4, augmentation, imageShape(shape));
    const at = epochVariations(50, 9, 4, augmentation);
    const random = createRandom(1, 'test positions');
    for (let repeat = 0; repeat < 30; repeat++) {
      const position = random.below(50);
      const { top, left, mirrored } = at(position);
      expect([...(vary?.(image, position) ?? [])]).toEqual(varied(image, shape, 2, [top, left], mirrored));
    }
  });
});

describe('the mask of an image', () => {
  const shape = { height: 12, width: 16, channels: 1 };
  const random = createRandom(7, 'mask');
  const mask = Uint8Array.from({ length: shape.height * shape.width }, () => random.below(2));
  /** Three channels, of which each shows the mask in black and a grey of 100. */
  const image = Uint8Array.from({ length: 3 * mask.length }, (_, at) => 100 * mask[Math.floor(at / 3)]!);
  const examples = { count: 20, inputs: inputsOf(image, image.length), masks: inputsOf(mask, mask.length) };
  const positions = Array.from({ length: 20 }, (_, position) => position);
  const augmented = (augmentation: ImageAugmentation) => {
    const { image: varyImage, mask: varyMask } = augmentEpoch(examples, 3, 1, augmentation, { ...shape, channels: 3 });
    return positions.map((position) => ({
      image: Uint8Array.from(varyImage!(image, position)),
      mask: Uint8Array.from(varyMask!(mask, position)),
    }));
  };

  it('is cut out and mirrored as the image', () => {
    const found = augmented({ crop: 3, flip: true });
    for (const { image: pixels, mask: classes } of found) {
      expect(Array.from(classes, (label) => 100 * label)).toEqual(Array.from(classes, (_, at) => pixels[3 * at]));
    }
    expect(new Set(found.map(({ mask: classes }) => classes.join())).size).toBeGreaterThan(15);
  });

  it.each(['reflect', 'nearest', 'constant'] as const)('turns, moves and zooms as the image, fill %s', (fill) => {
    const found = augmented({ crop: 0, flip: true, rotation: 0.2, translation: 0.3, zoom: 0.2, fill });
    for (const { image: pixels, mask: classes } of found) {
      // The nearest of four pixels has a quarter of the weight or more.
      for (const [at, label] of classes.entries()) {
        if (label === 1) expect(pixels[3 * at]!).toBeGreaterThanOrEqual(25);
        else expect(pixels[3 * at]!).toBeLessThanOrEqual(75);
      }
    }
    expect(new Set(found.map(({ mask: classes }) => classes.join())).size).toBe(20);
  });

  it('keeps its classes when only colours change', () => {
    const { mask: varyMask } = augmentEpoch(
      examples,
      3,
      1,
      { crop: 0, flip: false, contrast: 0.4, cutout: 0.2 },
      shape,
    );
    expect(varyMask).toBeNull();
  });
});
