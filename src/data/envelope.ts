/** What a recording looks like, small enough to be kept with every example. */
import { roundHalfAway } from '../core/affine.ts';

/** Stretches of a recording of which the lowest and the highest sample are kept. */
const STRETCHES = 96;

/**
 * The lowest and the highest sample of each stretch, in pairs; fewer pairs of a recording with fewer samples.
 *
 * @param samples -1 .. 1; what is beyond is cut
 * @returns int8 as bytes, 127 for a sample of 1
 */
export function envelope(samples: Float32Array): Uint8Array {
  const stretches = Math.min(STRETCHES, samples.length);
  const out = new Int8Array(2 * stretches);
  for (let stretch = 0; stretch < stretches; stretch++) {
    const start = Math.floor((stretch * samples.length) / stretches);
    const end = Math.floor(((stretch + 1) * samples.length) / stretches);
    let [low, high] = [Infinity, -Infinity];
    for (let at = start; at < end; at++) {
      const sample = samples[at]!;
      if (sample < low) low = sample;
      if (sample > high) high = sample;
    }
    out[2 * stretch] = toInt8(low);
    out[2 * stretch + 1] = toInt8(high);
  }
  return new Uint8Array(out.buffer);
}

const toInt8 = (sample: number): number => roundHalfAway(127 * Math.max(-1, Math.min(1, sample)));
