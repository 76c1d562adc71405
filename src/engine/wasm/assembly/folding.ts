/** Batch norm folded into weights while training. Tables hold one float32 per channel. */
import { cut, floats, integer, pointer, real } from './arguments';
import { total } from './batch-norm';

// @ts-ignore: decorator
@inline
function deviation(variance: usize, channel: i32, epsilon: f64): f64 {
  return Math.sqrt(<f64>load<f32>(variance + floats(channel)) + epsilon);
}

/** gamma / sigma. Arguments: gamma, variance, factors, channels, epsilon. */
export function foldFactors(args: usize, part: i32, parts: i32): void {
  const gamma = pointer(args, 0), variance = pointer(args, 1), factors = pointer(args, 2);
  const channels = integer(args, 3), epsilon = <f64>real(args, 4);
  const last = cut(channels, part + 1, parts);
  for (let channel = cut(channels, part, parts); channel < last; channel++) {
    const factor = <f64>load<f32>(gamma + floats(channel)) / deviation(variance, channel, epsilon);
    store<f32>(factors + floats(channel), <f32>factor);
  }
}

/** Values [outer, channels, inner] times one factor a channel. Arguments: x, factors, output, outer, channels, inner. */
export function scaleChannels(args: usize, part: i32, parts: i32): void {
  const x = pointer(args, 0), factors = pointer(args, 1), output = pointer(args, 2);
  const outer = integer(args, 3), channels = integer(args, 4), inner = integer(args, 5);
  const runs = outer * channels;
  const last = cut(runs, part + 1, parts);
  for (let run = cut(runs, part, parts); run < last; run++) {
    const factor = load<f32>(factors + floats(run % channels));
    const end = floats((run + 1) * inner);
    for (let at = floats(run * inner); at < end; at += 4) store<f32>(output + at, load<f32>(x + at) * factor);
  }
}

/** Sums of g * x over a channel, by sigma. Arguments: gradient, x, variance, result, outer, channels, inner, epsilon. */
export function foldGammaGrad(args: usize, part: i32, parts: i32): void {
  const gradient = pointer(args, 0), x = pointer(args, 1), variance = pointer(args, 2), result = pointer(args, 3);
  const outer = integer(args, 4), channels = integer(args, 5), inner = integer(args, 6), epsilon = <f64>real(args, 7);
  const last = cut(channels, part + 1, parts);
  for (let channel = cut(channels, part, parts); channel < last; channel++) {
    let sum: f64 = 0;
    for (let row = 0; row < outer; row++) {
      const first = (row * channels + channel) * inner;
      const end = floats(first + inner);
      for (let at = floats(first); at < end; at += 4) sum += <f64>load<f32>(gradient + at) * <f64>load<f32>(x + at);
    }
    store<f32>(result + floats(channel), <f32>(sum / deviation(variance, channel, epsilon)));
  }
}

/**
 * The statistics that hold, and what makes the corrected output of the folded one: scale and shift.
 *
 * Arguments: gamma, beta, movingMean, movingVariance, frozen or 0, mean, variance (the batch's; overwritten by the
 * moving ones when frozen), scales, shifts, channels, epsilon.
 */
export function foldCorrectTables(args: usize, part: i32, parts: i32): void {
  const gamma = pointer(args, 0), beta = pointer(args, 1);
  const movingMean = pointer(args, 2), movingVariance = pointer(args, 3), frozen = pointer(args, 4);
  const mean = pointer(args, 5), variance = pointer(args, 6), scales = pointer(args, 7), shifts = pointer(args, 8);
  const channels = integer(args, 9), epsilon = <f64>real(args, 10);
  const isFrozen = frozen != 0 && load<f32>(frozen) == 1;
  const last = cut(channels, part + 1, parts);
  for (let channel = cut(channels, part, parts); channel < last; channel++) {
    const at = floats(channel);
    if (isFrozen) {
      store<f32>(mean + at, load<f32>(movingMean + at));
      store<f32>(variance + at, load<f32>(movingVariance + at));
    }
    const sigma = deviation(variance, channel, epsilon);
    const pull = <f64>load<f32>(mean + at) * <f64>load<f32>(gamma + at) / sigma;
    store<f32>(scales + at, <f32>(deviation(movingVariance, channel, epsilon) / sigma));
    store<f32>(shifts + at, <f32>(<f64>load<f32>(beta + at) - pull));
  }
}

