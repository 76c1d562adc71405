import { describe, expect, it } from 'vitest';
import { inputsOf } from '../../src/data/inputs.ts';
import { segment } from '../../src/tasks/segment.ts';
import { rowsOf, splitOf, testedOf } from './tested.ts';

const classNames = ['sky', 'sea', 'land'];
// Two masks of 2 x 2 pixels, without land.
const masks = Uint8Array.of(0, 0, 1, 1, 0, 1, 1, 1);
const split = splitOf(2, { masks: inputsOf(masks, 4) });
/** Scores of which the answer has the largest. */
const scores = (answer: readonly number[]): number[] =>
  answer.flatMap((label) => classNames.map((_, at) => (at === label ? 2 : -1)));
const answer = [0, 1, 1, 1, 0, 0, 1, 2];
const tested = (change = {}) => testedOf({ task: 'segment', classNames, split }, scores(answer), change);

describe('a network that segments', () => {
  it('scores the mean intersection over union of all pixels together', () => {
    const { score, ignorant, scoreName, tables } = segment.measure(tested());
    expect(scoreName).toBe('mean IoU');
    // Sky: mask 3 pixels, answer 3, both 2: 2 / 4. Sea: mask 5, answer 4, both 3: 3 / 6. Land: answer 1: 0 / 1.
    expect(score.int8.value).toBeCloseTo((2 / 4 + 3 / 6 + 0) / 3, 12);
    expect(rowsOf(tables?.[0])).toEqual([
      { Class: 'sky', 'IoU float': 0.5, 'IoU fake-quant': 0.5, 'IoU int8': 0.5 },
      { Class: 'sea', 'IoU float': 0.5, 'IoU fake-quant': 0.5, 'IoU int8': 0.5 },
      { Class: 'land', 'IoU float': 0, 'IoU fake-quant': 0, 'IoU int8': 0 },
    ]);
    // Sea for all: 5 of 8 pixels, and sky is missed.
    expect(ignorant).toEqual({ answer: 'sea for every pixel', score: (5 / 8 + 0) / 2 });
  });

  it('leaves classes out that are neither in a mask nor in an answer', () => {
    const right = segment.measure(tested({ float: Float32Array.from(scores([...masks])) }));
    expect(right.score.float).toEqual({ value: 1, deviation: 0 });
    expect(rowsOf(right.tables?.[0])[2]).toMatchObject({ 'IoU float': null, 'IoU int8': 0 });
  });

  it('has the deviation of leaving out one example', () => {
    const all = (2 / 4 + 3 / 6 + 0) / 3;
    // Without the first: sky 1/2, sea 1/3, land 0. Without the second: sky 1/2, sea 2/3, no land.
    const left = [(1 / 2 + 1 / 3) / 3, (1 / 2 + 2 / 3) / 2];
    const [a = 0, b = 0] = left.map((one) => 2 * all - one);
    expect(segment.measure(tested()).score.int8.deviation).toBeCloseTo(Math.abs(a - b) / Math.SQRT2, 12);
  });

  it('takes the first of equal scores, on integers as on real values', () => {
    const equal = Float32Array.from(scores(answer), () => 1);
    const { score } = segment.measure(tested({ float: equal, int8: Int32Array.from(equal) }));
    expect(score.float?.value).toBe(score.int8.value);
    expect(score.float?.value).toBe((3 / 8 + 0) / 2);
  });

  it('shows the mask beside the answers', () => {
    const { shown, classes } = segment.measure({
      ...tested({ numExamples: 1, float: null }),
      spec: { ...tested().spec, image: [2, 2, 1] },
    }).examples;
    expect(classes).toEqual(classNames);
    // The second has two wrong pixels, the first one.
    const [first] = shown;
    expect(first?.index).toBe(1);
    expect(first?.answers.map(({ text }) => text)).toEqual(Array(3).fill('2 of 4 pixels right'));
    const labels = (first?.views ?? []).map(({ title, view }) => [
      title,
      ...(view.kind === 'mask' ? Buffer.from(view.labels, 'base64') : []),
    ]);
    expect(labels).toEqual([
      ['input'],
      ['mask', ...masks.subarray(4)],
      ['float (QAT weights)', ...answer.slice(4)],
      ['int8', ...answer.slice(4)],
    ]);
  });

  it('has the mean cross entropy of pixels as its validation loss, and the share of right ones', () => {
    const logits = Float32Array.from(scores(answer));
    const { loss, quality, share } = segment.validate({ outputs: logits, logits }, split, { min: -1, max: 1 });
    const total = Math.exp(2) + 2 * Math.exp(-1);
    // 5 pixels are right.
    expect(loss).toBeCloseTo(-(5 * Math.log(Math.exp(2) / total) + 3 * Math.log(Math.exp(-1) / total)) / 8, 5);
    expect(quality).toBeCloseTo(1 / 3, 12);
    expect(share).toBe(5 / 8);
  });

  it('balances classes by their pixels', () => {
    const loss = segment.loss({ class_weights: 'balanced' }, tested().spec, split);
    // 3 pixels of sky, 5 of sea, of 8; land is nowhere.
    const diagonal = [8 / (2 * 3), 8 / (2 * 5), 1];
    const table = loss.kind === 'softmax_cross_entropy' ? [...(loss.targets?.data ?? [])] : [];
    expect(table).toEqual(diagonal.flatMap((one, row) => [0, 1, 2].map((at) => (at === row ? Math.fround(one) : 0))));
  });
});
