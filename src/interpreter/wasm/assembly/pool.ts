/**
 * Pooling over the pixels of a window that lie inside the image.
 *
 * Arguments: input, output, images, height, width, channels, output height, output width, window height, window
 * width, vertical stride, horizontal stride, padding top, padding left, clamp low and high, 1 for uint8.
 */
import { integer, pointer } from '../../../wasm/assembly/arguments';
import { loadWords, storeBytes, toBytes } from './requantize';

export function maxPool(args: usize): void {
  if (integer(args, 16)) pool(args, false, true);
  else pool(args, false, false);
}

export function averagePool(args: usize): void {
  if (integer(args, 16)) pool(args, true, true);
  else pool(args, true, false);
}

// @ts-ignore: decorator
@inline
function pool(args: usize, average: bool, unsigned: bool): void {
  const input = pointer(args, 0), images = integer(args, 2), height = integer(args, 3), width = integer(args, 4);
  let to = pointer(args, 1);
  const channels = integer(args, 5), outputHeight = integer(args, 6), outputWidth = integer(args, 7);
  const windowHeight = integer(args, 8), windowWidth = integer(args, 9);
  const strideY = integer(args, 10), strideX = integer(args, 11), top = integer(args, 12), left = integer(args, 13);
  const low = integer(args, 14), high = integer(args, 15);
  const line = <usize>(width * channels), pixel = <usize>channels;
  const step = average ? 8 : 16;
  for (let image = 0; image < images; image++) {
    for (let outY = 0; outY < outputHeight; outY++) {
      const firstY = max(0, outY * strideY - top), lastY = min(height, outY * strideY - top + windowHeight);
      for (let outX = 0; outX < outputWidth; outX++) {
        const firstX = max(0, outX * strideX - left), lastX = min(width, outX * strideX - left + windowWidth);
        const corner = input + (<usize>(image * height + firstY)) * line + (<usize>firstX) * pixel;
        const numRows = lastY - firstY, numColumns = lastX - firstX;
        for (let channel = 0; channel < channels; channel += step) {
          const at = corner + <usize>channel;
          const result = average
            ? meanOf(at, numRows, numColumns, line, pixel, low, high, unsigned)
            : largestOf(at, numRows, numColumns, line, pixel, low, high, unsigned);
          storeBytes(to + <usize>channel, result, min(step, channels - channel));
        }
        to += pixel;
      }
    }
  }
}

/** The largest values of 16 channels. */
// @ts-ignore: decorator
@inline
function largestOf(
  corner: usize, numRows: i32, numColumns: i32, line: usize, pixel: usize, low: i32, high: i32, unsigned: bool,
): v128 {
  let result = i8x16.splat(<i8>low);
  const run = (<usize>numColumns) * pixel;
  for (let y = 0; y < numRows; y++) {
    let at = corner + (<usize>y) * line;
    const end = at + run;
    for (; at < end; at += pixel) {
      result = unsigned ? i8x16.max_u(result, v128.load(at)) : i8x16.max_s(result, v128.load(at));
    }
  }
  const most = i8x16.splat(<i8>high);
  return unsigned ? i8x16.min_u(result, most) : i8x16.min_s(result, most);
}

/** The means of 8 channels, half away from zero. */
// @ts-ignore: decorator
@inline
function meanOf(
  corner: usize, numRows: i32, numColumns: i32, line: usize, pixel: usize, low: i32, high: i32, unsigned: bool,
): v128 {
  let first = i32x4.splat(0), second = i32x4.splat(0);
  const run = (<usize>numColumns) * pixel;
  for (let y = 0; y < numRows; y++) {
    let at = corner + (<usize>y) * line;
    const end = at + run;
    for (; at < end; at += pixel) {
      const values = loadWords(at, unsigned);
      first = i32x4.add(first, i32x4.extend_low_i16x8_s(values));
      second = i32x4.add(second, i32x4.extend_high_i16x8_s(values));
    }
  }
  const count = numRows * numColumns;
  return toBytes(divide(first, count), divide(second, count), low, high, 0);
}

/** trunc((total +- half) / count), exact in float32 because the planner keeps every sum below 2^24. */
// @ts-ignore: decorator
@inline
function divide(total: v128, count: i32): v128 {
  const half = i32x4.splat(count >> 1);
  const positive = i32x4.gt_s(total, i32x4.splat(0));
  const nudged = i32x4.add(total, v128.bitselect(half, i32x4.neg(half), positive));
  return i32x4.trunc_sat_f32x4_s(f32x4.div(f32x4.convert_i32x4_s(nudged), f32x4.splat(<f32>count)));
}
