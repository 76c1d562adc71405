/**
 * Depthwise convolution over NHWC images, four channels at a time where every input channel has one output channel.
 *
 * Arguments of all: 0 input (or its gradient), 1 filter (or its partial gradients), 2 output (or its gradient), 3 bias
 * or 0, 4 images, 5 height, 6 width, 7 channels, 8 output height, 9 output width, 10 filter height, 11 filter width,
 * 12 multiplier, 13 vertical stride, 14 horizontal stride, 15 vertical dilation, 16 horizontal dilation, 17 padding
 * top, 18 padding left, 19 slices (filter gradient only).
 */
import { cut, floats, integer, pointer } from './arguments';

/** The first tap that meets the image. */
// @ts-ignore: decorator
@inline
function firstTap(start: i32, dilation: i32): i32 {
  return start < 0 ? (dilation - 1 - start) / dilation : 0;
}

/** The end of the taps that meet the image. */
// @ts-ignore: decorator
@inline
function endTap(start: i32, dilation: i32, taps: i32, size: i32): i32 {
  return min(taps, (size - start + dilation - 1) / dilation);
}

export function depthwise(args: usize, part: i32, parts: i32): void {
  const input = pointer(args, 0), filter = pointer(args, 1), output = pointer(args, 2), bias = pointer(args, 3);
  const images = integer(args, 4), height = integer(args, 5), width = integer(args, 6), channels = integer(args, 7);
  const outputHeight = integer(args, 8), outputWidth = integer(args, 9);
  const filterHeight = integer(args, 10), filterWidth = integer(args, 11), multiplier = integer(args, 12);
  const strideY = integer(args, 13), strideX = integer(args, 14);
  const dilationY = integer(args, 15), dilationX = integer(args, 16);
  const padTop = integer(args, 17), padLeft = integer(args, 18);
  const outputs = channels * multiplier;
  const last = cut(images * outputHeight, part + 1, parts);
  for (let row = cut(images * outputHeight, part, parts); row < last; row++) {
    const image = row / outputHeight, top = (row - image * outputHeight) * strideY - padTop;
    const firstY = firstTap(top, dilationY), endY = endTap(top, dilationY, filterHeight, height);
    for (let outX = 0; outX < outputWidth; outX++) {
      const left = outX * strideX - padLeft;
      const firstX = firstTap(left, dilationX), endX = endTap(left, dilationX, filterWidth, width);
      const to = output + floats((row * outputWidth + outX) * outputs);
      let channel = 0;
      for (; multiplier == 1 && channel + 4 <= outputs; channel += 4) {
        let sum = bias != 0 ? v128.load(bias + floats(channel)) : f32x4.splat(0);
        for (let y = firstY; y < endY; y++) {
          for (let x = firstX; x < endX; x++) {
            const pixel = (image * height + top + y * dilationY) * width + left + x * dilationX;
            const weights = v128.load(filter + floats((y * filterWidth + x) * outputs + channel));
            sum = f32x4.add(sum, f32x4.mul(v128.load(input + floats(pixel * channels + channel)), weights));
          }
        }
        v128.store(to + floats(channel), sum);
      }
      for (; channel < outputs; channel++) {
        let sum: f32 = bias != 0 ? load<f32>(bias + floats(channel)) : 0;
        const from = channel / multiplier;
        for (let y = firstY; y < endY; y++) {
          for (let x = firstX; x < endX; x++) {
            const pixel = (image * height + top + y * dilationY) * width + left + x * dilationX;
            const weight = load<f32>(filter + floats((y * filterWidth + x) * outputs + channel));
            sum += load<f32>(input + floats(pixel * channels + from)) * weight;
          }
        }
        store<f32>(to + floats(channel), sum);
      }
    }
  }
}

/** Whole images are cut: windows may overlap, so two output rows may write one pixel. */
export function depthwiseGradInput(args: usize, part: i32, parts: i32): void {
  const result = pointer(args, 0);
  const pixels = integer(args, 5) * integer(args, 6) * integer(args, 7);
  const images = integer(args, 4);
  const first = cut(images, part, parts), last = cut(images, part + 1, parts);
  memory.fill(result + floats(first * pixels), 0, floats((last - first) * pixels));
  forEachTap(args, first, last, pointer(args, 1), false);
}

/** One partial gradient for each slice of the images. */
export function depthwiseGradFilter(args: usize, part: i32, parts: i32): void {
  const partial = pointer(args, 1), images = integer(args, 4), slices = integer(args, 19);
  const taps = integer(args, 10) * integer(args, 11) * integer(args, 7) * integer(args, 12);
  const last = cut(slices, part + 1, parts);
  for (let slice = cut(slices, part, parts); slice < last; slice++) {
    const to = partial + floats(slice * taps);
    memory.fill(to, 0, floats(taps));
    forEachTap(args, cut(images, slice, slices), cut(images, slice + 1, slices), to, true);
  }
}

/** Adds gradient * input to the filter, or gradient * filter to the input, for every tap of some images. */
// @ts-ignore: decorator
@inline
function forEachTap(args: usize, firstImage: i32, lastImage: i32, filter: usize, toFilter: bool): void {
  const input = pointer(args, 0), gradient = pointer(args, 2);
  const height = integer(args, 5), width = integer(args, 6), channels = integer(args, 7);
  const outputHeight = integer(args, 8), outputWidth = integer(args, 9);
  const filterHeight = integer(args, 10), filterWidth = integer(args, 11), multiplier = integer(args, 12);
  const strideY = integer(args, 13), strideX = integer(args, 14);
  const dilationY = integer(args, 15), dilationX = integer(args, 16);
  const padTop = integer(args, 17), padLeft = integer(args, 18);
  const outputs = channels * multiplier;
  for (let image = firstImage; image < lastImage; image++) {
    for (let outY = 0; outY < outputHeight; outY++) {
      const top = outY * strideY - padTop;
      const firstY = firstTap(top, dilationY), endY = endTap(top, dilationY, filterHeight, height);
      for (let outX = 0; outX < outputWidth; outX++) {
        const left = outX * strideX - padLeft;
        const firstX = firstTap(left, dilationX), endX = endTap(left, dilationX, filterWidth, width);
        const from = gradient + floats(((image * outputHeight + outY) * outputWidth + outX) * outputs);
        for (let y = firstY; y < endY; y++) {
          for (let x = firstX; x < endX; x++) {
            const pixel = (image * height + top + y * dilationY) * width + left + x * dilationX;
            const value = input + floats(pixel * channels);
            const weight = filter + floats((y * filterWidth + x) * outputs);
            let channel = 0;
            for (; multiplier == 1 && channel + 4 <= outputs; channel += 4) {
              const at = floats(channel), to = (toFilter ? weight : value) + at;
              const other = v128.load((toFilter ? value : weight) + at);
              v128.store(to, f32x4.add(v128.load(to), f32x4.mul(v128.load(from + at), other)));
            }
            for (; channel < outputs; channel++) {
              const valueAt = value + floats(channel / multiplier), weightAt = weight + floats(channel);
              const to = toFilter ? weightAt : valueAt;
              const product = load<f32>(from + floats(channel)) * load<f32>(toFilter ? valueAt : weightAt);
              store<f32>(to, load<f32>(to) + product);
            }
          }
        }
      }
    }
  }
}
