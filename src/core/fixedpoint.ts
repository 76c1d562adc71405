/**
 * Fixed-point arithmetic of the integer kernels, bit for bit as gemmlowp and TensorFlow Lite's reference kernels
 * compute it (double rounding, their default). All arguments and results are int32 unless said otherwise.
 */
import { roundHalfAway } from './affine.ts';

const INT32_MAX = 2147483647;
const INT32_MIN = -2147483648;

/** `multiplier * 2^(shift - 31)`, multiplier in [2^30, 2^31) or 0. */
export interface QuantizedMultiplier {
  readonly multiplier: number;
  readonly shift: number;
}

/**
 * Splits a non-negative real into a Q0.31 significand and a power of two.
 *
 * @see LiteRT tflite/kernels/internal/quantization_util.cc, QuantizeMultiplier
 */
export function quantizeMultiplier(real: number): QuantizedMultiplier {
  if (real === 0) return { multiplier: 0, shift: 0 };
  const { fraction, exponent } = frexp(real);
  const rounded = roundHalfAway(fraction * 2147483648);
  const [multiplier, shift] = rounded === 2147483648 ? [rounded / 2, exponent + 1] : [rounded, exponent];
  return shift < -31 ? { multiplier: 0, shift: 0 } : { multiplier, shift };
}

/** real = fraction * 2^exponent with fraction in [0.5, 1), exactly; `real` is positive and finite. */
function frexp(real: number): { fraction: number; exponent: number } {
  let exponent = Math.max(-1022, Math.floor(Math.log2(real)) + 1);
  let fraction = real * 2 ** -exponent;
  // log2 may be off by one next to a power of two, and subnormals start from the clamp above.
  while (fraction >= 1) {
    fraction /= 2;
    exponent++;
  }
  while (fraction < 0.5) {
    fraction *= 2;
    exponent--;
  }
  return { fraction, exponent };
}

/**
 * The high 32 bits of 2ab, rounded to nearest with ties toward +infinity; saturates only for INT32_MIN squared.
 *
 * @see gemmlowp fixedpoint/fixedpoint.h, SaturatingRoundingDoublingHighMul
 */
export function saturatingRoundingDoublingHighMul(a: number, b: number): number {
  if (a === INT32_MIN && b === INT32_MIN) return INT32_MAX;
  // a*b + 2^30 >> 31 in exact pieces: a = ah*2^16 + al, so a*b = ah*b*2^16 + al*b, each product below 2^48.
  const high = (a >> 16) * b;
  const low = (a & 0xffff) * b;
  // floor((high*2^16 + low + 2^30) / 2^31), all integers below 2^53: split high once more.
  const highQuotient = Math.floor(high / 32768);
  const highRemainder = high - highQuotient * 32768;
  return highQuotient + Math.floor((highRemainder * 65536 + low + 1073741824) / 2147483648);
}

/**
 * x / 2^exponent, rounded to nearest with ties away from zero; exponent 0 .. 31.
 *
 * @see gemmlowp fixedpoint/fixedpoint.h, RoundingDivideByPOT
 */
