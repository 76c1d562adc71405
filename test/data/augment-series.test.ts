import { describe, expect, it } from 'vitest';
import { augmentSeriesEpoch } from '../../src/data/augment-series.ts';
import type { SeriesAugmentation } from '../../src/data/augment-series.ts';

const off: SeriesAugmentation = { shift: 0, scale: 0, jitter: 0 };
const window = { height: 1, width: 6, channels: 2 };
/** Six steps of two channels: 1 -1 2 -2 ... 6 -6. */
const values = Float32Array.from({ length: 12 }, (_, at) => (at % 2 === 0 ? 1 : -1) * (1 + Math.floor(at / 2)));
const varied = (augmentation: SeriesAugmentation, shape = window, seed = 1, epoch = 0) => {
  const vary = augmentSeriesEpoch(seed, epoch, augmentation, shape);
  return Array.from({ length: 400 }, (_, position) => [...(vary?.(values, position) ?? [])]);
};

describe('augmentation of series', () => {
  it('is nothing where nothing is asked for', () => {
    expect(augmentSeriesEpoch(1, 0, off, window)).toBeNull();
  });

  it('moves whole steps to either side, each way as often, and repeats the ends', () => {
    const found = varied({ ...off, shift: 2 }).map((example) => example.filter((_, at) => at % 2 === 0).join());
    const kinds = ['3,4,5,6,6,6', '2,3,4,5,6,6', '1,2,3,4,5,6', '1,1,2,3,4,5', '1,1,1,2,3,4'];
    for (const kind of kinds) {
      // 80 of 400 expected, standard deviation 8.
      expect(Math.abs(found.filter((one) => one === kind).length - 80)).toBeLessThan(40);
    }
    expect(found.filter((one) => kinds.includes(one))).toHaveLength(400);
  });

  it('moves along the frames of features, and not along their bins', () => {
    const [example = []] = varied({ ...off, shift: 2 }, { height: 3, width: 4, channels: 1 }).filter(
      ([first]) => first !== 1,
    );
    // The first frame is a later one.
    expect([values.slice(4, 8), values.slice(8, 12)].map((frame) => frame.join())).toContain(
      example.slice(0, 4).join(),
    );
  });

  it('scales all values of an example alike, within its limits', () => {
    const factors = varied({ ...off, scale: 0.2 }).map((example) => example.map((value, at) => value / values[at]!));
    for (const [first = 0, ...others] of factors) for (const other of others) expect(other).toBeCloseTo(first, 5);
    const all = factors.map(([first = 0]) => first);
    expect(Math.min(...all)).toBeGreaterThanOrEqual(0.8);
    expect(Math.max(...all)).toBeLessThanOrEqual(1.2);
    // Uniform: the standard deviation is 0.2 / sqrt(3).
    expect(Math.sqrt(all.reduce((sum, factor) => sum + (factor - 1) ** 2, 0) / 400)).toBeCloseTo(0.2 / Math.sqrt(3), 1);
  });

  it('adds normal noise to each value', () => {
    const noise = varied({ ...off, jitter: 0.5 }).flatMap((example) => example.map((value, at) => value - values[at]!));
    const moment = (power: number) => noise.reduce((sum, value) => sum + value ** power, 0) / noise.length;
    expect(moment(1)).toBeCloseTo(0, 1);
    expect(Math.sqrt(moment(2))).toBeCloseTo(0.5, 1);
    // The kurtosis of a normal distribution is 3, of a uniform one 1.8.
    expect(Math.abs(moment(4) / moment(2) ** 2 - 3)).toBeLessThan(0.4);
  });

  describe('masks as SpecAugment', () => {
    // 20 frames of 8 bands, none of which has the value of a mask.
    const features = { height: 20, width: 8, channels: 1 };
    const sound = Float32Array.from({ length: 160 }, (_, at) => 1 + at);
    const mean = 80.5;
    const masked = (augmentation: SeriesAugmentation, epoch = 0) => {
      const vary = augmentSeriesEpoch(1, epoch, augmentation, features)!;
      return Array.from({ length: 600 }, (_, position) => [...vary(sound, position)]);
    };
    const isMasked = (example: readonly number[]) => (at: number) => example[at] === mean;

    it('cover up to so many whole frames in a row, each number as often', () => {
      const widths = masked({ ...off, time_mask: 4 }).map((example) => {
        const frames = Array.from({ length: 20 }, (_, frame) => frame).filter((frame) => example[frame * 8] === mean);
        for (const [at, value] of example.entries()) {
          expect(value).toBe(frames.includes(Math.floor(at / 8)) ? mean : sound[at]);
        }
        if (frames.length > 0) expect(frames.at(-1)! - frames[0]!).toBe(frames.length - 1);
        return frames.length;
      });
      // 120 of 600 expected, standard deviation 10.
      for (const width of [0, 1, 2, 3, 4]) {
        expect(Math.abs(widths.filter((one) => one === width).length - 120)).toBeLessThan(50);
      }
    });

    it('cover up to so many bands of all frames', () => {
      for (const example of masked({ ...off, frequency_mask: 3 })) {
        const bands = Array.from({ length: 8 }, (_, band) => band).filter(isMasked(example));
        expect(bands.length).toBeLessThanOrEqual(3);
        for (const [at, value] of example.entries()) expect(value).toBe(bands.includes(at % 8) ? mean : sound[at]);
      }
    });

    it('are as many as asked for', () => {
      const covered = (masks: number) =>
        masked({ ...off, time_mask: 2, masks })
          .map((example) => example.filter((value) => value === mean).length / 8)
          .reduce((sum, frames) => sum + frames, 0) / 600;
      // One frame on average; of three masks three, less where they meet.
      expect(Math.abs(covered(1) - 1)).toBeLessThan(0.2);
      expect(covered(3)).toBeGreaterThan(2.4);
      expect(covered(3)).toBeLessThan(3);
    });

    it('reach no farther than the example', () => {
      const all = masked({ ...off, time_mask: 1000, frequency_mask: 1000 });
      expect(all.some((example) => example.every((value) => value === mean))).toBe(true);
    });
  });

  it('depends on seed, epoch and position alone', () => {
    const change = { shift: 1, scale: 0.1, jitter: 0.1 };
    expect(varied(change)).toEqual(varied(change));
    expect(varied(change, window, 1, 1)).not.toEqual(varied(change));
    expect(varied(change, window, 2)).not.toEqual(varied(change));
    const vary = augmentSeriesEpoch(1, 0, change, window);
    expect([...(vary?.(values, 7) ?? [])]).toEqual(varied(change)[7]);
  });
});
