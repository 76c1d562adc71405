/**
 * Convolutions as matrix products whose rows are windows of an image. The tables of windows and segments are made
 * once, with the plan; padding is a copy of one image in the thread's own scratch memory, where it stays in cache.
 */
import { cut, floats, integer, pointer } from './arguments';
import { multiplyPanel, paddedColumns, panelWidth } from './gemm';

/**
 * Copies an image of `height` x `width` pixels into a larger or shifted frame of zeros. Pixel (y, x) of the frame is
 * pixel (y - top, x - left) of the image where there is one; `top` and `left` may be negative.
 */
function frameImage(
  image: usize, height: i32, width: i32, channels: i32,
  frame: usize, frameHeight: i32, frameWidth: i32, top: i32, left: i32,
): void {
  const rowBytes = floats(frameWidth * channels);
  const firstColumn = max(0, left), lastColumn = min(frameWidth, left + width);
  for (let row = 0; row < frameHeight; row++) {
    const to = frame + (<usize>row) * rowBytes;
    const y = row - top;
    if (y < 0 || y >= height || firstColumn >= lastColumn) {
      memory.fill(to, 0, rowBytes);
      continue;
    }
    const before = floats(firstColumn * channels), inside = floats((lastColumn - firstColumn) * channels);
    if (before > 0) memory.fill(to, 0, before);
    memory.copy(to + before, image + floats((y * width + firstColumn - left) * channels), inside);
    if (before + inside < rowBytes) memory.fill(to + before + inside, 0, rowBytes - before - inside);
  }
}

/** The image itself, or its framed copy in `scratch` where the instruction asks for a frame (height above 0). */
// @ts-ignore: decorator
@inline
function framed(image: usize, geometry: usize, scratch: usize): usize {
  const frameHeight = integer(geometry, 3);
  if (frameHeight == 0) return image;
  frameImage(
    image, integer(geometry, 0), integer(geometry, 1), integer(geometry, 2),
    scratch, frameHeight, integer(geometry, 4), integer(geometry, 5), integer(geometry, 6),
  );
  return scratch;
}

/**
 * Rows of every image times all panels.
 *
 * Arguments: 0 source, 1 packed panels, 2 output, 3 images, 4 bytes of an image, 5 bytes of an output image,
 * 6 rows table, 7 rows of an image, 8 segments, 9 segment count, 10 segment length, 11 aStep, 12 columns,
 * 13..19 geometry: height, width, channels, frame height (0: none), frame width, top, left, 20 bands, 21 band count.
 *
 * A band is a run of rows that need the same segments, as the others read zeros only: where it ends, its first
 * segment, how many segments.
 */
export function convolve(args: usize, part: i32, parts: i32, scratch: usize): void {
  const source = pointer(args, 0), packed = pointer(args, 1), output = pointer(args, 2);
  const numImages = integer(args, 3), imageBytes = pointer(args, 4), outputBytes = pointer(args, 5);
  const rows = pointer(args, 6), numRows = integer(args, 7);
  const segments = pointer(args, 8), numSegments = integer(args, 9), segmentLength = integer(args, 10);
  const aStep = pointer(args, 11), columns = integer(args, 12);
  const bands = pointer(args, 20), numBands = integer(args, 21);
  const k = numSegments * segmentLength, padded = paddedColumns(columns);
  const panels = packed + floats(padded);
  // Groups of four rows are cut, so that only the last block of an image may be computed twice.
  const groups = (numRows + 3) >> 2;
  let at = cut(numImages * groups, part, parts);
  const end = cut(numImages * groups, part + 1, parts);
  while (at < end) {
    const image = at / groups;
    const firstGroup = at - image * groups;
    const lastGroup = min(groups, firstGroup + end - at);
    at += lastGroup - firstGroup;
    const lastRow = min(numRows, lastGroup << 2);
    const a = framed(source + (<usize>image) * imageBytes, args + floats(13), scratch);
    const y = output + (<usize>image) * outputBytes;
    let first = firstGroup << 2;
    for (let band = 0; first < lastRow && band < numBands; band++) {
      const entry = bands + <usize>(band * 12);
      const last = min(lastRow, load<i32>(entry)), firstSegment = load<i32>(entry, 4), count = load<i32>(entry, 8);
      // Row blocks small enough for the first-level cache are taken through all panels.
      while (first < last) {
        const end = min(last, first + 128);
        for (let column = 0; column < padded; ) {
          const width = panelWidth(columns - column);
          multiplyPanel(
            rows, first, end, a, aStep, segments + floats(firstSegment), count, segmentLength,
            panels + floats(k * column + firstSegment * segmentLength * width), floats(width), width,
            packed + floats(column), y + floats(column), min(width, columns - column),
          );
          column += width;
        }
        first = end;
      }
    }
  }
}

