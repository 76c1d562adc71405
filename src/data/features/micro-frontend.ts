/**
 * The audio front end that TensorFlow Lite Micro runs on devices, in integers, bit for bit: window, fixed-point
 * transform, mel filterbank, noise reduction, gain control, logarithm. What a network is trained on is what the device
 * computes.
 *
 * @see tensorflow/tflite-micro at 90b983c2, tensorflow/lite/experimental/microfrontend/lib
 */
import { internal } from '../../core/assert.ts';
import { toInt16 } from '../../formats/wav.ts';
import type { FeatureDefinition } from './define.ts';
import { framesIn } from './define.ts';
import { createFixedFft } from './fixed-fft.ts';
import type { FixedSpectrum } from './fixed-fft.ts';
import type { MicroFrontendOptions } from './micro-frontend-options.ts';
import {
  correctionBits,
  microFrontendDefaults,
  microFrontendProblems,
  samplesIn,
  snrBits,
  tableBits,
} from './micro-frontend-options.ts';
import type { Filterbank, GainTable } from './micro-frontend-tables.ts';
import { frontendTables, logTable } from './micro-frontend-tables.ts';

/**
 * Real values are the front end's integers / 25.6, as micro_speech and pymicro-features scale them; exact in float32.
 * `frontendCode` and `frontendQuantization` say how a model's int8 input holds them.
 */
export const microFrontend: FeatureDefinition<'micro_frontend', MicroFrontendOptions> = {
  kind: 'micro_frontend',
  defaults: microFrontendDefaults,
  problems: microFrontendProblems,
  shapeOf: (samples, rate, options) => [
    framesIn(samples, samplesIn(options.windowSize, rate), samplesIn(options.windowStep, rate)),
    options.numChannels,
  ],
  prepare: (rate, options) => {
    const frontend = createMicroFrontend(rate, options);
    return (samples) => {
      const values = new Float32Array(frontend(toInt16(samples)));
      for (let index = 0; index < values.length; index++) values[index] = values[index]! * frontendUnit;
      return values;
    };
  },
};

/** One unit of the front end's integers. */
export const frontendUnit = 10 / 256;

/** What micro_speech's int8 input holds: codes -128 .. 127 of 0 .. 26.0 (of integers 0 .. 666). */
export const frontendQuantization = { scale: (666 * frontendUnit) / 256, zeroPoint: -128 } as const;

/**
 * The int8 code of an integer of the front end: floor((256 y + 333) / 666) - 128, at most 127. Equal to quantizing
 * y / 25.6 with `frontendQuantization`: no y is half way between two codes.
 *
 * @param value 0 .. 65535
 * @see tensorflow/tflite-micro, micro_speech/audio_preprocessor.py; micro_features_generator of earlier versions
 */
export const frontendCode = (value: number): number => Math.min(127, Math.floor((256 * value + 333) / 666) - 128);

const outputBits = 6;
const noiseBits = 14;

/**
 * The front end with its tables. Everything is uint32 unless said; `>>` cuts, bits(v) is the length of v in bits.
 *
 * @returns what turns int16 samples into integers 0 .. 65535 of shape [frames, numChannels]. Each call starts with the
 *   noise estimate at 0, as the device does after a reset.
 */
export function createMicroFrontend(rate: number, options: MicroFrontendOptions): (samples: Int16Array) => Uint16Array {
  const wrong = microFrontendProblems(rate, options);
  if (wrong.length > 0)
    internal(`micro_frontend options: ${wrong.map((one) => `${one.option} ${one.message}`).join('; ')}`);
  const { window, fftSize, filterbank, gain } = frontendTables(rate, options);
  const transform = createFixedFft(fftSize);
  const step = samplesIn(options.windowStep, rate);
  const correction = correctionBits(fftSize);
  const reduceNoise = noiseReduction(options);
  // pcan_op.py computes the shift and then takes 6, which is right for the default gain and a transform of 512.
  const snrShift = options.tables === 'signal' ? 6 : options.gainBits - correction - snrBits;
  const windowed = new Int16Array(fftSize);
  const signal = new Uint32Array(options.numChannels);
  return (samples) => {
    const frames = framesIn(samples.length, window.length, step);
    const estimate = new Uint32Array(options.numChannels);
    const values = new Uint16Array(frames * options.numChannels);
    for (let frame = 0; frame < frames; frame++) {
      const shift = applyWindow(samples.subarray(frame * step, frame * step + window.length), window, windowed);
      filter(transform(windowed), filterbank, shift, signal);
      reduceNoise(signal, estimate);
      if (gain !== null) controlGain(signal, estimate, gain, snrShift);
      for (let channel = 0; channel < signal.length; channel++) {
        const value = signal[channel]!;
        const scaled = options.enableLog ? logarithm(value, correction, options.scaleShift) : value;
        values[frame * options.numChannels + channel] = Math.min(65535, scaled);
      }
    }
    return values;
  };
}

/**
 * y = x w >> 12, then shifted up so that the largest fills 15 bits. LIB window.c, fft.cc.
 *
 * @param windowed takes the result; what lies behind the window stays 0
 * @returns the shift, 0 .. 15
 */
function applyWindow(samples: Int16Array, window: Int16Array, windowed: Int16Array): number {
  let largest = 0;
  for (let index = 0; index < window.length; index++) {
    const value = (samples[index]! * window[index]!) >> tableBits;
    windowed[index] = value;
    // In int16 -(-32768) is negative and never the largest.
    if (value !== -32768) largest = Math.max(largest, Math.abs(value));
  }
  const shift = 15 - bitLength(largest);
  for (let index = 0; index < window.length; index++) windowed[index] = windowed[index]! << shift;
  return shift;
}

