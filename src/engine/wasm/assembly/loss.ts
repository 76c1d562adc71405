/** Softmax and the losses. `exp` and `log` are those of core/math.ts, operation for operation. */
import * as code from '../opcodes';
import { cut, cutLines, floats, integer, pointer, real } from './arguments';

const LN2_HIGH: f64 = 0.693147180369123816490;
const LN2_LOW: f64 = 1.90821492927058770002e-10;

/** 2^exponent for -1022 <= exponent <= 1023. */
// @ts-ignore: decorator
@inline
function powerOfTwo(exponent: i32): f64 {
  return reinterpret<f64>((<i64>(exponent + 1023)) << 52);
}

/**
 * The Taylor series of exp for |r| <= ln 2 / 2, from its 17th term to its first: 1 + (r * rest) / term. Where the term is
 * a power of two, its inverse is exact and the product is the quotient, bit for bit.
 */
// @ts-ignore: decorator
@inline
function taylor(r: f64): f64 {
  let series = 1 + r * 0.0625;
  for (let term: f64 = 15; term >= 9; term--) series = 1 + (r * series) / term;
  series = 1 + r * series * 0.125;
  for (let term: f64 = 7; term >= 5; term--) series = 1 + (r * series) / term;
  series = 1 + r * series * 0.25;
  series = 1 + (r * series) / 3;
  series = 1 + r * series * 0.5;
  return 1 + r * series;
}

export function exponential(x: f64): f64 {
  if (!(x > -745.2)) return x != x ? NaN : 0;
  if (x > 709.78) return Infinity;
  const k = floor<f64>(x / Math.LN2 + 0.5);
  const r = x - k * LN2_HIGH - k * LN2_LOW;
  const series = taylor(r);
  const half = <i32>k / 2;
  return series * powerOfTwo(half) * powerOfTwo(<i32>k - half);
}

/** For positive, finite x. */
function logarithm(x: f64): f64 {
  let fraction = x;
  let exponent: f64 = 0;
  while (fraction >= Math.SQRT2) {
    fraction /= 2;
    exponent++;
  }
  while (fraction < Math.SQRT1_2) {
    fraction *= 2;
    exponent--;
  }
  const s = (fraction - 1) / (fraction + 1);
  const square = s * s;
  let series: f64 = 0;
  for (let term: f64 = 23; term >= 1; term -= 2) series = 1 / term + square * series;
  return exponent * LN2_HIGH + (2 * s * series + exponent * LN2_LOW);
}

// @ts-ignore: decorator
@inline
function twoPowers(exponents: v128): v128 {
  return i64x2.shl(i64x2.add(exponents, i64x2.splat(1023)), 52);
}

/** `exponential` of two values at once, operation for operation; both are above -745.2 and at most 709.78. */
// @ts-ignore: decorator
@inline
function scaledPair(series: v128, k: v128): v128 {
  const whole = i32x4.trunc_sat_f64x2_s_zero(k);
  // Half, rounded to zero.
  const half = i32x4.shr_s(i32x4.add(whole, i32x4.shr_u(whole, 31)), 1);
  const first = twoPowers(i64x2.extend_low_i32x4_s(half));
  const second = twoPowers(i64x2.extend_low_i32x4_s(i32x4.sub(whole, half)));
  return f64x2.mul(f64x2.mul(series, first), second);
}

// @ts-ignore: decorator
@inline
function wholeSteps(x: v128): v128 {
  return f64x2.floor(f64x2.add(f64x2.div(x, f64x2.splat(Math.LN2)), f64x2.splat(0.5)));
}

// @ts-ignore: decorator
@inline
function remainder(x: v128, k: v128): v128 {
  const high = f64x2.sub(x, f64x2.mul(k, f64x2.splat(LN2_HIGH)));
  return f64x2.sub(high, f64x2.mul(k, f64x2.splat(LN2_LOW)));
}

// @ts-ignore: decorator
@inline
function one(): v128 {
  return f64x2.splat(1);
}

/** The steps of `taylor`. */
// @ts-ignore: decorator
@inline
function quotientStep(r: v128, series: v128, term: f64): v128 {
  return f64x2.add(one(), f64x2.div(f64x2.mul(r, series), f64x2.splat(term)));
}

