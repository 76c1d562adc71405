/** Products, differences and functions of one value; float64 inside, as the plain loops compute them. */
import * as code from '../opcodes';
import { cut, cutLines, floats, integer, pointer, real } from './arguments';
import { exponential } from './loss';

/** Arguments: a, b, result, count. */
export function subtract(args: usize, part: i32, parts: i32): void {
  const a = pointer(args, 0),
    b = pointer(args, 1),
    result = pointer(args, 2),
    count = integer(args, 3);
  let at = floats(cutLines(count, part, parts));
  const end = floats(cutLines(count, part + 1, parts));
  for (; at + 16 <= end; at += 16) v128.store(result + at, f32x4.sub(v128.load(a + at), v128.load(b + at)));
  for (; at < end; at += 4) store<f32>(result + at, load<f32>(a + at) - load<f32>(b + at));
}

/** Arguments: a, b, result, count. */
export function multiply(args: usize, part: i32, parts: i32): void {
  const a = pointer(args, 0),
    b = pointer(args, 1),
    result = pointer(args, 2),
    count = integer(args, 3);
  let at = floats(cutLines(count, part, parts));
  const end = floats(cutLines(count, part + 1, parts));
  for (; at + 16 <= end; at += 16) v128.store(result + at, f32x4.mul(v128.load(a + at), v128.load(b + at)));
  for (; at < end; at += 4) store<f32>(result + at, load<f32>(a + at) * load<f32>(b + at));
}

/** Arguments: input, slopes, output, count. */
export function prelu(args: usize, part: i32, parts: i32): void {
  const input = pointer(args, 0),
    slopes = pointer(args, 1),
    output = pointer(args, 2),
    count = integer(args, 3);
  const zeros = f32x4.splat(0);
  let at = floats(cutLines(count, part, parts));
  const end = floats(cutLines(count, part + 1, parts));
  for (; at + 16 <= end; at += 16) {
    const x = v128.load(input + at);
    const leak = f32x4.mul(x, v128.load(slopes + at));
    v128.store(output + at, v128.bitselect(x, leak, f32x4.ge(x, zeros)));
  }
  for (; at < end; at += 4) {
    const x = load<f32>(input + at);
    store<f32>(output + at, x >= 0 ? x : x * load<f32>(slopes + at));
  }
}

/** Arguments: gradient, input of the function, slopes, result, count. */
export function preluGrad(args: usize, part: i32, parts: i32): void {
  const gradient = pointer(args, 0),
    input = pointer(args, 1),
    slopes = pointer(args, 2),
    result = pointer(args, 3),
    count = integer(args, 4);
  const zeros = f32x4.splat(0);
  let at = floats(cutLines(count, part, parts));
  const end = floats(cutLines(count, part + 1, parts));
  for (; at + 16 <= end; at += 16) {
    const g = v128.load(gradient + at);
    const leak = f32x4.mul(g, v128.load(slopes + at));
    v128.store(result + at, v128.bitselect(g, leak, f32x4.ge(v128.load(input + at), zeros)));
  }
  for (; at < end; at += 4) {
    const g = load<f32>(gradient + at);
    store<f32>(result + at, load<f32>(input + at) >= 0 ? g : g * load<f32>(slopes + at));
  }
}

function hyperbolicTangent(x: f64): f64 {
  if (abs<f64>(x) < 1e-4) return x - (x * x * x) / 3;
  return 1 - 2 / (exponential(2 * x) + 1);
}

// @ts-ignore: decorator
@inline
function valueOf(which: i32, x: f64, parameter: f64): f64 {
  switch (which) {
    case code.LEAKY_RELU:
      return x >= 0 ? x : x * parameter;
    case code.HARD_SWISH:
      return (x * min<f64>(max<f64>(x + 3, 0), 6)) / 6;
    case code.LOGISTIC:
      return 1 / (1 + exponential(-x));
    default:
      return hyperbolicTangent(x);
  }
}

/** Arguments: input, output, count, which function, its parameter. */
export function applyFunction(args: usize, part: i32, parts: i32): void {
  const input = pointer(args, 0),
    output = pointer(args, 1),
    count = integer(args, 2),
    which = integer(args, 3),
    parameter = <f64>real(args, 4);
  const end = floats(cutLines(count, part + 1, parts));
  for (let at = floats(cutLines(count, part, parts)); at < end; at += 4) {
    store<f32>(output + at, <f32>valueOf(which, <f64>load<f32>(input + at), parameter));
  }
}

/** Arguments: gradient, input of the function, result, count, which function, its parameter. */
export function applyFunctionGrad(args: usize, part: i32, parts: i32): void {
  const gradient = pointer(args, 0),
    input = pointer(args, 1),
    result = pointer(args, 2),
    count = integer(args, 3),
    which = integer(args, 4),
    parameter = <f64>real(args, 5);
  const end = floats(cutLines(count, part + 1, parts));
  for (let at = floats(cutLines(count, part, parts)); at < end; at += 4) {
    const x = <f64>load<f32>(input + at);
    let slope: f64;
    if (which == code.LEAKY_RELU) slope = x >= 0 ? 1 : parameter;
    else slope = x <= -3 ? 0 : x >= 3 ? 1 : (2 * x + 3) / 6;
    store<f32>(result + at, <f32>(<f64>load<f32>(gradient + at) * slope));
  }
}

const EPSILON: f64 = <f64>(<f32>1e-6);

function rowLength(row: usize, depth: i32): f64 {
  let squares: f64 = 0;
  for (let index = 0; index < depth; index++) {
    const x = <f64>load<f32>(row + floats(index));
    squares += x * x;
  }
  return max<f64>(sqrt<f64>(squares), EPSILON);
}

/** Arguments: input, output, rows, depth. */
export function l2Normalize(args: usize, part: i32, parts: i32): void {
  const input = pointer(args, 0),
    output = pointer(args, 1),
    rows = integer(args, 2),
    depth = integer(args, 3);
  const last = cut(rows, part + 1, parts);
  for (let row = cut(rows, part, parts); row < last; row++) {
    const base = floats(row * depth),
      length = rowLength(input + base, depth);
    for (let index = 0; index < depth; index++) {
      store<f32>(output + base + floats(index), <f32>(<f64>load<f32>(input + base + floats(index)) / length));
    }
  }
}

/** Arguments: gradient, input, result, rows, depth. */
export function l2NormalizeGrad(args: usize, part: i32, parts: i32): void {
  const gradient = pointer(args, 0),
    input = pointer(args, 1),
    result = pointer(args, 2),
    rows = integer(args, 3),
    depth = integer(args, 4);
  const last = cut(rows, part + 1, parts);
  for (let row = cut(rows, part, parts); row < last; row++) {
    const base = floats(row * depth),
      length = rowLength(input + base, depth);
    let projection: f64 = 0;
    for (let index = 0; index < depth; index++) {
      const at = base + floats(index);
      projection += <f64>load<f32>(gradient + at) * <f64>load<f32>(input + at);
    }
    projection /= length * length;
    for (let index = 0; index < depth; index++) {
      const at = base + floats(index);
      const rest = <f64>load<f32>(gradient + at) - <f64>load<f32>(input + at) * projection;
      store<f32>(result + at, <f32>(rest / length));
    }
  }
}
