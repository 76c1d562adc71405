/**
 * Matrix products by register blocks: R rows of A times one panel of 16, 8 or 4 columns of B, summed over k in order.
 *
 * A row of A is a sum over segments: segment s starts `segments[s]` bytes after the row's base and holds
 * `segmentLength` values, `aStep` bytes apart. This one form covers plain and transposed matrices (one segment) and
 * convolutions (one segment for each row of the window). B rows lie `bStep` bytes apart.
 *
 * Blocks are sized so that accumulators, one value of A per row and one row of the panel stay in 14 of the 16 vector
 * registers; k is not unrolled, because the loads of a second step would spill.
 */
import { floats, integer, pointer, cut } from './arguments';

/** Width of the panel that starts where `rest` columns remain; the last panels are filled up with zero columns. */
// @ts-ignore: decorator
@inline
export function panelWidth(rest: i32): i32 {
  return rest > 12 ? 16 : rest > 4 ? 8 : 4;
}

/** Columns of all panels together: the next multiple of 4. */
// @ts-ignore: decorator
@inline
export function paddedColumns(columns: i32): i32 {
  return (columns + 3) & ~3;
}

// @ts-ignore: decorator
@inline
function multiplyAdd(sum: v128, a: v128, b: v128): v128 {
  return f32x4.add(sum, f32x4.mul(a, b));
}

/** Stores the first `count` lanes; none for count <= 0. */
function storeLanes(to: usize, value: v128, count: i32): void {
  if (count >= 4) {
    v128.store(to, value);
    return;
  }
  if (count >= 2) {
    v128.store64_lane(to, value, 0);
    if (count == 3) v128.store32_lane(to, value, 2, 8);
  } else if (count == 1) {
    v128.store32_lane(to, value, 0);
  }
}

/** Two rows by 16 columns. `c0`, `c1`: what the sums start from; `width`: how many columns are stored. */
function block2x16(
  a0: usize, a1: usize, aStep: usize, segments: usize, numSegments: i32, segmentLength: i32,
  b: usize, bStep: usize, c0: usize, c1: usize, y0: usize, y1: usize, width: i32,
): void {
  let s00 = v128.load(c0), s01 = v128.load(c0, 16), s02 = v128.load(c0, 32), s03 = v128.load(c0, 48);
  let s10 = v128.load(c1), s11 = v128.load(c1, 16), s12 = v128.load(c1, 32), s13 = v128.load(c1, 48);
  const segmentsEnd = segments + floats(numSegments);
  const segmentBytes = (<usize>segmentLength) * bStep;
  for (; segments < segmentsEnd; segments += 4) {
    const offset = <usize>load<u32>(segments);
    let x0 = a0 + offset;
    let x1 = a1 + offset;
    const end = b + segmentBytes;
    while (b < end) {
      const b0 = v128.load(b), b1 = v128.load(b, 16), b2 = v128.load(b, 32), b3 = v128.load(b, 48);
      const v0 = v128.load32_splat(x0);
      s00 = multiplyAdd(s00, v0, b0);
      s01 = multiplyAdd(s01, v0, b1);
      s02 = multiplyAdd(s02, v0, b2);
      s03 = multiplyAdd(s03, v0, b3);
      const v1 = v128.load32_splat(x1);
      s10 = multiplyAdd(s10, v1, b0);
      s11 = multiplyAdd(s11, v1, b1);
      s12 = multiplyAdd(s12, v1, b2);
      s13 = multiplyAdd(s13, v1, b3);
      x0 += aStep;
      x1 += aStep;
      b += bStep;
    }
  }
  if (width == 16) {
    v128.store(y0, s00);
    v128.store(y0, s01, 16);
    v128.store(y0, s02, 32);
    v128.store(y0, s03, 48);
    v128.store(y1, s10);
    v128.store(y1, s11, 16);
    v128.store(y1, s12, 32);
    v128.store(y1, s13, 48);
    return;
  }
  storeLanes(y0, s00, width);
  storeLanes(y0 + 16, s01, width - 4);
  storeLanes(y0 + 32, s02, width - 8);
  storeLanes(y0 + 48, s03, width - 12);
  storeLanes(y1, s10, width);
  storeLanes(y1 + 16, s11, width - 4);
  storeLanes(y1 + 32, s12, width - 8);
  storeLanes(y1 + 48, s13, width - 12);
}

