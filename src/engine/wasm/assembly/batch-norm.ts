/** Batch norm over the rows of [rows, channels]. Statistics are float64 sums over fixed slices of the rows. */
import { cut, floats, integer, pointer, real } from './arguments';
import { highHalf, lowHalf, rowsInCache } from './reduce';

/** partial[slice] holds two rows of float64: the sums, then the second sums. */
// @ts-ignore: decorator
@inline
function partialRow(partial: usize, slice: i32, which: i32, channels: i32): usize {
  return partial + ((<usize>((slice * 2 + which) * channels)) << 3);
}

/** Sums of x and of x * x. Arguments: x, partial, rows, channels, slices. */
export function normSums(args: usize, part: i32, parts: i32): void {
  const x = pointer(args, 0), partial = pointer(args, 1);
  const rows = integer(args, 2), channels = integer(args, 3), slices = integer(args, 4);
  const rowBytes = floats(channels), block = rowsInCache(channels);
  const last = cut(slices, part + 1, parts);
  for (let slice = cut(slices, part, parts); slice < last; slice++) {
    const sums = partialRow(partial, slice, 0, channels), squares = partialRow(partial, slice, 1, channels);
    memory.fill(sums, 0, (<usize>channels) << 4);
    const lastRow = cut(rows, slice + 1, slices);
    for (let row = cut(rows, slice, slices); row < lastRow; row += block) {
      const start = x + (<usize>row) * rowBytes;
      const end = start + (<usize>min(block, lastRow - row)) * rowBytes;
      let channel = 0;
      for (; channel + 4 <= channels; channel += 4) {
        const offset = (<usize>channel) << 3;
        let low = v128.load(sums + offset), high = v128.load(sums + offset, 16);
        let lowSquares = v128.load(squares + offset), highSquares = v128.load(squares + offset, 16);
        for (let at = start + floats(channel); at < end; at += rowBytes) {
          const value = v128.load(at);
          const lowValue = lowHalf(value), highValue = highHalf(value);
          low = f64x2.add(low, lowValue);
          high = f64x2.add(high, highValue);
          lowSquares = f64x2.add(lowSquares, f64x2.mul(lowValue, lowValue));
          highSquares = f64x2.add(highSquares, f64x2.mul(highValue, highValue));
        }
        v128.store(sums + offset, low);
        v128.store(sums + offset, high, 16);
        v128.store(squares + offset, lowSquares);
        v128.store(squares + offset, highSquares, 16);
      }
      for (; channel < channels; channel++) {
        const offset = (<usize>channel) << 3;
        let sum = load<f64>(sums + offset), square = load<f64>(squares + offset);
        for (let at = start + floats(channel); at < end; at += rowBytes) {
          const value = <f64>load<f32>(at);
          sum += value;
          square += value * value;
        }
        store<f64>(sums + offset, sum);
        store<f64>(squares + offset, square);
      }
    }
  }
}

/** The sum of one of the two rows over the slices, in order. */
export function total(partial: usize, which: i32, channel: i32, channels: i32, slices: i32): f64 {
  let sum: f64 = 0;
  for (let slice = 0; slice < slices; slice++) {
    sum += load<f64>(partialRow(partial, slice, which, channels) + ((<usize>channel) << 3));
  }
  return sum;
}

/** Arguments: partial, mean, variance, rows, channels, slices. */
export function normStatistics(args: usize, part: i32, parts: i32): void {
  const partial = pointer(args, 0), mean = pointer(args, 1), variance = pointer(args, 2);
  const count = <f64>integer(args, 3), channels = integer(args, 4), slices = integer(args, 5);
  const last = cut(channels, part + 1, parts);
  for (let channel = cut(channels, part, parts); channel < last; channel++) {
    const average = total(partial, 0, channel, channels, slices) / count;
    const square = total(partial, 1, channel, channels, slices) / count;
    store<f32>(mean + floats(channel), <f32>average);
    store<f32>(variance + floats(channel), <f32>max<f64>(0, square - average * average));
  }
}