/**
 * Filter gradients, transposed and in slices of the batch: partial[slice][row][column] where a row is a (tap, input
 * channel) pair and a column an output channel, summed over the pixels of the slice's images in order.
 *
 * Arguments: 0 input, 1 output gradient, 2 partial, 3 images, 4 bytes of an image, 5 slices, 6 rows table,
 * 7 row count, 8 segments (one for each output row), 9 output height, 10 output width, 11 aStep, 12 columns,
 * 13..19 geometry as in `convolve`, 20 bytes of the frame (where the gradient's padded copy starts in the scratch),
 * 21 values of a gradient pixel (more than the columns where the convolution has groups).
 */
export function filterGradient(args: usize, part: i32, parts: i32, scratch: usize): void {
  const input = pointer(args, 0), gradient = pointer(args, 1), partial = pointer(args, 2);
  const numImages = integer(args, 3), imageBytes = pointer(args, 4), slices = integer(args, 5);
  const rows = pointer(args, 6), numRows = integer(args, 7);
  const segments = pointer(args, 8), height = integer(args, 9), width = integer(args, 10);
  const aStep = pointer(args, 11), columns = integer(args, 12), stride = integer(args, 21);
  const padded = paddedColumns(columns), pixels = height * width;
  const sliceBytes = floats(numRows * padded);
  const lastSlice = cut(slices, part + 1, parts);
  for (let slice = cut(slices, part, parts); slice < lastSlice; slice++) {
    const sums = partial + (<usize>slice) * sliceBytes;
    memory.fill(sums, 0, sliceBytes);
    const lastImage = cut(numImages, slice + 1, slices);
    for (let image = cut(numImages, slice, slices); image < lastImage; image++) {
      const a = framed(input + (<usize>image) * imageBytes, args + floats(13), scratch);
      let b = gradient + floats(image * pixels * stride), bStep = floats(stride);
      if (padded != columns) {
        b = padRows(b, bStep, pixels, columns, padded, scratch + pointer(args, 20));
        bStep = floats(padded);
      }
      for (let column = 0; column < padded; ) {
        const panel = panelWidth(columns - column);
        multiplyPanel(
          rows, 0, numRows, a, aStep, segments, height, width,
          b + floats(column), bStep, panel, 0, sums + floats(column), panel,
        );
        column += panel;
      }
    }
  }
}

/** Copies rows of `columns` values, `step` bytes apart, to rows of `padded`, the rest zero. Returns the copy. */
function padRows(from: usize, step: usize, numRows: i32, columns: i32, padded: i32, copy: usize): usize {
  let to = copy;
  for (let row = 0; row < numRows; row++) {
    for (let column = 0; column < columns; column++) store<f32>(to + floats(column), load<f32>(from + floats(column)));
    for (let column = columns; column < padded; column++) store<f32>(to + floats(column), 0);
    from += step;
    to += floats(padded);
  }
  return copy;
}

/** Adds the slices in order and transposes to [column][row]. Arguments: partial, output, slices, rows, columns. */
export function combineFilterGradient(args: usize, part: i32, parts: i32): void {
  const partial = pointer(args, 0), output = pointer(args, 1);
  const slices = integer(args, 2), numRows = integer(args, 3), columns = integer(args, 4);
  const padded = paddedColumns(columns);
  const sliceBytes = floats(numRows * padded);
  const lastRow = cut(numRows, part + 1, parts);
  for (let row = cut(numRows, part, parts); row < lastRow; row++) {
    for (let column = 0; column < columns; column += 4) {
      let from = partial + floats(row * padded + column);
      let sum = v128.load(from);
      for (let slice = 1; slice < slices; slice++) {
        from += sliceBytes;
        sum = f32x4.add(sum, v128.load(from));
      }
      const to = output + floats(column * numRows + row), step = floats(numRows);
      store<f32>(to, f32x4.extract_lane(sum, 0));
      if (column + 1 < columns) store<f32>(to + step, f32x4.extract_lane(sum, 1));
      if (column + 2 < columns) store<f32>(to + 2 * step, f32x4.extract_lane(sum, 2));
      if (column + 3 < columns) store<f32>(to + 3 * step, f32x4.extract_lane(sum, 3));
    }
  }
}
