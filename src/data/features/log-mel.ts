/**
 * The logarithm of a mel spectrogram, as tf.signal computes it, in float64 and rounded to float32 once. TensorFlow
 * computes in float32 and differs by some 1e-4 of a natural logarithm.
 *
 * @see https://www.tensorflow.org/api_docs/python/tf/signal stft, hann_window, linear_to_mel_weight_matrix
 */
import { internal } from '../../core/assert.ts';
import { cosinePi, log } from '../../core/math.ts';
import type { FeatureDefinition, OptionProblem } from './define.ts';
import { framesIn, nextPowerOfTwo } from './define.ts';
import { createFft } from './fft.ts';

/** The names are tf.signal's. */
export interface LogMelOptions {
  /** Samples of a frame, from 1. */
  readonly frameLength: number;
  /** Samples from the start of one frame to that of the next, from 1. */
  readonly frameStep: number;
  /** Samples of the transform, at least those of a frame, which is padded with zeros at its end. */
  readonly fftLength: number;
  /** What is summed over a band: |S|^2 or |S|. */
  readonly spectrum: 'power' | 'magnitude';
  /** Bands. */
  readonly numMelBins: number;
  /** Where the first band begins, from 0. */
  readonly lowerEdgeHertz: number;
  /** Where the last band ends, at most half the rate. */
  readonly upperEdgeHertz: number;
  /** Added to a band before the logarithm, above 0. */
  readonly logOffset: number;
}

/**
 * Frames of 32 ms every 20 ms, 40 bands from 20 Hz to half the rate. The transform is the next power of two, as
 * tf.signal.stft has it.
 */
export function logMelDefaults(rate: number): LogMelOptions {
  const frameLength = Math.max(1, Math.round(0.032 * rate));
  return {
    frameLength,
    frameStep: Math.max(1, Math.round(0.02 * rate)),
    fftLength: nextPowerOfTwo(frameLength),
    spectrum: 'power',
    numMelBins: 40,
    lowerEdgeHertz: 20,
    upperEdgeHertz: rate / 2,
    logOffset: 1e-6,
  };
}

// More would not fit a device, and would be a mistake of units.
const largestLength = 2 ** 16;

export function logMelProblems(rate: number, options: LogMelOptions): readonly OptionProblem<LogMelOptions>[] {
  const found: OptionProblem<LogMelOptions>[] = [];
  const expect = (option: keyof LogMelOptions, isRight: boolean, expected: string): void => {
    if (!isRight) found.push({ option, message: `${options[option]}; expected ${expected}` });
  };
  const isCount = (value: number, most = largestLength): boolean =>
    Number.isInteger(value) && value >= 1 && value <= most;
  const { frameLength, fftLength, lowerEdgeHertz, upperEdgeHertz } = options;
  expect('frameLength', isCount(frameLength), `1 .. ${largestLength} samples`);
  expect('frameStep', isCount(options.frameStep), `1 .. ${largestLength} samples`);
  const isLongEnough = isCount(fftLength) && fftLength >= Math.max(2, frameLength);
  expect('fftLength', isLongEnough, `at least the ${frameLength} samples of a frame, at most ${largestLength}`);
  expect('numMelBins', isCount(options.numMelBins, 1024), '1 .. 1024 bands');
  expect('lowerEdgeHertz', lowerEdgeHertz >= 0 && lowerEdgeHertz < upperEdgeHertz, `0 .. ${upperEdgeHertz} Hz`);
  expect('upperEdgeHertz', upperEdgeHertz <= rate / 2, `at most ${rate / 2} Hz, half the rate of ${rate} Hz`);
  expect('logOffset', options.logOffset > 0 && options.logOffset < Infinity, 'a number above 0');
  return found;
}

/**
 * With N = frameLength, K = fftLength, x the samples of a frame:
 * - window w[n] = 0.5 - 0.5 cos(2 pi n / N) for even N; for odd N tf.signal divides by N - 1 instead
 * - S[k] = sum over n of w[n] x[n] e^(-2 pi i k n / K), k = 0 .. K/2
 * - band j sums |S[k]|^2 or |S[k]| with the weights of `melBands`, and becomes ln(sum + logOffset)
 */
