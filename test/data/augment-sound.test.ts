import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { augmentEpoch } from '../../src/data/augment.ts';
import { changeSound, drawSound, soundChanger } from '../../src/data/augment-sound.ts';
import type { SoundAugmentation } from '../../src/data/augment-sound.ts';
import { batchWriter } from '../../src/data/batches.ts';
import { preparedFeatures } from '../../src/data/features/config.ts';
import { identify } from '../../src/data/dataset.ts';
import { realReader } from '../../src/data/inputs.ts';
import { loadDataset } from '../../src/data/load.ts';
import { readNoise } from '../../src/data/noise.ts';
import type { AudioFolderSource } from '../../src/data/sources/audio-folder.ts';

const still = { gain: 1, later: 0, noise: null };
const changed = (
  samples: Float32Array,
  drawn: Parameters<typeof changeSound>[1],
  noise: Float32Array | null = null,
) => {
  const out = new Float32Array(samples.length).fill(7);
  changeSound(samples, drawn, noise, out);
  return [...out];
};
const close = (found: readonly number[], expected: readonly number[]): void =>
  found.forEach((value, at) => expect(value).toBeCloseTo(expected[at]!, 6));
const power = (values: readonly number[]): number => values.reduce((sum, value) => sum + value ** 2, 0) / values.length;

describe('changes to a recording', () => {
  const ramp = Float32Array.of(0.1, 0.2, 0.3, 0.4);

  it('move it, with silence in the place of what moved', () => {
    close(changed(ramp, { ...still, later: 1 }), [0, 0.1, 0.2, 0.3]);
    close(changed(ramp, { ...still, later: -2 }), [0.3, 0.4, 0, 0]);
    close(changed(ramp, { ...still, later: 9 }), [0, 0, 0, 0]);
    close(changed(ramp, { ...still, later: -9 }), [0, 0, 0, 0]);
    close(changed(ramp, still), [...ramp]);
  });

  it('make it louder up to full scale', () => {
    close(changed(ramp, { ...still, gain: 3 }), [0.3, 0.6, 0.9, 1]);
    close(
      changed(
        ramp.map((sample) => -sample),
        { ...still, gain: 3 },
      ),
      [-0.3, -0.6, -0.9, -1],
    );
  });

  it('mix noise in, at so many decibels below it, read in a circle', () => {
    const noise = Float32Array.of(0.5, -0.25, 0.125);
    const quiet = ramp.map((sample) => sample / 100);
    const mixed = changed(quiet, { ...still, noise: { start: 2, decibels: 10 } }, noise);
    const added = mixed.map((sample, at) => sample - quiet[at]!);
    // 10 decibels are a tenth of the power.
    expect(power([...quiet]) / power(added)).toBeCloseTo(10, 4);
    const factor = added[0]! / 0.125;
    close(
      added,
      [0.125, 0.5, -0.25, 0.125].map((sample) => factor * sample),
    );
    // Nothing can be said of the level of silence.
    close(changed(new Float32Array(4), { ...still, noise: { start: 0, decibels: 10 } }, noise), [0, 0, 0, 0]);
  });
});

describe('what is drawn for a recording', () => {
  const augmentation: SoundAugmentation = { gain: 6, time_shift: 0.1, background: { snr: [5, 20], share: 0.75 } };
  const sound = { rate: 8000, noise: new Float32Array(5000).fill(0.1) };
  const many = Array.from({ length: 4000 }, (_, position) => drawSound(3, 1, position, augmentation, sound));

  it('lies within its limits, in all of them alike', () => {
    // 6 decibels are a factor of 10^0.3 = 1.9953.
    const decibels = many.map(({ gain }) => 20 * Math.log10(gain));
    expect(Math.max(...decibels)).toBeLessThanOrEqual(6.000001);
    expect(Math.min(...decibels)).toBeGreaterThanOrEqual(-6.000001);
    // Uniform in a width of 12: deviation 12 / sqrt 12, of the mean of 4,000 a 63rd of that; five of them.
    expect(Math.abs(decibels.reduce((sum, value) => sum + value, 0) / 4000)).toBeLessThan((5 * Math.sqrt(12)) / 63);
    const moved = many.map(({ later }) => later);
    expect([Math.min(...moved), Math.max(...moved)].map(Math.abs).every((most) => most > 780 && most <= 800)).toBe(
      true,
    );
    const noisy = many.flatMap(({ noise }) => (noise === null ? [] : [noise]));
    expect(Math.abs(noisy.length / 4000 - 0.75)).toBeLessThan(5 * Math.sqrt((0.75 * 0.25) / 4000));
    expect(Math.min(...noisy.map((one) => one.decibels))).toBeGreaterThanOrEqual(5);
    expect(Math.max(...noisy.map((one) => one.decibels))).toBeLessThanOrEqual(20);
    expect(new Set(noisy.map(({ start }) => Math.floor(start / 500))).size).toBe(10);
  });

  it('depends on seed, epoch and position alone', () => {
    expect(drawSound(3, 1, 70, augmentation, sound)).toEqual(many[70]);
    expect(drawSound(3, 2, 70, augmentation, sound)).not.toEqual(many[70]);
    expect(drawSound(4, 1, 70, augmentation, sound)).not.toEqual(many[70]);
    const none = { gain: 0, time_shift: 0 };
    const of = { ...sound, ...{ from: 0, samples: 4, features: { kind: 'log_mel' } as const } };
    expect(soundChanger(1, 1, none, of)).toBeNull();
  });
});

