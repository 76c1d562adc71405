import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { log1pFloat32 } from '../../../src/data/features/float32-log1p.ts';
import { microFrontendDefaults, microFrontendProblems } from '../../../src/data/features/micro-frontend-options.ts';
import type { MicroFrontendOptions } from '../../../src/data/features/micro-frontend-options.ts';
import { frontendTables, logTable } from '../../../src/data/features/micro-frontend-tables.ts';
import {
  createMicroFrontend,
  frontendCode,
  frontendQuantization,
  frontendUnit,
  microFrontend,
} from '../../../src/data/features/micro-frontend.ts';
import { quantizeValue } from '../../../src/core/affine.ts';
import { toInt16 } from '../../../src/formats/wav.ts';
import { goldenSignal } from './goldens.ts';
import { hasFeatureGoldens, readGoldens, readRecording, recordings, skipped } from './shared.ts';

interface Case {
  readonly rate: number;
  readonly options: Omit<MicroFrontendOptions, 'tables'>;
  readonly signal: readonly [kind: string, seed: number, count: number];
  readonly values: number;
  /** The first 32 digits, of little-endian uint16. */
  readonly sha256: string;
  readonly first: readonly number[];
}

interface SignalCase {
  readonly rate: number;
  readonly options: Partial<MicroFrontendOptions>;
  readonly digests: readonly string[];
}

const digest = (values: Uint16Array | Int16Array): string =>
  createHash('sha256').update(Buffer.from(values.buffer)).digest('hex').slice(0, 32);

const sum = (values: Uint16Array): number => values.reduce((total, value) => total + value, 0);

describe('micro_frontend', () => {
  it('gives the integers that the C++ of TensorFlow Lite Micro gives, for random options', () => {
    const path = join(import.meta.dirname, 'micro-frontend-goldens.jsonl');
    const lines = readFileSync(path, 'utf8').trim().split('\n');
    const cases = lines.map((line) => JSON.parse(line) as Case); // written by the script beside it
    let values = 0;
    for (const { rate, options, signal, ...expected } of cases) {
      const all = { ...options, tables: 'tflite_micro' as const };
      const what = JSON.stringify({ rate, options, signal });
      expect(microFrontendProblems(rate, all), what).toEqual([]);
      const found = createMicroFrontend(rate, all)(goldenSignal(...signal));
      expect([...found.subarray(0, 4)], what).toEqual(expected.first);
      expect(found.length, what).toBe(expected.values);
      expect(digest(found), what).toBe(expected.sha256);
      expect(microFrontend.shapeOf(signal[2], rate, all)).toEqual([
        found.length / options.numChannels,
        options.numChannels,
      ]);
      values += found.length;
    }
    expect(cases.length).toBe(300);
    expect(values).toBeGreaterThan(200_000);
  });

  it('starts each call with the noise estimate at 0', () => {
    const compute = createMicroFrontend(8000, microFrontendDefaults(8000));
    const [loud, quiet] = [goldenSignal('noise', 12, 4000), goldenSignal('noise', 9, 4000)];
    const fresh = compute(quiet);
    compute(loud);
    expect(compute(quiet)).toEqual(fresh);
  });

  it('gives zeros for silence, and nothing for less than a frame', () => {
    const compute = createMicroFrontend(16000, microFrontendDefaults(16000));
    expect(new Set(compute(new Int16Array(16000)))).toEqual(new Set([0]));
    expect(compute(new Int16Array(479))).toEqual(new Uint16Array(0));
    expect(compute(new Int16Array(480)).length).toBe(40);
  });

  it('gives a network the integers / 25.6, exactly', () => {
    const samples = goldenSignal('bursts', 3, 4000);
    const options = microFrontendDefaults(8000);
    const integers = createMicroFrontend(8000, options)(samples);
    const values = microFrontend.prepare(8000, options)(Float32Array.from(samples, (sample) => sample / 32768));
    expect([...values]).toEqual([...integers].map((value) => value / 25.6));
  });

  it.each<[keyof MicroFrontendOptions, number, string]>([
    ['windowSize', 0, '0; expected 4 .. 8192 samples; at 8000 Hz that is 0 samples'],
    ['windowSize', 2.5, '2.5; expected 4 .. 8192 samples; at 8000 Hz that is 20 samples'],
    ['windowStep', 31, '31; expected 1 .. 30 ms, the window, and at least one sample'],
    ['numChannels', 0, '0; expected 1 .. 256'],
    ['lowerBandLimit', -1, '-1; expected 0 .. 3750 Hz'],
    ['upperBandLimit', 4000, '4000; expected at most 3999 Hz, below half the rate of 8000 Hz'],
    ['smoothingBits', 1, '1; expected 2 .. 16'],
    ['evenSmoothing', 1.5, '1.5; expected 0 .. 1'],
    ['pcanStrength', NaN, 'NaN; expected 0 .. 10'],
    ['pcanOffset', 0, '0; expected above 0'],
    ['gainBits', 13, '13; expected 14 .. 31'],
    ['scaleShift', 12, '12; expected 0 .. 11'],
  ])('refuses %s of %d', (option, value, message) => {
    const options = { ...microFrontendDefaults(8000), [option]: value };
    expect(microFrontendProblems(8000, options)).toContainEqual({ option, message });
    expect(() => createMicroFrontend(8000, options)).toThrow('internal: micro_frontend options');
  });

  it('has defaults without problems at any usual rate, and takes every upper limit below half of it', () => {
    for (const rate of [4000, 8000, 11025, 16000, 22050, 44100, 48000]) {
      const options = microFrontendDefaults(rate);
      expect(microFrontendProblems(rate, options)).toEqual([]);
      for (const numChannels of [1, 7, 40, 255]) {
        const { fftSize, filterbank } = frontendTables(rate, { ...options, numChannels, upperBandLimit: rate / 2 - 1 });
        expect(filterbank.starts.at(-1)).toBeLessThanOrEqual(fftSize / 2);
      }
    }
  });
});

