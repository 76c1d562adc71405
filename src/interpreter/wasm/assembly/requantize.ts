/** From int32 accumulators to stored bytes, bit for bit as core/fixedpoint.ts computes it. */

/**
 * multiplyByQuantizedMultiplier in four lanes. Each lane has parameters of its own, and SIMD shifts all lanes alike,
 * so both shifts are products.
 *
 * @param left 1 << max(shift, 0): the product wraps as the shift does
 * @param multiplier Q0.31, not negative
 * @param right 2^(31 - e) for a right shift of e = 1 .. 31 bits; -2^31 for e = 0
 */
// @ts-ignore: decorator
@inline
export function requantize(accumulator: v128, left: v128, multiplier: v128, right: v128): v128 {
  const x = i32x4.mul(accumulator, left);
  const high = roundedHigh(x, multiplier);
  // Away from zero: a negative tie goes down, so negative values lose 1 before they are rounded half up. Where e is
  // 0 the two minus signs cancel and nothing is rounded. |high| < 2^31, as the multiplier is: neither overflows.
  const exact = i32x4.shr_s(right, 31);
  const nudged = v128.bitselect(i32x4.neg(high), i32x4.add(high, i32x4.shr_s(high, 31)), exact);
  return roundedHigh(nudged, right);
}

/** (a * b + 2^30) >> 31 of the exact product, kept as its low 32 bits. */
// @ts-ignore: decorator
@inline
function roundedHigh(a: v128, b: v128): v128 {
  const half = i64x2.splat(1 << 30);
  const low = i64x2.shr_u(i64x2.add(i64x2.extmul_low_i32x4_s(a, b), half), 31);
  const high = i64x2.shr_u(i64x2.add(i64x2.extmul_high_i32x4_s(a, b), half), 31);
  return v128.shuffle<i32>(low, high, 0, 2, 4, 6);
}

/** Clamps to low .. high, adds the zero point (in this order nothing overflows) and narrows to 8 bytes. */
// @ts-ignore: decorator
@inline
export function toBytes(first: v128, second: v128, low: i32, high: i32, zeroPoint: i32): v128 {
  const least = i32x4.splat(low), most = i32x4.splat(high);
  const words = i16x8.add(
    i16x8.narrow_i32x4_s(
      i32x4.min_s(i32x4.max_s(first, least), most),
      i32x4.min_s(i32x4.max_s(second, least), most),
    ),
    i16x8.splat(<i16>zeroPoint),
  );
  // The low bytes, signed or not.
  const bytes = v128.and(words, i16x8.splat(255));
  return i8x16.narrow_i16x8_u(bytes, bytes);
}

/** Stores the first `count` bytes, 1 .. 16. */
// @ts-ignore: decorator
@inline
export function storeBytes(to: usize, value: v128, count: i32): void {
  if (count >= 16) {
    v128.store(to, value);
    return;
  }
  let rest = value;
  if (count & 8) {
    v128.store64_lane(to, rest, 0);
    rest = v128.shuffle<i64>(rest, rest, 1, 1);
    to += 8;
  }
  if (count & 4) {
    v128.store32_lane(to, rest, 0);
    rest = i64x2.shr_u(rest, 32);
    to += 4;
  }
  if (count & 2) {
    v128.store16_lane(to, rest, 0);
    rest = i64x2.shr_u(rest, 16);
    to += 2;
  }
  if (count & 1) v128.store8_lane(to, rest, 0);
}

/** Eight stored values as int16. */
// @ts-ignore: decorator
@inline
export function loadWords(from: usize, unsigned: bool): v128 {
  return unsigned ? v128.load8x8_u(from) : v128.load8x8_s(from);
}
