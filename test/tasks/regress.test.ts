import { describe, expect, it } from 'vitest';
import type { Split } from '../../src/data/dataset.ts';
import { inputsOf } from '../../src/data/inputs.ts';
import { regress, squaredError } from '../../src/tasks/regress.ts';
import type { Tested } from '../../src/tasks/tested.ts';

// Two examples with two targets: lengths in metres around 10, deviation 2; ages around 40, deviation 10. As the network is
// to give them, in deviations from the mean.
const test: Split = {
  count: 2,
  inputs: inputsOf(new Float32Array(2), 1),
  labels: null,
  targets: Float32Array.of(1, -1, 0, 2),
};
const columns = [
  { name: 'length', mean: 10, deviation: 2 },
  { name: 'age', mean: 40, deviation: 10 },
];

const tested = (targets: typeof columns, split: Split, change: Partial<Tested> = {}): Tested => ({
  spec: {
    task: 'regress',
    image: [1, 1, 1],
    classes: [],
    targets,
    normalize: { min: -1, max: 1 },
  },
  dataset: { name: 'd', classNames: [], image: { height: 1, width: 1, channels: 1 }, test: split },
  float: Float32Array.of(1.5, -1, 0, 1),
  qatFloat: Float32Array.of(1, -1, 0, 2),
  fakeQuant: Float32Array.of(1, -1, 0, 2),
  // 0.5 * (code - 4)
  int8: Int32Array.of(7, 2, 4, 8),
  litert: null,
  output: { scale: 0.5, zeroPoint: 4 },
  numExamples: 1,
  options: {},
  areProbabilities: false,
  validation: null,
  ...change,
});

describe('a regression', () => {
  it('has a loss in deviations, over all targets', () => {
    expect(squaredError(Float32Array.of(1.5, -1, 0, 1), test)).toBeCloseTo((0.5 ** 2 + 1) / 4, 6);
  });

  it('of several targets has an error in deviations, and each target one in its own unit', () => {
    const { unit, error, targets, meanAnswer } = regress.measure(tested(columns, test));
    expect(unit).toBeNull();
    // By example: (0.5 + 0) / 2 and (0 + 1) / 2.
    expect(error.float).toEqual({ mean: 0.375, deviation: Math.sqrt(2 * 0.125 ** 2) });
    expect(error.int8.mean).toBe((0.5 + 0) / 2 / 2);
    expect(targets.map(({ error: { float, int8 } }) => [float, int8])).toEqual([
      [0.5, 0.5],
      [5, 0],
    ]);
    // The means are 0.5 and 0.5: off by 0.5 and 1.5 in both examples.
    expect(targets.map((target) => target.meanAnswer)).toEqual([1, 15]);
    expect(meanAnswer).toBe(1);
  });

  it('of one target has an error in its unit', () => {
    const one: Split = { ...test, count: 4, inputs: inputsOf(new Float32Array(4), 1) };
    const { unit, error } = regress.measure(tested([columns[1]!], one));
    expect(unit).toBe('age');
    expect(error.float?.mean).toBe((10 * (0.5 + 1)) / 4);
  });

  it('shows answers in the units of the targets', () => {
    const { shown } = regress.measure(tested(columns, test)).examples;
    expect(shown.find(({ index }) => index === 0)?.values).toEqual([
      { name: 'length', truth: 12, first: 13, fakeQuant: 12, int8: 13, code: 7 },
      { name: 'age', truth: 30, first: 30, fakeQuant: 30, int8: 30, code: 2 },
    ]);
  });

  it('costs what the errors grow by, in training and in quantization', () => {
    const { costs } = regress.measure(tested(columns, test));
    expect(costs.training?.mean).toBe(-0.375);
    expect(costs.quantization.mean).toBe(0.125);
    expect(costs.whole?.mean).toBe(-0.25);
  });

  it('has gates on the error of int8, and on its rise over that of float', () => {
    const measured = regress.measure(tested(columns, test));
    expect(Object.entries(regress.gates).map(([name, gate]) => [name, gate.value(measured)])).toEqual([
      ['int8_mae_max', 0.125],
      ['mae_rise_max', 0.125 / 0.375 - 1],
    ]);
  });
});