/**
 * The gradients of gamma and beta, and what makes those of the layer outputs: scales for the folded one, slopes and
 * offsets for the unfolded one. `partial` holds the sums of g and of g * folded, see normGradSums.
 *
 * Arguments: partial, gamma, mean, variance, movingVariance, frozen or 0, gammaGradient, betaGradient, scales, slopes,
 * offsets, channels, rows, slices, epsilon.
 */
export function foldCorrectGradTables(args: usize, part: i32, parts: i32): void {
  const partial = pointer(args, 0), gamma = pointer(args, 1), mean = pointer(args, 2), variance = pointer(args, 3);
  const movingVariance = pointer(args, 4), frozen = pointer(args, 5);
  const gammaGradient = pointer(args, 6), betaGradient = pointer(args, 7);
  const scales = pointer(args, 8), slopes = pointer(args, 9), offsets = pointer(args, 10);
  const channels = integer(args, 11), rows = <f64>integer(args, 12), slices = integer(args, 13);
  const epsilon = <f64>real(args, 14);
  const isFrozen = frozen != 0 && load<f32>(frozen) == 1;
  const last = cut(channels, part + 1, parts);
  for (let channel = cut(channels, part, parts); channel < last; channel++) {
    const at = floats(channel);
    const sigma = deviation(variance, channel, epsilon), movingSigma = deviation(movingVariance, channel, epsilon);
    const centre = <f64>load<f32>(mean + at), factor = <f64>load<f32>(gamma + at);
    const sum = total(partial, 0, channel, channels, slices), product = total(partial, 1, channel, channels, slices);
    const sigmaGradient = (sum * centre * factor - product * movingSigma) / (sigma * sigma);
    const slope = isFrozen ? 0 : sigmaGradient / sigma / rows;
    store<f32>(betaGradient + at, <f32>sum);
    store<f32>(gammaGradient + at, <f32>(-sum * centre / sigma));
    store<f32>(scales + at, <f32>(movingSigma / sigma));
    store<f32>(slopes + at, <f32>slope);
    store<f32>(offsets + at, <f32>(isFrozen ? 0 : -sum * factor / sigma / rows - slope * centre));
  }
}

/** x * scale + shift over [rows, channels]; no shifts where that is 0. Arguments: x, scales, shifts, output, rows, channels. */
export function affineRows(args: usize, part: i32, parts: i32): void {
  const x = pointer(args, 0), scales = pointer(args, 1), shifts = pointer(args, 2), output = pointer(args, 3);
  const rows = integer(args, 4), channels = integer(args, 5);
  const rowBytes = floats(channels);
  let at = (<usize>cut(rows, part, parts)) * rowBytes;
  const end = (<usize>cut(rows, part + 1, parts)) * rowBytes;
  for (; at < end; at += rowBytes) {
    let channel: usize = 0;
    for (; channel + 16 <= rowBytes; channel += 16) {
      let value = f32x4.mul(v128.load(x + at + channel), v128.load(scales + channel));
      if (shifts != 0) value = f32x4.add(value, v128.load(shifts + channel));
      v128.store(output + at + channel, value);
    }
    for (; channel < rowBytes; channel += 4) {
      let value = load<f32>(x + at + channel) * load<f32>(scales + channel);
      if (shifts != 0) value += load<f32>(shifts + channel);
      store<f32>(output + at + channel, value);
    }
  }
}
