import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { DrawnChanges, Fill, PixelChanges } from '../../src/data/augment-pixels.ts';
import { changeColors, cutOut, drawChanges, pixelChanger, warp } from '../../src/data/augment-pixels.ts';
import type { ImageShape } from '../../src/data/dataset.ts';

const none: PixelChanges = {
  ...{ rotation: 0, translation: 0, zoom: 0, fill: 'reflect' },
  ...{ brightness: 0, contrast: 0, cutout: 0 },
};
const still = { turn: 0, down: 0, right: 0, seen: 1 };

function imageOf({ height, width, channels }: ImageShape): Uint8Array {
  const random = createRandom(3, 'image');
  return Uint8Array.from({ length: height * width * channels }, () => random.below(256));
}

const warped = (image: Uint8Array, shape: ImageShape, drawn: Partial<DrawnChanges>, fill: Fill = 'reflect') => {
  const out = new Float32Array(image.length);
  warp(image, shape, { ...still, ...drawn }, fill, out);
  return [...out].map(Math.round);
};

describe('turning and moving an image', () => {
  const shape = { height: 5, width: 5, channels: 3 };
  const image = imageOf(shape);
  const at = (y: number, x: number): number[] => [...image.subarray((y * 5 + x) * 3, (y * 5 + x + 1) * 3)];
  const made = (from: (y: number, x: number) => number[]): number[] =>
    Array.from({ length: 25 }, (_, place) => from(Math.floor(place / 5), place % 5)).flat();

  it.each<Fill>(['reflect', 'nearest', 'constant'])('by quarters only exchanges pixels (%s)', (fill) => {
    // Against the clock, the last column becomes the first row.
    expect(warped(image, shape, { turn: 1 / 4 }, fill)).toEqual(made((y, x) => at(x, 4 - y)));
    expect(warped(image, shape, { turn: 1 / 2 }, fill)).toEqual(made((y, x) => at(4 - y, 4 - x)));
    expect(warped(image, shape, { turn: -1 / 4 }, fill)).toEqual(made((y, x) => at(4 - x, y)));
    expect(warped(image, shape, {}, fill)).toEqual([...image]);
  });

  it('by whole pixels shows the border as `fill` says', () => {
    const row = Uint8Array.of(10, 20, 30, 40);
    const line = { height: 1, width: 4, channels: 1 };
    expect(warped(row, line, { right: 2 }, 'reflect')).toEqual([20, 10, 10, 20]);
    expect(warped(row, line, { right: 2 }, 'nearest')).toEqual([10, 10, 10, 20]);
    expect(warped(row, line, { right: 2 }, 'constant')).toEqual([0, 0, 10, 20]);
    expect(warped(row, line, { right: -3 }, 'reflect')).toEqual([40, 40, 30, 20]);
    // Between pixels, and half beyond the border.
    expect(warped(row, line, { right: 0.5 }, 'constant')).toEqual([5, 15, 25, 35]);
  });

  it('by zooming out shows more of it, about the centre', () => {
    const row = Uint8Array.of(0, 100, 200, 100, 0);
    const line = { height: 1, width: 5, channels: 1 };
    expect(warped(row, line, { seen: 2 }, 'constant')).toEqual([0, 0, 200, 0, 0]);
    expect(warped(row, line, { seen: 0.5 }, 'constant')).toEqual([100, 150, 200, 150, 100]);
  });
});

describe('colours', () => {
  it('move away from the mean of their channel, then by one value, and end at black and white', () => {
    // Means 100 and 50.
    const values = Float32Array.of(90, 40, 110, 60);
    changeColors(values, 2, { contrast: 1.5, brightness: 20 });
    expect([...values]).toEqual([105, 55, 135, 85]);
    const extreme = Float32Array.of(0, 250);
    changeColors(extreme, 1, { contrast: 1, brightness: 30 });
    expect([...extreme]).toEqual([30, 255]);
  });
});

