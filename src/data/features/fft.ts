/**
 * Fourier transforms in float64 whose bytes are the same on every machine: sines come from core/math.ts, where a
 * package would take them from the JavaScript engine.
 */
import { internal } from '../../core/assert.ts';
import { cosinePi } from '../../core/math.ts';

/** Real and imaginary parts of equal length. */
export interface Complex {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** e^(-pi i * halfTurns) for halfTurns in [0, 2). */
function turn(halfTurns: number): readonly [number, number] {
  const within = halfTurns > 1 ? 2 - halfTurns : halfTurns;
  const sine = cosinePi(Math.abs(0.5 - within));
  return [cosinePi(within), halfTurns > 1 ? sine : -sine];
}

/**
 * Transforms in place: X[k] = sum over n of x[n] e^(-2 pi i k n / size), unscaled. Relative error about 1e-15.
 *
 * @param size any whole number from 1; powers of two are fast, others take about six times as long
 */
export function createFft(size: number): (values: Complex) => void {
  if (!Number.isInteger(size) || size < 1) internal(`a Fourier transform of size ${size}`);
  return Number.isInteger(Math.log2(size)) ? powerOfTwo(size) : chirp(size);
}

/** Decimation in time, radix 2. */
function powerOfTwo(size: number): (values: Complex) => void {
  const reversed = new Uint32Array(size);
  for (let index = 1; index < size; index++) reversed[index] = (reversed[index >> 1]! + (index % 2) * size) >> 1;
  const cosine = new Float64Array(size / 2);
  const sine = new Float64Array(size / 2);
  for (let k = 0; k < size / 2; k++) [cosine[k], sine[k]] = turn((2 * k) / size) as [number, number]; // a pair
  return ({ re, im }) => {
    for (let index = 0; index < size; index++) {
      const other = reversed[index]!;
      if (other <= index) continue;
      [re[index], re[other]] = [re[other]!, re[index]!];
      [im[index], im[other]] = [im[other]!, im[index]!];
    }
    for (let half = 1, stride = size / 2; half < size; half *= 2, stride /= 2) {
      for (let start = 0; start < size; start += 2 * half) {
        for (let k = 0; k < half; k++) {
          const low = start + k;
          const high = start + k + half;
          const c = cosine[k * stride]!;
          const s = sine[k * stride]!;
          const highRe = re[high]!;
          const highIm = im[high]!;
          const turnedRe = highRe * c - highIm * s;
          const turnedIm = highRe * s + highIm * c;
          const lowRe = re[low]!;
          const lowIm = im[low]!;
          re[high] = lowRe - turnedRe;
          im[high] = lowIm - turnedIm;
          re[low] = lowRe + turnedRe;
          im[low] = lowIm + turnedIm;
        }
      }
    }
  };
}

/**
 * Any size by a convolution of a power of two: with w = e^(-pi i / size), k n = (k^2 + n^2 - (k - n)^2) / 2 gives
 * X[k] = w^(k^2) * sum over n of (x[n] w^(n^2)) * w^(-(k-n)^2).
 *
 * @see L. Bluestein, A linear filtering approach to the computation of the discrete Fourier transform, 1970
 */
function chirp(size: number): (values: Complex) => void {
  let padded = 1;
  while (padded < 2 * size - 1) padded *= 2;
  const transform = powerOfTwo(padded);
  // w^(n^2) has period 2 * size in n^2, which keeps the angle small and exact.
  const chirps = Array.from({ length: size }, (_, n) => turn(((n * n) % (2 * size)) / size));
  const filter: Complex = { re: new Float64Array(padded), im: new Float64Array(padded) };
  for (const [n, [cosine, sine]] of chirps.entries()) {
    for (const at of [n, (padded - n) % padded]) {
      filter.re[at] = cosine;
      filter.im[at] = -sine;
    }
  }
  transform(filter);
  const work: Complex = { re: new Float64Array(padded), im: new Float64Array(padded) };
  return ({ re, im }) => {
    work.re.fill(0);
    work.im.fill(0);
    for (const [n, [cosine, sine]] of chirps.entries()) {
      work.re[n] = re[n]! * cosine - im[n]! * sine;
      work.im[n] = re[n]! * sine + im[n]! * cosine;
    }
    transform(work);
    for (let k = 0; k < padded; k++) {
      const workRe = work.re[k]!;
      const workIm = work.im[k]!;
      work.re[k] = workRe * filter.re[k]! - workIm * filter.im[k]!;
      // The inverse is the forward transform of the conjugate, conjugated and divided by the size.
      work.im[k] = -(workRe * filter.im[k]! + workIm * filter.re[k]!);
    }
    transform(work);
    for (const [k, [cosine, sine]] of chirps.entries()) {
      const workRe = work.re[k]! / padded;
      const workIm = -work.im[k]! / padded;
      re[k] = workRe * cosine - workIm * sine;
      im[k] = workRe * sine + workIm * cosine;
    }
  };
}
