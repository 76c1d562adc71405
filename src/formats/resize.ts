/** Pictures of another size, equal to `tf.image.resize(antialias=False)` to the bit. */
import type { Raster, Size } from './raster.ts';

export type ResizeMethod = 'bilinear' | 'area';

/**
 * What becomes of another aspect ratio: `fit` stretches, `crop` cuts the longer side about the centre, `pad` adds
 * zeros around the whole picture.
 */
export type AspectMode = 'fit' | 'crop' | 'pad';

/** The part of a picture that is resized, in pixels. */
interface Box extends Size {
  readonly left: number;
  readonly top: number;
}

/**
 * All arithmetic is float32 and in TensorFlow's order. `crop` is Keras's `smart_resize`, `pad` is
 * `tf.image.resize_with_pad`.
 *
 * @param image samples of any range
 * @param size of the result, at least 1 x 1
 */
export function resize(
  image: Raster<Uint8Array | Float32Array>,
  size: Size,
  method: ResizeMethod,
  aspect: AspectMode = 'fit',
): Raster<Float32Array> {
  const { channels } = image;
  const { width, height } = size;
  const taken =
    aspect === 'crop' ? centreBox(image, size) : { left: 0, top: 0, width: image.width, height: image.height };
  const place = aspect === 'pad' ? paddedBox(image, size) : { left: 0, top: 0, width, height };
  const pixels = resample(image, taken, place, method);
  const isFilled = place.width === width && place.height === height;
  return { width, height, channels, pixels: isFilled ? pixels : padAround(pixels, place, size, channels) };
}

function resample(image: Raster<Uint8Array | Float32Array>, box: Box, size: Size, method: ResizeMethod): Float32Array {
  if (box.width === size.width && box.height === size.height) return copy(image, box);
  return method === 'bilinear' ? bilinear(image, box, size) : area(image, box, size);
}

/** @see keras/utils/image_utils.py, smart_resize; a side that would come out empty keeps 1 */
function centreBox(image: Size, target: Size): Box {
  // Keras divides in float32, which can lose a pixel.
  const divide = (product: number, by: number): number =>
    Math.max(1, Math.trunc(Math.fround(Math.fround(product) / by)));
  const height = Math.min(image.height, divide(image.width * target.height, target.width));
  const width = Math.min(image.width, divide(image.height * target.width, target.height));
  const [left, top] = [Math.trunc((image.width - width) / 2), Math.trunc((image.height - height) / 2)];
  return { left, top, width, height };
}

/**
 * The place of a padded picture within the target.
 *
 * @see tensorflow/python/ops/image_ops_impl.py, _resize_image_with_pad_common; a side that would come out empty keeps 1
 */
function paddedBox(image: Size, target: Size): Box {
  // In float32, as TensorFlow divides: a side can come out a pixel shorter than the target's.
  const ratio = Math.max(Math.fround(image.width / target.width), Math.fround(image.height / target.height));
  const width = Math.fround(image.width / ratio);
  const height = Math.fround(image.height / ratio);
  const before = (whole: number, part: number): number =>
    Math.max(0, Math.floor(Math.fround(Math.fround(whole - part) / 2)));
  return {
    left: before(target.width, width),
    top: before(target.height, height),
    width: Math.max(1, Math.floor(width)),
    height: Math.max(1, Math.floor(height)),
  };
}

function padAround(pixels: Float32Array, box: Box, size: Size, channels: number): Float32Array {
  const padded = new Float32Array(size.width * size.height * channels);
  const rowLength = box.width * channels;
  for (let row = 0; row < box.height; row++) {
    const from = row * rowLength;
    padded.set(pixels.subarray(from, from + rowLength), ((box.top + row) * size.width + box.left) * channels);
  }
  return padded;
}

function copy({ width, channels, pixels }: Raster<Uint8Array | Float32Array>, box: Box): Float32Array {
  const rowLength = box.width * channels;
  const result = new Float32Array(rowLength * box.height);
  for (let row = 0; row < box.height; row++) {
    const from = ((box.top + row) * width + box.left) * channels;
    result.set(pixels.subarray(from, from + rowLength), row * rowLength);
  }
  return result;
}

