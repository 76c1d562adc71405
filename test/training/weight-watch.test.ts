import { describe, expect, it } from 'vitest';
import { floatTensor } from '../../src/core/tensor.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import { watchWeights } from '../../src/training/weight-watch.ts';

/** A dense layer whose four weights are all of one size, and whose biases are 0. */
function layer(size: number) {
  const builder = buildGraph('net', 'float');
  const input = builder.input('x', { dtype: 'float32', shape: [1, 2] });
  const filter = builder.variable('dense/filter', floatTensor([2, 2], [size, -size, size, size]), 'weight');
  const bias = builder.variable('dense/bias', floatTensor([2], [0, 0]), 'bias');
  return builder.finish(
    builder.node('fully_connected', 'dense', [input, filter, bias], { activation: 'none', keepNumDims: false }),
  );
}

const grown = (weight: number, bias = 0): ReadonlyMap<string, Tensor> =>
  new Map([
    ['dense/filter', floatTensor([2, 2], [weight, weight, -weight, weight])],
    ['dense/bias', floatTensor([2], [bias, bias])],
  ]);

describe('the watch over weights', () => {
  it('ends a training whose weights grow more than a thousand times', () => {
    const watch = watchWeights(layer(0.5));
    expect(() => watch(3, 1.25, grown(499))).not.toThrow();
    expect(() => watch(3, 1.25, grown(501))).toThrow(
      'the trained weights error training-diverged: the weights `dense/filter` have a root mean square of 501 after ' +
        'epoch 3 and had one of 0.5 before training: the steps are far too large; the loss was 1.25\n' +
        '  hint: lower the learning rate, or warm it up',
    );
  });

  it('lets weights grow that begin at zero, and biases', () => {
    const watch = watchWeights(layer(0));
    expect(() => watch(1, 1, grown(9.9))).not.toThrow();
    expect(() => watch(1, 1, grown(10.1))).toThrow('had one of 0 before training');
    expect(() => watchWeights(layer(0.5))(1, 1, grown(1, 1e6))).not.toThrow();
  });
});