describe('recordings in training', () => {
  const folder = mkdtempSync(join(tmpdir(), 'qpipe-sound-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const samplesOf = (seed: number, length: number): Int16Array =>
    Int16Array.from({ length }, (_, at) => 8000 * Math.sin(at * at * 1e-4 * seed) + ((at * 7919 * seed) % 201));
  const wav = (samples: Int16Array, rate = 8000): Buffer => {
    const header = Buffer.alloc(44);
    header.write('RIFF');
    header.writeUInt32LE(36 + 2 * samples.length, 4);
    header.write('WAVEfmt ', 8);
    for (const [at, value] of [
      [16, 16],
      [24, rate],
      [28, 2 * rate],
      [40, 2 * samples.length],
    ] as const) {
      header.writeUInt32LE(value, at);
    }
    for (const [at, value] of [
      [20, 1],
      [22, 1],
      [32, 2],
      [34, 16],
    ] as const) {
      header.writeUInt16LE(value, at);
    }
    header.write('data', 36);
    return Buffer.concat([header, Buffer.from(samples.buffer)]);
  };
  const length = 2000;
  const recordings = Array.from({ length: 6 }, (_, index) => samplesOf(index + 1, length));
  for (const [index, samples] of recordings.entries()) {
    const place = join(folder, 'set', index % 2 === 0 ? 'a' : 'b');
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, `${index}.wav`), wav(samples));
  }
  mkdirSync(join(folder, 'noise'));
  writeFileSync(join(folder, 'noise/1.wav'), wav(samplesOf(77, 900)));
  writeFileSync(join(folder, 'noise/2.wav'), wav(samplesOf(78, 500)));
  const source = (change: Partial<AudioFolderSource> = {}): AudioFolderSource => ({
    ...{ kind: 'audio_folder', path: join(folder, 'set'), audio: { rate: 8000, seconds: 0.25 } },
    features: { kind: 'log_mel', num_mel_bins: 20 },
    split: { test: 0, validation: 0, seed: 1 },
    ...{ broken: 'refuse', keepsSound: true, noise: null },
    ...change,
  });
  const options = { count: 0, seed: 0 };

  it('have the features of what they become, and validation those of what they are', async () => {
    const plain = await loadDataset(source({ keepsSound: false }), options);
    const kept = await loadDataset(source({ noise: join(folder, 'noise') }), options);
    expect({ ...kept.reals }).toEqual({ ...plain.reals });
    const [read, readPlain] = [realReader(kept.train.inputs), realReader(plain.train.inputs)];
    for (let index = 0; index < 6; index++) expect([...read(index)]).toEqual([...readPlain(index)]);

    const background = { snr: [5, 20], share: 0.75 } as const;
    const augmentation = { gain: 6, time_shift: 0.05, background, ...{ shift: 0, scale: 0, jitter: 0 } };
    const { sound } = kept.train.inputs;
    const vary = augmentEpoch(kept.train, 9, 2, augmentation, kept.image);
    const order = Uint32Array.of(4, 0, 2, 1, 3, 5);
    const { size } = kept.train.inputs;
    const [inputs, answers] = [new Float32Array(6 * size), new Float32Array(6)];
    batchWriter(kept.train, { min: -6, max: 6 })(order, 0, 6, inputs, answers, vary);

    const features = preparedFeatures(sound!.features, length, 8000);
    if ('problems' in features) throw new Error('features');
    const [channel] = kept.reals!.channels;
    const noise = readNoise(join(folder, 'noise'), 8000);
    expect([...noise]).toEqual([...samplesOf(77, 900), ...samplesOf(78, 500)].map((sample) => sample / 32768));
    // Rows are in the order of the files: those of a, then those of b.
    const files = [0, 2, 4, 1, 3, 5];
    let noisy = 0;
    for (const [position, index] of order.entries()) {
      const samples = Float32Array.from(
        recordings[files[kept.train.inputs.rows?.[index] ?? index]!]!,
        (x) => x / 32768,
      );
      const drawn = drawSound(9, 2, position, augmentation, sound!);
      if (drawn.noise !== null) noisy++;
      const expected = features.compute(Float32Array.from(changed(samples, drawn, noise)));
      const found = inputs.subarray(position * size, (position + 1) * size);
      for (const [at, value] of expected.entries()) {
        expect(found[at]).toBe(Math.fround((value - channel!.mean) / channel!.deviation));
      }
    }
    expect(noisy).toBeGreaterThan(0);
  });

  it('are other training data with other noise, and the same test data', async () => {
    const digests = async (change: Partial<AudioFolderSource>) =>
      (await identify(await loadDataset(source({ split: { test: 0.5, validation: 0, seed: 1 }, ...change }), options)))
        .digests;
    const plain = await digests({ keepsSound: false });
    expect(await digests({})).toEqual(plain);
    const noisy = await digests({ noise: join(folder, 'noise') });
    expect(noisy.training).not.toBe(plain.training);
    expect(noisy.test).toBe(plain.test);
  });

  it('need noise that can be heard', () => {
    mkdirSync(join(folder, 'silence'));
    writeFileSync(join(folder, 'silence/1.wav'), wav(new Int16Array(100)));
    expect(() => readNoise(join(folder, 'silence'), 8000)).toThrow('no-noise');
    expect(() => readNoise(join(folder, 'nowhere'), 8000)).toThrow('nowhere');
  });

  it('are resampled where noise has another rate', () => {
    mkdirSync(join(folder, 'fast'));
    writeFileSync(join(folder, 'fast/1.wav'), wav(samplesOf(5, 1000), 16_000));
    expect(readNoise(join(folder, 'fast'), 8000)).toHaveLength(500);
  });
});