const bitLength = (value: number): number => 32 - Math.clz32(value);

/**
 * Square roots of the energy of each channel, shifted back. LIB filterbank.c.
 *
 * Bin energies are at most 2^31 and weights at most 2^12, and the transform's energies add up to less than 2^32: all
 * sums are below 2^45, exact in float64.
 */
function filter(
  { re, im }: FixedSpectrum,
  { starts, weights, unweights }: Filterbank,
  shift: number,
  out: Uint32Array,
) {
  const first = starts[0]!;
  let carried = 0;
  for (let band = 0; band <= out.length; band++) {
    let sum = carried;
    carried = 0;
    for (let bin = starts[band]!; bin < starts[band + 1]!; bin++) {
      const energy = re[bin]! * re[bin]! + im[bin]! * im[bin]!;
      sum += weights[bin - first]! * energy;
      carried += unweights[bin - first]! * energy;
    }
    if (band > 0) out[band - 1] = squareRoot(sum) >>> shift;
  }
}

/** Rounded to the nearest; a root of 32 bits stays below 2^16. Of numbers below 2^53. */
function squareRoot(value: number): number {
  let root = Math.floor(Math.sqrt(value));
  if (root * root > value) root--;
  const isCapped = root === 0xffff && value < 2 ** 32;
  return value - root * root > root && !isCapped ? root + 1 : root;
}

/** Subtracts a running estimate of the noise. LIB noise_reduction.c. */
function noiseReduction(options: MicroFrontendOptions): (signal: Uint32Array, estimate: Uint32Array) => void {
  // Cut, of the float32 that the device holds.
  const share = (value: number): number => Math.trunc(Math.fround(value) * 2 ** noiseBits);
  const [even, odd] = [share(options.evenSmoothing), share(options.oddSmoothing)];
  const remaining = share(options.minSignalRemaining);
  const { smoothingBits } = options;
  return (signal, estimate) => {
    for (let channel = 0; channel < signal.length; channel++) {
      const smoothing = channel % 2 === 0 ? even : odd;
      const value = signal[channel]!;
      const scaledUp = (value << smoothingBits) >>> 0;
      const sum = scaledUp * smoothing + estimate[channel]! * (2 ** noiseBits - smoothing);
      const noise = Math.floor(sum / 2 ** noiseBits);
      estimate[channel] = noise;
      const reduced = (scaledUp - Math.min(noise, scaledUp)) >>> smoothingBits;
      signal[channel] = Math.max(reduced, Math.floor((value * remaining) / 2 ** noiseBits));
    }
  };
}

/** Multiplies each channel by the gain of its noise estimate and compresses the result. LIB pcan_gain_control.c. */
function controlGain(signal: Uint32Array, estimate: Uint32Array, table: GainTable, snrShift: number): void {
  for (let channel = 0; channel < signal.length; channel++) {
    const gain = gainOf(estimate[channel]!, table);
    const value = signal[channel]!;
    // A parabola may leave the range of int16; the device then reads its negative value as 2^32 more.
    const excess = gain < 0 ? (value * 2 ** (32 - snrShift)) >>> 0 : 0;
    const ratio = (Math.floor((value * gain) / 2 ** snrShift) + excess) >>> 0;
    const small = 2 << snrBits;
    signal[channel] =
      ratio < small
        ? (ratio * ratio) >>> (2 + 2 * snrBits - outputBits)
        : (ratio >>> (snrBits - outputBits)) - 2 ** outputBits;
  }
}

function gainOf(x: number, { first, octaves }: GainTable): number {
  if (x < 2) return first[x]!;
  if (x === 2) return octaves[0]!;
  const bits = bitLength(x);
  // Ten bits below the leading one.
  const fraction = (bits < 11 ? x << (11 - bits) : x >>> (bits - 11)) & 0x3ff;
  const at = 3 * (bits - 2);
  const [y0, a1, a2] = [octaves[at]!, octaves[at + 1]!, octaves[at + 2]!];
  const slope = ((a2 * fraction) >> 5) + (a1 << 5);
  const result = ((Math.imul(slope, fraction) + 2 ** 14) >> 15) + y0;
  return (result << 16) >> 16;
}

/**
 * Natural logarithm of value * 2^correction in fixed point; 0 up to 1. LIB log_scale.c.
 *
 * @param scaleShift bits after the point of the result
 */
function logarithm(value: number, correction: number, scaleShift: number): number {
  const shifted = correction < 0 ? value >>> -correction : (value << correction) >>> 0;
  if (shifted <= 1) return 0;
  const whole = bitLength(shifted) - 1;
  const rest = shifted - 2 ** whole;
  const fraction = whole < 16 ? rest << (16 - whole) : rest >>> (whole - 16);
  const segment = fraction >> 9;
  const [from, to] = [logTable[segment]!, logTable[segment + 1]!];
  const between = ((to - from) * (fraction - 512 * segment)) >> 16;
  const log2 = 2 ** 16 * whole + fraction + from + between;
  // 45426 is ln 2 in Q16.
  const natural = Math.floor((45426 * log2 + 2 ** 15) / 2 ** 16);
  return ((natural << scaleShift) + 2 ** 15) >>> 16;
}
