/** Features of sound against tf.signal and TensorFlow's copy of the integer front end, for random options. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { Random } from '../../src/core/random.ts';
import { floatTensor, tensor } from '../../src/core/tensor.ts';
import type { LogMelOptions } from '../../src/data/features/log-mel.ts';
import { logMel } from '../../src/data/features/log-mel.ts';
import { mfcc } from '../../src/data/features/mfcc.ts';
import type { MicroFrontendOptions } from '../../src/data/features/micro-frontend-options.ts';
import { microFrontendDefaults, microFrontendProblems } from '../../src/data/features/micro-frontend-options.ts';
import { createMicroFrontend } from '../../src/data/features/micro-frontend.ts';
import { readWav } from '../../src/formats/wav.ts';
import { goldenSignal } from '../data/features/goldens.ts';
import { largestDifference } from '../data/features/shared.ts';
import { floatOf } from './closeness.ts';
import type { Oracle, OracleValue } from './oracle.ts';
import { expectList, expectTensor, hasOracle, openOracle } from './oracle.ts';
import { seed } from './seed.ts';

const numMelCases = Number(process.env['ORACLE_SOUND_CASES'] ?? 80);
const numFrontendCases = 2 * numMelCases;
const rates = [8000, 11025, 16000, 22050, 44100, 48000];

const pick = <T>(random: Random, ...choices: readonly T[]): T => choices[random.below(choices.length)]!; // not empty
const between = (random: Random, low: number, high: number): number => low + (high - low) * random.float();

const digits = join(process.env['QPIPE_DATA'] ?? '../shared/data', 'spoken-digits', 'test');

describe.skipIf(!hasOracle)(`features of sound, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let oracle: Oracle;
  const total = {
    mels: 0,
    coefficients: 0,
    worstMel: 0,
    worstCoefficient: 0,
    worstFloat32: 0,
    frontend: 0,
    pymicro: 0,
    wav: 0,
  };
  beforeAll(async () => {
    oracle = openOracle();
    await oracle.evaluate('tf.version.VERSION');
  });
  afterAll(() => {
    oracle.close();
    console.info(`features compared with TensorFlow: ${JSON.stringify(total)}`);
  });

  it(`log_mel and mfcc equal tf.signal in float64, ${numMelCases} random options`, async () => {
    for (let index = 0; index < numMelCases; index++) {
      const random = createRandom(seed, 'mel', `${index}`);
      const rate = pick(random, ...rates);
      const options = randomMelOptions(random, rate);
      const samples = noiseAndTone(random, options.frameLength + random.below(6 * options.frameStep), rate);
      const what = JSON.stringify({ rate, options, samples: samples.length });
      expect(logMel.problems(rate, options), what).toEqual([]);
      const [mels, coefficients] = await melsOf(samples, rate, options, 'float64');
      const ours = logMel.prepare(rate, options)(samples);
      const all = mfcc.prepare(rate, { ...options, numMfccs: options.numMelBins })(samples);
      total.worstMel = Math.max(total.worstMel, largestDifference(ours, mels));
      total.worstCoefficient = Math.max(total.worstCoefficient, largestDifference(all, coefficients));
      // Both are rounded to float32, with steps of 2e-6 from 16 on and of 1.5e-5 from 128 on.
      expect(largestDifference(ours, mels), what).toBeLessThan(4e-6);
      expect(largestDifference(all, coefficients), what).toBeLessThan(4e-5);
      total.mels += mels.length;
      total.coefficients += coefficients.length;
    }
  });

  // Its weights are differences of mels of some 2800, whose step is 2e-4: the narrower the bands, the less is left.
  it('log_mel of 40 bands equals tf.signal in its own float32 within 1e-3', async () => {
    for (let index = 0; index < 20; index++) {
      const random = createRandom(seed, 'float32', `${index}`);
      const options = { ...randomMelOptions(random, 16000), numMelBins: 40, logOffset: 1e-6 };
      const samples = Float32Array.from({ length: 6000 }, () => random.float() - 0.5);
      const [mels] = await melsOf(samples, 16000, options, 'float32');
      const difference = largestDifference(logMel.prepare(16000, options)(samples), mels);
      total.worstFloat32 = Math.max(total.worstFloat32, difference);
      expect(difference, JSON.stringify(options)).toBeLessThan(1e-3);
    }
  });

  async function melsOf(samples: Float32Array, rate: number, options: LogMelOptions, precision: string) {
    const expression =
      'sound.log_mel(samples, rate, length, step, fft, spectrum, int(bins), lower, upper, offset, precision)';
    const values = await oracle.evaluate(expression, {
      samples: floatTensor([samples.length], samples),
      rate,
      length: options.frameLength,
      step: options.frameStep,
      fft: options.fftLength,
      spectrum: options.spectrum,
      bins: options.numMelBins,
      lower: options.lowerEdgeHertz,
      upper: options.upperEdgeHertz,
      offset: options.logOffset,
      precision,
    });
    const [mels, coefficients] = expectList(values);
    return [floatOf(mels).data, floatOf(coefficients).data] as const;
  }

  it(`micro_frontend equals TensorFlow's op bit for bit, ${numFrontendCases} random options`, async () => {
    for (let index = 0; index < numFrontendCases; index++) {
      const random = createRandom(seed, 'frontend', `${index}`);
      const rate = pick(random, ...rates);
      const options = randomFrontendOptions(random, rate);
      const kind = pick(random, 'noise', 'triangle', 'bursts', 'square');
      const samples = goldenSignal(kind, 1 + random.below(2 ** 20), Math.round(rate * between(random, 0.1, 0.5)));
      const what = JSON.stringify({ rate, options, kind });
      expect(microFrontendProblems(rate, options), what).toEqual([]);
      const expected = expectTensor(
        await oracle.evaluate('sound.micro_frontend(samples, rate, options)', {
          samples: tensor('int32', [samples.length], Int32Array.from(samples)),
          rate,
          options: opNames(options),
        }),
      );
      expect([...createMicroFrontend(rate, options)(samples)], what).toEqual([...expected.data]);
      total.frontend += expected.data.length;
    }
  });

  it('micro_frontend equals pymicro-features, where that is installed', async ({ skip }) => {
    const options = microFrontendDefaults(16000);
    for (const [index, kind] of ['noise', 'triangle', 'bursts', 'square', 'noise', 'bursts'].entries()) {
      const samples = goldenSignal(kind, createRandom(seed, 'pymicro', `${index}`).below(2 ** 20), 32000);
      const int32 = tensor('int32', [samples.length], Int32Array.from(samples));
      const expected = await oracle.evaluate('sound.pymicro_frontend(samples)', { samples: int32 });
      if (expected === null)
        return skip('there is no pymicro-features in .oracle/: pip install pymicro-features==2.0.2');
      expect([...createMicroFrontend(16000, options)(samples)], kind).toEqual([...expectTensor(expected).data]);
      total.pymicro += expectTensor(expected).data.length;
    }
  });

  const files = existsSync(digits) ? readdirSync(digits, { recursive: true, encoding: 'utf8' }) : [];
  it.skipIf(files.length === 0)('recordings are read as tf.audio.decode_wav reads them', async () => {
    for (const file of files.filter((name) => name.endsWith('.wav'))) {
      const bytes = readFileSync(join(digits, file));
      const wav = readWav(bytes, file);
      const decoded = expectList(
        await oracle.evaluate('sound.decode_wav(contents)', { contents: new Uint8Array(bytes) }),
      );
      expect(expectTensor(decoded[1]).data[0], file).toBe(wav.rate);
      expect(largestDifference(wav.samples, floatOf(decoded[0]).data), file).toBe(0);
      total.wav += wav.frames;
    }
  });
});

function randomMelOptions(random: Random, rate: number): LogMelOptions {
  const frameLength = pick(random, 256, 400, 480, 255, 1 + random.below(700));
  let power = 2;
  while (power < frameLength) power *= 2;
  const fftLength = Math.max(2, pick(random, power, power, 2 * power, frameLength, frameLength + random.below(300)));
  const upperEdgeHertz = pick(random, rate / 2, between(random, 0.4, 1) * (rate / 2));
  return {
    frameLength,
    frameStep: 1 + random.below(400),
    fftLength,
    spectrum: pick(random, 'power', 'magnitude'),
    numMelBins: pick(random, 1, 10, 20, 40, 40, 64, 128),
    lowerEdgeHertz: pick(random, 0, 20, 125, between(random, 0, 300)),
    upperEdgeHertz,
    logOffset: pick(random, 1e-6, 1e-3, 1e-10, 1),
  };
}

const noiseAndTone = (random: Random, count: number, rate: number): Float32Array => {
  const [hertz, loudness] = [between(random, 50, rate / 2), between(random, 0.001, 0.3)];
  return Float32Array.from(
    { length: count },
    (_, index) => 0.5 * Math.sin((2 * Math.PI * hertz * index) / rate) + loudness * (random.float() - 0.5),
  );
};

function randomFrontendOptions(random: Random, rate: number): MicroFrontendOptions {
  const windowSize = pick(random, 20, 25, 30, 32, 40, 64);
  const share = (usual: number): number => pick(random, usual, random.float());
  return {
    windowSize,
    windowStep: pick(random, 10, 20, windowSize, 1 + random.below(windowSize)),
    numChannels: pick(random, 1, 10, 32, 40, 40, 64),
    lowerBandLimit: pick(random, 0, 60, 125, 300),
    upperBandLimit: between(random, 0.5, 0.97) * (rate / 2),
    smoothingBits: pick(random, 10, 10, 6 + random.below(7)),
    evenSmoothing: share(0.025),
    oddSmoothing: share(0.06),
    minSignalRemaining: share(0.05),
    enablePcan: pick(random, true, true, true, false),
    pcanStrength: pick(random, 0.95, between(random, 0, 1.2)),
    pcanOffset: pick(random, 80, between(random, 1, 200)),
    gainBits: pick(random, 21, 21, 18 + random.below(6)),
    enableLog: pick(random, true, true, true, false),
    scaleShift: pick(random, 6, 3 + random.below(7)),
    tables: 'tensorflow',
  };
}

/** Under the names of the op's arguments. */
function opNames({ tables: _, ...options }: MicroFrontendOptions): { readonly [name: string]: OracleValue } {
  const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [snakeCase(name), value]));
}
