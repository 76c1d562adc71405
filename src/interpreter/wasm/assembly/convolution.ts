/**
 * Convolutions and fully connected layers as exact int32 sums over int16 values: int32 addition is associative, even
 * where it wraps, so the order of the reference loops need not be kept.
 *
 * The input was widened before (`widen`): zero points subtracted, padding written as zeros. A row is the input of one
 * output pixel: it is read in segments, each the pairs of values that start `segments[s]` bytes after the row's base.
 */
import { PANEL } from '../opcodes';
import { integer, pointer } from '../../../wasm/assembly/arguments';
import { loadWords, requantize, storeBytes, toBytes } from './requantize';

/** A panel of channels: [bias, left, multiplier, right], PANEL int32 values each. */
// @ts-ignore: decorator
@inline
const TABLE_BYTES: usize = 4 * 4 * PANEL;

/** What turns sums into stored bytes. */
// @ts-ignore: decorator
@inline
function store(y: usize, low4: v128, high4: v128, table: usize, width: i32, low: i32, high: i32, zeroPoint: i32): void {
  const first = requantize(low4, v128.load(table, 32), v128.load(table, 64), v128.load(table, 96));
  const second = requantize(high4, v128.load(table, 48), v128.load(table, 80), v128.load(table, 112));
  storeBytes(y, toBytes(first, second, low, high, zeroPoint), width);
}

/** Four rows by one panel. */
function block4(
  a0: usize, a1: usize, a2: usize, a3: usize, segments: usize, numSegments: i32, pairs: i32, w: usize, table: usize,
  y0: usize, y1: usize, y2: usize, y3: usize, width: i32, low: i32, high: i32, zeroPoint: i32,
): void {
  const bias0 = v128.load(table), bias1 = v128.load(table, 16);
  let s00 = bias0, s01 = bias1, s10 = bias0, s11 = bias1, s20 = bias0, s21 = bias1, s30 = bias0, s31 = bias1;
  const segmentsEnd = segments + ((<usize>numSegments) << 2);
  const segmentBytes = (<usize>pairs) << 5;
  for (; segments < segmentsEnd; segments += 4) {
    let offset = <usize>load<u32>(segments);
    const end = w + segmentBytes;
    while (w < end) {
      const w0 = v128.load(w), w1 = v128.load(w, 16);
      const x0 = v128.load32_splat(a0 + offset);
      s00 = i32x4.add(s00, i32x4.dot_i16x8_s(x0, w0));
      s01 = i32x4.add(s01, i32x4.dot_i16x8_s(x0, w1));
      const x1 = v128.load32_splat(a1 + offset);
      s10 = i32x4.add(s10, i32x4.dot_i16x8_s(x1, w0));
      s11 = i32x4.add(s11, i32x4.dot_i16x8_s(x1, w1));
      const x2 = v128.load32_splat(a2 + offset);
      s20 = i32x4.add(s20, i32x4.dot_i16x8_s(x2, w0));
      s21 = i32x4.add(s21, i32x4.dot_i16x8_s(x2, w1));
      const x3 = v128.load32_splat(a3 + offset);
      s30 = i32x4.add(s30, i32x4.dot_i16x8_s(x3, w0));
      s31 = i32x4.add(s31, i32x4.dot_i16x8_s(x3, w1));
      offset += 4;
      w += 32;
    }
  }
  store(y0, s00, s01, table, width, low, high, zeroPoint);
  store(y1, s10, s11, table, width, low, high, zeroPoint);
  store(y2, s20, s21, table, width, low, high, zeroPoint);
  store(y3, s30, s31, table, width, low, high, zeroPoint);
}

/** One row by one panel. */
function block1(
  a: usize, segments: usize, numSegments: i32, pairs: i32, w: usize, table: usize,
  y: usize, width: i32, low: i32, high: i32, zeroPoint: i32,
): void {
  let s0 = v128.load(table), s1 = v128.load(table, 16);
  const segmentsEnd = segments + ((<usize>numSegments) << 2);
  const segmentBytes = (<usize>pairs) << 5;
  for (; segments < segmentsEnd; segments += 4) {
    let x = a + <usize>load<u32>(segments);
    const end = w + segmentBytes;
    while (w < end) {
      const v = v128.load32_splat(x);
      s0 = i32x4.add(s0, i32x4.dot_i16x8_s(v, v128.load(w)));
      s1 = i32x4.add(s1, i32x4.dot_i16x8_s(v, v128.load(w, 16)));
      x += 4;
      w += 32;
    }
  }
  store(y, s0, s1, table, width, low, high, zeroPoint);
}

/**
 * Arguments: widened input, output, rows (pairs of byte offsets: in the input, in the output), row count, segments,
 * segment count, pairs in a segment, weights [panel][segment][pair][PANEL][2], channel tables, channels, clamp low
 * and high, zero point of the output.
 */
export function convolve(args: usize): void {
  const input = pointer(args, 0), output = pointer(args, 1), rows = pointer(args, 2), numRows = integer(args, 3);
  const segments = pointer(args, 4), numSegments = integer(args, 5), pairs = integer(args, 6);
  let weights = pointer(args, 7), table = pointer(args, 8);
  const channels = integer(args, 9), low = integer(args, 10), high = integer(args, 11), zeroPoint = integer(args, 12);
  const panelBytes = (<usize>(numSegments * pairs)) << 5;
  for (let channel = 0; channel < channels; channel += PANEL) {
    const width = min(PANEL, channels - channel);
    const y = output + <usize>channel;
    let row = rows;
    const fours = rows + ((<usize>(numRows & ~3)) << 3), end = rows + ((<usize>numRows) << 3);
    for (; row < fours; row += 32) {
      block4(
        input + <usize>load<u32>(row), input + <usize>load<u32>(row, 8),
        input + <usize>load<u32>(row, 16), input + <usize>load<u32>(row, 24),
        segments, numSegments, pairs, weights, table,
        y + <usize>load<u32>(row, 4), y + <usize>load<u32>(row, 12),
        y + <usize>load<u32>(row, 20), y + <usize>load<u32>(row, 28),
        width, low, high, zeroPoint,
      );
    }
    for (; row < end; row += 8) {
      block1(
        input + <usize>load<u32>(row), segments, numSegments, pairs, weights, table,
        y + <usize>load<u32>(row, 4), width, low, high, zeroPoint,
      );
    }
    weights += panelBytes;
    table += TABLE_BYTES;
  }
}

