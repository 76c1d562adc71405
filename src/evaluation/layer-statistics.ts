/** Sums over the values of a layer, image by image, so that no more than one image of a layer has to be in memory. */
import type { IntegerRange } from '../core/affine.ts';
import type { TestMetrics } from '../measurements/metrics.ts';

type LayerMetrics = TestMetrics['layers'][number];

/** Signal and noise of values beside a reference. */
export interface Deviation {
  add(values: ArrayLike<number>, reference: ArrayLike<number>): void;
  /** Noise power over signal power; null without a signal. */
  noiseRatio(): number | null;
  /** Signal to quantization noise; null when there is no noise or no signal. */
  sqnrDb(): number | null;
}

export function createDeviation(): Deviation {
  let [signal, noise] = [0, 0];
  return {
    add(values, reference) {
      for (let at = 0; at < reference.length; at++) {
        signal += reference[at]! ** 2;
        noise += (values[at]! - reference[at]!) ** 2;
      }
    },
    noiseRatio: () => (signal > 0 ? noise / signal : null),
    sqnrDb: () => (signal > 0 && noise > 0 ? 10 * Math.log10(signal / noise) : null),
  };
}

/** How many steps of a scale values lie beside a reference. */
export function createSteps(scale: number) {
  let [within, largest, count] = [0, 0, 0];
  return {
    add(values: ArrayLike<number>, reference: ArrayLike<number>): void {
      for (let at = 0; at < reference.length; at++) {
        const steps = Math.abs(values[at]! - reference[at]!) / scale;
        // A thousandth of a step is float32 noise of the reference, not a step.
        if (steps <= 1.001) within++;
        if (steps > largest) largest = steps;
      }
      count += reference.length;
    },
    /** The fraction of values at most one step apart, and the largest difference in steps. */
    result: () => ({ withinOneStep: within / count, largestDifference: Math.round(largest * 1000) / 1000 }),
  };
}

/** Whether the values of a channel (the last axis) are off by a constant, as with a wrong bias. */
export function createOffsets(scale: number, channels: number) {
  const sums = new Float64Array(channels);
  let [noise, count] = [0, 0];
  return {
    add(values: ArrayLike<number>, reference: ArrayLike<number>): void {
      for (let at = 0; at < reference.length; at++) {
        const error = values[at]! - reference[at]!;
        sums[at % channels]! += error;
        noise += error ** 2;
      }
      count += reference.length;
    },
    /** The channel that is off by most on average, and of the noise what the means of all channels explain, 0..1. */
    result(): { channel: number; steps: number; share: number } {
      const perChannel = count / channels;
      const channel = sums.reduce((most, sum, index) => (Math.abs(sum) > Math.abs(sums[most]!) ? index : most), 0);
      const explained = sums.reduce((total, sum) => total + sum ** 2 / perChannel, 0);
      const share = noise === 0 ? 0 : Math.min(1, explained / noise);
      return { channel, steps: sums[channel]! / perChannel / scale, share };
    },
  };
}

/** What a range cuts off, and how much of the noise that makes. Bounds are real values; what lies outside is clipped. */
export function createClipping(bounds: { readonly min: number; readonly max: number }) {
  let [below, above, noise, clippedNoise, count] = [0, 0, 0, 0, 0];
  return {
    add(float: ArrayLike<number>, quantized: ArrayLike<number>): void {
      for (let at = 0; at < float.length; at++) {
        const value = float[at]!;
        const error = (quantized[at]! - value) ** 2;
        noise += error;
        if (value < bounds.min) below++;
        if (value > bounds.max) above++;
        if (value < bounds.min || value > bounds.max) clippedNoise += error;
      }
      count += float.length;
    },
    result: (): LayerMetrics['clipped'] => ({
      below: below / count,
      above: above / count,
      noiseShare: noise === 0 ? 0 : clippedNoise / noise,
    }),
  };
}

/** Which codes occur, and which of the channels (the last axis) ever change. */
export function createCodeCounts({ min, max }: IntegerRange, zeroPoint: number, channels: number) {
  const counts = new Float64Array(max - min + 1);
  const first = new Int32Array(channels);
  const varies = new Uint8Array(channels);
  let count = 0;
  return {
    add(codes: ArrayLike<number>): void {
      for (let at = 0; at < codes.length; at++) {
        const code = codes[at]!;
        const channel = at % channels;
        counts[code - min]!++;
        if (count === 0 && at < channels) first[channel] = code;
        else if (code !== first[channel]) varies[channel] = 1;
      }
      count += codes.length;
    },
    used: (): number => counts.filter((occurrences) => occurrences > 0).length,
    constantChannels: (): number => channels - varies.reduce((sum, flag) => sum + flag, 0),
    /** Largest magnitude of the range over that of 99.9 % of the values; null when 99.9 % of the values are zero. */
    headroom(): number | null {
      const reach = Math.max(max - zeroPoint, zeroPoint - min);
      const magnitudes = new Float64Array(reach + 1);
      for (const [index, occurrences] of counts.entries())
        magnitudes[Math.abs(index + min - zeroPoint)]! += occurrences;
      let [magnitude, within] = [0, magnitudes[0]!];
      while (within < 0.999 * count) within += magnitudes[++magnitude]!;
      return magnitude === 0 ? null : reach / magnitude;
    },
  };
}

/** The extent of real values, and how many different codes they take at a scale that is not their own. */
export function createExtent(foreignScales: readonly number[]) {
  const codes = foreignScales.map(() => new Set<number>());
  let [min, max] = [0, 0];
  return {
    add(values: ArrayLike<number>): void {
      for (let at = 0; at < values.length; at++) {
        const value = values[at]!;
        if (value < min) min = value;
        if (value > max) max = value;
      }
      for (const [index, scale] of foreignScales.entries()) {
        const found = codes[index]!;
        // All 256 codes are enough to say that there are many.
        if (found.size < 256) for (let at = 0; at < values.length; at++) found.add(Math.round(values[at]! / scale));
      }
    },
    /** Width of the values, zero included. */
    width: (): number => max - min,
    codesAt: (index: number): number => codes[index]?.size ?? 0,
  };
}