/** (x - mean) * scale + beta. Arguments: x, gamma, beta, mean, variance, output, rows, channels, epsilon. */
export function normApply(args: usize, part: i32, parts: i32, scratch: usize): void {
  const x = pointer(args, 0), gamma = pointer(args, 1), beta = pointer(args, 2);
  const mean = pointer(args, 3), variance = pointer(args, 4), output = pointer(args, 5);
  const rows = integer(args, 6), channels = integer(args, 7), epsilon = <f64>real(args, 8);
  for (let channel = 0; channel < channels; channel++) {
    const deviation = Math.sqrt(<f64>load<f32>(variance + floats(channel)) + epsilon);
    store<f32>(scratch + floats(channel), <f32>(<f64>load<f32>(gamma + floats(channel)) / deviation));
  }
  const rowBytes = floats(channels);
  let at = (<usize>cut(rows, part, parts)) * rowBytes;
  const end = (<usize>cut(rows, part + 1, parts)) * rowBytes;
  for (; at < end; at += rowBytes) {
    let channel: usize = 0;
    for (; channel + 16 <= rowBytes; channel += 16) {
      const centred = f32x4.sub(v128.load(x + at + channel), v128.load(mean + channel));
      const scaled = f32x4.mul(centred, v128.load(scratch + channel));
      v128.store(output + at + channel, f32x4.add(scaled, v128.load(beta + channel)));
    }
    for (; channel < rowBytes; channel += 4) {
      const centred = load<f32>(x + at + channel) - load<f32>(mean + channel);
      store<f32>(output + at + channel, centred * load<f32>(scratch + channel) + load<f32>(beta + channel));
    }
  }
}

/** Sums of g and of g * (x - mean). Arguments: gradient, x, mean, partial, rows, channels, slices. */
export function normGradSums(args: usize, part: i32, parts: i32): void {
  const gradient = pointer(args, 0), x = pointer(args, 1), mean = pointer(args, 2), partial = pointer(args, 3);
  const rows = integer(args, 4), channels = integer(args, 5), slices = integer(args, 6);
  const rowBytes = floats(channels), block = rowsInCache(2 * channels);
  const last = cut(slices, part + 1, parts);
  for (let slice = cut(slices, part, parts); slice < last; slice++) {
    const sums = partialRow(partial, slice, 0, channels), products = partialRow(partial, slice, 1, channels);
    memory.fill(sums, 0, (<usize>channels) << 4);
    const lastRow = cut(rows, slice + 1, slices);
    for (let row = cut(rows, slice, slices); row < lastRow; row += block) {
      const start = (<usize>row) * rowBytes;
      const end = start + (<usize>min(block, lastRow - row)) * rowBytes;
      let channel = 0;
      for (; channel + 4 <= channels; channel += 4) {
        const offset = (<usize>channel) << 3;
        const centre = v128.load(mean + floats(channel));
        let low = v128.load(sums + offset), high = v128.load(sums + offset, 16);
        let lowProducts = v128.load(products + offset), highProducts = v128.load(products + offset, 16);
        for (let at = start + floats(channel); at < end; at += rowBytes) {
          const slope = v128.load(gradient + at);
          const product = f32x4.mul(slope, f32x4.sub(v128.load(x + at), centre));
          low = f64x2.add(low, lowHalf(slope));
          high = f64x2.add(high, highHalf(slope));
          lowProducts = f64x2.add(lowProducts, lowHalf(product));
          highProducts = f64x2.add(highProducts, highHalf(product));
        }
        v128.store(sums + offset, low);
        v128.store(sums + offset, high, 16);
        v128.store(products + offset, lowProducts);
        v128.store(products + offset, highProducts, 16);
      }
      for (; channel < channels; channel++) {
        const offset = (<usize>channel) << 3;
        const centre = load<f32>(mean + floats(channel));
        let sum = load<f64>(sums + offset), product = load<f64>(products + offset);
        for (let at = start + floats(channel); at < end; at += rowBytes) {
          const slope = load<f32>(gradient + at);
          sum += <f64>slope;
          product += <f64>(slope * (load<f32>(x + at) - centre));
        }
        store<f64>(sums + offset, sum);
        store<f64>(products + offset, product);
      }
    }
  }
}

