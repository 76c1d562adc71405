/**
 * Resizing NHWC images by tables: for each output row and column the two input ones that it is interpolated from and
 * the weight of the second, three words each. float64 inside, as the plain loops compute it.
 *
 * Arguments: input (or gradient), output (or result), images, height, width, channels, output height, output width,
 * row table, column table.
 */
import { cut, floats, integer, pointer, real } from './arguments';

export function resize(args: usize, part: i32, parts: i32): void {
  const input = pointer(args, 0), output = pointer(args, 1), images = integer(args, 2), height = integer(args, 3);
  const width = integer(args, 4), channels = integer(args, 5);
  const outputHeight = integer(args, 6), outputWidth = integer(args, 7);
  const rows = pointer(args, 8), columns = pointer(args, 9);
  const last = cut(images * outputHeight, part + 1, parts);
  for (let row = cut(images * outputHeight, part, parts); row < last; row++) {
    const image = row / outputHeight, outY = row - image * outputHeight;
    const low = input + floats((image * height + integer(rows, 3 * outY)) * width * channels);
    const high = input + floats((image * height + integer(rows, 3 * outY + 1)) * width * channels);
    const fractionY = <f64>real(rows, 3 * outY + 2);
    for (let outX = 0; outX < outputWidth; outX++) {
      const left = integer(columns, 3 * outX) * channels, right = integer(columns, 3 * outX + 1) * channels;
      const fractionX = <f64>real(columns, 3 * outX + 2);
      const to = output + floats((row * outputWidth + outX) * channels);
      for (let channel = 0; channel < channels; channel++) {
        const top = <f64>load<f32>(low + floats(left + channel)) * (1 - fractionX) +
          <f64>load<f32>(low + floats(right + channel)) * fractionX;
        const bottom = <f64>load<f32>(high + floats(left + channel)) * (1 - fractionX) +
          <f64>load<f32>(high + floats(right + channel)) * fractionX;
        store<f32>(to + floats(channel), <f32>(top * (1 - fractionY) + bottom * fractionY));
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function accumulate(at: usize, value: f64): void {
  store<f32>(at, <f32>(<f64>load<f32>(at) + value));
}

/** Whole images are cut: two output rows may write one input row. */
export function resizeGrad(args: usize, part: i32, parts: i32): void {
  const gradient = pointer(args, 0), result = pointer(args, 1), images = integer(args, 2), height = integer(args, 3);
  const width = integer(args, 4), channels = integer(args, 5);
  const outputHeight = integer(args, 6), outputWidth = integer(args, 7);
  const rows = pointer(args, 8), columns = pointer(args, 9);
  const imageBytes = floats(height * width * channels);
  const last = cut(images, part + 1, parts);
  for (let image = cut(images, part, parts); image < last; image++) {
    const start = result + (<usize>image) * imageBytes;
    memory.fill(start, 0, imageBytes);
    let from = gradient + floats(image * outputHeight * outputWidth * channels);
    for (let outY = 0; outY < outputHeight; outY++) {
      const low = start + floats(integer(rows, 3 * outY) * width * channels);
      const high = start + floats(integer(rows, 3 * outY + 1) * width * channels);
      const fractionY = <f64>real(rows, 3 * outY + 2);
      for (let outX = 0; outX < outputWidth; outX++) {
        const left = integer(columns, 3 * outX) * channels, right = integer(columns, 3 * outX + 1) * channels;
        const fractionX = <f64>real(columns, 3 * outX + 2);
        for (let channel = 0; channel < channels; channel++) {
          const value = <f64>load<f32>(from);
          accumulate(low + floats(left + channel), value * (1 - fractionY) * (1 - fractionX));
          accumulate(low + floats(right + channel), value * (1 - fractionY) * fractionX);
          accumulate(high + floats(left + channel), value * fractionY * (1 - fractionX));
          accumulate(high + floats(right + channel), value * fractionY * fractionX);
          from += 4;
        }
      }
    }
  }
}
