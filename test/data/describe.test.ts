import { describe, expect, it } from 'vitest';
import type { Dataset, Split } from '../../src/data/dataset.ts';
import { describeDataset } from '../../src/data/describe.ts';
import { inputsOf } from '../../src/data/inputs.ts';
import { standardize } from '../../src/data/reals.ts';
import { createTurn } from '../../src/data/turn.ts';

const image = { height: 2, width: 1, channels: 1 };

/** Six images of two pixels: three to train on, one of them twice with two classes; one is a test image too. */
const pixels: Dataset = {
  name: 'pixels',
  notes: ['a note'],
  classNames: ['cold', 'warm'],
  image,
  train: {
    count: 3,
    inputs: inputsOf(Uint8Array.of(0, 10, 20, 30, 0, 10), 2),
    labels: Uint8Array.of(0, 1, 1),
    targets: null,
  },
  validation: { count: 1, inputs: inputsOf(Uint8Array.of(90, 90), 2), labels: Uint8Array.of(0), targets: null },
  test: { count: 2, inputs: inputsOf(Uint8Array.of(20, 30, 7, 7), 2), labels: Uint8Array.of(1, 1), targets: null },
};

/** Three training examples of two channels, as a source with targets would standardize them. */
const reals: Dataset = {
  name: 'reals',
  classNames: [],
  targets: [{ name: 'age', mean: 10, deviation: 2 }],
  image: { height: 1, width: 1, channels: 2 },
  reals: {
    range: { min: -1, max: 1.55 },
    channels: [
      { name: 'x', mean: 100, deviation: 10 },
      { name: 'y', mean: 0, deviation: 0.5 },
    ],
  },
  train: {
    count: 3,
    inputs: inputsOf(Float32Array.of(-1, 0, 0, 4, 1, -4), 2),
    labels: null,
    targets: Float32Array.of(1, 2, 6),
  },
  validation: { count: 0, inputs: inputsOf(new Float32Array(), 2), labels: null, targets: new Float32Array() },
  test: { count: 1, inputs: inputsOf(Float32Array.of(0.5, 0.5), 2), labels: null, targets: Float32Array.of(3) },
};

