import { createRandom } from '../core/random.ts';
import type { PixelChanges } from './augment-pixels.ts';
import { maskMover, pixelChanger } from './augment-pixels.ts';
import type { SeriesAugmentation, VarySeries } from './augment-series.ts';
import { augmentSeriesEpoch } from './augment-series.ts';
import type { SoundAugmentation } from './augment-sound.ts';
import { soundChanger } from './augment-sound.ts';
import type { ImageShape, Split } from './dataset.ts';

/** How training examples vary from epoch to epoch. */
export type Augmentation =
  ImageAugmentation | SeriesAugmentation | SoundFeatureAugmentation | (ImageAugmentation & SeriesAugmentation);

/** Changes to sound, and to the features that are computed of it. */
export type SoundFeatureAugmentation = SeriesAugmentation & SoundAugmentation;

export interface ImageAugmentation extends Partial<PixelChanges> {
  /**
   * Width of the black border (pixel value 0, before normalization) added before a window of the original size is
   * cut out; 0 does not crop. Below height and width.
   */
  readonly crop: number;
  /** Whether each image is mirrored left to right with probability 1/2. */
  readonly flip: boolean;
}

/** Gives the pixels [height, width, channels] that take an image's place; they are good until the next call. */
export type VaryImage = (image: Uint8Array, position: number) => Uint8Array;

export interface Variation {
  /** Upper left corner of the window in the padded image, each 0 .. 2 * crop. */
  readonly top: number;
  readonly left: number;
  readonly mirrored: boolean;
}

/**
 * What happens to the example at each position of an epoch's order: each window and side is equally likely. Depends
 * on seed, epoch and position alone, so that training can resume at any step.
 *
 * @param epoch from 0
 */
export function epochVariations(
  count: number,
  seed: number,
  epoch: number,
  { crop, flip }: ImageAugmentation,
): (position: number) => Variation {
  const random = createRandom(seed, 'augmentation', String(epoch));
  const places = 2 * crop + 1;
  const sides = flip ? 2 : 1;
  const drawn = Uint32Array.from({ length: count }, () => random.below(places * places * sides));
  return (position) => {
    const number = drawn[position]!; // a position of the order is below count
    const place = Math.floor(number / sides);
    return { top: Math.floor(place / places), left: place % places, mirrored: number % sides === 1 };
  };
}

/** What changes the examples of one epoch, pictures and real values; null where nothing does. */
export interface Vary {
  readonly image: VaryImage | null;
  /** Moves the mask of an image as the image is moved. */
  readonly mask: VaryImage | null;
  readonly series: VarySeries | null;
  /** Gives the samples that take a recording's place; they are good until the next call. */
  readonly sound: ((samples: Float32Array, position: number) => Float32Array) | null;
}

export const unvaried: Vary = { image: null, mask: null, series: null, sound: null };

/** The augmentation of one epoch. */
export function augmentEpoch(
  { count, inputs: { sound }, masks }: Pick<Split, 'count' | 'inputs' | 'masks'>,
  seed: number,
  epoch: number,
  augmentation: Augmentation,
  shape: ImageShape,
): Vary {
  const hasMasks = masks !== undefined && 'crop' in augmentation;
  return {
    image: 'crop' in augmentation ? augmentImages(count, seed, epoch, augmentation, shape) : null,
    mask: hasMasks ? augmentMasks(count, seed, epoch, augmentation, shape) : null,
    series: 'jitter' in augmentation ? augmentSeriesEpoch(seed, epoch, augmentation, shape) : null,
    sound: 'gain' in augmentation && sound !== undefined ? soundChanger(seed, epoch, augmentation, sound) : null,
  };
}

const noChanges: PixelChanges = {
  ...{ rotation: 0, translation: 0, zoom: 0, fill: 'reflect' },
  ...{ brightness: 0, contrast: 0, cutout: 0 },
};

/** Null when it leaves every image as it is. */
export function augmentImages(
  count: number,
  seed: number,
  epoch: number,
  augmentation: ImageAugmentation,
  shape: ImageShape,
): VaryImage | null {
  const change = pixelChanger(seed, epoch, { ...noChanges, ...augmentation }, shape);
  if (augmentation.crop === 0 && !augmentation.flip) return change;
  const variationAt = epochVariations(count, seed, epoch, augmentation);
  const varied = new Uint8Array(shape.height * shape.width * shape.channels);
  return (image, position) => {
    cropAndFlip(image, shape, augmentation.crop, variationAt(position), varied);
    return change === null ? varied : change(varied, position);
  };
}

/** Null when masks stay as they are. */
function augmentMasks(
  count: number,
  seed: number,
  epoch: number,
  augmentation: ImageAugmentation,
  shape: ImageShape,
): VaryImage | null {
  const { crop, flip } = augmentation;
  const change = maskMover(seed, epoch, { ...noChanges, ...augmentation }, shape);
  const vary = augmentImages(count, seed, epoch, { crop, flip }, { ...shape, channels: 1 });
  if (vary === null || change === null) return vary ?? change;
  return (mask, position) => change(vary(mask, position), position);
}

/** Writes the window of the padded image, mirrored if asked, to `out`. */
export function cropAndFlip(
  image: Uint8Array,
  { height, width, channels }: ImageShape,
  crop: number,
  { top, left, mirrored }: Variation,
  out: Uint8Array,
): void {
  const rowBytes = width * channels;
  const shiftX = left - crop;
  // Columns of the window that lie on the image.
  const [firstX, endX] = [Math.max(0, -shiftX), Math.min(width, width - shiftX)];
  out.fill(0);
  for (let y = 0; y < height; y++) {
    const fromY = y + top - crop;
    if (fromY < 0 || fromY >= height) continue;
    let from = fromY * rowBytes + (firstX + shiftX) * channels;
    const fromEnd = fromY * rowBytes + (endX + shiftX) * channels;
    const rowTo = y * rowBytes;
    if (!mirrored) {
      out.set(image.subarray(from, fromEnd), rowTo + firstX * channels);
      continue;
    }
    for (let to = rowTo + (width - 1 - firstX) * channels; from < fromEnd; to -= channels) {
      for (let channel = 0; channel < channels; channel++) out[to + channel] = image[from++]!;
    }
  }
}
