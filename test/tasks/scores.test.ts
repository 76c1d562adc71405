import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { Split } from '../../src/data/dataset.ts';
import { inputsOf } from '../../src/data/inputs.ts';
import { targetTable } from '../../src/tasks/classify.ts';
import { classWeights } from '../../src/tasks/loss-options.ts';
import { jackknife } from '../../src/tasks/scores.ts';

const random = createRandom(4, 'scores');
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('the jackknife', () => {
  it('of a mean gives the values themselves', () => {
    const data = [3, 1, 4, 1, 5];
    // A one beside each value counts the examples.
    const counts = { values: 2, data: Float64Array.from(data.flatMap((value) => [value, 1])) };
    const { value, pseudo } = jackknife(counts, ([sum = 0, count = 0]) => sum / count);
    expect(value).toBe(2.8);
    for (const [index, one] of pseudo.entries()) expect(one).toBeCloseTo(data[index]!, 12);
  });

  it('of F1 and of IoU gives n times all less n - 1 times all but one', () => {
    const rows = Array.from({ length: 12 }, () => [random.below(4), random.below(3), random.below(3)] as const);
    const total = (some: typeof rows, at: 0 | 1 | 2): number => some.reduce((sum, row) => sum + row[at], 0);
    const f1 = (some: typeof rows): number => {
      const [right, wrong, missed] = [total(some, 0), total(some, 1), total(some, 2)];
      const [precision, recall] = [right / (right + wrong), right / (right + missed)];
      return (2 * precision * recall) / (precision + recall);
    };
    const iou = (some: typeof rows): number => total(some, 0) / (total(some, 0) + total(some, 1) + total(some, 2));
    const counts = { values: 3, data: Float64Array.from(rows.flat()) };
    const statistics = [
      [f1, ([tp = 0, fp = 0, fn = 0]: Float64Array) => (2 * tp) / (2 * tp + fp + fn)],
      [iou, ([tp = 0, fp = 0, fn = 0]: Float64Array) => tp / (tp + fp + fn)],
    ] as const;
    for (const [formula, statistic] of statistics) {
      const { value, pseudo } = jackknife(counts, statistic);
      expect(value).toBeCloseTo(formula(rows), 12);
      const left = rows.map((_, index) => formula(rows.filter((_row, other) => other !== index)));
      // Their deviation over sqrt(n) is the classic standard error: sqrt((n - 1) / n * sum of squares).
      const n = rows.length;
      const classic = Math.sqrt(((n - 1) / n) * left.reduce((sum, one) => sum + (one - mean(left)) ** 2, 0));
      const center = mean([...pseudo]);
      const squares = pseudo.reduce((sum, one) => sum + (one - center) ** 2, 0);
      expect(Math.sqrt(squares / (n - 1) / n)).toBeCloseTo(classic, 12);
    }
  });
});

describe('class weights', () => {
  const names = ['cat', 'dog', 'owl'];
  /** As many of each class as the list says. */
  const examples = (counts: readonly number[]): Split => {
    const labels = Uint8Array.from(counts.flatMap((count, label) => new Array<number>(count).fill(label)));
    return { count: labels.length, inputs: inputsOf(new Uint8Array(labels.length), 1), labels, targets: null };
  };

  it('are 1 where nothing is said, and for classes that are left out', () => {
    expect(classWeights(undefined, names, null)).toBeNull();
    expect(classWeights({ dog: 3, owl: 0 }, names, null)).toEqual([1, 3, 0]);
  });

  it('that balance are n / (k * n_c): every class counts the same together, and all together n', () => {
    // scikit-learn: compute_class_weight('balanced', classes=[0, 1, 2], y=6 of 0, 3 of 1, 1 of 2)
    expect(classWeights('balanced', names, examples([6, 3, 1]))).toEqual([10 / 18, 10 / 9, 10 / 3]);
  });

  it('that balance leave out classes without examples', () => {
    expect(classWeights('balanced', names, examples([6, 0, 2]))).toEqual([8 / 12, 1, 8 / 4]);
  });
});

describe('the table of targets', () => {
  it('is left out where every target is 1', () => {
    expect(targetTable(null, 0, 3)).toBeNull();
  });

  it('spreads a share evenly over all classes, as Keras does, and weighs each label', () => {
    // Keras: y * (1 - 0.3) + 0.3 / 3
    const table = targetTable([1, 2, 4], 0.3, 3);
    expect(table?.shape).toEqual([3, 3]);
    const expected = [0.8, 0.1, 0.1, 0.2, 1.6, 0.2, 0.4, 0.4, 3.2];
    for (const [at, value] of expected.entries()) expect(table?.data[at]).toBeCloseTo(value, 6);
  });
});