// @ts-ignore: decorator
@inline
function productStep(r: v128, series: v128, inverse: f64): v128 {
  return f64x2.add(one(), f64x2.mul(f64x2.mul(r, series), f64x2.splat(inverse)));
}

// @ts-ignore: decorator
@inline
function inRange(x: v128): bool {
  return i64x2.all_true(v128.and(f64x2.gt(x, f64x2.splat(-745.2)), f64x2.le(x, f64x2.splat(709.78))));
}

/**
 * exp(beta * (logit - largest)) of four logits to `output`; returns `total` with the four added in order. Two chains of
 * divisions run side by side.
 */
// @ts-ignore: decorator
@inline
function fourExponentials(logits: usize, largest: f64, beta: f64, output: usize, total: f64): f64 {
  const four = v128.load(logits);
  const most = f64x2.splat(largest), factor = f64x2.splat(beta);
  const upper = i8x16.shuffle(four, four, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
  const x0 = f64x2.mul(factor, f64x2.sub(f64x2.promote_low_f32x4(four), most));
  const x1 = f64x2.mul(factor, f64x2.sub(f64x2.promote_low_f32x4(upper), most));
  if (!inRange(x0) || !inRange(x1)) return someExponentials(logits, 4, largest, beta, output, total);
  const k0 = wholeSteps(x0), k1 = wholeSteps(x1);
  const r0 = remainder(x0, k0), r1 = remainder(x1, k1);
  let series0 = f64x2.add(one(), f64x2.mul(r0, f64x2.splat(0.0625)));
  let series1 = f64x2.add(one(), f64x2.mul(r1, f64x2.splat(0.0625)));
  for (let term: f64 = 15; term >= 9; term--) {
    series0 = quotientStep(r0, series0, term);
    series1 = quotientStep(r1, series1, term);
  }
  series0 = productStep(r0, series0, 0.125);
  series1 = productStep(r1, series1, 0.125);
  for (let term: f64 = 7; term >= 5; term--) {
    series0 = quotientStep(r0, series0, term);
    series1 = quotientStep(r1, series1, term);
  }
  series0 = productStep(r0, quotientStep(r0, productStep(r0, series0, 0.25), 3), 0.5);
  series1 = productStep(r1, quotientStep(r1, productStep(r1, series1, 0.25), 3), 0.5);
  series0 = f64x2.add(one(), f64x2.mul(r0, series0));
  series1 = f64x2.add(one(), f64x2.mul(r1, series1));
  const y0 = scaledPair(series0, k0), y1 = scaledPair(series1, k1);
  v128.store64_lane(output, f32x4.demote_f64x2_zero(y0), 0);
  v128.store64_lane(output + 8, f32x4.demote_f64x2_zero(y1), 0);
  total += f64x2.extract_lane(y0, 0);
  total += f64x2.extract_lane(y0, 1);
  total += f64x2.extract_lane(y1, 0);
  return total + f64x2.extract_lane(y1, 1);
}

function someExponentials(logits: usize, count: i32, largest: f64, beta: f64, output: usize, total: f64): f64 {
  for (let index = 0; index < count; index++) {
    const value = exponential(beta * (<f64>load<f32>(logits + floats(index)) - largest));
    store<f32>(output + floats(index), <f32>value);
    total += value;
  }
  return total;
}

/** exp(beta * (logit - largest)) of a row to `output`; returns their sum in float64, added in order. */
function exponentials(logits: usize, depth: i32, largest: f64, beta: f64, output: usize): f64 {
  let total: f64 = 0;
  let index = 0;
  for (; index + 4 <= depth; index += 4) {
    total = fourExponentials(logits + floats(index), largest, beta, output + floats(index), total);
  }
  return someExponentials(logits + floats(index), depth - index, largest, beta, output + floats(index), total);
}

function largestOf(logits: usize, depth: i32): f64 {
  let largest: f32 = -Infinity;
  for (let index = 0; index < depth; index++) largest = max<f32>(largest, load<f32>(logits + floats(index)));
  return <f64>largest;
}

/** One row; the largest logit is subtracted first, so no exponential overflows. */
function softmaxRow(logits: usize, depth: i32, beta: f64, output: usize): void {
  const total = exponentials(logits, depth, largestOf(logits, depth), beta, output);
  for (let index = 0; index < depth; index++) {
    const at = output + floats(index);
    store<f32>(at, <f32>(<f64>load<f32>(at) / total));
  }
}

/** Arguments: logits, output, rows, depth, beta. */
export function softmax(args: usize, part: i32, parts: i32): void {
  const logits = pointer(args, 0), output = pointer(args, 1), rows = integer(args, 2), depth = integer(args, 3);
  const beta = <f64>real(args, 4);
  const last = cut(rows, part + 1, parts);
  for (let row = cut(rows, part, parts); row < last; row++) {
    softmaxRow(logits + floats(row * depth), depth, beta, output + floats(row * depth));
  }
}

// @ts-ignore: decorator
@inline
function isClass(label: f32, classes: i32): bool {
  return label >= 0 && label < <f32>classes;
}

/** The log of a row's probability of its label. */
function labelLogarithm(logits: usize, label: f32, classes: i32, scratch: usize): f64 {
  softmaxRow(logits, classes, 1, scratch);
  const probability: f64 = isClass(label, classes) ? <f64>load<f32>(scratch + floats(<i32>label)) : NaN;
  return probability != probability ? NaN : logarithm(max<f64>(probability, 1.17549435e-38));
}

/** A row's loss against the targets of its label; a target of 0 adds nothing. */
function targetLoss(logits: usize, targets: usize, classes: i32, scratch: usize): f64 {
  const largest = largestOf(logits, classes);
  const total = exponentials(logits, classes, largest, 1, scratch);
  const logTotal = total != total ? NaN : logarithm(total);
  let loss: f64 = 0;
  for (let index = 0; index < classes; index++) {
    const target = <f64>load<f32>(targets + floats(index));
    if (target == 0) continue;
    loss += target * (logTotal - (<f64>load<f32>(logits + floats(index)) - largest));
  }
  return loss;
}

/** The loss of each row, float64. Arguments: logits, labels, targets (0: none), losses, rows, classes. */
export function crossEntropyRows(args: usize, part: i32, parts: i32, scratch: usize): void {
  const logits = pointer(args, 0), labels = pointer(args, 1), targets = pointer(args, 2), losses = pointer(args, 3);
  const rows = integer(args, 4), classes = integer(args, 5);
  const last = cut(rows, part + 1, parts);
  for (let row = cut(rows, part, parts); row < last; row++) {
    const from = logits + floats(row * classes), label = load<f32>(labels + floats(row));
    let loss: f64;
    if (targets == 0) loss = -labelLogarithm(from, label, classes, scratch);
    else if (isClass(label, classes)) loss = targetLoss(from, targets + floats(<i32>label * classes), classes, scratch);
    else loss = NaN;
    store<f64>(losses + ((<usize>row) << 3), loss);
  }
}

/** The rows' losses added in order, divided. Arguments: losses, mean loss, rows, divisor. */
export function crossEntropySum(args: usize, part: i32): void {
  if (part != 0) return;
  const losses = pointer(args, 0), rows = integer(args, 2), divisor = integer(args, 3);
  let total: f64 = 0;
  for (let row = 0; row < rows; row++) total += load<f64>(losses + ((<usize>row) << 3));
  store<f32>(pointer(args, 1), <f32>(total / <f64>divisor));
}

/** Turns probabilities into (probability * weight - target) * factor, where the weight is the sum of the targets. */
function targetSlopes(values: usize, targets: usize, classes: i32, factor: f32): void {
  let weight: f64 = 0;
  for (let index = 0; index < classes; index++) weight += <f64>load<f32>(targets + floats(index));
  for (let index = 0; index < classes; index++) {
    const at = values + floats(index);
    const difference = <f64>load<f32>(at) * weight - <f64>load<f32>(targets + floats(index));
    store<f32>(at, <f32>(difference * <f64>factor));
  }
}

/** Arguments: loss gradient (scalar), logits, labels, targets (0: none), result, rows, classes. */
export function crossEntropyGrad(args: usize, part: i32, parts: i32): void {
  const logits = pointer(args, 1), labels = pointer(args, 2), targets = pointer(args, 3), result = pointer(args, 4);
  const rows = integer(args, 5), classes = integer(args, 6);
  const factor = <f32>(<f64>load<f32>(pointer(args, 0)) / <f64>rows);
  const last = cut(rows, part + 1, parts);
  for (let row = cut(rows, part, parts); row < last; row++) {
    const to = result + floats(row * classes);
    softmaxRow(logits + floats(row * classes), classes, 1, to);
    const label = load<f32>(labels + floats(row));
    if (targets != 0 && isClass(label, classes)) {
      targetSlopes(to, targets + floats(<i32>label * classes), classes, factor);
      continue;
    }
    if (isClass(label, classes)) {
      const at = to + floats(<i32>label);
      store<f32>(at, load<f32>(at) - 1);
    }
    for (let index = 0; index < classes; index++) store<f32>(to + floats(index), load<f32>(to + floats(index)) * factor);
  }
}

// @ts-ignore: decorator
@inline
function smoothed(label: f64, smoothing: f64): f64 {
  return label * (1 - smoothing) + smoothing / 2;
}

// @ts-ignore: decorator
@inline
function answerWeight(weights: usize, label: f64, index: i32, answers: i32): f64 {
  if (weights == 0) return 1;
  const yes = <f64>load<f32>(weights + floats(answers + index)), no = <f64>load<f32>(weights + floats(index));
  return label * yes + (1 - label) * no;
}

/** The loss of each row, float64. Arguments: logits, labels, weights (0: none), losses, rows, answers, smoothing. */
export function sigmoidCrossEntropyRows(args: usize, part: i32, parts: i32): void {
  const logits = pointer(args, 0), labels = pointer(args, 1), weights = pointer(args, 2), losses = pointer(args, 3);
  const rows = integer(args, 4), answers = integer(args, 5), smoothing = <f64>real(args, 6);
  const last = cut(rows, part + 1, parts);
  for (let row = cut(rows, part, parts); row < last; row++) {
    let total: f64 = 0;
    for (let index = 0; index < answers; index++) {
      const at = floats(row * answers + index);
      const logit = <f64>load<f32>(logits + at), label = <f64>load<f32>(labels + at);
      const sum = 1 + exponential(-abs<f64>(logit));
      const rest = sum != sum ? NaN : logarithm(sum);
      const value = max<f64>(logit, 0) - logit * smoothed(label, smoothing) + rest;
      total += answerWeight(weights, label, index, answers) * value;
    }
    store<f64>(losses + ((<usize>row) << 3), total);
  }
}

/** Arguments: loss gradient (scalar), logits, labels, weights (0: none), result, count, answers, smoothing. */
export function sigmoidCrossEntropyGrad(args: usize, part: i32, parts: i32): void {
  const logits = pointer(args, 1), labels = pointer(args, 2), weights = pointer(args, 3), result = pointer(args, 4);
  const count = integer(args, 5), answers = integer(args, 6), smoothing = <f64>real(args, 7);
  const factor = <f64>(<f32>(<f64>load<f32>(pointer(args, 0)) / <f64>count));
  const last = cutLines(count, part + 1, parts);
  for (let index = cutLines(count, part, parts); index < last; index++) {
    const at = floats(index);
    const label = <f64>load<f32>(labels + at);
    const difference = 1 / (1 + exponential(-(<f64>load<f32>(logits + at)))) - smoothed(label, smoothing);
    store<f32>(result + at, <f32>(answerWeight(weights, label, index % answers, answers) * difference * factor));
  }
}

/** How many rows of each slice are right, int32. Arguments: logits, labels, partial [slices], rows, classes, slices. */
export function top1Slices(args: usize, part: i32, parts: i32): void {
  const logits = pointer(args, 0), labels = pointer(args, 1), partial = pointer(args, 2);
  const rows = integer(args, 3), classes = integer(args, 4), slices = integer(args, 5);
  const last = cut(slices, part + 1, parts);
  for (let slice = cut(slices, part, parts); slice < last; slice++) {
    const end = cut(rows, slice + 1, slices);
    let correct = 0;
    for (let row = cut(rows, slice, slices); row < end; row++) {
      const base = logits + floats(row * classes);
      let best = 0;
      for (let index = 1; index < classes; index++) {
        if (load<f32>(base + floats(index)) > load<f32>(base + floats(best))) best = index;
      }
      if (<f32>best == load<f32>(labels + floats(row))) correct++;
    }
    store<i32>(partial + floats(slice), correct);
  }
}

/** Arguments: partial [slices], count, slices. */
export function top1Count(args: usize, part: i32): void {
  if (part != 0) return;
  const partial = pointer(args, 0), slices = integer(args, 2);
  let correct = 0;
  for (let slice = 0; slice < slices; slice++) correct += load<i32>(partial + floats(slice));
  store<f32>(pointer(args, 1), <f32>correct);
}

// @ts-ignore: decorator
@inline
function errorOf(which: i32, difference: f64, delta: f64): f64 {
  switch (which) {
    case code.SQUARED_ERROR:
      return difference * difference;
    case code.ABSOLUTE_ERROR:
      return abs<f64>(difference);
    default: {
      const size = abs<f64>(difference);
      return size <= delta ? (size * size) / 2 : delta * size - (delta * delta) / 2;
    }
  }
}

/**
 * The errors of each slice, added in float64. Arguments: prediction, target, partial [slices], count, slices, which
 * error, its delta.
 */
export function errorSlices(args: usize, part: i32, parts: i32): void {
  const prediction = pointer(args, 0), target = pointer(args, 1), partial = pointer(args, 2);
  const count = integer(args, 3), slices = integer(args, 4), which = integer(args, 5);
  const delta = <f64>real(args, 6);
  const last = cut(slices, part + 1, parts);
  for (let slice = cut(slices, part, parts); slice < last; slice++) {
    const end = cutLines(count, slice + 1, slices);
    let total: f64 = 0;
    for (let index = cutLines(count, slice, slices); index < end; index++) {
      const at = floats(index);
      total += errorOf(which, <f64>load<f32>(prediction + at) - <f64>load<f32>(target + at), delta);
    }
    store<f64>(partial + ((<usize>slice) << 3), total);
  }
}

/** The slices in order. Arguments: partial [slices], mean, count, slices. */
export function errorMean(args: usize, part: i32): void {
  if (part != 0) return;
  const partial = pointer(args, 0), count = integer(args, 2), slices = integer(args, 3);
  let total: f64 = 0;
  for (let slice = 0; slice < slices; slice++) total += load<f64>(partial + ((<usize>slice) << 3));
  store<f32>(pointer(args, 1), <f32>(total / <f64>count));
}

// @ts-ignore: decorator
@inline
function slopeOf(which: i32, difference: f32, delta: f32): f32 {
  switch (which) {
    case code.SQUARED_ERROR:
      return difference;
    case code.ABSOLUTE_ERROR:
      return difference > 0 ? 1 : difference < 0 ? -1 : difference;
    default:
      return max<f32>(-delta, min<f32>(difference, delta));
  }
}

/** Arguments: loss gradient (scalar), prediction, target, result, count, which error, its delta. */
export function errorGrad(args: usize, part: i32, parts: i32): void {
  const prediction = pointer(args, 1), target = pointer(args, 2), result = pointer(args, 3);
  const count = integer(args, 4), which = integer(args, 5), delta = real(args, 6);
  const scale: f64 = which == code.SQUARED_ERROR ? 2 : 1;
  const factor = <f32>((scale * <f64>load<f32>(pointer(args, 0))) / <f64>count);
  let at = floats(cutLines(count, part, parts));
  const end = floats(cutLines(count, part + 1, parts));
  if (which == code.SQUARED_ERROR) {
    const factors = f32x4.splat(factor);
    for (; at + 16 <= end; at += 16) {
      const difference = f32x4.sub(v128.load(prediction + at), v128.load(target + at));
      v128.store(result + at, f32x4.mul(factors, difference));
    }
  }
  for (; at < end; at += 4) {
    store<f32>(result + at, factor * slopeOf(which, load<f32>(prediction + at) - load<f32>(target + at), delta));
  }
}
