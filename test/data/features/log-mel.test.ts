import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LogMelOptions } from '../../../src/data/features/log-mel.ts';
import { logMel, melBands } from '../../../src/data/features/log-mel.ts';
import { mfcc } from '../../../src/data/features/mfcc.ts';
import { goldenSignal } from './goldens.ts';
import { hasFeatureGoldens, largestDifference, readGoldens, readRecording, recordings, skipped } from './shared.ts';

type Golden = Readonly<Record<string, { readonly log_mel: number[][]; readonly mfcc10: number[][] }>>;

/** What the goldens were made with, by tf.signal of TensorFlow 2.15. */
const goldenOptions = { ...logMel.defaults(8000), upperEdgeHertz: 4000 };
// TensorFlow adds in float32, and the files keep five decimals: features.md allows 1e-3.
const tolerance = 1e-3;

describe.skipIf(!hasFeatureGoldens)(`log_mel and mfcc of recordings${skipped}`, () => {
  it.each(recordings)('%s equals what tf.signal gave', (name) => {
    const golden = (readGoldens('gold_logmel_mfcc.json') as Golden)[name]!; // all three are there
    const samples = readRecording(name);
    const mels = logMel.prepare(8000, goldenOptions)(samples);
    expect(logMel.shapeOf(samples.length, 8000, goldenOptions)).toEqual([golden.log_mel.length, 40]);
    expect(largestDifference(mels, golden.log_mel.flat())).toBeLessThan(tolerance);
    const options = { ...goldenOptions, numMfccs: 10 };
    const coefficients = mfcc.prepare(8000, options)(samples);
    expect(mfcc.shapeOf(samples.length, 8000, options)).toEqual([golden.mfcc10.length, 10]);
    expect(largestDifference(coefficients, golden.mfcc10.flat())).toBeLessThan(tolerance);
  });
});

interface Case {
  readonly rate: number;
  readonly seed: number;
  readonly samples: number;
  readonly options: LogMelOptions;
  readonly mels: readonly number[];
  readonly coefficients: readonly number[];
}

describe('log_mel and mfcc', () => {
  const path = join(import.meta.dirname, 'log-mel-goldens.jsonl');
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  const cases = lines.map((line) => JSON.parse(line) as Case); // written by the script beside it

  it.each(cases)('equal tf.signal at $rate Hz with $options', ({ rate, seed, samples, options, ...expected }) => {
    expect(mfcc.problems(rate, { ...options, numMfccs: 1 })).toEqual([]);
    const sound = Float32Array.from(goldenSignal('noise', seed, samples), (sample) => sample / 32768);
    const mels = logMel.prepare(rate, options)(sound);
    const coefficients = mfcc.prepare(rate, { ...options, numMfccs: options.numMelBins })(sound);
    // Six decimals were kept, and a float32 step is 4e-6 at most at these sizes.
    expect(largestDifference(mels, expected.mels)).toBeLessThan(3e-6);
    expect(largestDifference(coefficients, expected.coefficients)).toBeLessThan(6e-6);
  });
});