/** For each output position the two input positions around its centre, and how far it is between them. */
interface Neighbours {
  readonly lower: Int32Array;
  readonly upper: Int32Array;
  readonly fraction: Float32Array;
}

/** @see tensorflow/core/kernels/image/resize_bilinear_op.cc, compute_interpolation_weights, HalfPixelScaler */
function neighbours(inputSize: number, outputSize: number): Neighbours {
  const lower = new Int32Array(outputSize);
  const upper = new Int32Array(outputSize);
  const fraction = new Float32Array(outputSize);
  const scale = Math.fround(inputSize / outputSize);
  for (let position = 0; position < outputSize; position++) {
    const centre = Math.fround(Math.fround(Math.fround(position + 0.5) * scale) - 0.5);
    const floor = Math.floor(centre);
    lower[position] = Math.max(floor, 0);
    upper[position] = Math.min(Math.ceil(centre), inputSize - 1);
    fraction[position] = centre - floor;
  }
  return { lower, upper, fraction };
}

function bilinear(image: Raster<Uint8Array | Float32Array>, box: Box, size: Size): Float32Array {
  const { width, channels, pixels } = image;
  const rows = neighbours(box.height, size.height);
  const columns = neighbours(box.width, size.width);
  const result = new Float32Array(size.width * size.height * channels);
  let to = 0;
  for (let y = 0; y < size.height; y++) {
    const above = ((box.top + rows.lower[y]!) * width + box.left) * channels;
    const below = ((box.top + rows.upper[y]!) * width + box.left) * channels;
    const down = rows.fraction[y]!;
    for (let x = 0; x < size.width; x++) {
      const left = columns.lower[x]! * channels;
      const right = columns.upper[x]! * channels;
      const across = columns.fraction[x]!;
      for (let c = 0; c < channels; c++) {
        const top = between(pixels[above + left + c]!, pixels[above + right + c]!, across);
        const bottom = between(pixels[below + left + c]!, pixels[below + right + c]!, across);
        result[to++] = between(top, bottom, down);
      }
    }
  }
  return result;
}

const between = (from: number, to: number, fraction: number): number =>
  Math.fround(from + Math.fround(Math.fround(to - from) * fraction));

/** For each output position the input positions that it covers: `start` to `end` exclusive, with the share of each. */
interface Cover {
  readonly start: number;
  readonly end: number;
  readonly shares: Float32Array;
}

/** @see tensorflow/core/kernels/image/resize_area_op.cc, Compute */
function covers(inputSize: number, outputSize: number): readonly Cover[] {
  const scale = Math.fround(inputSize / outputSize);
  return Array.from({ length: outputSize }, (_, position) => {
    const from = Math.fround(position * scale);
    const to = Math.fround((position + 1) * scale);
    const [start, end] = [Math.floor(from), Math.ceil(to)];
    const shares = Float32Array.from({ length: end - start }, (_, index) => {
      const cell = start + index;
      if (cell < from) return cell + 1 > to ? scale : Math.fround(cell + 1) - from;
      return cell + 1 > to ? to - cell : 1;
    });
    return { start, end, shares };
  });
}

function area(image: Raster<Uint8Array | Float32Array>, box: Box, size: Size): Float32Array {
  const { width, channels, pixels } = image;
  const rows = covers(box.height, size.height);
  const columns = covers(box.width, size.width);
  const covered = Math.fround(Math.fround(box.height / size.height) * Math.fround(box.width / size.width));
  const scale = Math.fround(1 / covered);
  const result = new Float32Array(size.width * size.height * channels);
  let to = 0;
  for (const row of rows) {
    for (const column of columns) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let y = row.start; y < row.end; y++) {
          // Rounding can let the last cell begin outside.
          const line = (box.top + Math.min(y, box.height - 1)) * width + box.left;
          let across = 0;
          for (let x = column.start; x < column.end; x++) {
            const sample = pixels[(line + Math.min(x, box.width - 1)) * channels + c]!;
            across = Math.fround(across + Math.fround(sample * column.shares[x - column.start]!));
          }
          sum = Math.fround(sum + Math.fround(across * row.shares[y - row.start]!));
        }
        result[to++] = Math.fround(sum * scale);
      }
    }
  }
  return result;
}
