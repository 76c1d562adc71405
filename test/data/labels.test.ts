import { describe, expect, it } from 'vitest';
import { identify } from '../../src/data/dataset.ts';
import { labelNotes, oneClass } from '../../src/data/labels.ts';
import { inputsOf } from '../../src/data/inputs.ts';

const split = (...labels: number[]) => ({
  count: labels.length,
  targets: null,
  inputs: inputsOf(new Uint8Array(labels.length), 1),
  labels: Uint8Array.from(labels),
});
const labelled = (train: number[], test: number[], classNames = ['cat', 'dog', 'owl', 'yak']) =>
  identify({
    ...{ name: 'pets', classNames, image: { height: 1, width: 1, channels: 1 } },
    ...{ train: split(...train), validation: split(), test: split(...test) },
  });

describe('labels', () => {
  it('of one class only are a mistake that names the class', async () => {
    const [found] = oneClass(await labelled([1, 1, 1], [0, 1]))?.diagnostics ?? [];
    expect(found).toMatchObject({ code: 'one-class', place: { file: 'pets' } });
    expect(found?.message).toContain('all 3 training images are of class dog');
    expect(oneClass(await labelled([0, 1], []))).toBeNull();
  });

  it('with gaps are named, and classes that only the test has', async () => {
    expect(labelNotes(await labelled([0, 1, 0], [1, 0], ['cat', 'dog']))).toEqual([]);
    const [empty, unseen] = labelNotes(await labelled([0, 3], [0, 1]));
    expect(empty).toContain('no image is of class owl');
    expect(unseen).toContain('test images are of class dog, but no training image is');
  });
});
