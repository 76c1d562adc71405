/**
 * The Fourier transform of real int16 samples that kiss_fft computes with FIXED_POINT=16, bit for bit. The result is
 * divided by the size, and each butterfly rounds.
 *
 * @see https://github.com/mborgerding/kissfft at v130 and the copy that TensorFlow Lite Micro builds: kiss_fft.c
 *   kf_bfly2 and kf_bfly4, kiss_fftr.c kiss_fftr, _kiss_fft_guts.h
 */
import { internal } from '../../core/assert.ts';
import { cosinePi } from '../../core/math.ts';

/** Int16 parts of the bins 0 .. size / 2. */
export interface FixedSpectrum {
  readonly re: Int16Array;
  readonly im: Int16Array;
}

/** Q15 product: v * w / 2^15, half up. */
const rounded = (product: number): number => (product + 2 ** 14) >> 15;

/** A twiddle e^(-pi i * halfTurns) in Q15, halfTurns in [0, 2): floor(0.5 + 32767 cos). */
function twiddle(halfTurns: number): readonly [number, number] {
  const within = halfTurns > 1 ? 2 - halfTurns : halfTurns;
  const sine = cosinePi(Math.abs(0.5 - within)) * (halfTurns > 1 ? 1 : -1);
  return [Math.floor(0.5 + 32767 * cosinePi(within)), Math.floor(0.5 + 32767 * sine)];
}

interface Twiddles {
  readonly re: Int16Array;
  readonly im: Int16Array;
}

function twiddles(count: number, halfTurns: (index: number) => number): Twiddles {
  const pairs = Array.from({ length: count }, (_, index) => twiddle(halfTurns(index)));
  return { re: Int16Array.from(pairs, ([re]) => re), im: Int16Array.from(pairs, ([, im]) => im) };
}

/**
 * @param size a power of two from 4
 * @returns the transform; its spectrum is good until the next call. Bins 0 and size / 2 stay 0: no filterbank reads
 *   them
 */
export function createFixedFft(size: number): (samples: Int16Array) => FixedSpectrum {
  const half = size / 2;
  if (!Number.isInteger(Math.log2(size)) || size < 4) internal(`a fixed-point Fourier transform of size ${size}`);
  const transform = createComplex(half);
  const turns = twiddles(half / 2, (index) => (index + 1) / half + 0.5);
  const spectrum: FixedSpectrum = { re: new Int16Array(half + 1), im: new Int16Array(half + 1) };
  return (samples) => {
    const { re, im } = transform(samples);
    for (let k = 1; k <= half / 2; k++) {
      // 16383 is 32767 / 2. The negated part wraps at -32768, as int16 does.
      const nearRe = rounded(re[k]! * 16383);
      const nearIm = rounded(im[k]! * 16383);
      const farRe = rounded(re[half - k]! * 16383);
      const farIm = rounded(wrap(-im[half - k]!) * 16383);
      const sumRe = wrap(nearRe + farRe);
      const sumIm = wrap(nearIm + farIm);
      const differenceRe = wrap(nearRe - farRe);
      const differenceIm = wrap(nearIm - farIm);
      const turnRe = turns.re[k - 1]!;
      const turnIm = turns.im[k - 1]!;
      const turnedRe = wrap(rounded(differenceRe * turnRe - differenceIm * turnIm));
      const turnedIm = wrap(rounded(differenceRe * turnIm + differenceIm * turnRe));
      spectrum.re[k] = (sumRe + turnedRe) >> 1;
      spectrum.im[k] = (sumIm + turnedIm) >> 1;
      spectrum.re[half - k] = (sumRe - turnedRe) >> 1;
      spectrum.im[half - k] = (turnedIm - sumIm) >> 1;
    }
    return spectrum;
  };
}

const wrap = (value: number): number => (value << 16) >> 16;

/** Of samples taken in pairs as real and imaginary part. Decimation in time: radix 4 as long as it divides, then 2. */
function createComplex(size: number): (samples: Int16Array) => FixedSpectrum {
  const factors: number[] = [];
  for (let rest = size; rest > 1; rest /= factors.at(-1)!) factors.push(rest % 4 === 0 ? 4 : 2);
  const table = twiddles(size, (index) => (2 * index) / size);
  const order = inputOrder(size, factors);
  const values: FixedSpectrum = { re: new Int16Array(size), im: new Int16Array(size) };
  return (samples) => {
    for (let index = 0; index < size; index++) {
      values.re[index] = samples[2 * order[index]!]!;
      values.im[index] = samples[2 * order[index]! + 1]!;
    }
    let length = 1;
    for (const factor of factors.toReversed()) {
      const butterfly = factor === 4 ? butterfly4 : butterfly2;
      const stride = size / (length * factor);
      for (let start = 0; start < size; start += length * factor) butterfly(values, start, length, stride, table);
      length *= factor;
    }
    return values;
  };
}

