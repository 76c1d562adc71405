import { describe, expect, it } from 'vitest';
import { classify } from '../../src/tasks/classify.ts';

/** 10 images of class a, 40 of b, none of c; int8 finds 6 and 38, float 8 and 36. */
const measured = {
  accuracy: { float: { top1: 0.88, correct: 44, n: 50 }, int8: { top1: 0.88, correct: 44, n: 50 }, fake_quant: null },
  agreement: { int8_vs_fake_quant: null },
  confusion: [
    [6, 4, 0],
    [1, 38, 1],
    [0, 0, 0],
  ],
  correctByClass: { float: [8, 36, 0], int8: [6, 38, 0] },
};
const gates = (change: object = {}) =>
  Object.fromEntries(
    Object.entries(classify.gates).map(([name, gate]) => [
      name,
      gate.value({ ...measured, ...change } as unknown as Parameters<typeof gate.value>[0]),
    ]),
  );

describe('gates on classes', () => {
  it('see what the accuracy of all images hides', () => {
    expect(gates()).toMatchObject({ drop_max: 0, worst_recall_min: 0.6, class_drop_max: 0.2 });
    expect(gates()['balanced_accuracy_min']).toBeCloseTo((0.6 + 0.95) / 2, 12);
  });

  it('are not measured without a float model, or without images', () => {
    expect(
      gates({ accuracy: { ...measured.accuracy, float: null }, correctByClass: { float: null, int8: [6, 38, 0] } }),
    ).toMatchObject({ class_drop_max: null, worst_recall_min: 0.6 });
    expect(
      gates({
        confusion: [
          [0, 0],
          [0, 0],
        ],
      }),
    ).toMatchObject({ worst_recall_min: null, balanced_accuracy_min: null, class_drop_max: null });
  });
});
