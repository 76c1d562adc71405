/** How a camera was held: the orientation tag of EXIF. TensorFlow and most training code ignore it. */
import type { Raster } from './raster.ts';

/** 1 as stored; 2 to 4 mirrored, turned by 180 degrees, or both; 5 to 8 with rows and columns exchanged. */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

const orientationTag = 0x0112;
const shortType = 3;

/**
 * The orientation that EXIF data names; 1 where it names none, or where it is damaged.
 *
 * @param tiff begins with the byte order, `II` or `MM`
 * @see EXIF 2.32, section 4.6.4, tag 274
 */
export function readOrientation(tiff: Uint8Array): Orientation {
  if (tiff.length < 8) return 1;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const order = view.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) return 1;
  const isLittle = order === 0x4949;
  if (view.getUint16(2, isLittle) !== 42) return 1;
  const directory = view.getUint32(4, isLittle);
  if (directory + 2 > tiff.length) return 1;
  const entries = view.getUint16(directory, isLittle);
  for (let index = 0; index < entries; index++) {
    const entry = directory + 2 + 12 * index;
    if (entry + 12 > tiff.length) return 1;
    if (view.getUint16(entry, isLittle) !== orientationTag) continue;
    return view.getUint16(entry + 2, isLittle) === shortType ? known(view.getUint16(entry + 8, isLittle)) : 1;
  }
  return 1;
}

function known(value: number): Orientation {
  const all: readonly Orientation[] = [1, 2, 3, 4, 5, 6, 7, 8];
  return all.find((orientation) => orientation === value) ?? 1;
}

/** Whether an orientation exchanges width and height. */
export function exchangesSides(orientation: Orientation): boolean {
  return orientation >= 5;
}

/** The picture as it was seen. */
export function orient(image: Raster, orientation: Orientation): Raster {
  if (orientation === 1) return image;
  const { channels, pixels } = image;
  const isExchanged = exchangesSides(orientation);
  const width = isExchanged ? image.height : image.width;
  const height = isExchanged ? image.width : image.height;
  // Where the first seen pixel is stored, and how far the next one to the right and the next one below are from it.
  const isFromRight = [2, 3, 7, 8].includes(orientation);
  const isFromBottom = [3, 4, 6, 7].includes(orientation);
  const acrossColumns = (isFromRight ? -1 : 1) * channels;
  const acrossRows = (isFromBottom ? -1 : 1) * image.width * channels;
  const first = ((isFromBottom ? image.height - 1 : 0) * image.width + (isFromRight ? image.width - 1 : 0)) * channels;
  const right = isExchanged ? acrossRows : acrossColumns;
  const down = isExchanged ? acrossColumns : acrossRows;
  const turned = new Uint8Array(pixels.length);
  let to = 0;
  for (let y = 0; y < height; y++) {
    let from = first + y * down;
    for (let x = 0; x < width; x++, from += right) {
      for (let channel = 0; channel < channels; channel++) turned[to++] = pixels[from + channel]!;
    }
  }
  return { width, height, channels, pixels: turned };
}