export const logMel: FeatureDefinition<'log_mel', LogMelOptions> = {
  kind: 'log_mel',
  defaults: logMelDefaults,
  problems: logMelProblems,
  shapeOf: (samples, _rate, { frameLength, frameStep, numMelBins }) => [
    framesIn(samples, frameLength, frameStep),
    numMelBins,
  ],
  prepare: (rate, options) => {
    const bands = createLogMelFrame(rate, options);
    return (samples) => {
      const [frames, bins] = logMel.shapeOf(samples.length, rate, options);
      const values = new Float32Array(frames * bins);
      for (let frame = 0; frame < frames; frame++) values.set(bands(samples, frame * options.frameStep), frame * bins);
      return values;
    };
  },
};

/** Gives the bands of the frame that starts at a sample; they are good until the next call. */
export function createLogMelFrame(
  rate: number,
  options: LogMelOptions,
): (samples: Float32Array, start: number) => Float64Array {
  const problems = logMelProblems(rate, options);
  if (problems.length > 0)
    internal(`log_mel options: ${problems.map((one) => `${one.option} ${one.message}`).join('; ')}`);
  const { frameLength, fftLength, spectrum, logOffset } = options;
  const window = hannWindow(frameLength);
  const transform = createFft(fftLength);
  const bands = melBands(rate, Math.floor(fftLength / 2) + 1, options);
  const [re, im] = [new Float64Array(fftLength), new Float64Array(fftLength)];
  const values = new Float64Array(bands.length);
  return (samples, start) => {
    re.fill(0);
    im.fill(0);
    for (let n = 0; n < frameLength; n++) re[n] = samples[start + n]! * window[n]!;
    transform({ re, im });
    for (const [index, { firstBin, weights }] of bands.entries()) {
      let sum = 0;
      for (let offset = 0; offset < weights.length; offset++) {
        const real = re[firstBin + offset]!;
        const imaginary = im[firstBin + offset]!;
        const power = real * real + imaginary * imaginary;
        sum += weights[offset]! * (spectrum === 'power' ? power : Math.sqrt(power));
      }
      values[index] = log(sum + logOffset);
    }
    return values;
  };
}

/** tf.signal.hann_window with its default, periodic. For an odd length it is symmetric all the same. */
function hannWindow(length: number): Float64Array {
  if (length === 1) return Float64Array.of(1);
  const period = length % 2 === 0 ? length : length - 1;
  return Float64Array.from({ length }, (_, n) => {
    const halfTurns = (2 * n) / period;
    return 0.5 - 0.5 * cosinePi(halfTurns > 1 ? 2 - halfTurns : halfTurns);
  });
}

export interface Band {
  readonly firstBin: number;
  /** Of the bins from the first on. */
  readonly weights: Float64Array;
}

/** m(f) = 1127 ln(1 + f / 700), the scale of HTK. */
const melOf = (hertz: number): number => 1127 * log(1 + hertz / 700);

/**
 * Triangles of height 1, linear in mel, whose edges e are equally spaced in mel. With m(k) the mel of bin k, at
 * k rate / 2 / (bins - 1) Hz, its weight in band j is
 * max(0, min((m(k) - e[j]) / (e[j+1] - e[j]), (e[j+2] - m(k)) / (e[j+2] - e[j+1]))). Bin 0 has none: no edge is lower.
 *
 * @see tf.signal.linear_to_mel_weight_matrix
 */
export function melBands(
  rate: number,
  bins: number,
  { numMelBins, lowerEdgeHertz, upperEdgeHertz }: LogMelOptions,
): readonly Band[] {
  const [low, high] = [melOf(lowerEdgeHertz), melOf(upperEdgeHertz)];
  const edge = (index: number): number => low + ((high - low) * index) / (numMelBins + 1);
  const mels = Float64Array.from({ length: bins }, (_, bin) => melOf((bin * rate) / 2 / (bins - 1)));
  return Array.from({ length: numMelBins }, (_, band) => {
    const from = edge(band);
    const centre = edge(band + 1);
    const to = edge(band + 2);
    const weights = mels.map((mel) =>
      Math.max(0, Math.min((mel - from) / (centre - from), (to - mel) / (to - centre))),
    );
    const firstBin = weights.findIndex((weight) => weight > 0);
    const lastBin = weights.findLastIndex((weight) => weight > 0);
    return firstBin < 0
      ? { firstBin: 0, weights: new Float64Array(0) }
      : { firstBin, weights: weights.slice(firstBin, lastBin + 1) };
  });
}
