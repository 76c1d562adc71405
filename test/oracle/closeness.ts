/** How far numbers of ours lie from TensorFlow's. */
import type { FloatTensor } from '../../src/core/tensor.ts';
import { expectDType } from '../../src/core/tensor.ts';
import type { OracleValue } from './oracle.ts';
import { expectTensor } from './oracle.ts';

/** The largest difference, as a share of the largest reference. */
export function relativeError(ours: ArrayLike<number>, reference: ArrayLike<number>): number {
  if (ours.length !== reference.length) return Infinity;
  const values = Array.from(reference);
  const range = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-3);
  return values.reduce((worst, value, at) => Math.max(worst, Math.abs(ours[at]! - value)), 0) / range;
}

export function floatOf(value: OracleValue | undefined): FloatTensor {
  return expectDType(expectTensor(value), 'float32');
}