describe('what a data set is', () => {
  it('counts the examples of each class in each part', async () => {
    const { counts, classes, shape, notes } = await describeDataset(pixels, null, { exampleFiles: [['a'], ['b']] });
    expect(counts).toEqual({ train: 3, validation: 1, test: 2 });
    expect(classes).toEqual([
      { name: 'cold', train: 1, validation: 1, test: 0, files: ['a'] },
      { name: 'warm', train: 2, validation: 0, test: 2, files: ['b'] },
    ]);
    expect(shape).toEqual([2, 1, 1]);
    expect(notes).toEqual(['a note']);
  });

  it('counts how many examples have each label, and how many pixels of masks have each class', async () => {
    const tagged: Dataset = {
      ...{ ...pixels, classNames: [], tags: ['rain', 'wind'] },
      train: { ...pixels.train, labels: null, targets: Float32Array.of(1, 0, 1, 1, 0, 0) },
      validation: { ...pixels.validation, labels: null, targets: Float32Array.of(0, 1) },
      test: { ...pixels.test, labels: null, targets: Float32Array.of(0, 1, 0, 0) },
    };
    const { tags, classes } = await describeDataset(tagged, null, {});
    expect(classes).toEqual([]);
    expect(tags).toEqual([
      { name: 'rain', train: 2, validation: 0, test: 0 },
      { name: 'wind', train: 1, validation: 1, test: 1 },
    ]);
    const masked = (split: Split, ...masks: readonly number[]): Split => ({
      ...{ ...split, labels: null },
      masks: inputsOf(Uint8Array.from(masks), 2),
    });
    const segmented: Dataset = {
      ...{ ...pixels, hasMasks: true },
      train: masked(pixels.train, 0, 0, 1, 0, 1, 1),
      validation: masked(pixels.validation, 1, 0),
      test: masked(pixels.test, 0, 0, 0, 0),
    };
    const described = await describeDataset(segmented, null, {});
    expect(described.classesCount).toBe('pixels');
    expect(described.classes).toEqual([
      { name: 'cold', train: 3, validation: 1, test: 4, files: [] },
      { name: 'warm', train: 3, validation: 1, test: 0, files: [] },
    ]);
  });

  it('measures pixels of the training examples; one code of the input is one pixel value', async () => {
    const { channels, element } = await describeDataset(pixels, { scale: 2, mean: 10 }, {});
    const [grey] = channels;
    // 0, 10, 20, 30, 0, 10: mean 70/6, variance 1500/6 - (70/6)^2 = 113.89.
    expect(grey).toMatchObject({ name: 'grey', min: 0, max: 30, clipped: 0 });
    expect(grey?.mean).toBeCloseTo(11.6667, 4);
    expect(grey?.deviation).toBeCloseTo(10.6719, 4);
    expect(grey?.codesPerDeviation).toBeCloseTo(10.6719, 4);
    expect(element).toEqual({ normalize: { scale: 2, mean: 10 }, range: { min: -20, max: 490 } });
  });

  it('gives real values in the unit that was measured, and how many lie beyond the range of the input', async () => {
    const { channels, element, targets } = await describeDataset(reals, null, {});
    expect(element.normalize).toBeNull();
    // A code is 2.55 / 255 = 0.01; the deviation of -1, 0, 1 is sqrt(2/3), that of 0, 4, -4 is sqrt(32/3).
    const [x, y] = channels;
    expect(x).toMatchObject({ name: 'x', min: 90, max: 110, mean: 100, clipped: 0 });
    expect(x?.deviation).toBeCloseTo(8.165, 3);
    expect(x?.codesPerDeviation).toBeCloseTo(81.65, 2);
    expect(y).toMatchObject({ name: 'y', min: -2, max: 2 });
    expect(y?.clipped).toBeCloseTo(2 / 3, 9);
    // 1, 2 and 6 of 2 years each, from 10 on: 12, 14, 22.
    expect(targets).toEqual([{ name: 'age', min: 12, max: 22, mean: 16, deviation: 2 * Math.sqrt(14 / 3) }]);
  });

  it('names channels to whose outliers the codes of the input go', async () => {
    // A ramp of -1 to 1 beside one with a value of 1000 in it: a deviation of 45, of which 6 are kept on the right.
    const ramp = Array.from({ length: 500 }, (_, at) => -1 + at / 250);
    const rows = ramp.map((value, at) => ({ inputs: [value, at === 250 ? 1000 : value] }));
    const data = Float32Array.from(rows.flatMap(({ inputs }) => inputs));
    const of = (values: Float32Array): Split => ({
      ...{ count: values.length / 2, inputs: inputsOf(values, 2), labels: null, targets: null },
    });
    const parts = { train: of(data), validation: of(new Float32Array()), test: of(new Float32Array()) };
    const { notes, ...found } = { notes: [], ...(await standardize(['calm', 'wild'], parts, createTurn())) };
    const dataset = { ...{ name: 'd', classNames: [], image: { height: 1, width: 1, channels: 2 } }, ...found, notes };
    const description = await describeDataset(dataset, null, {});
    expect(description.notes).toHaveLength(1);
    // 2/3 of 2 over 44.7, in codes of (6 + 1.73) / 255: 0.98.
    expect(description.notes[0]).toMatch(/^wild: the middle two thirds of the values have 1\.0 of the 256 codes/);
    expect(description.notes[0]).toContain('from -1 to 1000');
  });

  it('counts equal examples in a part, between parts, and of another class', async () => {
    expect((await describeDataset(pixels, null, {})).equal).toEqual({
      within: { train: 1, validation: 0, test: 0 },
      between: [{ part: 'test', other: 'train', examples: 1 }],
      ofOtherClass: 2,
    });
    expect((await describeDataset(reals, null, {})).equal).toEqual({
      within: { train: 0, validation: 0, test: 0 },
      between: [],
      ofOtherClass: 0,
    });
  });
});
