/** Counters, averages, collectives and optimizers: float32 in the order of ops/training.ts. */
import { cutLines, floats, integer, pointer, real } from './arguments';

/** base^exponent for a whole exponent, as integerPower of core/math.ts. */
function integerPower(base: f64, exponent: f64): f64 {
  let result: f64 = 1;
  let square = base;
  for (let rest = exponent; rest > 0; rest = floor<f64>(rest / 2)) {
    if (rest - 2 * floor<f64>(rest / 2) == 1) result *= square;
    square *= square;
  }
  return result;
}

/** Arguments: counter, output. */
export function increment(args: usize, part: i32): void {
  if (part == 0) store<f32>(pointer(args, 1), load<f32>(pointer(args, 0)) + 1);
}

/** Arguments: counter, output, threshold. */
export function reached(args: usize, part: i32): void {
  if (part == 0) store<f32>(pointer(args, 1), load<f32>(pointer(args, 0)) >= real(args, 2) ? 1 : 0);
}

/** Arguments: average, value, output, count, rate (1 - decay). */
export function movingAverage(args: usize, part: i32, parts: i32): void {
  const average = pointer(args, 0),
    value = pointer(args, 1),
    output = pointer(args, 2),
    count = integer(args, 3);
  const rate = real(args, 4);
  let at = floats(cutLines(count, part, parts));
  const end = floats(cutLines(count, part + 1, parts));
  for (; at < end; at += 4) {
    const old = load<f32>(average + at);
    store<f32>(output + at, old - (old - load<f32>(value + at)) * rate);
  }
}

/** An end of a range, or zero where it is nearer to zero than `smallest`. */
function rangeEnd(value: f32, smallest: f32): f32 {
  return abs<f32>(value) < smallest ? 0 : value;
}

/** Arguments: extreme, value, output, count, decay, 1 for the largest (0: the least), smallest size of an end. */
export function runningExtreme(args: usize, part: i32, parts: i32): void {
  const extreme = pointer(args, 0),
    value = pointer(args, 1),
    output = pointer(args, 2),
    count = integer(args, 3);
  const decay = real(args, 4),
    isLargest = integer(args, 5) != 0,
    smallest = real(args, 6);
  let at = floats(cutLines(count, part, parts));
  const end = floats(cutLines(count, part + 1, parts));
  for (; at < end; at += 4) {
    const faded = load<f32>(extreme + at) * decay,
      now = load<f32>(value + at);
    store<f32>(output + at, rangeEnd(isLargest ? max<f32>(now, faded) : min<f32>(now, faded), smallest));
  }
}

/**
 * Arguments: biased, updates so far, output, count, decay after rounding, as 1 - (1 - decay), smallest size of an end.
 */
export function zeroDebias(args: usize, part: i32, parts: i32): void {
  const biased = pointer(args, 0),
    output = pointer(args, 2),
    count = integer(args, 3);
  const power = <f32>integerPower(<f64>real(args, 4), <f64>load<f32>(pointer(args, 1)));
  const divisor: f32 = 1 - power;
  let at = floats(cutLines(count, part, parts));
  const end = floats(cutLines(count, part + 1, parts));
  const smallest = real(args, 5);
  for (; at < end; at += 4) store<f32>(output + at, rangeEnd(load<f32>(biased + at) / divisor, smallest));
}

/**
 * Arguments: parameter, gradient, velocity, learning rate, new parameter, new velocity, count, momentum, nesterov,
 * weight decay.
 */
export function momentumUpdate(args: usize, part: i32, parts: i32): void {
  const parameter = pointer(args, 0),
    gradient = pointer(args, 1),
    velocity = pointer(args, 2);
  const newParameter = pointer(args, 4),
    newVelocity = pointer(args, 5),
    count = integer(args, 6);
  const rate = load<f32>(pointer(args, 3)),
    momentum = real(args, 7),
    weightDecay = real(args, 9);
  const nesterov = integer(args, 8) != 0;
  const rates = f32x4.splat(rate),
    momenta = f32x4.splat(momentum),
    decays = f32x4.splat(weightDecay);
  let at = floats(cutLines(count, part, parts));
  const end = floats(cutLines(count, part + 1, parts));
  for (; at + 16 <= end; at += 16) {
    const value = v128.load(parameter + at);
    const slope = f32x4.add(v128.load(gradient + at), f32x4.mul(decays, value));
    const speed = f32x4.add(f32x4.mul(momenta, v128.load(velocity + at)), slope);
    const step = nesterov ? f32x4.add(slope, f32x4.mul(momenta, speed)) : speed;
    v128.store(newVelocity + at, speed);
    v128.store(newParameter + at, f32x4.sub(value, f32x4.mul(rates, step)));
  }
  for (; at < end; at += 4) {
    const value = load<f32>(parameter + at);
    const slope = load<f32>(gradient + at) + weightDecay * value;
    const speed = momentum * load<f32>(velocity + at) + slope;
    const step = nesterov ? slope + momentum * speed : speed;
    store<f32>(newVelocity + at, speed);
    store<f32>(newParameter + at, value - rate * step);
  }
}