/** Four rows by 8 columns. */
function block4x8(
  a0: usize, a1: usize, a2: usize, a3: usize, aStep: usize, segments: usize, numSegments: i32, segmentLength: i32,
  b: usize, bStep: usize, c0: usize, c1: usize, c2: usize, c3: usize,
  y0: usize, y1: usize, y2: usize, y3: usize, width: i32,
): void {
  let s00 = v128.load(c0), s01 = v128.load(c0, 16);
  let s10 = v128.load(c1), s11 = v128.load(c1, 16);
  let s20 = v128.load(c2), s21 = v128.load(c2, 16);
  let s30 = v128.load(c3), s31 = v128.load(c3, 16);
  const segmentsEnd = segments + floats(numSegments);
  const segmentBytes = (<usize>segmentLength) * bStep;
  for (; segments < segmentsEnd; segments += 4) {
    const offset = <usize>load<u32>(segments);
    let x0 = a0 + offset;
    let x1 = a1 + offset;
    let x2 = a2 + offset;
    let x3 = a3 + offset;
    const end = b + segmentBytes;
    while (b < end) {
      const b0 = v128.load(b), b1 = v128.load(b, 16);
      const v0 = v128.load32_splat(x0);
      s00 = multiplyAdd(s00, v0, b0);
      s01 = multiplyAdd(s01, v0, b1);
      const v1 = v128.load32_splat(x1);
      s10 = multiplyAdd(s10, v1, b0);
      s11 = multiplyAdd(s11, v1, b1);
      const v2 = v128.load32_splat(x2);
      s20 = multiplyAdd(s20, v2, b0);
      s21 = multiplyAdd(s21, v2, b1);
      const v3 = v128.load32_splat(x3);
      s30 = multiplyAdd(s30, v3, b0);
      s31 = multiplyAdd(s31, v3, b1);
      x0 += aStep;
      x1 += aStep;
      x2 += aStep;
      x3 += aStep;
      b += bStep;
    }
  }
  const rest = width - 4;
  storeLanes(y0, s00, width);
  storeLanes(y0 + 16, s01, rest);
  storeLanes(y1, s10, width);
  storeLanes(y1 + 16, s11, rest);
  storeLanes(y2, s20, width);
  storeLanes(y2 + 16, s21, rest);
  storeLanes(y3, s30, width);
  storeLanes(y3 + 16, s31, rest);
}

/** Four rows by 4 columns. */
function block4x4(
  a0: usize, a1: usize, a2: usize, a3: usize, aStep: usize, segments: usize, numSegments: i32, segmentLength: i32,
  b: usize, bStep: usize, c0: usize, c1: usize, c2: usize, c3: usize,
  y0: usize, y1: usize, y2: usize, y3: usize, width: i32,
): void {
  let s0 = v128.load(c0), s1 = v128.load(c1), s2 = v128.load(c2), s3 = v128.load(c3);
  const segmentsEnd = segments + floats(numSegments);
  const segmentBytes = (<usize>segmentLength) * bStep;
  for (; segments < segmentsEnd; segments += 4) {
    const offset = <usize>load<u32>(segments);
    let x0 = a0 + offset;
    let x1 = a1 + offset;
    let x2 = a2 + offset;
    let x3 = a3 + offset;
    const end = b + segmentBytes;
    while (b < end) {
      const b0 = v128.load(b);
      s0 = multiplyAdd(s0, v128.load32_splat(x0), b0);
      s1 = multiplyAdd(s1, v128.load32_splat(x1), b0);
      s2 = multiplyAdd(s2, v128.load32_splat(x2), b0);
      s3 = multiplyAdd(s3, v128.load32_splat(x3), b0);
      x0 += aStep;
      x1 += aStep;
      x2 += aStep;
      x3 += aStep;
      b += bStep;
    }
  }
  storeLanes(y0, s0, width);
  storeLanes(y1, s1, width);
  storeLanes(y2, s2, width);
  storeLanes(y3, s3, width);
}

/**
 * Rows [first, last) times one panel.
 *
 * `rows` is a table of pairs: byte offset of the row in A, byte offset of its result in Y. The sums start from the
 * panel's vector at `start`, or from the result itself where `start` is 0. A block that reaches over `last` computes
 * the last row again; so an element is always the same sum in the same order, wherever the rows are cut.
 */