describe('log_mel', () => {
  const options = { ...logMel.defaults(8000), frameLength: 4, frameStep: 2, fftLength: 4, numMelBins: 1 };

  it('has the band weights that tf.signal has at two bins', () => {
    // linear_to_mel_weight_matrix(40, 129, 8000, 20, 4000) at bins 2 and 100.
    const bands = melBands(8000, 129, goldenOptions);
    const at = (bin: number) =>
      bands.flatMap(({ firstBin, weights }, band) => {
        const weight = weights[bin - firstBin] ?? 0;
        return weight > 0 ? [[band, Number(weight.toFixed(5))]] : [];
      });
    expect(at(2)).toEqual([[0, 0.74663], [1, 0.25337]]); // prettier-ignore
    expect(at(100)).toEqual([[35, 0.50206], [36, 0.49794]]); // prettier-ignore
    expect(at(0)).toEqual([]);
  });

  it('is the formula, by hand: a frame of four ones', () => {
    // Window 0, 1/2, 1, 1/2: the transform at bins 0, 1, 2 is 2, -1, 0. The band reaches from bin 0 to bin 2.
    const one = { ...options, lowerEdgeHertz: 0, upperEdgeHertz: 4000, logOffset: 0.5 };
    const [m, top] = [Math.log(1 + 2000 / 700), Math.log(1 + 4000 / 700)];
    const weight = Math.min(m / (top / 2), (top - m) / (top / 2));
    const [value] = logMel.prepare(8000, one)(Float32Array.of(1, 1, 1, 1));
    expect(value).toBeCloseTo(Math.log(weight * 1 + 0.5), 6);
    const [half] = logMel.prepare(8000, { ...one, spectrum: 'magnitude' })(Float32Array.of(2, 2, 2, 2));
    expect(half).toBeCloseTo(Math.log(weight * 2 + 0.5), 6);
  });

  it('gives ln(logOffset) for silence', () => {
    const values = logMel.prepare(16000, logMel.defaults(16000))(new Float32Array(16000));
    expect(new Set(values)).toEqual(new Set([Math.fround(Math.log(1e-6))]));
  });

  it('counts whole frames', () => {
    const frames = (samples: number) => logMel.shapeOf(samples, 8000, options)[0];
    expect([0, 3, 4, 5, 6, 7, 8].map(frames)).toEqual([0, 0, 1, 1, 2, 2, 3]);
    expect(logMel.prepare(8000, options)(new Float32Array(3))).toEqual(new Float32Array(0));
  });

  it('depends on the samples alone, not on calls before', () => {
    const compute = logMel.prepare(8000, goldenOptions);
    const [first, second] = [Float32Array.from({ length: 400 }, Math.sin), new Float32Array(700).fill(0.5)];
    const fresh = compute(first);
    compute(second);
    expect(compute(first)).toEqual(fresh);
  });

  it.each([
    ['frameLength', 0, '0; expected 1 .. 65536 samples'],
    ['frameLength', 2.5, '2.5; expected 1 .. 65536 samples'],
    ['frameStep', 0, '0; expected 1 .. 65536 samples'],
    ['fftLength', 3, '3; expected at least the 4 samples of a frame, at most 65536'],
    ['numMelBins', 0, '0; expected 1 .. 1024 bands'],
    ['lowerEdgeHertz', -1, '-1; expected 0 .. 4000 Hz'],
    ['lowerEdgeHertz', 4000, '4000; expected 0 .. 4000 Hz'],
    ['upperEdgeHertz', 4001, '4001; expected at most 4000 Hz, half the rate of 8000 Hz'],
    ['logOffset', 0, '0; expected a number above 0'],
    ['logOffset', NaN, 'NaN; expected a number above 0'],
  ] as const)('refuses %s of %d', (option, value, message) => {
    const wrong = { ...options, [option]: value };
    expect(logMel.problems(8000, wrong)).toContainEqual({ option, message });
    expect(() => logMel.prepare(8000, wrong)).toThrow('internal: log_mel options');
  });

  it('has defaults without problems at any usual rate', () => {
    for (const rate of [4000, 8000, 11025, 16000, 22050, 44100, 48000]) {
      expect(logMel.problems(rate, logMel.defaults(rate))).toEqual([]);
      expect(mfcc.problems(rate, mfcc.defaults(rate))).toEqual([]);
    }
  });
});

describe('mfcc', () => {
  it('refuses more coefficients than bands', () => {
    const options = { ...mfcc.defaults(8000), numMelBins: 12 };
    const message = '13; expected 1 .. 12, the number of bands';
    expect(mfcc.problems(8000, options)).toEqual([{ option: 'numMfccs', message }]);
    expect(() => mfcc.prepare(8000, options)).toThrow('internal: mfcc options: numMfccs 13');
  });

  it('of silence is sqrt(2 / M) M ln(logOffset) in the first, 0 in the others', () => {
    const [first, ...others] = mfcc.prepare(8000, mfcc.defaults(8000))(new Float32Array(256));
    expect(first).toBeCloseTo(Math.sqrt(2 * 40) * Math.log(1e-6), 4);
    expect(Math.max(...others.map(Math.abs))).toBeLessThan(1e-12);
  });
});
