/**
 * The tables of the integer front end: window, filterbank, gain and logarithm. A device may hold these instead of
 * computing them: a library of floats that differs in one last bit changes some entries by 1.
 *
 * LIB = tensorflow/lite/experimental/microfrontend/lib of tensorflow/tflite-micro at 90b983c2.
 */
import { roundHalfEven } from '../../core/affine.ts';
import { cosinePi, exp, log } from '../../core/math.ts';
import { nextPowerOfTwo } from './define.ts';
import { log1pFloat32 } from './float32-log1p.ts';
import type { MicroFrontendOptions, TableVariant } from './micro-frontend-options.ts';
import { correctionBits, samplesIn } from './micro-frontend-options.ts';

export interface FrontendTables {
  /** Q12, one for each sample of the window. */
  readonly window: Int16Array;
  readonly fftSize: number;
  readonly filterbank: Filterbank;
  /** Null without gain control. */
  readonly gain: GainTable | null;
}

/** One more band than channels: the first only gives its falling slope to the second. */
export interface Filterbank {
  /** First bin of each band, then the bin after the last: bands follow each other. Length channels + 2. */
  readonly starts: Uint16Array;
  /** Q12 by bin less the first: what it gives to its own band, and what to the next. */
  readonly weights: Int16Array;
  readonly unweights: Int16Array;
}

/** A function of uint32 by its value at 0 and 1, and a parabola for each octave from 2 on. */
export interface GainTable {
  /** At 0 and 1. */
  readonly first: Int16Array;
  /** y0, a1, a2 for numbers of 2, 3 .. 32 bits. */
  readonly octaves: Int16Array;
}

const f32 = Math.fround;

export function frontendTables(rate: number, options: MicroFrontendOptions): FrontendTables {
  const size = samplesIn(options.windowSize, rate);
  const fftSize = nextPowerOfTwo(size);
  return {
    window: windowTable(size, options.tables),
    fftSize,
    filterbank: filterbank(rate, fftSize / 2 + 1, options),
    gain: options.enablePcan ? gainTable(options, correctionBits(fftSize)) : null,
  };
}

/**
 * floor(4096 (0.5 - 0.5 cos(2 pi (i + 0.5) / size)) + 0.5).
 *
 * @see LIB window_util; signal window_op.py hann_window_weights
 */
function windowTable(size: number, variant: TableVariant): Int16Array {
  return Int16Array.from({ length: size }, (_, index) => {
    if (variant === 'signal') return roundHalfEven(4096 * (0.5 - 0.5 * cosine((2 * Math.PI * (index + 0.5)) / size)));
    if (variant === 'tensorflow') {
      const angle = f32((2 * Math.PI) / size) * (index + 0.5);
      return Math.floor(f32(0.5 - 0.5 * cosine(angle)) * 4096 + 0.5);
    }
    const angle = f32(f32(f32(f32(Math.PI) * 2) / size) * f32(index + 0.5));
    return Math.floor(f32(f32(f32(0.5 - f32(0.5 * f32(cosine(angle)))) * 4096) + 0.5));
  });
}

/** For 0 .. 2 pi. */
function cosine(angle: number): number {
  const halfTurns = angle / Math.PI;
  return cosinePi(halfTurns > 1 ? 2 - halfTurns : halfTurns);
}

/** 1127 ln(1 + hertz / 700), of float32 and to float32. */
function melOf(hertz: number, variant: TableVariant): number {
  if (variant === 'tensorflow') return f32(1127 * log(1 + hertz / 700));
  return f32(1127 * log1pFloat32(f32(hertz / 700)));
}

/** Between two bins of the transform. LIB has it in float32. */
function binHertz(rate: number, bins: number, variant: TableVariant): number {
  const hertz = rate / 2 / (bins - 1);
  return variant === 'signal' ? hertz : f32(hertz);
}