export function multiplyPanel(
  rows: usize, first: i32, last: i32, a: usize, aStep: usize, segments: usize, numSegments: i32, segmentLength: i32,
  b: usize, bStep: usize, panel: i32, start: usize, y: usize, width: i32,
): void {
  if (panel == 16) {
    for (let row = first; row < last; row += 2) {
      const p0 = rows + ((<usize>row) << 3);
      const p1 = rows + ((<usize>min(row + 1, last - 1)) << 3);
      const y0 = y + <usize>load<u32>(p0, 4), y1 = y + <usize>load<u32>(p1, 4);
      block2x16(
        a + <usize>load<u32>(p0), a + <usize>load<u32>(p1), aStep, segments, numSegments, segmentLength,
        b, bStep, start ? start : y0, start ? start : y1, y0, y1, width,
      );
    }
    return;
  }
  for (let row = first; row < last; row += 4) {
    const p0 = rows + ((<usize>row) << 3);
    const p1 = rows + ((<usize>min(row + 1, last - 1)) << 3);
    const p2 = rows + ((<usize>min(row + 2, last - 1)) << 3);
    const p3 = rows + ((<usize>min(row + 3, last - 1)) << 3);
    const a0 = a + <usize>load<u32>(p0), a1 = a + <usize>load<u32>(p1);
    const a2 = a + <usize>load<u32>(p2), a3 = a + <usize>load<u32>(p3);
    const y0 = y + <usize>load<u32>(p0, 4), y1 = y + <usize>load<u32>(p1, 4);
    const y2 = y + <usize>load<u32>(p2, 4), y3 = y + <usize>load<u32>(p3, 4);
    const c0 = start ? start : y0, c1 = start ? start : y1, c2 = start ? start : y2, c3 = start ? start : y3;
    if (panel == 8) {
      block4x8(
        a0, a1, a2, a3, aStep, segments, numSegments, segmentLength, b, bStep, c0, c1, c2, c3, y0, y1, y2, y3, width,
      );
    } else {
      block4x4(
        a0, a1, a2, a3, aStep, segments, numSegments, segmentLength, b, bStep, c0, c1, c2, c3, y0, y1, y2, y3, width,
      );
    }
  }
}

/**
 * Packs B into panels: first the start vector (the bias, or zeros) of all panels, then each panel as [k][width].
 *
 * Arguments: source, packed, bias or 0, columns, segments (byte offsets in the source), segment count, segment
 * length, bytes from one k to the next, bytes from one column to the next.
 */
export function packPanels(args: usize, part: i32, parts: i32): void {
  const source = pointer(args, 0), packed = pointer(args, 1), bias = pointer(args, 2);
  const columns = integer(args, 3), segments = pointer(args, 4), numSegments = integer(args, 5);
  const segmentLength = integer(args, 6), kStep = pointer(args, 7), columnStep = pointer(args, 8);
  const padded = paddedColumns(columns);
  if (part == 0) {
    for (let column = 0; column < padded; column++) {
      const value: f32 = bias != 0 && column < columns ? load<f32>(bias + floats(column)) : 0;
      store<f32>(packed + floats(column), value);
    }
  }
  const panels = packed + floats(padded);
  // Cut over k, so that few columns still give work to all threads.
  const k = numSegments * segmentLength;
  const first = cut(k, part, parts), last = cut(k, part + 1, parts);
  for (let column = 0; column < padded; ) {
    const width = panelWidth(columns - column);
    const real = min(width, columns - column);
    let to = panels + floats(k * column + first * width);
    let segment = first / segmentLength;
    let index = first - segment * segmentLength;
    for (let row = first; row < last; row++) {
      let from = source + <usize>load<u32>(segments + floats(segment)) + (<usize>index) * kStep
        + (<usize>column) * columnStep;
      if (columnStep == 4 && real == width) {
        for (let lane = 0; lane < width; lane += 4) v128.store(to + floats(lane), v128.load(from + floats(lane)));
      } else {
        for (let lane = 0; lane < real; lane++) {
          store<f32>(to + floats(lane), load<f32>(from));
          from += columnStep;
        }
        for (let lane = real; lane < width; lane++) store<f32>(to + floats(lane), 0);
      }
      to += floats(width);
      if (++index == segmentLength) {
        index = 0;
        segment++;
      }
    }
    column += width;
  }
}
