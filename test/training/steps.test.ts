import { describe, expect, it } from 'vitest';
import { firstQuantizedEpoch } from '../../src/training/steps.ts';

describe('the first epoch that is quantized from its first step on', () => {
  it.each([
    { delay: 0, epoch: 1 },
    { delay: 1, epoch: 1 },
    // Step 2 is quantized, step 1 is not.
    { delay: 2, epoch: 2 },
    // The steps of epoch 2 are 101 to 200.
    { delay: 101, epoch: 2 },
    { delay: 102, epoch: 3 },
    { delay: 300, epoch: 4 },
    { delay: 301, epoch: 4 },
  ])('is epoch $epoch for a delay of $delay and 100 steps each', ({ delay, epoch }) => {
    expect(firstQuantizedEpoch(delay, 100)).toBe(epoch);
  });
});