describe('the tables of micro_frontend', () => {
  const { window, filterbank, gain } = frontendTables(16000, microFrontendDefaults(16000));

  // Read out of the library at 16 kHz: features.md, "Stages".
  it('are those of the library', () => {
    expect([0, 1, 17, 100, 239].map((index) => window[index])).toEqual([0, 0, 54, 1531, 4096]);
    expect([...filterbank.starts.subarray(0, 5)]).toEqual([5, 6, 8, 9, 11]);
    expect([...filterbank.weights.subarray(0, 4)]).toEqual([1377, 2852, 321, 1971]);
    expect([...(gain?.first ?? []), gain?.octaves[0]]).toEqual([32636, 32633, 32630]);
  });

  it('of the signal library are those of its formulas in NumPy', () => {
    const path = join(import.meta.dirname, 'signal-tables-goldens.jsonl');
    const cases = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as SignalCase);
    for (const { rate, options, digests } of cases) {
      const all = { ...microFrontendDefaults(rate), ...options, tables: 'signal' as const };
      const found = frontendTables(rate, all);
      const { starts, weights, unweights } = found.filterbank;
      expect([found.window, starts, weights, unweights].map(digest), JSON.stringify(options)).toEqual(digests);
    }
    expect(cases.length).toBe(40);
  });

  it('have a logarithm that is 0 at both ends of an octave', () => {
    // kLogLut begins 0, 224, 442, 654, 861, 1063 and ends 378, 190, 0: log_lut.c.
    expect([...logTable.subarray(0, 6)]).toEqual([0, 224, 442, 654, 861, 1063]);
    expect(logTable.length).toBe(129);
    expect(logTable.at(-1)).toBe(0);
  });

  it('have weights that share each bin', () => {
    for (const [index, weight] of filterbank.weights.entries()) {
      expect(Math.abs(weight + filterbank.unweights[index]! - 4096)).toBeLessThanOrEqual(1);
    }
  });

  it('come from a log1p that is within one step of the true one', () => {
    const step = (x: number): number => 2 ** (Math.floor(Math.log2(x)) - 23);
    for (let hertz = 1; hertz < 24000; hertz += 7) {
      const x = Math.fround(hertz / 700);
      expect(Math.abs(log1pFloat32(x) - Math.log1p(x)), `${x}`).toBeLessThan(step(Math.log1p(x)));
    }
    expect(log1pFloat32(0)).toBe(0);
  });
});

describe('the int8 codes of micro_speech', () => {
  it('are what quantizing the values gives, for every integer', () => {
    const { scale, zeroPoint } = frontendQuantization;
    const params = { kind: 'per_tensor' as const, scale: Math.fround(scale), zeroPoint };
    for (let value = 0; value < 65536; value++) {
      const quantized = quantizeValue(value * frontendUnit, params.scale, zeroPoint, { min: -128, max: 127 });
      if (frontendCode(value) !== quantized) expect([value, frontendCode(value)]).toEqual([value, quantized]);
    }
    expect([0, 1, 2, 665, 666, 670, 65535].map(frontendCode)).toEqual([-128, -128, -127, 127, 127, 127, 127]);
  });
});

type Frames = Readonly<Record<string, readonly (readonly number[])[]>>;

describe.skipIf(!hasFeatureGoldens)(`micro_frontend of recordings${skipped}`, () => {
  const at8k = { ...microFrontendDefaults(8000), upperBandLimit: 3800 };
  const at16k = microFrontendDefaults(16000);

  it.each(recordings)('%s equals TensorFlow at 8 kHz, in steps of 10 and 20 ms', (name) => {
    const golden = readGoldens('gold_microfrontend_8k.json') as Frames;
    const samples = toInt16(readRecording(name));
    const [short, long] = [golden[`${name}|step10`]!, golden[name]!]; // all three are there
    expect([...createMicroFrontend(8000, at8k)(samples)]).toEqual(short.flat());
    expect([...createMicroFrontend(8000, { ...at8k, windowStep: 20 })(samples)]).toEqual(long.flat());
  });

  it.each(recordings)('%s equals pymicro-features at 16 kHz, fed as is and doubled by straight lines', (name) => {
    const golden = readGoldens('gold_pymicro_16k.json') as Frames;
    const samples = toInt16(readRecording(name));
    const doubled = new Int16Array(2 * samples.length);
    for (const [index, sample] of samples.entries()) {
      doubled[2 * index] = sample;
      doubled[2 * index + 1] = (sample + (samples[index + 1] ?? sample)) >> 1;
    }
    const compute = createMicroFrontend(16000, at16k);
    expect([...compute(samples)]).toEqual(golden[`${name}|as16k`]!.flat());
    expect([...compute(doubled)]).toEqual(golden[`${name}|up2_linear`]!.flat());
  });

  it('has the sums that features.md lists', () => {
    const compute = createMicroFrontend(8000, at8k);
    expect(recordings.map((name) => sum(compute(toInt16(readRecording(name)))))).toEqual([299461, 443709, 391699]);
  });
});
