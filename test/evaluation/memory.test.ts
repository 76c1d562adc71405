import { describe, expect, it } from 'vitest';
import { affordableExamples, evaluationBatch, peakActivationBytes, spread } from '../../src/evaluation/memory.ts';
import { add, conv, dense, network } from '../models/networks.ts';
import { scattered } from '../models/networks.ts';
import { buildModel } from '../models/forms.ts';

const graphOf = (side: number, filters: number) =>
  buildModel(
    network([conv('a', filters, 1), conv('b', filters, 1), add('sum', 'a'), dense('logits', 2)], [side, side, 1]),
    1,
    'inference',
    { kind: 'given', tensor: scattered(1) },
  );

describe('the batch of an evaluation', () => {
  it('is what fits beside what is alive at once', () => {
    // a, b and their activations of 4 x 4 x 8 floats, 512 bytes each. While b's relu is made, a's relu, b and the
    // relu are alive.
    expect(peakActivationBytes(graphOf(4, 8))).toBe(3 * 512);
    // 3 x 4 MiB, twice for scratch, go 10 times into 256 MiB.
    expect(evaluationBatch(graphOf(256, 16), 1000)).toBe(10);
  });

  it('is at least 1, and no more than there are examples or 250', () => {
    expect(evaluationBatch(graphOf(1024, 16), 1000)).toBe(1);
    expect(evaluationBatch(graphOf(4, 8), 16)).toBe(16);
    expect(evaluationBatch(graphOf(4, 8), 1000)).toBe(250);
  });
});

describe('the examples that the reference loops go through', () => {
  it('are fewer for more values and products', () => {
    // 256 x 256 x 16 values are 2^20: of two 1 x 1 convolutions (1 and 16 products a value), a sum, the activations of
    // the three, and their flat form. Each counts as 40 products. The dense layer of 2 units has 2 x 2^20 products.
    const products = 2 ** 20 * (7 * 40 + 1 + 16 + 2);
    expect(affordableExamples(graphOf(256, 16), 64)).toBe(Math.floor(1e10 / products));
    expect(affordableExamples(graphOf(4, 8), 64)).toBe(64);
    expect(affordableExamples(graphOf(1024, 16), 64)).toBe(1);
  });
});

describe('spread', () => {
  it('takes indices from the whole of a split', () => {
    expect([...spread(4, 100)]).toEqual([0, 25, 50, 75]);
    expect([...spread(64, 3)]).toEqual([0, 1, 2]);
    expect(new Set(spread(200, 201)).size).toBe(200);
  });
});
