// What is shown of inputs of every kind, with numbers worked out by hand.
import { describe, expect, it } from 'vitest';
import type { TestData } from '../../src/data/dataset.ts';
import { inputsOf } from '../../src/data/inputs.ts';
import type { View } from '../../src/measurements/examples.ts';
import { maskOf, viewerOf } from '../../src/tasks/views.ts';
import { splitOf } from './tested.ts';

type Shape = readonly [height: number, width: number, channels: number];

function viewOf(values: Uint8Array | Float32Array, [height, width, channels]: Shape, change: Partial<TestData> = {}) {
  const test = splitOf(1, { inputs: inputsOf(values, values.length) });
  return viewerOf({ name: 'd', classNames: [], image: { height, width, channels }, test, ...change }).input(0);
}

const named = (...channels: readonly { name: string; mean: number; deviation: number }[]) => ({
  reals: { range: { min: -1, max: 1 }, channels },
});
const bytes = (base64: string): number[] => [...Buffer.from(base64, 'base64')];

describe('what is shown of an input', () => {
  it('is the image itself where it is small, in grey or in colours', () => {
    for (const channels of [1, 3] as const) {
      const pixels = Uint8Array.from({ length: 6 * channels }, (_, at) => 10 * at);
      const view = viewOf(pixels, [2, 3, channels]);
      expect(view).toMatchObject({ kind: 'picture', width: 3, height: 2, channels });
      expect(view?.kind === 'picture' && bytes(view.pixels)).toEqual([...pixels]);
    }
    expect(viewOf(new Uint8Array(4), [1, 2, 2])).toBeNull();
  });

  it('is the means of squares of a large image', () => {
    // 100 x 200: squares of 3, the last ones of 1 row and 2 columns.
    const pixels = Uint8Array.from({ length: 20_000 }, (_, at) => (at % 200) + (at >= 99 * 200 ? 50 : 0));
    const view = viewOf(pixels, [100, 200, 1]);
    expect(view).toMatchObject({ width: 67, height: 34 });
    const shown = view?.kind === 'picture' ? bytes(view.pixels) : [];
    expect(shown.slice(0, 3)).toEqual([1, 4, 7]);
    // Columns 198 and 199 have a mean of 198.5, in the last row with 50 more.
    expect([shown[66], shown.at(-1), shown[33 * 67]]).toEqual([199, 249, 51]);
  });

  it('is a spectrogram of a sound: time to the right, low frequencies at the bottom', () => {
    // Two frames of three bins, measured = 10 + 2 * value.
    const view = viewOf(Float32Array.of(0, 1, 2, 3, 4, 5), [2, 3, 1], {
      ...named({ name: 'log_mel', mean: 10, deviation: 2 }),
      decoding: { audio: { rate: 8000, seconds: 1.5 }, features: { kind: 'log_mel' } },
    });
    expect(view).toMatchObject({ kind: 'heat', width: 2, height: 3, min: 10, max: 20, seconds: 1.5, up: 'frequency' });
    const share = (value: number): number => Math.round((255 * value) / 5);
    expect(view?.kind === 'heat' && bytes(view.values)).toEqual([2, 5, 1, 4, 0, 3].map(share));
  });

  it('has the wave of a recording above its spectrogram', () => {
    const inputs = inputsOf(Float32Array.of(0, 1, 2, 3), 4);
    const test = splitOf(1, { inputs, waves: ['gH8='] });
    const view = viewerOf({ name: 'd', classNames: [], image: { height: 2, width: 2, channels: 1 }, test }).input(0);
    expect(view).toMatchObject({ kind: 'heat', wave: 'gH8=' });
  });

  it('is a line a channel of a series, in measured units', () => {
    const view = viewOf(Float32Array.of(0, 1, 2, -1, 4, 0), [1, 3, 2], {
      ...named({ name: 'pressure [hPa]', mean: 1000, deviation: 10 }, { name: 'wind', mean: 0, deviation: 1 }),
    });
    expect(view).toEqual({
      kind: 'series',
      ...{ steps: 3, averaged: 1, hidden: 0 },
      channels: [
        { name: 'pressure [hPa]', values: [1000, 1020, 1040] },
        { name: 'wind', values: [1, -1, 0] },
      ],
    });
  });

  it('averages the steps of a long series, and leaves out channels beyond the ninth', () => {
    const steps = 401;
    const long = viewOf(
      Float32Array.from({ length: steps }, (_, at) => at),
      [1, steps, 1],
    );
    const values = long?.kind === 'series' ? (long.channels[0]?.values ?? []) : [];
    // 401 steps in threes: 133 means of three and one of the last two.
    expect([values.length, values[0], values[1], values.at(-1)]).toEqual([134, 1, 4, 399.5]);
    const wide = viewOf(new Float32Array(24), [1, 2, 12]);
    expect(wide?.kind === 'series' && [wide.channels.length, wide.hidden]).toEqual([9, 3]);
  });

  it('is features by name, as measured and in deviations', () => {
    const view = viewOf(Float32Array.of(-1.5, 2), [1, 1, 2], {
      ...named({ name: 'age', mean: 40, deviation: 10 }, { name: 'bmi', mean: 25, deviation: 4 }),
    });
    const features = [
      { name: 'age', value: 25, standard: -1.5 },
      { name: 'bmi', value: 33, standard: 2 },
    ];
    expect(view).toEqual({ kind: 'features', features, hidden: 0 });
    const many = viewOf(new Float32Array(20), [1, 1, 20]);
    expect(many?.kind === 'features' && [many.features.length, many.hidden]).toEqual([16, 4]);
  });

  it('is a drawing of two axes where real values have them and are no sound', () => {
    const view: View | null = viewOf(Float32Array.of(1, 1, 1, 1), [2, 2, 1]);
    expect(view).toMatchObject({ kind: 'heat', min: 1, max: 1, seconds: null, wave: null });
  });
});

it('every n-th pixel of a large mask is shown, since classes have no mean', () => {
  const labels = Uint8Array.from({ length: 100 * 200 }, (_, at) => (at % 200) % 3);
  const { width, height, labels: shown } = maskOf(labels, 200, 100);
  expect([width, height]).toEqual([67, 34]);
  // Every third column has class 0.
  expect(new Set(bytes(shown))).toEqual(new Set([0]));
});
