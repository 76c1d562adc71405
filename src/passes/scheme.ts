/** The two integer schemes of TensorFlow Lite, as data that the passes read. */
import { internal } from '../core/assert.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { zeros } from '../core/tensor.ts';
import { observeRange } from '../ops/fake_quant.ts';
import type { OpName } from '../ops/index.ts';

export type Scheme = 'int8' | 'uint8';

/** Whether a filter has a range for each output channel or one for all of it. */
export type WeightRanges = 'per_channel' | 'per_tensor';

export interface SchemeRule {
  readonly weights: WeightRanges;
  /** Zero is in the middle of the range of weights. */
  readonly symmetric: boolean;
  /** What to subtract from an unsigned zero point 0 .. 255. */
  readonly offset: 0 | 128;
}

/** int8 is TensorFlow Lite's specification, uint8 that of tf.contrib.quantize and its converter. */
export const schemes: { readonly [S in Scheme]: SchemeRule } = {
  int8: { weights: 'per_channel', symmetric: true, offset: 128 },
  uint8: { weights: 'per_tensor', symmetric: false, offset: 0 },
};

/** What quantizes weights: the scheme, and what it leaves open. */
export interface WeightScheme {
  readonly scheme: Scheme;
  /** The filters of fully connected layers; uint8 has one range for every filter anyway. */
  readonly denseWeights: WeightRanges;
}

/**
 * The axis along which an op's filter has its ranges; null for one range.
 *
 * @param channelAxis of the output channels
 */
export function rangeAxis({ scheme, denseWeights }: WeightScheme, op: OpName, channelAxis: number): number | null {
  const { weights } = schemes[scheme];
  const ranges = op === 'fully_connected' && weights === 'per_channel' ? denseWeights : weights;
  return ranges === 'per_channel' ? channelAxis : null;
}

/**
 * The range that weights have now, by the op that observes them in training.
 *
 * @param axis along which each index has a range; null for the range of the whole tensor
 */
export function weightRange(filter: FloatTensor, axis: number | null, scheme: Scheme) {
  const shape = axis === null ? [] : [filter.shape[axis] ?? internal(`the filter has no axis ${axis}`)];
  const [min, max] = [zeros('float32', shape), zeros('float32', shape)];
  const observe = observeRange.float ?? internal('observe_range has loops');
  observe([filter], { axis, symmetric: schemes[scheme].symmetric }, [min, max]);
  return { min, max };
}
