/** The two integer schemes of TensorFlow Lite, as data that the passes read. */
import { internal } from '../core/assert.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { zeros } from '../core/tensor.ts';
import { observeRange } from '../ops/fake_quant.ts';

export type Scheme = 'int8' | 'uint8';

export interface SchemeRule {
  /** Weights have a symmetric range for each output channel, or one range for the tensor that may be lopsided. */
  readonly weights: 'per_channel' | 'per_tensor';
  /** What to take from an unsigned zero point 0 .. 255. */
  readonly offset: 0 | 128;
}

/** int8 is TensorFlow Lite's specification, uint8 that of tf.contrib.quantize and its converter. */
export const schemes: { readonly [S in Scheme]: SchemeRule } = {
  int8: { weights: 'per_channel', offset: 128 },
  uint8: { weights: 'per_tensor', offset: 0 },
};

/**
 * The range that weights have now, by the op that observes them in training.
 *
 * @param axis of the output channels for one symmetric range each; null for the range of the whole tensor
 */
export function weightRange(filter: FloatTensor, axis: number | null) {
  const shape = axis === null ? [] : [filter.shape[axis] ?? internal(`the filter has no axis ${axis}`)];
  const [min, max] = [zeros('float32', shape), zeros('float32', shape)];
  const observe = observeRange.float ?? internal('observe_range has loops');
  observe([filter], { axis, symmetric: axis !== null }, [min, max]);
  return { min, max };
}