/**
 * Every channel with a filter of its own, two taps at a time.
 *
 * Arguments: widened input, output, rows as in `convolve`, row count, taps (byte offsets; an even number), tap count,
 * weights [panel][pair of taps][PANEL][2], channel tables, channels, clamp low and high, zero point of the output.
 */
export function depthwise(args: usize): void {
  const input = pointer(args, 0), output = pointer(args, 1);
  let row = pointer(args, 2);
  const rowsEnd = row + ((<usize>integer(args, 3)) << 3);
  const taps = pointer(args, 4), tapsEnd = taps + ((<usize>integer(args, 5)) << 2);
  const packed = pointer(args, 6), tables = pointer(args, 7);
  const channels = integer(args, 8), low = integer(args, 9), high = integer(args, 10), zeroPoint = integer(args, 11);
  for (; row < rowsEnd; row += 8) {
    const y = output + <usize>load<u32>(row, 4);
    let a = input + <usize>load<u32>(row);
    let w = packed, table = tables;
    for (let channel = 0; channel < channels; channel += PANEL) {
      let s0 = v128.load(table), s1 = v128.load(table, 16);
      for (let tap = taps; tap < tapsEnd; tap += 8) {
        const x0 = v128.load(a + <usize>load<u32>(tap)), x1 = v128.load(a + <usize>load<u32>(tap, 4));
        const p0 = v128.shuffle<i16>(x0, x1, 0, 8, 1, 9, 2, 10, 3, 11);
        const p1 = v128.shuffle<i16>(x0, x1, 4, 12, 5, 13, 6, 14, 7, 15);
        s0 = i32x4.add(s0, i32x4.dot_i16x8_s(p0, v128.load(w)));
        s1 = i32x4.add(s1, i32x4.dot_i16x8_s(p1, v128.load(w, 16)));
        w += 32;
      }
      store(y + <usize>channel, s0, s1, table, min(PANEL, channels - channel), low, high, zeroPoint);
      a += 2 * PANEL;
      table += TABLE_BYTES;
    }
  }
}

/** `count` values minus the zero point, as int16. */
// @ts-ignore: decorator
@inline
function widenRun(from: usize, to: usize, count: i32, zeroPoint: v128, unsigned: bool): void {
  const end = to + ((<usize>count) << 1);
  const vectors = to + ((<usize>(count & ~7)) << 1);
  for (; to < vectors; to += 16) {
    v128.store(to, i16x8.sub(loadWords(from, unsigned), zeroPoint));
    from += 8;
  }
  for (; to < end; to += 2) {
    const value = unsigned ? <i32>load<u8>(from) : <i32>load<i8>(from);
    store16(to, value - <i32>i16x8.extract_lane_s(zeroPoint, 0));
    from++;
  }
}

// @ts-ignore: decorator
@inline
function store16(to: usize, value: i32): void {
  i32.store16(to, value);
}

/**
 * Stored values to int16 values that a convolution reads: minus their zero point, with padding around.
 *
 * Arguments: input, output, images, height, width, channels, how often each channel is repeated, padded height,
 * padded width, padding top, padding left, zero point, 1 for uint8. Rows and columns that lie outside the padded size
 * are left out: no window reaches them.
 */
export function widen(args: usize): void {
  if (integer(args, 12)) widenImages(args, true);
  else widenImages(args, false);
}

// @ts-ignore: decorator
@inline
function widenImages(args: usize, unsigned: bool): void {
  const input = pointer(args, 0), output = pointer(args, 1), images = integer(args, 2);
  const height = integer(args, 3), width = integer(args, 4), channels = integer(args, 5), repeat = integer(args, 6);
  const paddedHeight = integer(args, 7), paddedWidth = integer(args, 8);
  const top = integer(args, 9), left = integer(args, 10), offset = integer(args, 11);
  const zeroPoint = i16x8.splat(<i16>offset);
  const rows = min(height, paddedHeight - top), columns = min(width, paddedWidth - left);
  const pixel = (<usize>(channels * repeat)) << 1;
  if (rows != paddedHeight || columns != paddedWidth) {
    memory.fill(output, 0, (<usize>(images * paddedHeight * paddedWidth)) * pixel);
  }
  for (let image = 0; image < images; image++) {
    for (let y = 0; y < rows; y++) {
      let from = input + <usize>((image * height + y) * width * channels);
      let to = output + (<usize>((image * paddedHeight + top + y) * paddedWidth + left)) * pixel;
      if (repeat == 1) {
        widenRun(from, to, columns * channels, zeroPoint, unsigned);
        continue;
      }
      const end = from + <usize>(columns * channels);
      for (; from < end; from++) {
        const value = (unsigned ? <i32>load<u8>(from) : <i32>load<i8>(from)) - offset;
        for (let copy = 0; copy < repeat; copy++) {
          store16(to, value);
          to += 2;
        }
      }
    }
  }
}
