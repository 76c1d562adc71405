import type { OptionProblem } from './define.ts';
import { nextPowerOfTwo } from './define.ts';

/**
 * Who computes the tables. Three copies of one front end round some entries differently:
 * - `tflite_micro`: LIB, in float32. Also pymicro-features and what is built on it.
 * - `tensorflow`: the AudioMicrofrontend op of TensorFlow 2, whose copy of LIB calls the double functions.
 * - `signal`: the signal ops of TensorFlow Lite Micro, as in the audio_preprocessor models of micro_speech. Their
 *   weights are cut where the others round.
 */
export type TableVariant = 'tflite_micro' | 'tensorflow' | 'signal';

/** The names are those of TensorFlow's op AudioMicrofrontend. */
export interface MicroFrontendOptions {
  /** Milliseconds of a frame; whole. The transform is the next power of two of its samples. */
  readonly windowSize: number;
  /** Milliseconds from one frame to the next; whole, at most `windowSize`. */
  readonly windowStep: number;
  readonly numChannels: number;
  /** Hertz; above 0 .. below half the rate. */
  readonly lowerBandLimit: number;
  readonly upperBandLimit: number;
  /** Bits that the noise estimate has below the signal. */
  readonly smoothingBits: number;
  /** Share of a new frame in the noise estimate of channels 0, 2, 4 ..; 0 .. 1. */
  readonly evenSmoothing: number;
  /** The same of channels 1, 3, 5 .. */
  readonly oddSmoothing: number;
  /** Share of the signal that noise reduction leaves at least; 0 .. 1. */
  readonly minSignalRemaining: number;
  /** Whether each channel is divided by a power of its noise estimate (per-channel amplitude normalization). */
  readonly enablePcan: boolean;
  readonly pcanStrength: number;
  readonly pcanOffset: number;
  readonly gainBits: number;
  readonly enableLog: boolean;
  /** Bits that the logarithm has after the point. */
  readonly scaleShift: number;
  readonly tables: TableVariant;
}

/** What micro_speech and pymicro-features set, with steps of 10 ms as the latter has it (micro_speech: 20). */
export function microFrontendDefaults(rate: number): MicroFrontendOptions {
  return {
    windowSize: 30,
    windowStep: 10,
    numChannels: 40,
    lowerBandLimit: 125,
    // Below half the rate, as the filterbank must be: 7500 at 16 kHz, 3750 at 8 kHz.
    upperBandLimit: Math.min(7500, Math.floor((rate * 15) / 32)),
    smoothingBits: 10,
    evenSmoothing: 0.025,
    oddSmoothing: 0.06,
    minSignalRemaining: 0.05,
    enablePcan: true,
    pcanStrength: 0.95,
    pcanOffset: 80,
    gainBits: 21,
    enableLog: true,
    scaleShift: 6,
    tables: 'tflite_micro',
  };
}

export function microFrontendProblems(
  rate: number,
  options: MicroFrontendOptions,
): readonly OptionProblem<MicroFrontendOptions>[] {
  const found: OptionProblem<MicroFrontendOptions>[] = [];
  const expect = (option: keyof MicroFrontendOptions, isRight: boolean, expected: string): void => {
    if (!isRight) found.push({ option, message: `${options[option]}; expected ${expected}` });
  };
  const isWhole = (value: number, least: number, most: number): boolean =>
    Number.isInteger(value) && value >= least && value <= most;
  const isShare = (value: number): boolean => value >= 0 && value <= 1;
  const size = samplesIn(options.windowSize, rate);
  const fftSize = nextPowerOfTwo(Math.max(1, size));
  const correction = correctionBits(fftSize);
  const samples = `at ${rate} Hz that is ${size} samples`;
  expect(
    'windowSize',
    isWhole(options.windowSize, 1, 1000) && size >= 4 && size <= 8192,
    `4 .. 8192 samples; ${samples}`,
  );
  const isStep = isWhole(options.windowStep, 1, options.windowSize) && samplesIn(options.windowStep, rate) >= 1;
  expect('windowStep', isStep, `1 .. ${options.windowSize} ms, the window, and at least one sample`);
  expect('numChannels', isWhole(options.numChannels, 1, 256), '1 .. 256');
  const { lowerBandLimit, upperBandLimit, smoothingBits, gainBits } = options;
  expect('lowerBandLimit', lowerBandLimit >= 0 && lowerBandLimit < upperBandLimit, `0 .. ${upperBandLimit} Hz`);
  // The bin at half the rate must lie above the last band, in float32 too.
  expect(
    'upperBandLimit',
    upperBandLimit <= rate / 2 - 1,
    `at most ${rate / 2 - 1} Hz, below half the rate of ${rate} Hz`,
  );
  expect('smoothingBits', isWhole(smoothingBits, Math.max(0, correction), 16), `${Math.max(0, correction)} .. 16`);
  for (const option of ['evenSmoothing', 'oddSmoothing', 'minSignalRemaining'] as const) {
    expect(option, isShare(options[option]), '0 .. 1');
  }
  expect('pcanStrength', options.pcanStrength >= 0 && options.pcanStrength <= 10, '0 .. 10');
  expect('pcanOffset', options.pcanOffset > 0 && options.pcanOffset < 2 ** 31, 'above 0');
  const leastGain = Math.max(0, correction + snrBits);
  expect('gainBits', isWhole(gainBits, leastGain, 31), `${leastGain} .. 31`);
  expect('scaleShift', isWhole(options.scaleShift, 0, 11), '0 .. 11');
  return found;
}

/** Q of window and filterbank. */
export const tableBits = 12;

/** Bits after the point of the ratio of signal to noise in gain control. */
export const snrBits = 12;

/** Samples in so many milliseconds, cut. */
export const samplesIn = (milliseconds: number, rate: number): number => Math.floor((milliseconds * rate) / 1000);

/** Bits by which the scales of transform and filterbank differ: log2(size) - 6. */
export const correctionBits = (fftSize: number): number => Math.log2(fftSize) - tableBits / 2;
