import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import { epochOrder, batchWriter } from '../../src/data/batches.ts';
import type { Split } from '../../src/data/dataset.ts';
import { splitValidation } from '../../src/data/split.ts';
import { labelsOf } from '../../src/data/dataset.ts';
import { inputsOf } from '../../src/data/inputs.ts';
import { pixelsIn } from './examples.ts';

/** Image k is the two pixels 2k and 2k + 1, its label k. */
function numbered(count: number): Split {
  return {
    targets: null,
    inputs: inputsOf(
      Uint8Array.from({ length: 2 * count }, (_, index) => index),
      2,
    ),
    labels: Uint8Array.from({ length: count }, (_, index) => index),
    count,
  };
}

describe('batchWriter', () => {
  it('writes scale * (pixel - mean) in float32, in the given order', () => {
    const images = new Float32Array(4);
    const labels = new Float32Array(2);
    batchWriter(numbered(5), { mean: 3, scale: 0.1 })(Uint32Array.of(4, 0, 3), 1, 2, images, labels);
    // Pixels 0, 1 and 6, 7. By numpy: np.float32(0.1) * np.float32(pixel - 3), printed with all digits.
    expect([...images]).toEqual([-0.30000001192092896, -0.20000000298023224, 0.30000001192092896, 0.4000000059604645]);
    expect([...labels]).toEqual([0, 3]);
  });

  it('does not run past the order', () => {
    const out = new Float32Array(8);
    const order = Uint32Array.of(0, 1);
    expect(() => batchWriter(numbered(2), { mean: 0, scale: 1 })(order, 1, 2, out, out)).toThrow('internal');
  });
});

describe('epochOrder', () => {
  it('visits every example once, differently in every epoch and for every seed, and repeatably', () => {
    const orders = [epochOrder(50, 1, 0), epochOrder(50, 1, 1), epochOrder(50, 2, 0)];
    for (const order of orders) expect([...order].sort((a, b) => a - b)).toEqual([...labelsOf(numbered(50))]);
    expect(new Set(orders.map((order) => order.join())).size).toBe(3);
    expect(epochOrder(50, 1, 1)).toEqual(orders[1]);
  });
});

describe('splitValidation', () => {
  it('divides the training examples: none lost, none twice, images with their labels', () => {
    const { train, validation } = splitValidation(numbered(20), { count: 6, seed: 3 }, 'digits');
    expect([train.count, validation.count]).toEqual([14, 6]);
    expect([...labelsOf(train), ...labelsOf(validation)].sort((a, b) => a - b)).toEqual([...labelsOf(numbered(20))]);
    for (const part of [train, validation]) {
      expect([...pixelsIn(part)]).toEqual([...labelsOf(part)].flatMap((label) => [2 * label, 2 * label + 1]));
    }
  });

  it('leaves the answers as they are, also where a source gives them as a Buffer', () => {
    const all = numbered(20);
    const labels = Buffer.from(Uint8Array.from({ length: 20 }, (_, index) => index));
    const { train, validation } = splitValidation({ ...all, labels }, { count: 6, seed: 3 }, 'digits');
    const together = [...train.labels!, ...validation.labels!].sort((a, b) => a - b);
    expect(together).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect([...labels]).toEqual(together);
  });

  it('draws them from all over the file, by the seed', () => {
    const drawn = [1, 2, 3].map((seed) => splitValidation(numbered(100), { count: 10, seed }, 'digits').validation);
    expect(new Set(drawn.map(({ labels }) => labels?.join())).size).toBe(3);
    for (const labels of drawn.map(labelsOf)) expect(Math.max(...labels) - Math.min(...labels)).toBeGreaterThan(30);
  });

  it('takes nothing when nothing is asked for', () => {
    const { train, validation } = splitValidation(numbered(4), { count: 0, seed: 1 }, 'digits');
    expect(train).toEqual(numbered(4));
    expect(validation.count).toBe(0);
  });

  it('refuses to leave nothing to train on', () => {
    const split = (): unknown => splitValidation(numbered(4), { count: 4, seed: 1 }, 'digits');
    expect(split).toThrow(UserError);
    expect(split).toThrow(
      'digits error validation-too-large: 4 validation examples are requested, but the training split has 4',
    );
  });
});
