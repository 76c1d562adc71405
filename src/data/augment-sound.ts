/** Random changes to recordings, before their features are computed. */
import { exp } from '../core/math.ts';
import type { Random } from '../core/random.ts';
import { createRandom } from '../core/random.ts';
import type { Sound } from './inputs.ts';

export interface SoundAugmentation {
  /** Louder or softer by up to so many decibels. */
  readonly gain: number;
  /** Earlier or later by up to so many seconds; silence takes the place of what moved. */
  readonly time_shift: number;
  /** Noise of a folder. */
  readonly background?: BackgroundNoise;
}

export interface BackgroundNoise {
  /** Decibels of the recording above the noise, from the one to the other. */
  readonly snr: readonly [from: number, to: number];
  /** Part of the recordings that get noise. */
  readonly share: number;
}

export interface DrawnSound {
  /** Factor of all samples. */
  readonly gain: number;
  /** Samples by which the recording begins later. */
  readonly later: number;
  /** Null for a recording that gets no noise. */
  readonly noise: { readonly start: number; readonly decibels: number } | null;
}

/** What happens to the recording at a position of an epoch's order: depends on seed, epoch and position alone. */
export function drawSound(
  seed: number,
  epoch: number,
  position: number,
  { gain, time_shift, background }: SoundAugmentation,
  { rate, noise }: Pick<Sound, 'rate' | 'noise'>,
): DrawnSound {
  const random: Random = createRandom(seed, 'augmentation', String(epoch), String(position), 'sound');
  const within = (limit: number): number => limit * (2 * random.float() - 1);
  const later = Math.round(within(time_shift * rate));
  const factor = fromDecibels(within(gain));
  if (background === undefined || noise === null || random.float() >= background.share) {
    return { gain: factor, later, noise: null };
  }
  const [low, high] = background.snr;
  return {
    gain: factor,
    later,
    noise: { decibels: low + (high - low) * random.float(), start: random.below(noise.length) },
  };
}

/** Null where nothing is asked for. The result is good until the next call. */
export function soundChanger(
  seed: number,
  epoch: number,
  augmentation: SoundAugmentation,
  sound: Sound,
): ((samples: Float32Array, position: number) => Float32Array) | null {
  const { gain, time_shift, background } = augmentation;
  if (gain === 0 && time_shift === 0 && background === undefined) return null;
  const changed = new Float32Array(sound.samples);
  return (samples, position) => {
    changeSound(samples, drawSound(seed, epoch, position, augmentation, sound), sound.noise, changed);
    return changed;
  };
}

/**
 * Moves a recording, mixes noise in, and makes the sum louder or softer; what is beyond full scale is cut off, as a
 * microphone does.
 *
 * @param samples -1 .. 1
 * @param noise recordings one after the other, read in a circle
 * @param out as long as the recording
 */
export function changeSound(
  samples: Float32Array,
  { gain, later, noise: drawn }: DrawnSound,
  noise: Float32Array | null,
  out: Float32Array,
): void {
  const { length } = samples;
  out.fill(0);
  const [first, end] = [Math.max(0, -later), Math.min(length, length - later)];
  if (end > first) out.set(samples.subarray(first, end), first + later);
  const noiseAt = (at: number): number => (drawn === null ? 0 : (noise?.[(drawn.start + at) % noise.length] ?? 0));
  let factor = 0;
  if (drawn !== null && noise !== null && noise.length > 0) {
    let [own, other] = [0, 0];
    for (let at = 0; at < length; at++) {
      own += out[at]! ** 2;
      other += noiseAt(at) ** 2;
    }
    // Silence has no level to compare with.
    factor = own > 0 && other > 0 ? Math.sqrt(own / other) * fromDecibels(-drawn.decibels) : 0;
  }
  for (let at = 0; at < length; at++) {
    out[at] = Math.min(1, Math.max(-1, gain * (out[at]! + factor * noiseAt(at))));
  }
}

/** Of amplitudes: 20 decibels are a factor of 10. */
const fromDecibels = (decibels: number): number => exp((decibels / 20) * Math.LN10);
