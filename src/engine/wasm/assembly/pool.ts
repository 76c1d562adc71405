/**
 * Pooling over NHWC images, four channels at a time.
 *
 * Arguments of all: input, output, images, height, width, channels, output height, output width, window height,
 * window width, vertical stride, horizontal stride, padding top, padding left. The gradients take the input (max
 * only, else 0), the result and, as argument 14, the output gradient.
 */
import { cut, floats, integer, pointer } from './arguments';

/** The windows of one output row are walked by this: first and last input row and column inside the image. */
// @ts-ignore: decorator
@inline
function windowStart(index: i32, stride: i32, padding: i32): i32 {
  return max(0, index * stride - padding);
}

// @ts-ignore: decorator
@inline
function windowEnd(index: i32, stride: i32, padding: i32, size: i32, limit: i32): i32 {
  return min(limit, index * stride - padding + size);
}

export function maxPool(args: usize, part: i32, parts: i32): void {
  pool(args, part, parts, false);
}

export function averagePool(args: usize, part: i32, parts: i32): void {
  pool(args, part, parts, true);
}

// @ts-ignore: decorator
@inline
function pool(args: usize, part: i32, parts: i32, average: bool): void {
  const input = pointer(args, 0), output = pointer(args, 1), images = integer(args, 2);
  const height = integer(args, 3), width = integer(args, 4), channels = integer(args, 5);
  const outputHeight = integer(args, 6), outputWidth = integer(args, 7);
  const windowHeight = integer(args, 8), windowWidth = integer(args, 9);
  const strideY = integer(args, 10), strideX = integer(args, 11), top = integer(args, 12), left = integer(args, 13);
  const pixel = floats(channels), line = (<usize>width) * pixel;
  const lastRow = cut(images * outputHeight, part + 1, parts);
  for (let row = cut(images * outputHeight, part, parts); row < lastRow; row++) {
    const image = row / outputHeight, outY = row - image * outputHeight;
    const firstY = windowStart(outY, strideY, top), lastY = windowEnd(outY, strideY, top, windowHeight, height);
    let to = output + (<usize>(row * outputWidth)) * pixel;
    for (let outX = 0; outX < outputWidth; outX++) {
      const firstX = windowStart(outX, strideX, left), lastX = windowEnd(outX, strideX, left, windowWidth, width);
      const corner = input + (<usize>(image * height + firstY)) * line + (<usize>firstX) * pixel;
      const numRows = lastY - firstY, run = (<usize>(lastX - firstX)) * pixel;
      const count = <f32>(numRows * (lastX - firstX));
      let channel: usize = 0;
      for (; channel < pixel && pixel >= 16; channel += 16) {
        // The last four channels may overlap those before: the same values are written again.
        channel = min(channel, pixel - 16);
        let result = average ? f32x4.splat(0) : f32x4.splat(-Infinity);
        for (let y = 0; y < numRows; y++) {
          let at = corner + (<usize>y) * line + channel;
          const end = at + run;
          for (; at < end; at += pixel) {
            result = average ? f32x4.add(result, v128.load(at)) : f32x4.max(result, v128.load(at));
          }
        }
        v128.store(to + channel, average ? f32x4.div(result, f32x4.splat(count)) : result);
      }
      for (; channel < pixel; channel += 4) {
        let result: f32 = average ? 0 : -Infinity;
        for (let y = 0; y < numRows; y++) {
          let at = corner + (<usize>y) * line + channel;
          const end = at + run;
          for (; at < end; at += pixel) {
            result = average ? result + load<f32>(at) : max<f32>(result, load<f32>(at));
          }
        }
        store<f32>(to + channel, average ? result / count : result);
      }
      to += pixel;
    }
  }
}

