import { describe, expect, it } from 'vitest';
import { medianOf, spread, tally } from '../../src/data/facts.ts';

const files = <T>(values: readonly T[]) => values.map((value, index) => ({ name: `f${index}`, value }));

describe('the values of a property', () => {
  it('are counted, and files with a rare one are named', () => {
    const { values } = tally('size', files(['b', ...new Array<string>(200).fill('a'), 'c', 'c', 'b', 'b']));
    expect(values).toEqual([
      { value: 'a', files: 200, names: [] },
      // 3 and 2 of 205; one percent is 2.05.
      { value: 'b', files: 3, names: [] },
      { value: 'c', files: 2, names: ['f201', 'f202'] },
    ]);
  });

  it('are not odd where there is only one', () => {
    expect(tally('rate', files(['8000 Hz'])).values).toEqual([{ value: '8000 Hz', files: 1, names: [] }]);
  });
});

describe('the spread of a property', () => {
  it('has the median, and names what is beyond four times or a quarter of it, the farthest first', () => {
    expect(spread('length', 's', files([1, 1.2, 0.9, 4.1, 0.2, 1, 4]))).toEqual({
      ...{ property: 'length', unit: 's', min: 0.2, median: 1, max: 4.1, odd: 2 },
      names: [
        { name: 'f4', value: 0.2 },
        { name: 'f3', value: 4.1 },
      ],
    });
  });

  it('takes the lower middle of an even number', () => {
    expect(medianOf([1, 2, 3, 4])).toBe(2);
  });
});