/** 1 + the lower limit in bins, rounded: bin 0, which is the mean of the samples, is never in a band. */
function firstBin(lowerBandLimit: number, hertz: number, variant: TableVariant): number {
  if (variant === 'signal') return roundHalfEven(1 + lowerBandLimit / hertz);
  const bin = f32(f32(lowerBandLimit) / hertz);
  return Math.trunc(variant === 'tensorflow' ? 1.5 + bin : f32(1.5 + bin));
}

/**
 * The padding that both libraries add for alignment holds zeros and is left out.
 *
 * @see LIB filterbank_util; signal filter_bank_ops.py _init_filter_bank_weights
 */
function filterbank(rate: number, bins: number, options: MicroFrontendOptions): Filterbank {
  const { numChannels, tables: variant } = options;
  const hertz = binHertz(rate, bins, variant);
  const low = melOf(f32(options.lowerBandLimit), variant);
  const high = melOf(f32(options.upperBandLimit), variant);
  const spacing = f32(f32(high - low) / (numChannels + 1));
  const starts = [firstBin(options.lowerBandLimit, hertz, variant)];
  const [weights, unweights]: [number[], number[]] = [[], []];
  let bin = starts[0]!; // just put there
  let before = low;
  for (let band = 0; band <= numChannels; band++) {
    const centre = f32(low + f32(spacing * (band + 1)));
    for (; ; bin++) {
      const mel = melOf(f32(bin * hertz), variant);
      if (mel > centre) break;
      const weight = f32(f32(centre - mel) / f32(centre - before));
      weights.push(quantizeWeight(weight, variant));
      unweights.push(quantizeWeight(variant === 'tensorflow' ? 1 - weight : f32(1 - weight), variant));
    }
    starts.push(bin);
    before = centre;
  }
  return {
    starts: Uint16Array.from(starts),
    weights: Int16Array.from(weights),
    unweights: Int16Array.from(unweights),
  };
}

function quantizeWeight(weight: number, variant: TableVariant): number {
  if (variant === 'signal') return Math.trunc(weight * 4096);
  if (variant === 'tensorflow') return Math.floor(weight * 4096 + 0.5);
  return Math.floor(f32(f32(weight * 4096) + 0.5));
}

/**
 * 2^gainBits (x / 2^inputBits + offset)^-strength, as octaves of parabolas through both ends and the middle.
 *
 * @see LIB pcan_gain_control_util
 */
function gainTable(options: MicroFrontendOptions, correction: number): GainTable {
  const gainAt = gainFunction(options, options.smoothingBits - correction);
  const octaves = new Int16Array(3 * 31);
  for (let bits = 2; bits <= 32; bits++) {
    const x0 = 2 ** (bits - 1);
    // The last end is 2^32 - 1 there, which is 2^32 in float32.
    const [y0, y1, y2] = [gainAt(x0), gainAt(1.5 * x0), gainAt(2 * x0)];
    const a1 = 4 * (y1 - y0) - (y2 - y0);
    octaves.set([y0, a1, y2 - y0 - a1], 3 * (bits - 2));
  }
  return { first: Int16Array.of(gainAt(0), gainAt(1)), octaves };
}

function gainFunction(options: MicroFrontendOptions, inputBits: number): (x: number) => number {
  const [strength, offset] = [f32(options.pcanStrength), f32(options.pcanOffset)];
  return (x) => {
    const base = f32(f32(f32(x) / 2 ** inputBits) + offset);
    const gain = f32(2 ** options.gainBits * f32(exp(-strength * log(base))));
    return gain > 32767 ? 32767 : Math.trunc(f32(gain + 0.5));
  };
}

/**
 * log2(1 + b / 128) - b / 128 in Q16 for b = 0 .. 128: the 129 entries of LIB log_lut.
 */
export const logTable = Uint16Array.from({ length: 129 }, (_, index) =>
  Math.round(65536 * (log(1 + index / 128) / Math.LN2 - index / 128)),
);