/** Gradients of gamma and beta. Arguments: partial, variance, gammaGradient, betaGradient, channels, slices, epsilon. */
export function normGradStatistics(args: usize, part: i32, parts: i32): void {
  const partial = pointer(args, 0), variance = pointer(args, 1);
  const gammaGradient = pointer(args, 2), betaGradient = pointer(args, 3);
  const channels = integer(args, 4), slices = integer(args, 5), epsilon = <f64>real(args, 6);
  const last = cut(channels, part + 1, parts);
  for (let channel = cut(channels, part, parts); channel < last; channel++) {
    const deviation = Math.sqrt(<f64>load<f32>(variance + floats(channel)) + epsilon);
    store<f32>(betaGradient + floats(channel), <f32>total(partial, 0, channel, channels, slices));
    store<f32>(gammaGradient + floats(channel), <f32>(total(partial, 1, channel, channels, slices) / deviation));
  }
}

/**
 * dx = scale * (g - offset - (x - mean) * slope) with offset = sum(g) / count and slope = sum(g * n) / (count * sigma).
 *
 * Arguments: gradient, x, gamma, mean, variance, gammaGradient, betaGradient, result, rows, channels, epsilon.
 */
export function normGradApply(args: usize, part: i32, parts: i32, scratch: usize): void {
  const gradient = pointer(args, 0), x = pointer(args, 1), gamma = pointer(args, 2);
  const mean = pointer(args, 3), variance = pointer(args, 4);
  const gammaGradient = pointer(args, 5), betaGradient = pointer(args, 6), result = pointer(args, 7);
  const rows = integer(args, 8), channels = integer(args, 9), epsilon = <f64>real(args, 10);
  const rowBytes = floats(channels);
  const scales = scratch, offsets = scratch + rowBytes, slopes = offsets + rowBytes;
  for (let channel: usize = 0; channel < rowBytes; channel += 4) {
    const inverse = 1 / Math.sqrt(<f64>load<f32>(variance + channel) + epsilon);
    store<f32>(scales + channel, <f32>(<f64>load<f32>(gamma + channel) * inverse));
    store<f32>(offsets + channel, <f32>(<f64>load<f32>(betaGradient + channel) / <f64>rows));
    store<f32>(slopes + channel, <f32>(<f64>load<f32>(gammaGradient + channel) * inverse / <f64>rows));
  }
  let at = (<usize>cut(rows, part, parts)) * rowBytes;
  const end = (<usize>cut(rows, part + 1, parts)) * rowBytes;
  for (; at < end; at += rowBytes) {
    let channel: usize = 0;
    for (; channel + 16 <= rowBytes; channel += 16) {
      const pull = f32x4.mul(
        f32x4.sub(v128.load(x + at + channel), v128.load(mean + channel)), v128.load(slopes + channel),
      );
      const centred = f32x4.sub(f32x4.sub(v128.load(gradient + at + channel), v128.load(offsets + channel)), pull);
      v128.store(result + at + channel, f32x4.mul(v128.load(scales + channel), centred));
    }
    for (; channel < rowBytes; channel += 4) {
      const pull = (load<f32>(x + at + channel) - load<f32>(mean + channel)) * load<f32>(slopes + channel);
      const centred = load<f32>(gradient + at + channel) - load<f32>(offsets + channel) - pull;
      store<f32>(result + at + channel, load<f32>(scales + channel) * centred);
    }
  }
}
