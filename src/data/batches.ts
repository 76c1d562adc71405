import { internal } from '../core/assert.ts';
import { createRandom } from '../core/random.ts';
import type { VaryImage } from './augment.ts';
import type { Split } from './dataset.ts';

/**
 * What a pixel means to the network: real = scale * (pixel - mean). With an integer `mean` in 0..255 this is exactly
 * the affine quantization of the model's uint8 input (zero point `mean`), so that raw pixels are its input codes.
 */
export interface Normalization {
  readonly mean: number;
  readonly scale: number;
}

/**
 * The order of examples in one epoch: each index below `count` once.
 *
 * @param epoch from 0; each has an order of its own that does not depend on the epochs before
 */
export function epochOrder(count: number, seed: number, epoch: number): Uint32Array {
  return createRandom(seed, 'epoch-order', String(epoch)).permutation(count);
}

/**
 * Writes the examples order[start] .. order[start + batch - 1].
 *
 * @param outImages [batch, height, width, channels], reals rounded to float32 after the one multiplication
 * @param outLabels [batch], class indices
 * @param vary changes the image at a position of the order; null changes none
 */
export function fillBatch(
  split: Split,
  order: Uint32Array,
  start: number,
  batch: number,
  normalize: Normalization,
  outImages: Float32Array,
  outLabels: Float32Array,
  vary: VaryImage | null = null,
): void {
  if (start + batch > order.length) internal(`batch ${start}..${start + batch} of ${order.length} examples`);
  const imageBytes = split.images.length / split.count;
  if (outImages.length < batch * imageBytes || outLabels.length < batch) internal(`no room for ${batch} examples`);
  const reals = realValues(normalize);
  let to = 0;
  for (let example = 0; example < batch; example++) {
    // Indices of a permutation of the split are below its count, and pixels below 256.
    const index = order[start + example]!;
    outLabels[example] = split.labels[index]!;
    const image = split.images.subarray(index * imageBytes, (index + 1) * imageBytes);
    const pixels = vary === null ? image : vary(image, start + example);
    for (let from = 0; from < imageBytes; from++) outImages[to++] = reals[pixels[from]!]!;
  }
}

/** By pixel value, 256 of them. */
export function realValues({ mean, scale }: Normalization): Float32Array {
  return Float32Array.from({ length: 256 }, (_, pixel) => Math.fround(scale) * Math.fround(pixel - mean));
}
