/**
 * Sound at another rate: a windowed sinc in float64, the same bytes on every machine.
 *
 * The filter has 128 taps at the lower of the two rates, in a Kaiser window of 110 dB. Up to 0.88 of half the lower
 * rate it is flat within 0.001 dB; what lies above half the lower rate is weakened by at least 100 dB. Phase is linear
 * and without delay. Beyond its ends the sound is taken as silence.
 */
import { internal } from '../../core/assert.ts';
import { cosinePi } from '../../core/math.ts';

/** Zero crossings on each side. */
const crossings = 64;
const attenuation = 110;
/** Kaiser's rules: the shape for an attenuation above 50 dB, and how wide the slope is, as a share of the rate. */
const beta = 0.1102 * (attenuation - 8.7);
const slope = (attenuation - 7.95) / (14.36 * 2 * crossings);
/** The middle of the slope, which ends at half the rate, as a share of that. */
const cutoff = 1 - slope;
/** Between more positions than these, weights are interpolated: an error below 2^-19, or -114 dB. */
const mostPhases = 1024;

/** Samples after resampling: the whole ones that begin before the end. */
export const resampledLength = (length: number, from: number, to: number): number => Math.ceil((length * to) / from);

/**
 * @param from rate of the input, a whole number from 1
 * @param to rate of the output; when equal, the samples are copied
 * @returns what gives sample k of the output at the time k / to. It keeps its tables.
 */
export function createResampler(from: number, to: number): (samples: Float32Array) => Float32Array {
  if (![from, to].every((rate) => Number.isSafeInteger(rate) && rate >= 1)) internal(`resampling ${from} to ${to}`);
  if (from === to) return (samples) => samples.slice();
  const divisor = greatestCommonDivisor(from, to);
  const [step, positions] = [from / divisor, to / divisor];
  const phases = Math.min(positions, mostPhases);
  const scale = Math.min(1, to / from);
  const reach = Math.ceil(crossings / scale);
  const table: Float64Array[] = [];
  const weightsAt = (phase: number): Float64Array => (table[phase] ??= phaseWeights(phase / phases, reach, scale));
  return (samples) => {
    const output = new Float32Array(resampledLength(samples.length, from, to));
    for (let index = 0; index < output.length; index++) {
      const before = Math.floor((index * step) / positions);
      const position = ((index * step) % positions) * (phases / positions);
      const phase = Math.floor(position);
      const start = before - reach + 1;
      const near = weigh(samples, start, weightsAt(phase));
      // A whole position, as all are with few phases, needs no second one.
      const far = position === phase ? near : weigh(samples, start, weightsAt(phase + 1));
      output[index] = near + (far - near) * (position - phase);
    }
    return output;
  };
}

function weigh(samples: Float32Array, start: number, weights: Float64Array): number {
  let sum = 0;
  const last = Math.min(weights.length, samples.length - start);
  for (let tap = Math.max(0, -start); tap < last; tap++) sum += samples[start + tap]! * weights[tap]!;
  return sum;
}

/**
 * Weights of the `2 * reach` samples around a position between two, whose sum is 1 so that a constant stays one.
 *
 * @param offset of the position from the sample before it, 0 .. 1
 * @param scale of the time axis: 1, or the ratio of rates when the output has the lower one
 */
function phaseWeights(offset: number, reach: number, scale: number): Float64Array {
  const weights = new Float64Array(2 * reach);
  let sum = 0;
  for (let tap = 0; tap < weights.length; tap++) {
    const time = Math.abs(tap - reach + 1 - offset) * scale;
    weights[tap] = time >= crossings ? 0 : sinc(cutoff * time) * kaiser(time / crossings);
    sum += weights[tap]!;
  }
  return weights.map((weight) => weight / sum);
}

/** sin(pi x) / (pi x), x from 0. */
function sinc(x: number): number {
  if (x === 0) return 1;
  const halfTurns = x % 2;
  const sine = halfTurns > 1 ? -cosinePi(Math.abs(1.5 - halfTurns)) : cosinePi(Math.abs(0.5 - halfTurns));
  return sine / (Math.PI * x);
}

/** x = 0 in the middle, 1 at the edge; not divided by its value in the middle. */
const kaiser = (x: number): number => bessel(beta * Math.sqrt(1 - x * x));

/** The modified Bessel function of order 0: the sum of ((x/2)^k / k!)^2. */
function bessel(x: number): number {
  let [sum, term] = [1, 1];
  for (let k = 1; term > sum * 2 ** -60; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
