/** Kernels whose output element i depends on element i of the inputs. */
import { integer, pointer } from '../../../wasm/assembly/arguments';
import { loadWords, requantize, storeBytes, toBytes } from './requantize';

/** Arguments: input, output, bytes. */
export function copy(args: usize): void {
  memory.copy(pointer(args, 1), pointer(args, 0), pointer(args, 2));
}

/** Four lanes of one input of a sum, on the common scale. */
// @ts-ignore: decorator
@inline
function onCommonScale(values: v128, multiplier: i32, right: i32): v128 {
  return requantize(values, i32x4.splat(1 << 20), i32x4.splat(multiplier), i32x4.splat(right));
}

/**
 * Arguments: a, b, output, count, zero point, multiplier and right factor of a, the same of b, multiplier and right
 * factor of the output, clamp low and high, zero point of the output, 1 for uint8.
 */
export function add(args: usize): void {
  if (integer(args, 15)) sum(args, true);
  else sum(args, false);
}

// @ts-ignore: decorator
@inline
function sum(args: usize, unsigned: bool): void {
  const a = pointer(args, 0), b = pointer(args, 1), output = pointer(args, 2), count = integer(args, 3);
  const aZero = i16x8.splat(<i16>integer(args, 4)), bZero = i16x8.splat(<i16>integer(args, 7));
  const aMultiplier = integer(args, 5), aRight = integer(args, 6);
  const bMultiplier = integer(args, 8), bRight = integer(args, 9);
  const one = i32x4.splat(1), multiplier = i32x4.splat(integer(args, 10)), right = i32x4.splat(integer(args, 11));
  const low = integer(args, 12), high = integer(args, 13), zeroPoint = integer(args, 14);
  for (let at = 0; at < count; at += 8) {
    const x = i16x8.sub(loadWords(a + <usize>at, unsigned), aZero);
    const z = i16x8.sub(loadWords(b + <usize>at, unsigned), bZero);
    const first = i32x4.add(
      onCommonScale(i32x4.extend_low_i16x8_s(x), aMultiplier, aRight),
      onCommonScale(i32x4.extend_low_i16x8_s(z), bMultiplier, bRight),
    );
    const second = i32x4.add(
      onCommonScale(i32x4.extend_high_i16x8_s(x), aMultiplier, aRight),
      onCommonScale(i32x4.extend_high_i16x8_s(z), bMultiplier, bRight),
    );
    const bytes = toBytes(
      requantize(first, one, multiplier, right),
      requantize(second, one, multiplier, right),
      low, high, zeroPoint,
    );
    storeBytes(output + <usize>at, bytes, min(8, count - at));
  }
}

/**
 * Arguments: input, output, count, zero point of the input, left factor, multiplier, right factor, clamp low and high,
 * zero point of the output, 1 for uint8 input.
 */
export function rescale(args: usize): void {
  const input = pointer(args, 0), output = pointer(args, 1), count = integer(args, 2);
  const inputZero = i16x8.splat(<i16>integer(args, 3)), left = i32x4.splat(integer(args, 4));
  const multiplier = i32x4.splat(integer(args, 5)), right = i32x4.splat(integer(args, 6));
  const low = integer(args, 7), high = integer(args, 8), zeroPoint = integer(args, 9);
  const unsigned = integer(args, 10) != 0;
  for (let at = 0; at < count; at += 8) {
    const x = i16x8.sub(loadWords(input + <usize>at, unsigned), inputZero);
    const bytes = toBytes(
      requantize(i32x4.extend_low_i16x8_s(x), left, multiplier, right),
      requantize(i32x4.extend_high_i16x8_s(x), left, multiplier, right),
      low, high, zeroPoint,
    );
    storeBytes(output + <usize>at, bytes, min(8, count - at));
  }
}