/**
 * Arguments: parameter, gradient, first moment, second moment, learning rate, step count, new parameter, new first
 * moment, new second moment, count, beta1, beta2, epsilon, weight decay.
 */
export function adamUpdate(args: usize, part: i32, parts: i32): void {
  const parameter = pointer(args, 0),
    gradient = pointer(args, 1),
    first = pointer(args, 2),
    second = pointer(args, 3);
  const steps = <f64>load<f32>(pointer(args, 5));
  const newParameter = pointer(args, 6),
    newFirst = pointer(args, 7),
    newSecond = pointer(args, 8);
  const count = integer(args, 9);
  const beta1 = real(args, 10),
    beta2 = real(args, 11),
    epsilon = real(args, 12),
    weightDecay = real(args, 13);
  const correction = Math.sqrt(1 - integerPower(<f64>beta2, steps)) / (1 - integerPower(<f64>beta1, steps));
  const rate = <f32>(<f64>load<f32>(pointer(args, 4)) * correction);
  const rest1: f32 = 1 - beta1,
    rest2: f32 = 1 - beta2;
  const rates = f32x4.splat(rate),
    decays = f32x4.splat(weightDecay),
    epsilons = f32x4.splat(epsilon);
  const keep1 = f32x4.splat(beta1),
    keep2 = f32x4.splat(beta2),
    take1 = f32x4.splat(rest1),
    take2 = f32x4.splat(rest2);
  let at = floats(cutLines(count, part, parts));
  const end = floats(cutLines(count, part + 1, parts));
  for (; at + 16 <= end; at += 16) {
    const value = v128.load(parameter + at);
    const slope = f32x4.add(v128.load(gradient + at), f32x4.mul(decays, value));
    const mean = f32x4.add(f32x4.mul(keep1, v128.load(first + at)), f32x4.mul(take1, slope));
    const square = f32x4.add(f32x4.mul(keep2, v128.load(second + at)), f32x4.mul(take2, f32x4.mul(slope, slope)));
    v128.store(newFirst + at, mean);
    v128.store(newSecond + at, square);
    const step = f32x4.div(f32x4.mul(rates, mean), f32x4.add(f32x4.sqrt(square), epsilons));
    v128.store(newParameter + at, f32x4.sub(value, step));
  }
  for (; at < end; at += 4) {
    const value = load<f32>(parameter + at);
    const slope = load<f32>(gradient + at) + weightDecay * value;
    const mean = beta1 * load<f32>(first + at) + rest1 * slope;
    const square = beta2 * load<f32>(second + at) + rest2 * (slope * slope);
    store<f32>(newFirst + at, mean);
    store<f32>(newSecond + at, square);
    store<f32>(newParameter + at, value - (rate * mean) / (sqrt<f32>(square) + epsilon));
  }
}

/** Arguments: output, count, reduction (0 mean, 1 min, 2 max), replicas, then the value of each replica. */
export function crossReplica(args: usize, part: i32, parts: i32): void {
  const output = pointer(args, 0),
    count = integer(args, 1),
    reduction = integer(args, 2),
    replicas = integer(args, 3);
  let at = floats(cutLines(count, part, parts));
  const end = floats(cutLines(count, part + 1, parts));
  for (; at < end; at += 4) {
    let result = load<f32>(pointer(args, 4) + at);
    for (let replica = 1; replica < replicas; replica++) {
      const value = load<f32>(pointer(args, 4 + replica) + at);
      result = reduction == 0 ? result + value : reduction == 1 ? min<f32>(result, value) : max<f32>(result, value);
    }
    store<f32>(output + at, reduction == 0 ? result / <f32>replicas : result);
  }
}