/** Which input each place takes: the first factor's residue comes first. */
function inputOrder(size: number, factors: readonly number[]): Uint32Array {
  const order = new Uint32Array(size);
  const place = (start: number, input: number, stride: number, depth: number, length: number): void => {
    const factor = factors[depth];
    if (factor === undefined) {
      order[start] = input;
      return;
    }
    const part = length / factor;
    for (let q = 0; q < factor; q++) place(start + q * part, input + q * stride, stride * factor, depth + 1, part);
  };
  place(0, 0, 1, 0, size);
  return order;
}

function butterfly2({ re, im }: FixedSpectrum, start: number, m: number, stride: number, table: Twiddles): void {
  for (let k = 0; k < m; k++) {
    const a = start + k;
    const b = start + k + m;
    const aRe = rounded(re[a]! * 16383);
    const aIm = rounded(im[a]! * 16383);
    const bRe = rounded(re[b]! * 16383);
    const bIm = rounded(im[b]! * 16383);
    const turnRe = table.re[k * stride]!;
    const turnIm = table.im[k * stride]!;
    const turnedRe = wrap(rounded(bRe * turnRe - bIm * turnIm));
    const turnedIm = wrap(rounded(bRe * turnIm + bIm * turnRe));
    re[b] = aRe - turnedRe;
    im[b] = aIm - turnedIm;
    re[a] = aRe + turnedRe;
    im[a] = aIm + turnedIm;
  }
}

function butterfly4({ re, im }: FixedSpectrum, start: number, m: number, stride: number, table: Twiddles): void {
  for (let k = 0; k < m; k++) {
    const at = start + k;
    const aRe = quarter(re[at]!);
    const aIm = quarter(im[at]!);
    const bRe = turnedReal(re[at + m]!, im[at + m]!, table, k * stride);
    const bIm = turnedImaginary(re[at + m]!, im[at + m]!, table, k * stride);
    const cRe = turnedReal(re[at + 2 * m]!, im[at + 2 * m]!, table, 2 * k * stride);
    const cIm = turnedImaginary(re[at + 2 * m]!, im[at + 2 * m]!, table, 2 * k * stride);
    const dRe = turnedReal(re[at + 3 * m]!, im[at + 3 * m]!, table, 3 * k * stride);
    const dIm = turnedImaginary(re[at + 3 * m]!, im[at + 3 * m]!, table, 3 * k * stride);
    const evenRe = wrap(aRe + cRe);
    const evenIm = wrap(aIm + cIm);
    const oddRe = wrap(aRe - cRe);
    const oddIm = wrap(aIm - cIm);
    const sumRe = wrap(bRe + dRe);
    const sumIm = wrap(bIm + dIm);
    const differenceRe = wrap(bRe - dRe);
    const differenceIm = wrap(bIm - dIm);
    // The arrays wrap what they are given.
    re[at] = evenRe + sumRe;
    im[at] = evenIm + sumIm;
    re[at + m] = oddRe + differenceIm;
    im[at + m] = oddIm - differenceRe;
    re[at + 2 * m] = evenRe - sumRe;
    im[at + 2 * m] = evenIm - sumIm;
    re[at + 3 * m] = oddRe - differenceIm;
    im[at + 3 * m] = oddIm + differenceRe;
  }
}

/** 8191 is 32767 / 4, cut. */
const quarter = (value: number): number => rounded(value * 8191);

/** A quarter of a value, turned: both steps round. Sums of products wrap at 32 bits. */
const turnedReal = (re: number, im: number, table: Twiddles, turn: number): number =>
  wrap(rounded(quarter(re) * table.re[turn]! - quarter(im) * table.im[turn]!));

const turnedImaginary = (re: number, im: number, table: Twiddles, turn: number): number =>
  wrap(rounded(quarter(re) * table.im[turn]! + quarter(im) * table.re[turn]!));