/** Whole images are cut: windows may overlap, so two rows of windows may write one pixel. */
export function maxPoolGrad(args: usize, part: i32, parts: i32): void {
  const input = pointer(args, 0), result = pointer(args, 1), images = integer(args, 2);
  const height = integer(args, 3), width = integer(args, 4), channels = integer(args, 5);
  const outputHeight = integer(args, 6), outputWidth = integer(args, 7);
  const windowHeight = integer(args, 8), windowWidth = integer(args, 9);
  const strideY = integer(args, 10), strideX = integer(args, 11), top = integer(args, 12), left = integer(args, 13);
  const gradient = pointer(args, 14);
  const pixel = floats(channels), line = (<usize>width) * pixel;
  const lastImage = cut(images, part + 1, parts);
  for (let image = cut(images, part, parts); image < lastImage; image++) {
    const imageStart = (<usize>(image * height)) * line;
    memory.fill(result + imageStart, 0, (<usize>height) * line);
    let from = gradient + (<usize>(image * outputHeight * outputWidth)) * pixel;
    for (let outY = 0; outY < outputHeight; outY++) {
      const firstY = windowStart(outY, strideY, top), lastY = windowEnd(outY, strideY, top, windowHeight, height);
      for (let outX = 0; outX < outputWidth; outX++) {
        const firstX = windowStart(outX, strideX, left), lastX = windowEnd(outX, strideX, left, windowWidth, width);
        let channel: usize = 0;
        const firstTap = firstY * width + firstX;
        for (; channel < pixel && pixel >= 16; channel += 16) {
          // The last four channels may overlap those before, whose gradients are then not added a second time.
          const numDone = <i32>((channel - min(channel, pixel - 16)) >> 2);
          channel = min(channel, pixel - 16);
          const base = imageStart + channel;
          let largest = v128.load(input + base + (<usize>firstTap) * pixel), winner = i32x4.splat(firstTap);
          for (let y = firstY; y < lastY; y++) {
            for (let x = firstX; x < lastX; x++) {
              const tap = y * width + x;
              const value = v128.load(input + base + (<usize>tap) * pixel);
              const wins = f32x4.gt(value, largest);
              largest = v128.bitselect(value, largest, wins);
              winner = v128.bitselect(i32x4.splat(tap), winner, wins);
            }
          }
          const isNew = i32x4.ge_s(i32x4(0, 1, 2, 3), i32x4.splat(numDone));
          const slope = v128.and(v128.load(from + channel), isNew);
          for (let y = firstY; y < lastY; y++) {
            for (let x = firstX; x < lastX; x++) {
              const tap = y * width + x;
              const to = result + base + (<usize>tap) * pixel;
              const share = v128.and(slope, i32x4.eq(winner, i32x4.splat(tap)));
              v128.store(to, f32x4.add(v128.load(to), share));
            }
          }
        }
        for (; channel < pixel; channel += 4) {
          const base = imageStart + channel;
          let winner: usize = base + (<usize>firstTap) * pixel;
          for (let y = firstY; y < lastY; y++) {
            for (let x = firstX; x < lastX; x++) {
              const candidate = base + (<usize>(y * width + x)) * pixel;
              if (load<f32>(input + candidate) > load<f32>(input + winner)) winner = candidate;
            }
          }
          store<f32>(result + winner, load<f32>(result + winner) + load<f32>(from + channel));
        }
        from += pixel;
      }
    }
  }
}

export function averagePoolGrad(args: usize, part: i32, parts: i32): void {
  const result = pointer(args, 1), images = integer(args, 2);
  const height = integer(args, 3), width = integer(args, 4), channels = integer(args, 5);
  const outputHeight = integer(args, 6), outputWidth = integer(args, 7);
  const windowHeight = integer(args, 8), windowWidth = integer(args, 9);
  const strideY = integer(args, 10), strideX = integer(args, 11), top = integer(args, 12), left = integer(args, 13);
  const gradient = pointer(args, 14);
  const pixel = floats(channels), line = (<usize>width) * pixel;
  const lastImage = cut(images, part + 1, parts);
  for (let image = cut(images, part, parts); image < lastImage; image++) {
    const imageStart = result + (<usize>(image * height)) * line;
    memory.fill(imageStart, 0, (<usize>height) * line);
    let from = gradient + (<usize>(image * outputHeight * outputWidth)) * pixel;
    for (let outY = 0; outY < outputHeight; outY++) {
      const firstY = windowStart(outY, strideY, top), lastY = windowEnd(outY, strideY, top, windowHeight, height);
      for (let outX = 0; outX < outputWidth; outX++) {
        const firstX = windowStart(outX, strideX, left), lastX = windowEnd(outX, strideX, left, windowWidth, width);
        const count = <f32>((lastY - firstY) * (lastX - firstX));
        for (let y = firstY; y < lastY; y++) {
          for (let x = firstX; x < lastX; x++) {
            const to = imageStart + (<usize>(y * width + x)) * pixel;
            let channel: usize = 0;
            for (; channel + 16 <= pixel; channel += 16) {
              const share = f32x4.div(v128.load(from + channel), f32x4.splat(count));
              v128.store(to + channel, f32x4.add(v128.load(to + channel), share));
            }
            for (; channel < pixel; channel += 4) {
              store<f32>(to + channel, load<f32>(to + channel) + load<f32>(from + channel) / count);
            }
          }
        }
        from += pixel;
      }
    }
  }
}
