import { describe, expect, it } from 'vitest';
import { classify } from '../../src/tasks/classify.ts';
import { reconstruct } from '../../src/tasks/reconstruct.ts';
import { rowsOf, splitOf, testedOf } from './tested.ts';

describe('a network that classifies', () => {
  const classNames = ['a', 'b', 'c'];
  const split = splitOf(4, { labels: Uint8Array.of(0, 1, 2, 2) });

  it('counts an example among the top k as sorting does, of equal outputs the first as the larger', () => {
    // The places of the labels: 1, then 2 by tie with the first, then 3 by ties with both, then 2.
    const outputs = [5, 1, 1, 2, 2, 0, 3, 3, 3, 0, 4, 1];
    const top = (top_k: number) =>
      classify.measure(testedOf({ task: 'classify', classNames, split }, outputs, { options: { top_k } })).tables?.[0];
    expect(top(2)).toMatchObject({ title: 'Top-2', rows: [[3 / 4, 3 / 4, 3 / 4]] });
    expect(top(3)?.rows).toEqual([[1, 1, 1]]);
    const float = null;
    const measured = classify.measure(
      testedOf({ task: 'classify', classNames, split }, outputs, { options: { top_k: 2 }, float }),
    );
    expect(measured.tables?.[0]?.rows).toEqual([[null, 3 / 4, 3 / 4]]);
    // Top-1 by the same rule.
    expect(measured.accuracy.int8.correct).toBe(1);
  });

  it('says recall and precision of each class by each model', () => {
    const outputs = [1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0];
    const fakeQuant = Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1);
    const { tables } = classify.measure(
      testedOf({ task: 'classify', classNames, split }, outputs, { fakeQuant, float: null }),
    );
    const rows = rowsOf(tables?.find(({ title }) => title === 'By class'));
    // int8 answers a, a, c, b.
    expect(rows).toEqual([
      {
        Class: 'a',
        Examples: 1,
        'Recall fake-quant': 1,
        'Recall int8': 1,
        'Precision fake-quant': 1,
        'Precision int8': 0.5,
      },
      {
        Class: 'b',
        Examples: 1,
        'Recall fake-quant': 1,
        'Recall int8': 0,
        'Precision fake-quant': 1,
        'Precision int8': 0,
      },
      {
        Class: 'c',
        Examples: 2,
        'Recall fake-quant': 1,
        'Recall int8': 0.5,
        'Precision fake-quant': 1,
        'Precision int8': 1,
      },
    ]);
  });
});

describe('a network that reconstructs', () => {
  it('measures how often an example of the class of anomalies has the larger error', () => {
    const split = splitOf(4, { labels: Uint8Array.of(0, 1, 0, 1) });
    const tested = testedOf(
      { task: 'reconstruct', classNames: ['good', 'broken'], split },
      // The inputs are 0, so that these are the errors before their squares: of 4 pairs 3 are in order.
      [0, 1, 2, 3],
      { options: { anomaly: 'broken' }, float: Float32Array.of(3, 1, 3, 1), litert: Int32Array.of(1, 1, 1, 1) },
    );
    const { detection } = reconstruct.measure(tested);
    expect(detection).toEqual({
      anomaly: 'broken',
      auc: { float: 0, qat_float: 0.75, fake_quant: 0.75, int8: 0.75, int8_litert: 0.5 },
    });
    expect(reconstruct.measure({ ...tested, options: {} }).detection).toBeUndefined();
  });
});
