import { describe, expect, it } from 'vitest';
import { watchLoss } from '../../src/training/loss-watch.ts';

/** Four classes. */
const guessing = Math.log(4);

/** Feeds whole epochs of losses, one list an epoch. */
function follow(...epochs: readonly (readonly number[])[]): number[] {
  const watch = watchLoss('digits', guessing);
  let step = 0;
  return epochs.map((losses, index) => {
    for (const loss of losses) watch.step(++step, loss, null);
    return watch.endEpoch(index + 1);
  });
}

describe('the watch over the loss', () => {
  it('gives the mean of each epoch', () => {
    expect(follow([1, 3], [2, 4, 6])).toEqual([2, 4]);
  });

  it('lets a loss fall from however high', () => {
    // Means of epochs as a network on unscaled pixels had them: the first is 22 times that of guessing.
    expect(() => follow([40, 30, 21], [8, 6, 5], [3, 3.1])).not.toThrow();
    // Epochs of one step.
    expect(() => follow([300], [200], [100])).not.toThrow();
    // From epoch to epoch, though not within one.
    expect(() => follow([80, 80], [60, 60], [40, 40])).not.toThrow();
    // From the start, though with noise between two epochs.
    expect(() => follow([200, 180], [150, 150], [151, 151])).not.toThrow();
    // Within an epoch: quantization made it jump.
    expect(() => follow([0.1, 0.1], [87, 80, 60, 40])).not.toThrow();
  });

  it('ends a training whose loss stays hopeless, and says which losses it means', () => {
    expect(() => follow([0.5, 0.5], [30, 60, 65, 66])).toThrow(
      'digits error training-diverged: the loss does not fall: its mean over the second half of epoch 2 is 65.5, ' +
        'after 0.5 in epoch 1; a network that has learned nothing has 1.386\n  hint: lower the learning rate',
    );
    expect(() => follow([65, 65], [65, 65])).toThrow('its mean over the second half of epoch 2 is 65, after 65 in');
  });

  it('waits for a second epoch to compare with', () => {
    expect(follow([30, 60, 65, 66])).toHaveLength(1);
  });

  it('lets a loss rise that is not hopeless', () => {
    expect(() => follow([1, 1], [13, 13.8])).not.toThrow();
  });

  it('names the step of a loss that is not finite, the loss before it and what is known to be infinite', () => {
    const watch = watchLoss('digits', guessing);
    watch.step(796, 1.39512, null);
    expect(() => watch.step(797, NaN, null)).toThrow(
      'digits error training-diverged: the loss is NaN at step 797; it was 1.395 at step 796\n  hint: lower the learning',
    );
    expect(() => watch.step(797, NaN, 'conv1/act_quant')).toThrow(
      'the loss is NaN at step 797, where `conv1/act_quant` is not finite; it was',
    );
  });

  it('does not blame the learning rate before it was used', () => {
    const watch = watchLoss('digits', guessing);
    expect(() => watch.step(1, Infinity, null)).toThrow(
      'the loss is Infinity at step 1\n  hint: no weight has changed yet: check `data.normalize`',
    );
  });
});
