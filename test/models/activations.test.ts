/** Activations that are no op of their own. */
import { describe, expect, it } from 'vitest';
import { zeros } from '../../src/core/tensor.ts';
import { infer, network } from './networks.ts';
import { buildModel } from './forms.ts';

describe('hard_sigmoid', () => {
  // PyTorch's documentation of Hardsigmoid: 0 up to -3, 1 from 3 on, x / 6 + 1 / 2 between.
  it('is 0 up to -3, 1 from 3 on, and a line between', async () => {
    const spec = network([{ kind: 'activation', name: 'gate', function: 'hard_sigmoid' }], [1, 1, 7]);
    const graph = buildModel(spec, 1, 'inference', { kind: 'given', tensor: (_, shape) => zeros('float32', shape) });
    const values = await infer(graph, Float32Array.of(-4, -3, -1.5, 0, 1, 3, 50));
    [0, 0, 0.25, 0.5, 2 / 3, 1, 1].forEach((expected, at) => expect(values[at]).toBeCloseTo(expected, 6));
  });
});
