/** Mel-frequency cepstral coefficients, as tf.signal.mfccs_from_log_mel_spectrograms computes them. */
import { internal } from '../../core/assert.ts';
import { cosinePi } from '../../core/math.ts';
import type { FeatureDefinition } from './define.ts';
import { framesIn } from './define.ts';
import type { LogMelOptions } from './log-mel.ts';
import { createLogMelFrame, logMelDefaults, logMelProblems } from './log-mel.ts';

export interface MfccOptions extends LogMelOptions {
  /** Coefficients kept, from the first on; at most `numMelBins`. */
  readonly numMfccs: number;
}

const numMfccsByDefault = 13;

/**
 * c[k] = sqrt(2 / M) * sum over m of logMel[m] cos(pi k (m + 0.5) / M), M = numMelBins, k = 0 .. numMfccs - 1. The
 * first is not divided by sqrt(2), as an orthonormal transform would have it, and nothing is liftered. Computed from
 * the bands before they are rounded to float32.
 */
export const mfcc: FeatureDefinition<'mfcc', MfccOptions> = {
  kind: 'mfcc',
  defaults: (rate) => ({ ...logMelDefaults(rate), numMfccs: numMfccsByDefault }),
  problems: (rate, options) => {
    const { numMfccs, numMelBins } = options;
    const isRight = Number.isInteger(numMfccs) && numMfccs >= 1 && numMfccs <= numMelBins;
    const message = `${numMfccs}; expected 1 .. ${numMelBins}, the number of bands`;
    return [...logMelProblems(rate, options), ...(isRight ? [] : [{ option: 'numMfccs' as const, message }])];
  },
  shapeOf: (samples, _rate, { frameLength, frameStep, numMfccs }) => [
    framesIn(samples, frameLength, frameStep),
    numMfccs,
  ],
  prepare: (rate, options) => {
    const problems = mfcc.problems(rate, options);
    if (problems.length > 0)
      internal(`mfcc options: ${problems.map((one) => `${one.option} ${one.message}`).join('; ')}`);
    const { frameStep, numMelBins, numMfccs } = options;
    const bandsAt = createLogMelFrame(rate, options);
    const cosines = cosineRows(numMfccs, numMelBins);
    return (samples) => {
      const [frames] = mfcc.shapeOf(samples.length, rate, options);
      const values = new Float32Array(frames * numMfccs);
      for (let frame = 0; frame < frames; frame++) {
        const bands = bandsAt(samples, frame * frameStep);
        for (const [k, cosine] of cosines.entries()) {
          let sum = 0;
          for (let band = 0; band < numMelBins; band++) sum += bands[band]! * cosine[band]!;
          values[frame * numMfccs + k] = sum;
        }
      }
      return values;
    };
  },
};

/** Rows k of sqrt(2 / bands) cos(pi k (m + 0.5) / bands). */
function cosineRows(rows: number, bands: number): readonly Float64Array[] {
  const scale = Math.sqrt(2 / bands);
  return Array.from({ length: rows }, (_, k) =>
    Float64Array.from({ length: bands }, (_, m) => {
      // In quarters of a period of 4 * bands, so that the angle is exact.
      const halfTurns = ((k * (2 * m + 1)) % (4 * bands)) / (2 * bands);
      return scale * cosinePi(halfTurns > 1 ? 2 - halfTurns : halfTurns);
    }),
  );
}
