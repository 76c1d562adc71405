/** Element by element over equal shapes; a part is a run of whole cache lines. */
import { cutLines, floats, integer, pointer, real } from './arguments';

/** Arguments: from, to, count. */
export function copy(args: usize, part: i32, parts: i32): void {
  const count = integer(args, 2);
  const first = cutLines(count, part, parts),
    last = cutLines(count, part + 1, parts);
  if (first < last)
    memory.copy(pointer(args, 1) + floats(first), pointer(args, 0) + floats(first), floats(last - first));
}

/** Arguments: a, b, sum, count. */
export function add(args: usize, part: i32, parts: i32): void {
  const a = pointer(args, 0),
    b = pointer(args, 1),
    sum = pointer(args, 2),
    count = integer(args, 3);
  let at = floats(cutLines(count, part, parts));
  const end = floats(cutLines(count, part + 1, parts));
  for (; at + 16 <= end; at += 16) v128.store(sum + at, f32x4.add(v128.load(a + at), v128.load(b + at)));
  for (; at < end; at += 4) store<f32>(sum + at, load<f32>(a + at) + load<f32>(b + at));
}

/** Arguments: input, output, count, limit (infinity for relu). */
export function relu(args: usize, part: i32, parts: i32): void {
  const input = pointer(args, 0),
    output = pointer(args, 1),
    count = integer(args, 2);
  const limit = real(args, 3),
    limits = f32x4.splat(limit),
    zeros = f32x4.splat(0);
  let at = floats(cutLines(count, part, parts));
  const end = floats(cutLines(count, part + 1, parts));
  for (; at + 16 <= end; at += 16) {
    // pmax and pmin are one instruction each and keep NaN; adding 0 makes -0 to 0, as max does.
    const positive = f32x4.add(f32x4.pmax(v128.load(input + at), zeros), zeros);
    v128.store(output + at, f32x4.pmin(positive, limits));
  }
  for (; at < end; at += 4) store<f32>(output + at, min<f32>(max<f32>(load<f32>(input + at), 0), limit));
}

/** Arguments: gradient, output of the rectifier, result, count, limit. */
export function reluGrad(args: usize, part: i32, parts: i32): void {
  const gradient = pointer(args, 0),
    output = pointer(args, 1),
    result = pointer(args, 2),
    count = integer(args, 3);
  const limit = real(args, 4),
    limits = f32x4.splat(limit),
    zeros = f32x4.splat(0);
  let at = floats(cutLines(count, part, parts));
  const end = floats(cutLines(count, part + 1, parts));
  for (; at + 16 <= end; at += 16) {
    const y = v128.load(output + at);
    const passes = v128.and(f32x4.gt(y, zeros), f32x4.lt(y, limits));
    v128.store(result + at, v128.and(v128.load(gradient + at), passes));
  }
  for (; at < end; at += 4) {
    const y = load<f32>(output + at);
    store<f32>(result + at, y > 0 && y < limit ? load<f32>(gradient + at) : 0);
  }
}

/**
 * output[o][r][i] = input[o][i] * factor.
 *
 * Arguments: input, output, outer, repeats, inner, factor.
 */
export function expand(args: usize, part: i32, parts: i32): void {
  const input = pointer(args, 0),
    output = pointer(args, 1);
  const outer = integer(args, 2),
    repeats = integer(args, 3),
    inner = integer(args, 4),
    factor = real(args, 5);
  const factors = f32x4.splat(factor);
  const count = outer * repeats * inner;
  let at = cutLines(count, part, parts);
  const end = cutLines(count, part + 1, parts);
  while (at < end) {
    const row = at / inner;
    let index = at - row * inner;
    const stop = min(inner, index + end - at);
    at += stop - index;
    const from = input + floats((row / repeats) * inner),
      to = output + floats(row * inner);
    for (; index + 4 <= stop; index += 4) {
      v128.store(to + floats(index), f32x4.mul(v128.load(from + floats(index)), factors));
    }
    for (; index < stop; index++) store<f32>(to + floats(index), load<f32>(from + floats(index)) * factor);
  }
}
