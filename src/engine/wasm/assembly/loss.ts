/** Softmax and the losses. `exp` and `log` are those of core/math.ts, operation for operation. */
import { cut, cutLines, floats, integer, pointer, real } from './arguments';

const LN2_HIGH: f64 = 0.693147180369123816490;
const LN2_LOW: f64 = 1.90821492927058770002e-10;

/** 2^exponent for -1022 <= exponent <= 1023. */
// @ts-ignore: decorator
@inline
function powerOfTwo(exponent: i32): f64 {
  return reinterpret<f64>((<i64>(exponent + 1023)) << 52);
}

export function exponential(x: f64): f64 {
  if (!(x > -745.2)) return x != x ? NaN : 0;
  if (x > 709.78) return Infinity;
  const k = floor<f64>(x / Math.LN2 + 0.5);
  const r = x - k * LN2_HIGH - k * LN2_LOW;
  let series: f64 = 1;
  for (let term: f64 = 16; term >= 1; term--) series = 1 + (r * series) / term;
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

/** One row; the largest logit is subtracted first, so no exponential overflows. */
function softmaxRow(logits: usize, depth: i32, beta: f64, output: usize): void {
  let largest: f32 = -Infinity;
  for (let index = 0; index < depth; index++) largest = max<f32>(largest, load<f32>(logits + floats(index)));
  let total: f64 = 0;
  for (let index = 0; index < depth; index++) {
    const value = exponential(beta * (<f64>load<f32>(logits + floats(index)) - <f64>largest));
    store<f32>(output + floats(index), <f32>value);
    total += value;
  }
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

/** -log of each row's probability of its label, float64. Arguments: logits, labels, losses, rows, classes. */
export function crossEntropyRows(args: usize, part: i32, parts: i32, scratch: usize): void {
  const logits = pointer(args, 0), labels = pointer(args, 1), losses = pointer(args, 2);
  const rows = integer(args, 3), classes = integer(args, 4);
  const last = cut(rows, part + 1, parts);
  for (let row = cut(rows, part, parts); row < last; row++) {
    softmaxRow(logits + floats(row * classes), classes, 1, scratch);
    const label = load<f32>(labels + floats(row));
    const known = label >= 0 && label < <f32>classes;
    const probability: f64 = known ? <f64>load<f32>(scratch + floats(<i32>label)) : NaN;
    const loss: f64 = probability != probability ? NaN : logarithm(max<f64>(probability, 1.17549435e-38));
    store<f64>(losses + ((<usize>row) << 3), loss);
  }
}

/** The mean, added in order. Arguments: losses, mean loss, rows. */
export function crossEntropySum(args: usize, part: i32): void {
  if (part != 0) return;
  const losses = pointer(args, 0), rows = integer(args, 2);
  let total: f64 = 0;
  for (let row = 0; row < rows; row++) total -= load<f64>(losses + ((<usize>row) << 3));
  store<f32>(pointer(args, 1), <f32>(total / <f64>rows));
}

/** Arguments: loss gradient (scalar), logits, labels, result, rows, classes. */
export function crossEntropyGrad(args: usize, part: i32, parts: i32): void {
  const logits = pointer(args, 1), labels = pointer(args, 2), result = pointer(args, 3);
  const rows = integer(args, 4), classes = integer(args, 5);
  const factor = load<f32>(pointer(args, 0)) / <f32>rows;
  const last = cut(rows, part + 1, parts);
  for (let row = cut(rows, part, parts); row < last; row++) {
    const to = result + floats(row * classes);
    softmaxRow(logits + floats(row * classes), classes, 1, to);
    const label = load<f32>(labels + floats(row));
    if (label >= 0 && label < <f32>classes) {
      const at = to + floats(<i32>label);
      store<f32>(at, load<f32>(at) - 1);
    }
    for (let index = 0; index < classes; index++) store<f32>(to + floats(index), load<f32>(to + floats(index)) * factor);
  }
}

/** Arguments: logits, labels, count, rows, classes. */
export function top1Count(args: usize, part: i32): void {
  if (part != 0) return;
  const logits = pointer(args, 0), labels = pointer(args, 1), rows = integer(args, 3), classes = integer(args, 4);
  let correct = 0;
  for (let row = 0; row < rows; row++) {
    const base = logits + floats(row * classes);
    let best = 0;
    for (let index = 1; index < classes; index++) {
      if (load<f32>(base + floats(index)) > load<f32>(base + floats(best))) best = index;
    }
    if (<f32>best == load<f32>(labels + floats(row))) correct++;
  }
  store<f32>(pointer(args, 2), <f32>correct);
}

/** The squared differences of each slice, added in float64. Arguments: prediction, target, partial [slices], count, slices. */
export function squaredErrorSlices(args: usize, part: i32, parts: i32): void {
  const prediction = pointer(args, 0), target = pointer(args, 1), partial = pointer(args, 2);
  const count = integer(args, 3), slices = integer(args, 4);
  const last = cut(slices, part + 1, parts);
  for (let slice = cut(slices, part, parts); slice < last; slice++) {
    const end = cutLines(count, slice + 1, slices);
    let total: f64 = 0;
    for (let index = cutLines(count, slice, slices); index < end; index++) {
      const at = floats(index);
      const difference = <f64>load<f32>(prediction + at) - <f64>load<f32>(target + at);
      total += difference * difference;
    }
    store<f64>(partial + ((<usize>slice) << 3), total);
  }
}

/** The slices in order. Arguments: partial [slices], mean, count, slices. */
export function squaredErrorMean(args: usize, part: i32): void {
  if (part != 0) return;
  const partial = pointer(args, 0), count = integer(args, 2), slices = integer(args, 3);
  let total: f64 = 0;
  for (let slice = 0; slice < slices; slice++) total += load<f64>(partial + ((<usize>slice) << 3));
  store<f32>(pointer(args, 1), <f32>(total / <f64>count));
}

/** Arguments: loss gradient (scalar), prediction, target, result, count. */
export function squaredErrorGrad(args: usize, part: i32, parts: i32): void {
  const prediction = pointer(args, 1), target = pointer(args, 2), result = pointer(args, 3);
  const count = integer(args, 4);
  const factor = <f32>((2 * <f64>load<f32>(pointer(args, 0))) / <f64>count);
  const factors = f32x4.splat(factor);
  let at = floats(cutLines(count, part, parts));
  const end = floats(cutLines(count, part + 1, parts));
  for (; at + 16 <= end; at += 16) {
    const difference = f32x4.sub(v128.load(prediction + at), v128.load(target + at));
    v128.store(result + at, f32x4.mul(factors, difference));
  }
  for (; at < end; at += 4) store<f32>(result + at, factor * (load<f32>(prediction + at) - load<f32>(target + at)));
}