export function roundingDivideByPowerOfTwo(x: number, exponent: number): number {
  const mask = exponent === 31 ? INT32_MAX : (1 << exponent) - 1;
  const remainder = x & mask;
  const threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

/**
 * Scales an int32 accumulator by `multiplier * 2^(shift - 31)`, rounding twice: half-up in the high product, then
 * half away from zero in the right shift. A left shift wraps in int32, as the C code does.
 *
 * @see LiteRT tflite/kernels/internal/common.cc, MultiplyByQuantizedMultiplier, double rounding
 */
export function multiplyByQuantizedMultiplier(x: number, multiplier: number, shift: number): number {
  const left = shift > 0 ? shift : 0;
  const right = shift > 0 ? 0 : -shift;
  return roundingDivideByPowerOfTwo(saturatingRoundingDoublingHighMul(x << left, multiplier), right);
}

/**
 * v << bits, saturated to int32 the way gemmlowp does it (the bounds of the check are symmetric, the results are not).
 */
function saturatingShiftLeft(value: number, bits: number): number {
  const limit = 2 ** (31 - bits) - 1;
  if (value > limit) return INT32_MAX;
  if (value < -limit) return INT32_MIN;
  return value << bits;
}

// exp(-2^e) in Q0.31 for e = -2 .. 4.
const EXP_BARREL = [1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242] as const;

/**
 * exp(a) for a <= 0.
 *
 * @param a fixed point with `integerBits` integer bits (Q integerBits . 31 - integerBits)
 * @returns Q0.31
 * @see gemmlowp fixedpoint/fixedpoint.h, exp_on_negative_values
 */
export function expOnNegativeValues(a: number, integerBits: number): number {
  if (a === 0) return INT32_MAX;
  const fractionBits = 31 - integerBits;
  const quarter = 1 << (fractionBits - 2);
  const aModQuarter = (a & (quarter - 1)) - quarter;
  let result = expOnIntervalQuarter(saturatingShiftLeft(aModQuarter, integerBits));
  const remainder = aModQuarter - a;
  for (const [index, factor] of EXP_BARREL.entries()) {
    const exponent = index - 2;
    if (integerBits > exponent && (remainder & (1 << (fractionBits + exponent))) !== 0) {
      result = saturatingRoundingDoublingHighMul(result, factor);
    }
  }
  if (integerBits > 5 && a < -(1 << (fractionBits + 5))) return 0;
  return result;
}

/** exp on [-1/4, 0), Q0.31 to Q0.31: a Taylor polynomial around -1/8. */
function expOnIntervalQuarter(a: number): number {
  const x = a + (1 << 28);
  const x2 = saturatingRoundingDoublingHighMul(x, x);
  const x3 = saturatingRoundingDoublingHighMul(x2, x);
  const x4 = saturatingRoundingDoublingHighMul(x2, x2);
  const oneThird = 715827883;
  const tail = roundingDivideByPowerOfTwo(
    saturatingRoundingDoublingHighMul(roundingDivideByPowerOfTwo(x4, 2) + x3, oneThird) + x2,
    1,
  );
  const expMinusOneEighth = 1895147668;
  return expMinusOneEighth + saturatingRoundingDoublingHighMul(expMinusOneEighth, x + tail);
}

/**
 * 1 / (1 + a) for a in [0, 1), Q0.31 to Q0.31, by three Newton steps.
 *
 * @see gemmlowp fixedpoint/fixedpoint.h, one_over_one_plus_x_for_x_in_0_1
 */
export function oneOverOnePlusX(a: number): number {
  return saturatingShiftLeft(newtonReciprocalOfHalf(a), 1);
}

/**
 * log(x) for x >= 1.
 *
 * @param x fixed point with `integerBits` integer bits
 * @returns fixed point with `outputBits` integer bits
 * @see LiteRT tflite/kernels/internal/common.h, log_x_for_x_greater_than_or_equal_to_1_impl
 */
export function logOfAtLeastOne(x: number, integerBits: number, outputBits: number): number {
  const multiply = saturatingRoundingDoublingHighMul;
  const [logTwo, fourthRootOfHalf, squareRootOfHalf] = [1488522236, 1805811301, 1518500250] as const;
  const accumulatorBits = outputBits + 1;
  const quarter = roundingDivideByPowerOfTwo(536870912, accumulatorBits);
  const power = (bits: number): number => saturatingShiftLeft(bits, 31 - accumulatorBits);
  // x = r * 2^power in two ways, with r in [1/2, 1) or premultiplied by sqrt(1/2); the smaller r is the closer.
  const headroom = Math.clz32(x);
  const rA = saturatingShiftLeft(multiply(saturatingShiftLeft(x, headroom - 1), squareRootOfHalf), 1);
  const powerA = power(integerBits - headroom) + quarter;
  const headroomB = Math.clz32(multiply(x, squareRootOfHalf)) - 1;
  const rB = saturatingShiftLeft(x, headroomB);
  const powerB = power(integerBits - headroomB) - quarter;
  const r = Math.min(rA, rB);
  // A rational approximation of log(r) around sqrt(sqrt(1/2)).
  const sum = r + fourthRootOfHalf;
  const p = Math.trunc((sum + (sum >= 0 ? 1 : -1)) / 2);
  const q = 2 * (r - fourthRootOfHalf);
  const square = multiply(q, q);
  const numerator = multiply(q, r) + multiply(multiply(q, square), 117049297);
  const denominator = multiply(p, 1057819769 + q + multiply(127690142, square)) + multiply(638450708, q);
  const fraction = multiply(roundingDivideByPowerOfTwo(numerator, accumulatorBits), oneOverOnePlusX(denominator));
  return saturatingShiftLeft(multiply(Math.max(powerA, powerB), logTwo) + fraction, 1);
}

/** 2 / (1 + a) in Q2.29. */
function newtonReciprocalOfHalf(a: number): number {
  const sum = a + INT32_MAX;
  // Rounding half sum: (sum + sign) / 2, truncated; the sum is never negative here.
  const half = Math.trunc((sum + 1) / 2);
  let x = 1515870810 + saturatingRoundingDoublingHighMul(half, -1010580540);
  for (let step = 0; step < 3; step++) {
    const halfTimesX = saturatingRoundingDoublingHighMul(half, x);
    x += saturatingShiftLeft(saturatingRoundingDoublingHighMul(x, (1 << 29) - halfTimesX), 2);
  }
  return x;
}

/**
 * 1 / sqrt(input) as a multiplier and a shift for `multiplyByQuantizedMultiplier`.
 *
 * @param reverseShift the sign the caller wants on the shift: -1 for L2_NORMALIZATION
 * @see LiteRT tflite/kernels/internal/common.h, GetInvSqrtQuantizedMultiplierExp
 */
export function inverseSquareRoot(input: number, reverseShift: 1 | -1): QuantizedMultiplier {
  if (input <= 1) return { multiplier: INT32_MAX, shift: 0 };
  let shift = 11;
  let scaled = input;
  while (scaled >= 1 << 29) {
    scaled = Math.trunc(scaled / 4);
    shift++;
  }
  const pairs = Math.trunc((Math.clz32(scaled) - 1) / 2) - 1;
  shift -= pairs;
  scaled <<= 2 * pairs;
  let x = 1 << 28;
  const halfInput = roundingDivideByPowerOfTwo(scaled >> 1, 1);
  const threeHalves = 402653184;
  for (let step = 0; step < 5; step++) {
    const x3 = saturatingShiftLeft(saturatingRoundingDoublingHighMul(saturatingRoundingDoublingHighMul(x, x), x), 6);
    x = saturatingShiftLeft(
      saturatingRoundingDoublingHighMul(threeHalves, x) - saturatingRoundingDoublingHighMul(halfInput, x3),
      3,
    );
  }
  const halfSqrtTwo = 1518500250;
  let multiplier = saturatingRoundingDoublingHighMul(x, halfSqrtTwo);
  if (shift < 0) {
    multiplier <<= -shift;
    shift = 0;
  }
  return { multiplier, shift: shift * reverseShift };
}
