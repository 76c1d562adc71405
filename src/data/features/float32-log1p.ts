const f32 = Math.fround;

// The bits of each constant are in its source.
const ln2High = f32(6.9313812256e-1);
const ln2Low = f32(9.0580006145e-6);
const series = [
  6.6666668653e-1, 4.0000000596e-1, 2.8571429849e-1, 2.2222198546e-1, 1.818357259e-1, 1.5313838422e-1, 1.479819864e-1,
].map(f32);

const words = new DataView(new ArrayBuffer(4));

function bitsOf(x: number): number {
  words.setFloat32(0, x);
  return words.getInt32(0);
}

function fromBits(bits: number): number {
  words.setInt32(0, bits);
  return words.getFloat32(0);
}

/**
 * log1pf of Sun's fdlibm in float32, step by step: what newlib (on microcontrollers), musl and glibc before 2.41
 * compute. It is not always the nearest float32, so a filterbank that was made with it is not the one that exact
 * logarithms give.
 *
 * @param x a float32 from 2^-29, or 0
 * @see newlib, libm/common/sf_log1p.c
 */
export function log1pFloat32(x: number): number {
  if (x === 0) return 0;
  if (x < Math.SQRT2 - 1 && bitsOf(x) < 0x3ed413d7) return ofFraction(x, 0, 0);
  const sum = f32(1 + x);
  const bits = bitsOf(sum);
  let exponent = (bits >> 23) - 127;
  // What was lost when 1 was added.
  const lost = exponent > 0 ? f32(1 - f32(sum - x)) : f32(x - f32(sum - 1));
  const correction = f32(lost / sum);
  const mantissa = bits & 0x007fffff;
  let fraction: number;
  if (mantissa < 0x3504f7) {
    fraction = f32(fromBits(mantissa | 0x3f800000) - 1);
  } else {
    exponent++;
    fraction = f32(fromBits(mantissa | 0x3f000000) - 1);
  }
  return ofFraction(fraction, exponent, correction);
}

/** ln(1 + f) + k ln 2 + c / (1 + f)'s share, with -0.293 <= f <= 0.415. */
function ofFraction(f: number, k: number, c: number): number {
  const halfSquare = f32(f32(0.5 * f) * f);
  const low = f32(f32(k * ln2Low) + c);
  if (Math.abs(f) < 2 ** -20 && k !== 0) {
    if (f === 0) return f32(f32(k * ln2High) + low);
    const rest = f32(halfSquare * f32(1 - f32(f32(2 / 3) * f)));
    return f32(f32(k * ln2High) - f32(f32(rest - low) - f));
  }
  const s = f32(f / f32(2 + f));
  const z = f32(s * s);
  const r = series.reduceRight((sum, coefficient) => f32(z * f32(coefficient + sum)), 0);
  const part = f32(s * f32(halfSquare + r));
  if (k === 0) return f32(f - f32(halfSquare - part));
  return f32(f32(k * ln2High) - f32(f32(halfSquare - f32(part + low)) - f));
}
