import { internal } from './assert.ts';

/**
 * How stored integers stand for real numbers: real = scale * (q - zeroPoint).
 * Scales are float32 values. Per-channel parameters are symmetric (zero point 0), as int8 weights are.
 */
export type QuantParams =
  | { readonly kind: 'per_tensor'; readonly scale: number; readonly zeroPoint: number }
  | { readonly kind: 'per_channel'; readonly scales: Float32Array; readonly axis: number };

/** The stored range of an integer type. */
export interface IntegerRange {
  readonly min: number;
  readonly max: number;
}

export const integerRanges = {
  int8: { min: -128, max: 127 },
  uint8: { min: 0, max: 255 },
  int32: { min: -2147483648, max: 2147483647 },
} as const satisfies Record<string, IntegerRange>;

/** A fake-quant range after nudging, so that zero is exactly a code. All numbers but `zeroPoint` are float32. */
export interface NudgedRange {
  readonly scale: number;
  /** (qmax - qmin) / (max - min), computed on its own rather than as 1 / scale: FakeQuant per channel uses it. */
  readonly inverseScale: number;
  /** In the unsigned domain 0 .. 2^bits - 1; subtract 2^(bits-1) for int8. */
  readonly zeroPoint: number;
  readonly min: number;
  readonly max: number;
}

const f32 = Math.fround;

/**
 * Nudges [min, max] in float32 as TensorFlow's FakeQuantWithMinMaxVars does: the width stays, the range shifts.
 * The result is the one source of (scale, zero point) for training, the eval graph and conversion.
 *
 * @param narrowRange codes 1 .. 2^bits - 1 instead of 0 .. 2^bits - 1
 * @see tensorflow/core/kernels/fake_quant_ops_functor.h, Nudge
 */
export function nudgeRange(min: number, max: number, bits: number, narrowRange: boolean): NudgedRange {
  const quantMin = narrowRange ? 1 : 0;
  const quantMax = 2 ** bits - 1;
  const width = f32(f32(max) - f32(min));
  if (!(width > 0)) return { scale: 0, inverseScale: 0, zeroPoint: quantMin, min: 0, max: 0 };
  const scale = f32(width / f32(quantMax - quantMin));
  const inverseScale = f32(f32(quantMax - quantMin) / width);
  const zeroPointFromMin = f32(quantMin - f32(f32(min) / scale));
  let zeroPoint: number;
  if (zeroPointFromMin < quantMin) zeroPoint = quantMin;
  else if (zeroPointFromMin > quantMax) zeroPoint = quantMax;
  else zeroPoint = roundHalfAway(zeroPointFromMin);
  return {
    scale,
    inverseScale,
    zeroPoint,
    min: f32(f32(quantMin - zeroPoint) * scale),
    max: f32(f32(quantMax - zeroPoint) * scale),
  };
}

/** Which of TensorFlow's two kernels is followed: the per-tensor one divides, the per-channel one multiplies. */
export type FakeQuantForm = 'per_tensor' | 'per_channel';

/**
 * The code of `x` relative to the zero point: q - zeroPoint, so that the real value is exactly `code * scale`.
 * Float32 at every step; rounds half up in the integer domain, as FakeQuant does.
 *
 * @see tensorflow/core/kernels/fake_quant_ops_functor.h, FakeQuantWithMinMaxVars[PerChannel]Functor
 */
export function fakeQuantCode(x: number, range: NudgedRange, form: FakeQuantForm): number {
  if (range.scale === 0) return 0;
  const clamped = Math.min(Math.max(x, range.min), range.max);
  const shifted = f32(clamped - range.min);
  const steps = form === 'per_tensor' ? f32(shifted / range.scale) : f32(shifted * range.inverseScale);
  const zeroSteps = Math.floor(f32(f32(-range.min * range.inverseScale) + 0.5));
  return Math.floor(f32(f32(steps - zeroSteps) + 0.5));
}

/** The float32 value that stands for `x` after quantization. */
export function fakeQuantize(x: number, range: NudgedRange, form: FakeQuantForm): number {
  return f32(fakeQuantCode(x, range, form) * range.scale);
}

/** Rounds to the nearest integer, ties away from zero (C's `round`, TfLiteRound). */
export function roundHalfAway(x: number): number {
  const truncated = Math.trunc(x);
  return Math.abs(x - truncated) >= 0.5 ? truncated + Math.sign(x) : truncated;
}

/** To the nearest whole number, halves to the even one, as `tf.round` and C's `rint`. */
export function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
}

export function clamp(x: number, min: number, max: number): number {
  return x < min ? min : x > max ? max : x;
}

/** QUANTIZE of one real number: clamp(roundHalfAway(float32(x / scale)) + zeroPoint). */
export function quantizeValue(x: number, scale: number, zeroPoint: number, range: IntegerRange): number {
  return clamp(roundHalfAway(f32(x / scale)) + zeroPoint, range.min, range.max);
}

/** DEQUANTIZE of one code, rounded once to float32. */
export function dequantizeValue(q: number, scale: number, zeroPoint: number): number {
  return f32(scale * (q - zeroPoint));
}

/** Narrows to per-tensor parameters: activations have nothing else. */
export function perTensor(quant: QuantParams | null, what: string): { scale: number; zeroPoint: number } {
  if (quant?.kind !== 'per_tensor') return internal(`${what} has no per-tensor quantization parameters`);
  return quant;
}

/** The scale of each of `channels` output channels; a per-tensor scale is repeated. */
export function channelScales(quant: QuantParams | null, channels: number, what: string): Float32Array {
  if (quant === null) return internal(`${what} has no quantization parameters`);
  if (quant.kind === 'per_tensor') return new Float32Array(channels).fill(quant.scale);
  if (quant.scales.length !== channels) internal(`${what} has ${quant.scales.length} scales for ${channels} channels`);
  return quant.scales;
}