describe('cutting out', () => {
  it('gives a square the mean of each channel, as far as it lies on the image', () => {
    const shape = { height: 4, width: 6, channels: 2 };
    const values = Float32Array.from({ length: 48 }, (_, at) => (at % 2 === 0 ? at : 100));
    const before = values.slice();
    cutOut(values, shape, { y: 0, x: 5, side: 3 });
    const changed = [...values].flatMap((value, at) => (value === before[at] ? [] : [Math.floor(at / 2)]));
    // Rows -1 .. 1 and columns 4 .. 6 of which two each are there.
    expect(changed).toEqual([4, 5, 10, 11]);
    expect([...values.subarray(8, 12)]).toEqual([23, 100, 23, 100]);
  });
});

describe('what is drawn', () => {
  const shape = { height: 8, width: 10, channels: 1 };
  const changes: PixelChanges = {
    ...{ rotation: 0.1, translation: 0.2, zoom: 0.3, fill: 'reflect' },
    ...{ brightness: 0.4, contrast: 0.5, cutout: 0.25 },
  };
  const many = Array.from({ length: 4000 }, (_, position) => drawChanges(1, 2, position, changes, shape));

  it('is uniform within its limits', () => {
    const ranges: readonly (readonly [(drawn: DrawnChanges) => number, number, number])[] = [
      [({ turn }) => turn, -0.1, 0.1],
      [({ down }) => down, -1.6, 1.6],
      [({ right }) => right, -2, 2],
      [({ seen }) => seen, 0.7, 1.3],
      [({ contrast }) => contrast, 0.5, 1.5],
      [({ brightness }) => brightness, -102, 102],
    ];
    for (const [of, low, high] of ranges) {
      const values = many.map(of);
      expect(Math.min(...values)).toBeGreaterThanOrEqual(low);
      expect(Math.max(...values)).toBeLessThanOrEqual(high);
      const mean = values.reduce((sum, value) => sum + value, 0) / 4000;
      // The mean of 4,000 has a deviation of width / sqrt(12 * 4000): five of them.
      expect(Math.abs(mean - (low + high) / 2)).toBeLessThan((5 * (high - low)) / Math.sqrt(12 * 4000));
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 4000;
      expect(Math.sqrt(12 * variance) / (high - low)).toBeCloseTo(1, 1);
    }
    expect(new Set(many.map(({ cut }) => cut.y)).size).toBe(8);
    expect(new Set(many.map(({ cut }) => cut.x)).size).toBe(10);
    expect(new Set(many.map(({ cut }) => cut.side))).toEqual(new Set([2]));
  });

  it('depends on seed, epoch and position alone, and each on its own setting', () => {
    expect(drawChanges(1, 2, 70, changes, shape)).toEqual(many[70]);
    expect(drawChanges(1, 3, 70, changes, shape)).not.toEqual(many[70]);
    expect(drawChanges(2, 2, 70, changes, shape)).not.toEqual(many[70]);
    expect(drawChanges(1, 2, 70, { ...changes, zoom: 0 }, shape)).toEqual({ ...many[70], seen: 1 });
  });

  it('is what is done to the image at a position, in any order', () => {
    const image = imageOf(shape);
    expect(pixelChanger(1, 2, none, shape)).toBeNull();
    const change = pixelChanger(1, 2, changes, shape)!;
    const alone = Array.from({ length: 5 }, (_, position) => [...change(image, position)]);
    expect(alone.map((_, position) => [...change(image, 4 - position)]).reverse()).toEqual(alone);
    const values = new Float32Array(image.length);
    warp(image, shape, many[3]!, 'reflect', values);
    changeColors(values, 1, many[3]!);
    cutOut(values, shape, many[3]!.cut);
    for (const [at, value] of values.entries()) expect(Math.abs(alone[3]![at]! - value)).toBeLessThanOrEqual(0.5);
  });
});
