/** Random changes to examples that run in time: windows of a series, and features of sound. */
import { normals } from '../core/normal.ts';
import type { Random } from '../core/random.ts';
import { createRandom } from '../core/random.ts';
import type { ImageShape } from './dataset.ts';

export interface SeriesAugmentation {
  /** An example moves by up to so many steps to either side; its first or last step is repeated. */
  readonly shift: number;
  /** All values of an example are multiplied by one number, uniform in 1 - scale .. 1 + scale. */
  readonly scale: number;
  /**
   * SpecAugment: the most steps, and the most bands, that a mask covers with the mean of the example; left out for
   * examples without bands.
   */
  readonly time_mask?: number;
  readonly frequency_mask?: number;
  /** Masks of each kind. */
  readonly masks?: number;
  /** Standard deviation of the normal noise added to each value, in the units of the network's input. */
  readonly jitter: number;
}

/** Gives the values that take an example's place; they are good until the next call. */
export type VarySeries = (values: Float32Array, position: number) => Float32Array;

/**
 * The augmentation of one epoch; null when it changes nothing. What happens to the example at a position of the
 * epoch's order depends on seed, epoch and position alone.
 *
 * @param epoch from 0
 * @param shape time is the first axis that is longer than 1
 */
export function augmentSeriesEpoch(
  seed: number,
  epoch: number,
  augmentation: SeriesAugmentation,
  { height, width, channels }: ImageShape,
): VarySeries | null {
  const { shift, scale, jitter, time_mask = 0, frequency_mask = 0, masks = 1 } = augmentation;
  const isMasked = masks > 0 && time_mask + frequency_mask > 0;
  if (shift === 0 && scale === 0 && jitter === 0 && !isMasked) return null;
  const [steps, size] = height > 1 ? [height, width * channels] : [width, channels];
  const varied = new Float32Array(steps * size);
  const noise = new Float64Array(steps * size);
  return (values, position) => {
    const random = createRandom(seed, 'augmentation', String(epoch), String(position));
    const by = random.below(2 * shift + 1) - shift;
    const factor = 1 + scale * (2 * random.float() - 1);
    if (jitter !== 0) normals(random, noise);
    move(values, by, size, varied);
    for (let at = 0; at < varied.length; at++) varied[at] = factor * varied[at]! + jitter * noise[at]!;
    if (isMasked) {
      const mean = varied.reduce((sum, value) => sum + value, 0) / varied.length;
      for (let mask = 0; mask < masks; mask++) {
        maskTime(varied, drawMask(random, time_mask, steps), size, mean);
        maskBands(varied, drawMask(random, frequency_mask, size), size, mean);
      }
    }
    return varied;
  };
}

/** By so many steps of `size` values; what comes in is the first or the last step. */
function move(values: Float32Array, by: number, size: number, out: Float32Array): void {
  const steps = values.length / size;
  out.set(values);
  out.copyWithin(Math.max(0, by) * size, Math.max(0, -by) * size, (steps - Math.max(0, by)) * size);
  for (let step = 0; step < Math.min(by, steps); step++) out.set(values.subarray(0, size), step * size);
  for (let step = Math.max(0, steps + by); step < steps; step++) out.set(values.subarray(-size), step * size);
}

interface Mask {
  readonly from: number;
  readonly to: number;
}

/**
 * As SpecAugment: its width is uniform in 0 .. `widest`, its place uniform where it fits.
 *
 * @see Park et al. 2019, arXiv:1904.08779, section 2
 */
function drawMask(random: Random, widest: number, length: number): Mask {
  const width = random.below(Math.min(widest, length) + 1);
  const from = random.below(length - width + 1);
  return { from, to: from + width };
}

function maskTime(values: Float32Array, { from, to }: Mask, size: number, value: number): void {
  values.fill(value, from * size, to * size);
}

function maskBands(values: Float32Array, { from, to }: Mask, size: number, value: number): void {
  for (let start = 0; start < values.length; start += size) values.fill(value, start + from, start + to);
}
