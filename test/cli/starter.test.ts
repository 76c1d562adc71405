import { describe, expect, it } from 'vitest';
import { starterModel, starterStages } from '../../src/cli/starter.ts';

const classNames = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const modelOf = (height: number, width: number, channels = 1) =>
  starterModel({ image: { height, width, channels }, classNames });
const layersOf = (...size: Parameters<typeof modelOf>) =>
  modelOf(...size)
    .slice(1)
    .map((line) => line.replace(/^ {2}- \{ kind: (.*) \}$/, '$1'));
const convolution = (shape: string) => `conv_2d, ${shape}, batch_norm: true, activation: relu`;

describe('the network that init writes', () => {
  it('halves an image until at most 6 x 6 are left', () => {
    // 48 -> 24 -> 12 -> 6.
    expect(layersOf(48, 48)).toEqual([
      convolution('filters: 16, kernel: 3, stride: 2'),
      convolution('filters: 32, kernel: 3, stride: 2'),
      convolution('filters: 48, kernel: 3, stride: 2'),
      convolution('filters: 64, kernel: 3'),
      'mean',
      'dropout, rate: 0.2',
      'fully_connected, units: 7',
    ]);
  });

  it('halves only the axis that is long', () => {
    // 49 x 13 -> 25 x 7 -> 13 x 4 -> 7 x 4 -> 4 x 4.
    expect(layersOf(49, 13).map((line) => /stride: ([^b]*),/.exec(line)?.[1])).toEqual([
      ...['2', '2', '[2, 1]', '[2, 1]'],
      ...new Array<undefined>(4).fill(undefined),
    ]);
  });

  it('goes over the steps of a series, a row or a column', () => {
    for (const layers of [layersOf(1, 12, 3), layersOf(12, 1, 3)]) {
      expect(layers.slice(0, 2)).toEqual([
        'conv_1d, filters: 16, kernel: 3, stride: 2, batch_norm: true, activation: relu',
        'conv_1d, filters: 32, kernel: 3, batch_norm: true, activation: relu',
      ]);
    }
  });

  it('is dense for a row of values', () => {
    expect(layersOf(1, 1, 10)).toEqual([
      'flatten',
      'fully_connected, units: 32, activation: relu',
      'fully_connected, units: 16, activation: relu',
      'fully_connected, units: 7',
    ]);
  });
});

describe('a pipeline for targets', () => {
  const targets = ['x', 'y'].map((name) => ({ name, mean: 0, deviation: 1 }));
  const examples = { image: { height: 1, width: 1, channels: 4 }, classNames: [], targets };

  it('says its task, and has an output for each', () => {
    const lines = starterModel(examples);
    expect(lines.slice(0, 2)).toEqual(['task: regress', 'layers:']);
    expect(lines.at(-1)).toBe('  - { kind: fully_connected, units: 2 }');
    const stages = starterStages({ ...examples, trainingImages: 100, validationImages: 0 });
    expect(stages.at(-1)?.yaml).toContain('gates: { mae_rise_max: 0.05 }');
  });
});

describe('the training that init writes', () => {
  const stagesOf = (trainingImages: number, validationImages: number) =>
    starterStages({ image: { height: 8, width: 8, channels: 1 }, classNames, trainingImages, validationImages }).map(
      ({ yaml }) => yaml,
    );

  it('takes about 1800 steps, and quantizes from the second epoch on', () => {
    const [pretrain, qat] = stagesOf(1650, 210);
    // 1440 / 32 = 45 steps an epoch; 40 epochs are 1800.
    expect(pretrain).toContain('epochs: 40, batch: 32, keep: best');
    expect(qat).toContain('epochs: 6, batch: 32, delay: 45,');
  });

  it('has small batches for few examples, and keeps the last weights where nothing validates', () => {
    const [pretrain, qat] = stagesOf(20, 0);
    expect(pretrain).toContain('epochs: 60, batch: 2, optimizer');
    expect(qat).toContain('delay: 10,');
  });
});
