import { describe, expect, it } from 'vitest';
import { dataFault, deadLayer, isFarOff, kernelFault, rangeFault } from '../../src/report/faults.ts';
import { test } from './fixtures.ts';

const layer = test.layers[1]!;
const filter = layer.filter!;
const learned = { training: 0.99, validation: 0.97, test: 0.96, examples: 1000, guessing: 0.1 };
const input = {
  ...{ min: 0, max: 1, values: { low: 0, width: 1, counts: [1] } },
  ...{ clipped: { below: 0, above: 0 }, headroom: 1 },
};

describe('faults of the data', () => {
  it('are none where the test is somewhat harder than the validation, or chance decides', () => {
    expect(dataFault(learned, input)).toBeNull();
    expect(dataFault({ ...learned, test: 0.75 }, input)).toBeNull();
    // 0.25 and three times 0.5 / sqrt(16) are needed with 16 examples.
    expect(dataFault({ ...learned, test: 0.4, examples: 16 }, input)).toBeNull();
    expect(dataFault({ ...learned, test: 0.4 }, input)).not.toBeNull();
    expect(dataFault(null, input)).toBeNull();
  });

  it('are the labels where the inputs fill their range, and the scale where they do not', () => {
    const guessed = { ...learned, test: 0.1 };
    expect(dataFault(guessed, input)?.cause).toBe('labels');
    expect(dataFault(guessed, { ...input, headroom: 16 })?.cause).toBe('normalization');
    expect(dataFault(guessed, { ...input, clipped: { below: 0, above: 0.4 } })?.cause).toBe('normalization');
    expect(dataFault(learned, { ...input, headroom: 16 })).toBeNull();
  });

  it('are not the labels where a network without validation examples has overfitted', () => {
    const overfitted = { ...learned, training: 1, validation: null };
    expect(dataFault({ ...overfitted, test: 0.6 }, input)).toBeNull();
    expect(dataFault({ ...overfitted, test: 0.6 }, { ...input, headroom: 16 })?.cause).toBe('normalization');
    expect(dataFault({ ...overfitted, test: 0.11 }, input)?.found).toContain('by heart');
  });

  it('are all labels only where the test is no better than guessing', () => {
    expect(dataFault({ ...learned, test: 0.1 }, input)?.found).toContain('labels of the test examples do not belong');
    expect(dataFault({ ...learned, test: 0.55 }, input)?.found).toContain('or these are of another kind');
  });

  it('are labels that were learned by heart, or nothing that could be learned', () => {
    const heart = dataFault({ ...learned, validation: 0.12, test: 0.11 }, input);
    expect(heart).toMatchObject({ cause: 'labels', layer: null });
    expect(heart?.found).toContain('by heart');
    const none = dataFault({ ...learned, training: 0.12, validation: 0.11, test: 0.1 }, input);
    expect(none?.cause).toBe('nothing_learned');
    expect(none?.remedy).toContain('check labels');
  });
});

describe('a dead layer', () => {
  it('has weights that are all 0, or one value for all examples in float too', () => {
    const constant = { ...filter, constantChannels: filter.channels };
    const values = (counts: number[]) => ({ min: 0, max: 1, values: { low: 0, width: 1, counts } });
    const found = (change: object) => deadLayer([test.layers[0]!, { ...layer, ...change }], 64)?.layer;
    expect(found({ filter: { ...constant, deadChannels: filter.channels } })).toBe(layer.name);
    expect(found({ filter: constant, activations: values([0, 9]) })).toBe(layer.name);
    // Its range may be so wide that int8 has one code for values that differ.
    expect(found({ filter: constant, activations: values([3, 9]) })).toBeUndefined();
    expect(found({})).toBeUndefined();
    expect(deadLayer([{ ...layer, filter: { ...constant, deadChannels: filter.channels } }], 8)).toBeNull();
  });
});

describe('an integer kernel', () => {
  it('has a wrong bias where all that is off is a constant of each channel', () => {
    const offset = { channel: 3, steps: -12, share: 0.9 };
    const kernel = { sqnrDb: 10, withinOneStep: 0.2, offset };
    expect(kernelFault([layer, { ...layer, kernel }])).toMatchObject({ cause: 'bias' });
    expect(kernelFault([{ ...layer, kernel }])?.found).toContain('channel 3 by 12.0 steps');
    expect(kernelFault([{ ...layer, kernel: { ...kernel, offset: { ...offset, share: 0.1 } } }])?.cause).toBe('kernel');
    expect(kernelFault(test.layers)).toBeNull();
  });
});

describe('a range', () => {
  it('is worth a word where it is far off, whatever it costs', () => {
    expect(isFarOff(layer)).toBe(false);
    expect(isFarOff({ ...layer, headroom: 10 })).toBe(true);
    expect(isFarOff({ ...layer, range: 'shared', headroom: 10 })).toBe(false);
    expect(isFarOff({ ...layer, clipped: { below: 0, above: 0.2, noiseShare: 0.99 } })).toBe(true);
    // A few values that make most of a small noise.
    expect(isFarOff({ ...layer, clipped: { below: 0, above: 0.001, noiseShare: 0.99 } })).toBe(false);
    expect(rangeFault({ ...layer, headroom: 10 }, 'hidden').cause).toBe('range_too_wide');
    expect(rangeFault(layer, 'hidden').cause).toBe('rounding');
  });

  it('is that of the input where the kernel keeps it, for which a global average has a remedy', () => {
    const pool: typeof layer = {
      ...{ ...layer, op: 'average_pool_2d', shape: [1, 1, 1, 64] },
      ...{ range: 'shared', headroom: 9.4 },
    };
    expect(rangeFault(pool, 'hidden').cause).toBe('input_range');
    expect(rangeFault(pool, 'hidden').remedy).toContain('`kind: mean`');
    expect(rangeFault({ ...pool, shape: [1, 4, 4, 64] }, 'hidden').remedy).not.toContain('mean');
    expect(rangeFault({ ...pool, headroom: 2 }, 'hidden').cause).toBe('rounding');
  });

  it('of an output that fits has no remedy that changes the number of outputs', () => {
    expect(rangeFault(layer, 'hidden').remedy).toContain('filters');
    expect(rangeFault(layer, 'output').remedy).not.toContain('filters');
  });
});
