import { describe, expect, it } from 'vitest';
import { binary } from '../../src/tasks/binary.ts';
import type { Tested } from '../../src/tasks/tested.ts';
import { rowsOf, splitOf, testedOf } from './tested.ts';

const labels = Uint8Array.of(0, 0, 1, 1);
const split = splitOf(4, { labels });
const tested = (outputs: readonly number[], change: Partial<Tested> = {}) =>
  testedOf({ task: 'binary', classNames: ['calm', 'storm'], split }, outputs, change);
const same = (values: readonly number[]): NonNullable<Tested['validation']> => {
  const reals = Float32Array.from(values);
  return { split, float: reals, qatFloat: reals, fakeQuant: reals, int8: Int32Array.from(values) };
};

describe('a network that decides between two classes', () => {
  it('has a threshold for every model, chosen on the validation examples by its own outputs', () => {
    const validation: Tested['validation'] = {
      split,
      float: Float32Array.of(-3, -1, 2, 4),
      qatFloat: Float32Array.of(-3, -2, 4, 5),
      fakeQuant: Float32Array.of(0, 1, 2, 3),
      int8: Int32Array.of(-10, 3, 6, 20),
    };
    const { decision, accuracy } = binary.measure(tested([0, 4, 5, 6], { validation }));
    expect(decision?.threshold).toEqual({ float: 0.5, qat_float: 1, fake_quant: 1.5, int8: 5, int8_litert: null });
    // Codes are whole, so 4.5 and more is 5 and more.
    expect(decision?.code).toBe(5);
    expect(accuracy.float?.correct).toBe(3);
    expect(accuracy.int8.correct).toBe(4);
  });

  it('has the code of its threshold as a real value too', () => {
    const change = { validation: same([-10, 3, 6, 20]), output: { scale: 0.5, zeroPoint: -3 } };
    expect(binary.measure(tested([0, 4, 5, 6], change)).decision?.threshold.int8).toBe(0.5 * (5 + 3));
  });

  it('serves the aim that the test stage names', () => {
    // Outputs in their order: -, +, -, +, + ; see the thresholds in ranking.test.ts.
    const five = splitOf(5, { labels: Uint8Array.of(0, 1, 0, 1, 1) });
    const validation = { ...same([0, 1, 2, 3, 4]), split: five };
    const thresholds = (['balanced_accuracy', 'accuracy', 'f1', 'half'] as const).map(
      (threshold) =>
        binary.measure(tested([0, 1, 2, 3], { validation, options: { threshold } })).decision?.threshold.float,
    );
    expect(thresholds).toEqual([2.5, 0.5, 0.5, 0]);
  });

  it.each([
    ['logits', false, 0, 0.25, 7, 7],
    // 0.5 * 256 - 128
    ['probabilities', true, 0.5, 1 / 256, -128, 0],
    // 0.5 / 0.3 + 1 = 2.67
    ['probabilities between codes', true, 0.5, 0.3, 1, 3],
  ])(
    'takes a probability of one half without validation examples: %s',
    (_, areProbabilities, half, scale, zeroPoint, code) => {
      const { decision } = binary.measure(tested([0, 0, 0, 0], { areProbabilities, output: { scale, zeroPoint } }));
      expect(decision?.threshold).toMatchObject({ float: half, qat_float: half, fake_quant: half });
      expect(decision?.code).toBe(code);
    },
  );

  it('takes a probability of one half where the validation examples cannot tell', () => {
    expect(binary.measure(tested([0, 1, 2, 3], { validation: same([1, 1, 1, 1]) })).decision?.threshold.float).toBe(0);
  });

  it('counts LiteRT by the code of the integer model', () => {
    const validation = same([-10, 3, 6, 20]);
    const { accuracy } = binary.measure(tested([0, 4, 5, 6], { validation, litert: Int32Array.of(5, 5, 5, 5) }));
    expect(accuracy.int8_litert).toEqual({ top1: 0.5, correct: 2, n: 4 });
  });

  it('measures the area under the ROC curve, which no threshold changes', () => {
    // Pairs of storm over calm: 3 > 1, 3 > 2, 2 > 1, 2 = 2.
    const { decision } = binary.measure(tested([1, 2, 2, 3]));
    expect(decision?.auc).toMatchObject({ float: 3.5 / 4, int8: 3.5 / 4, int8_litert: null });
  });

  it('says recall and precision of both classes for float, fake-quant and int8', () => {
    const { tables, confusion } = binary.measure(
      tested([-1, 1, 1, 1], { int8: Int32Array.of(-1, -1, -1, 1), fakeQuant: Float32Array.of(1, 1, 1, 1) }),
    );
    // True class in rows, answers in columns.
    expect(confusion).toEqual([
      [2, 0],
      [1, 1],
    ]);
    const [calm, storm] = rowsOf(tables?.find(({ title }) => title === 'By class'));
    expect(calm).toEqual({
      ...{ Class: 'calm', Examples: 2, 'Recall float': 0.5, 'Recall fake-quant': 0, 'Recall int8': 1 },
      // No answer was calm.
      ...{ 'Precision float': 1, 'Precision fake-quant': null, 'Precision int8': 2 / 3 },
    });
    expect(storm).toEqual({
      ...{ Class: 'storm', Examples: 2, 'Recall float': 1, 'Recall fake-quant': 1, 'Recall int8': 0.5 },
      ...{ 'Precision float': 2 / 3, 'Precision fake-quant': 0.5, 'Precision int8': 1 },
    });
  });

  it('has a validation accuracy by a probability of one half, and cross entropy as its loss', () => {
    const logits = Float32Array.of(-2, 0.5, -0.25, 3);
    const { loss, share } = binary.validate({ outputs: logits, logits }, split, { min: -1, max: 1 });
    const probability = (logit: number): number => 1 / (1 + Math.exp(-logit));
    const right = [1 - probability(-2), 1 - probability(0.5), probability(-0.25), probability(3)];
    expect(loss).toBeCloseTo(-right.reduce((sum, one) => sum + Math.log(one), 0) / 4, 6);
    expect(share).toBe(0.5);
  });
});
