/** Fake quantization and range observation, bit for bit as core/affine.ts computes them in float32. */
import { cut, cutLines, floats, integer, pointer } from './arguments';

/** Writes [scale, inverseScale, min, max, zeroSteps] of the nudged range; see nudgeRange of core/affine.ts. */
function nudge(low: f32, high: f32, bits: i32, narrowRange: i32, to: usize): void {
  const quantMin: f32 = narrowRange ? 1 : 0;
  const quantMax = <f32>((1 << bits) - 1);
  const width = high - low;
  if (!(width > 0)) {
    memory.fill(to, 0, 20);
    return;
  }
  const scale = width / (quantMax - quantMin);
  const inverseScale = (quantMax - quantMin) / width;
  const zeroPointFromMin = quantMin - low / scale;
  let zeroPoint: f32;
  if (zeroPointFromMin < quantMin) {
    zeroPoint = quantMin;
  } else if (zeroPointFromMin > quantMax) {
    zeroPoint = quantMax;
  } else {
    const whole = trunc<f32>(zeroPointFromMin);
    // Half away from zero; the value is not negative here.
    zeroPoint = zeroPointFromMin - whole >= 0.5 ? whole + 1 : whole;
  }
  const nudgedMin = (quantMin - zeroPoint) * scale;
  store<f32>(to, scale);
  store<f32>(to, inverseScale, 4);
  store<f32>(to, nudgedMin, 8);
  store<f32>(to, (quantMax - zeroPoint) * scale, 12);
  store<f32>(to, floor<f32>(-nudgedMin * inverseScale + 0.5), 16);
}

function quantizeRun(from: usize, to: usize, bytes: usize, range: usize, perChannel: i32): void {
  const scale = load<f32>(range),
    inverseScale = load<f32>(range, 4);
  if (scale == 0) {
    memory.fill(to, 0, bytes);
    return;
  }
  const lowest = load<f32>(range, 8),
    largest = load<f32>(range, 12),
    zeroSteps = load<f32>(range, 16);
  const scales = f32x4.splat(scale),
    factors = f32x4.splat(inverseScale),
    halves = f32x4.splat(0.5);
  const lows = f32x4.splat(lowest),
    highs = f32x4.splat(largest),
    zeros = f32x4.splat(zeroSteps);
  const end = from + bytes;
  for (; from + 16 <= end; from += 16, to += 16) {
    // pmax and pmin are one instruction each. They may return the other zero, which no later step distinguishes.
    const shifted = f32x4.sub(f32x4.pmin(f32x4.pmax(v128.load(from), lows), highs), lows);
    const steps = perChannel ? f32x4.mul(shifted, factors) : f32x4.div(shifted, scales);
    v128.store(to, f32x4.mul(f32x4.floor(f32x4.add(f32x4.sub(steps, zeros), halves)), scales));
  }
  for (; from < end; from += 4, to += 4) {
    const shifted = min<f32>(max<f32>(load<f32>(from), lowest), largest) - lowest;
    const steps: f32 = perChannel ? shifted * inverseScale : shifted / scale;
    store<f32>(to, floor<f32>(steps - zeroSteps + 0.5) * scale);
  }
}

function passRun(gradient: usize, from: usize, to: usize, bytes: usize, range: usize): void {
  // An empty range passes everything.
  if (load<f32>(range) == 0) {
    memory.copy(to, gradient, bytes);
    return;
  }
  const lowest = load<f32>(range, 8),
    largest = load<f32>(range, 12);
  const lows = f32x4.splat(lowest),
    highs = f32x4.splat(largest);
  const end = from + bytes;
  for (; from + 16 <= end; from += 16, to += 16, gradient += 16) {
    const x = v128.load(from);
    const inside = v128.and(f32x4.ge(x, lows), f32x4.le(x, highs));
    v128.store(to, v128.and(v128.load(gradient), inside));
  }
  for (; from < end; from += 4, to += 4, gradient += 4) {
    const x = load<f32>(from);
    store<f32>(to, x >= lowest && x <= largest ? load<f32>(gradient) : 0);
  }
}

/**
 * Arguments: input, output, min, max, active or 0, outer, channels, inner, bits, narrowRange, perChannel, gradient.
 * With a gradient (argument 11, else 0) the output is the straight-through gradient instead.
 */
