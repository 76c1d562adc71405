/** A picture from the bytes of a file: JPEG or PNG, grey or colour, turned as it was seen. */
import type { UserError } from '../core/diagnostic.ts';
import { userError } from '../core/diagnostic.ts';
import { detectFormat } from './detect.ts';
import type { FormatKind } from './detect.ts';
import { exchangesSides, orient } from './exif.ts';
import type { Orientation } from './exif.ts';
import { JpegDecoder, isJpeg, jpegSize, readJpegHeader } from './jpeg.ts';
import { decodePng, isPng, pngOrientation, pngSize } from './png.ts';
import type { Raster, Size } from './raster.ts';

export interface ImageOptions {
  /**
   * `grey` of a JPEG file is the luma that it stores, as TensorFlow's `decode_jpeg(channels=1)`; of a PNG file and of a
   * JPEG in CMYK it is `tf.image.rgb_to_grayscale`, to the bit. Both weigh red, green and blue by 0.299, 0.587, 0.114.
   */
  readonly color: 'grey' | 'rgb';
  /** Turn the picture as its EXIF tag says; TensorFlow does not. */
  readonly orient: boolean;
  /** Larger images are refused before they are decoded. */
  readonly maxPixels: number;
}

/** 8192 x 8192: more than a camera gives, and 256 MiB in the decoder at most. */
export const defaultMaxPixels = 2 ** 26;

export interface ImageHeader extends Size {
  readonly kind: 'jpeg' | 'png';
  readonly orientation: Orientation;
}

/**
 * What is known without decoding, with width and height as stored; null for what is no JPEG or PNG image, or is cut
 * before its size.
 */
export function readImageHeader(bytes: Uint8Array): ImageHeader | null {
  if (isPng(bytes)) {
    const size = pngSize(bytes);
    return size === null ? null : { ...size, kind: 'png', orientation: pngOrientation(bytes) };
  }
  const header = isJpeg(bytes) ? readJpegHeader(bytes) : null;
  if (header === null) return null;
  const { width, height, orientation } = header;
  return { width, height, orientation, kind: 'jpeg' };
}

/** Width and height of the picture as `decode` gives it; null as for `readImageHeader`. */
export function imageSize(bytes: Uint8Array, isOriented: boolean): Size | null {
  const header = readImageHeader(bytes);
  if (header === null) return null;
  const { width, height, orientation } = header;
  return isOriented && exchangesSides(orientation) ? { width: height, height: width } : { width, height };
}

/** Decodes one image after another; each thread needs its own. */
export class ImageDecoder {
  readonly #jpeg = new JpegDecoder();

  /**
   * Transparency is dropped: the colours that a file has below it are kept, as in TensorFlow's `decode_png(channels=3)`,
   * because a device's camera has none either.
   *
   * @param bytes the whole file
   * @param path named in errors
   * @returns 1 channel for `grey`, 3 for `rgb`
   * @throws UserError `not-an-image`, `unsupported-image`, `truncated-image`, `damaged-image`, `large-image`
   */
  decode(bytes: Uint8Array, path: string, options: ImageOptions): Raster {
    const isJpegFile = isJpeg(bytes);
    if (!isJpegFile && !isPng(bytes)) throw notAnImage(bytes, path);
    const size = isJpegFile ? jpegSize(bytes) : pngSize(bytes);
    if (size === null) {
      const message = `the image ends at byte ${bytes.length}, before its size`;
      throw userError(path, 'truncated-image', message, 'copy or download the file again, or leave it out');
    }
    checkSize(size, options.maxPixels, path);
    const isGrey = options.color === 'grey';
    const image = isJpegFile
      ? this.#jpeg.decode(bytes, path, isGrey ? 'grey' : 'stored')
      : withoutAlpha(decodePng(bytes, path));
    const colored = isGrey ? toGrey(image) : toColor(image);
    if (!options.orient) return colored;
    return orient(colored, readImageHeader(bytes)?.orientation ?? 1);
  }
}

function checkSize({ width, height }: Size, maxPixels: number, path: string): void {
  if (width === 0 || height === 0) {
    const message = `the image is ${width} x ${height} pixels`;
    throw userError(path, 'damaged-image', message, 'copy or download the file again, or leave it out');
  }
  if (width * height <= maxPixels) return;
  throw userError(
    path,
    'large-image',
    `the image is ${width} x ${height} pixels; at most ${maxPixels} pixels are decoded`,
    'make the image smaller, or leave it out',
  );
}

const pictures: readonly FormatKind[] = ['webp', 'gif', 'heif', 'tiff', 'bmp'];

function notAnImage(bytes: Uint8Array, path: string): UserError {
  const { kind, name } = detectFormat(bytes);
  const message = `the file is ${name}; expected a JPEG or PNG image`;
  if (pictures.includes(kind)) {
    const hint = 'convert it to PNG, which loses nothing, or to JPEG';
    return userError(path, 'unsupported-image', message, hint);
  }
  return userError(path, 'not-an-image', message, 'take the file out of the folder of images');
}

function withoutAlpha(image: Raster): Raster {
  if (image.channels !== 4) return image;
  const { width, height, pixels } = image;
  const colors = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < pixels.length; from += 4, to += 3) {
    colors[to] = pixels[from]!;
    colors[to + 1] = pixels[from + 1]!;
    colors[to + 2] = pixels[from + 2]!;
  }
  return { width, height, channels: 3, pixels: colors };
}

function toColor(image: Raster): Raster {
  if (image.channels !== 1) return image;
  const { width, height, pixels } = image;
  const colors = new Uint8Array(width * height * 3);
  for (let pixel = 0; pixel < pixels.length; pixel++) colors.fill(pixels[pixel]!, 3 * pixel, 3 * pixel + 3);
  return { width, height, channels: 3, pixels: colors };
}

/** Each sample of a channel, from 0 to 1, times the channel's weight, in float32. */
const weighted = [0.2989, 0.587, 0.114].map((weight) => {
  const [share, factor] = [Math.fround(1 / 255), Math.fround(weight)];
  return Float32Array.from({ length: 256 }, (_, sample) => Math.fround(sample * share) * factor);
});

/**
 * `tf.image.rgb_to_grayscale` of 8-bit samples, operation by operation.
 *
 * @see tensorflow/python/ops/image_ops_impl.py, rgb_to_grayscale and convert_image_dtype
 */
function toGrey(image: Raster): Raster {
  if (image.channels === 1) return image;
  const { width, height, channels, pixels } = image;
  const [red, green, blue] = weighted;
  const grey = new Uint8Array(width * height);
  for (let pixel = 0, from = 0; pixel < grey.length; pixel++, from += channels) {
    const sum = Math.fround(red![pixels[from]!]! + green![pixels[from + 1]!]!);
    grey[pixel] = Math.fround(Math.fround(sum + blue![pixels[from + 2]!]!) * 255.5);
  }
  return { width, height, channels: 1, pixels: grey };
}
