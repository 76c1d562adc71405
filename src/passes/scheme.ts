/** The two integer schemes of TensorFlow Lite, as data that the passes read. */
import type { FloatTensor } from '../core/tensor.ts';
import { floatTensor, numElements } from '../core/tensor.ts';
import { SMALLEST_WEIGHT_RANGE } from '../ops/fake_quant.ts';

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
 * The range that weights have now, as `observe_range` sees it. It always contains zero.
 *
 * @param axis of the output channels for one symmetric range each; null for the range of the whole tensor
 */
export function weightRange(filter: FloatTensor, axis: number | null) {
  const inner = axis === null ? filter.data.length : numElements(filter.shape.slice(axis + 1));
  const shape = axis === null ? [] : [filter.shape[axis]!];
  const [min, max] = [floatTensor(shape, filled(shape, 0)), floatTensor(shape, filled(shape, 0))];
  const channels = min.data.length;
  for (let at = 0; at < filter.data.length; at++) {
    const channel = Math.floor(at / inner) % channels;
    min.data[channel] = Math.min(min.data[channel]!, filter.data[at]!);
    max.data[channel] = Math.max(max.data[channel]!, filter.data[at]!);
  }
  if (axis === null) return { min, max };
  const largest = max.data.map((x, channel) => Math.max(x, -min.data[channel]!, SMALLEST_WEIGHT_RANGE));
  const negated = largest.map((x) => -x);
  return { min: floatTensor(shape, negated), max: floatTensor(shape, largest) };
}

const filled = (shape: readonly number[], value: number): number[] => new Array<number>(shape[0] ?? 1).fill(value);
