import { describe, expect, it } from 'vitest';
import { multiLabel } from '../../src/tasks/multi-label.ts';
import { rowsOf, splitOf, testedOf } from './tested.ts';

const tags = ['rain', 'wind', 'fog'];
// Labels of four examples: rain and wind; rain; wind; none. Fog nowhere.
const split = splitOf(4, { targets: Float32Array.of(1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0) });
// Logits. Rain is found in the first and the last, wind in the first three, fog nowhere.
const logits = [3, 1, -1, -2, 0, -1, -1, 2, -2, 1, -3, -4];
const tested = (change = {}) => testedOf({ task: 'multi_label', tags, split }, logits, change);

describe('a network that labels', () => {
  it('scores the mean F1 of its labels; one that neither applies nor is found counts as 1', () => {
    const { score, ignorant, scoreName } = multiLabel.measure(tested());
    expect(scoreName).toBe('macro F1');
    // Rain: 1 right, 1 wrong, 1 missed. Wind: 2 right, 1 wrong.
    expect(score.int8.value).toBeCloseTo((2 / 4 + 4 / 5 + 1) / 3, 12);
    // Rain and wind: 2 right, 2 wrong. Fog: 4 wrong.
    expect(ignorant).toEqual({ answer: 'every label for every example', score: (4 / 6 + 4 / 6 + 0) / 3 });
  });

  it('says F1 of each label and model, and how well the output of each tells examples apart', () => {
    const none = Float32Array.from(logits, () => -1);
    const [rain, wind, fog] = rowsOf(multiLabel.measure(tested({ fakeQuant: none })).tables?.[0]);
    expect(rain).toEqual({
      ...{ Label: 'rain', Examples: 2, 'F1 float': 0.5, 'F1 fake-quant': 0, 'F1 int8': 0.5 },
      // 3 and -2 against -1 and 1: 2 of 4 pairs.
      ...{ 'Recall int8': 0.5, 'Precision int8': 0.5, 'AUC int8': 0.5 },
    });
    // 1 and 2 against 0 and -3.
    expect(wind).toMatchObject({ 'F1 float': 0.8, 'Recall int8': 1, 'Precision int8': 2 / 3, 'AUC int8': 1 });
    expect(fog).toMatchObject({
      Examples: 0,
      'F1 int8': 1,
      'Recall int8': null,
      'Precision int8': null,
      'AUC int8': null,
    });
  });

  it('finds a label from a probability of one half on', () => {
    // Codes of probabilities: (code + 128) / 256.
    const int8 = Int32Array.from({ length: 12 }, (_, at) => (at % 2 === 0 ? 0 : -1));
    const output = { scale: 1 / 256, zeroPoint: -128 };
    const found = Float32Array.from(int8, (code) => (code === 0 ? 0.5 : 0.499));
    const { score } = multiLabel.measure(tested({ areProbabilities: true, int8, output, float: found }));
    expect(score.int8.value).toBe(score.float?.value);
    const [rain] = rowsOf(multiLabel.measure(tested({ areProbabilities: true, int8, output })).tables?.[0]);
    // Found in the first and the third example, of which the first has it.
    expect(rain).toMatchObject({ 'Recall int8': 0.5, 'Precision int8': 0.5 });
  });

  it('falls by the difference of the scores', () => {
    const none = Float32Array.from(logits, () => -1);
    const { costs, score } = multiLabel.measure(tested({ qatFloat: none }));
    expect(costs.whole?.mean).toBe(0);
    expect(costs.whole?.deviation).toBe(0);
    expect(costs.training?.mean).toBeCloseTo((score.float?.value ?? NaN) - 1 / 3, 12);
    expect(costs.quantization.mean).toBeCloseTo(1 / 3 - score.int8.value, 12);
  });

  it('shows the labels of examples by name', () => {
    const { shown } = multiLabel.measure(tested({ numExamples: 4, float: null })).examples;
    const saidOf = (of: number) => {
      const { truth, answers } = shown.find(({ index }) => index === of) ?? { truth: null, answers: [] };
      return [truth, ...answers.map(({ model, text }) => `${model}: ${text}`)];
    };
    expect(saidOf(0)).toEqual(['rain, wind', 'qat_float: rain, wind', 'fake_quant: rain, wind', 'int8: rain, wind']);
    expect(saidOf(3)).toEqual(['none', 'qat_float: rain', 'fake_quant: rain', 'int8: rain']);
  });

  it('has the cross entropy of a yes or no as its validation loss', () => {
    const { loss, share } = multiLabel.validate(
      { outputs: Float32Array.from(logits), logits: Float32Array.from(logits) },
      split,
      { min: -1, max: 1 },
    );
    const surprise = logits.map((logit, at) => {
      const yes = 1 / (1 + Math.exp(-logit));
      return -Math.log(split.targets?.[at] === 1 ? yes : 1 - yes);
    });
    expect(loss).toBeCloseTo(surprise.reduce((sum, one) => sum + one, 0) / 12, 6);
    expect(share).toBeCloseTo((2 / 4 + 4 / 5 + 1) / 3, 12);
  });

  it('balances yes and no of each label; given weights count for both', () => {
    const spec = { ...tested().spec };
    const weightsOf = (class_weights: 'balanced' | Record<string, number>): number[] => {
      const loss = multiLabel.loss({ class_weights }, spec, split);
      return loss.kind === 'sigmoid_cross_entropy' ? [...(loss.weights?.data ?? [])] : [];
    };
    const unlike = splitOf(4, { targets: Float32Array.of(1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0) });
    const loss = multiLabel.loss({ class_weights: 'balanced' }, spec, unlike);
    // Of 4 examples rain applies to 1, wind to 3, fog to none, so that there is nothing to balance.
    const [no, yes] = [
      [2 / 3, 2, 1],
      [2, 2 / 3, 1],
    ];
    expect(loss).toMatchObject({ kind: 'sigmoid_cross_entropy', smoothing: 0 });
    const table = loss.kind === 'sigmoid_cross_entropy' ? [...(loss.weights?.data ?? [])] : [];
    expect(table).toEqual([...no, ...yes].map(Math.fround));
    expect(weightsOf({ wind: 5 })).toEqual([1, 5, 1, 1, 5, 1]);
  });
});