export function fakeQuant(args: usize, part: i32, parts: i32, scratch: usize): void {
  const input = pointer(args, 0),
    output = pointer(args, 1),
    low = pointer(args, 2),
    high = pointer(args, 3);
  const active = pointer(args, 4),
    outer = integer(args, 5),
    channels = integer(args, 6),
    inner = integer(args, 7);
  const bits = integer(args, 8),
    narrowRange = integer(args, 9),
    perChannel = integer(args, 10);
  const gradient = pointer(args, 11);
  const inactive = active != 0 && load<f32>(active) == 0;
  if (inactive || channels == 1) {
    const count = outer * channels * inner;
    const at = floats(cutLines(count, part, parts));
    const bytes = floats(cutLines(count, part + 1, parts)) - at;
    if (inactive) {
      memory.copy(output + at, (gradient ? gradient : input) + at, bytes);
      return;
    }
    nudge(load<f32>(low), load<f32>(high), bits, narrowRange, scratch);
    if (gradient) passRun(gradient + at, input + at, output + at, bytes, scratch);
    else quantizeRun(input + at, output + at, bytes, scratch, perChannel);
    return;
  }
  const bytes = floats(inner);
  const last = cut(outer * channels, part + 1, parts);
  for (let row = cut(outer * channels, part, parts); row < last; row++) {
    const channel = floats(row % channels),
      at = <usize>row * bytes;
    nudge(load<f32>(low + channel), load<f32>(high + channel), bits, narrowRange, scratch);
    if (gradient) passRun(gradient + at, input + at, output + at, bytes, scratch);
    else quantizeRun(input + at, output + at, bytes, scratch, perChannel);
  }
}

/** Widens [min, max] at `range` by the values of one run. NaN is ignored, as comparisons with it fail. */
function observeRun(from: usize, count: i32, range: usize): void {
  let least = load<f32>(range),
    largest = load<f32>(range, 4);
  const end = from + floats(count);
  if (count >= 8) {
    // Two chains, because each comparison waits for the one before it.
    let lows = f32x4.splat(least),
      highs = f32x4.splat(largest),
      lows2 = lows,
      highs2 = highs;
    for (; from + 32 <= end; from += 32) {
      const x = v128.load(from),
        x2 = v128.load(from, 16);
      lows = f32x4.pmin(lows, x);
      highs = f32x4.pmax(highs, x);
      lows2 = f32x4.pmin(lows2, x2);
      highs2 = f32x4.pmax(highs2, x2);
    }
    lows = f32x4.pmin(lows, lows2);
    highs = f32x4.pmax(highs, highs2);
    least = min<f32>(
      min<f32>(f32x4.extract_lane(lows, 0), f32x4.extract_lane(lows, 1)),
      min<f32>(f32x4.extract_lane(lows, 2), f32x4.extract_lane(lows, 3)),
    );
    largest = max<f32>(
      max<f32>(f32x4.extract_lane(highs, 0), f32x4.extract_lane(highs, 1)),
      max<f32>(f32x4.extract_lane(highs, 2), f32x4.extract_lane(highs, 3)),
    );
  }
  for (; from < end; from += 4) {
    const x = load<f32>(from);
    if (x < least) least = x;
    if (x > largest) largest = x;
  }
  store<f32>(range, least);
  store<f32>(range, largest, 4);
}

/** Arguments: input, min, max, outer, channels, inner, symmetric, smallest symmetric range (float32). */
export function observeRange(args: usize, part: i32, parts: i32, scratch: usize): void {
  const input = pointer(args, 0),
    low = pointer(args, 1),
    high = pointer(args, 2);
  const outer = integer(args, 3),
    channels = integer(args, 4),
    inner = integer(args, 5);
  const symmetric = integer(args, 6),
    smallest = load<f32>(args, 28);
  const last = cut(channels, part + 1, parts);
  for (let channel = cut(channels, part, parts); channel < last; channel++) {
    memory.fill(scratch, 0, 8);
    for (let row = 0; row < outer; row++) {
      observeRun(input + floats((row * channels + channel) * inner), inner, scratch);
    }
    let least = load<f32>(scratch),
      largest = load<f32>(scratch, 4);
    if (symmetric) {
      largest = max<f32>(max<f32>(-least, largest), smallest);
      least = -largest;
    }
    store<f32>(low + floats(channel), least);
    store<f32>(high + floats(channel), largest);
  }
}

/** The range of each slice of the values. Arguments: input, partial [slices][2], count, slices. */
export function observeSlices(args: usize, part: i32, parts: i32): void {
  const input = pointer(args, 0),
    partial = pointer(args, 1),
    count = integer(args, 2),
    slices = integer(args, 3);
  const last = cut(slices, part + 1, parts);
  for (let slice = cut(slices, part, parts); slice < last; slice++) {
    const first = cutLines(count, slice, slices),
      range = partial + ((<usize>slice) << 3);
    memory.fill(range, 0, 8);
    observeRun(input + floats(first), cutLines(count, slice + 1, slices) - first, range);
  }
}
