import { describe, expect, it } from 'vitest';
import { floatTensor } from '../../src/core/tensor.ts';
import { inferenceTensors } from '../../src/stages/training.ts';

describe('the weights that a training stage writes', () => {
  const variables = new Map([
    ['conv/filter', floatTensor([2], [1, -1])],
    ['conv/filter/momentum', floatTensor([2], [Infinity, 0])],
    ['dense/bias', floatTensor([1], [NaN])],
  ]);

  it('are those of the names that there are', () => {
    expect([...inferenceTensors(['conv/filter', 'step'], variables).keys()]).toEqual(['conv/filter']);
  });

  it('are finite, or the first that is not is named', () => {
    expect(() => inferenceTensors(['conv/filter', 'dense/bias'], variables)).toThrow(
      'training-diverged: `dense/bias` holds values that are not finite',
    );
  });
});
