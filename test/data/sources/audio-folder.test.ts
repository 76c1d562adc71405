import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { labelsOf } from '../../../src/data/dataset.ts';
import { logMel } from '../../../src/data/features/log-mel.ts';
import { createMicroFrontend, frontendCode, frontendQuantization } from '../../../src/data/features/micro-frontend.ts';
import { microFrontendDefaults } from '../../../src/data/features/micro-frontend-options.ts';
import { loadDataset, openFiles } from '../../../src/data/load.ts';
import { audioFolder } from '../../../src/data/sources/audio-folder.ts';
import type { AudioFolderSource } from '../../../src/data/sources/audio-folder.ts';
import { diagnosticsOf, putFiles } from './files.ts';
import { realsIn } from '../examples.ts';

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'qpipe-audio-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const tone = (rate: number, seconds: number, hertz: number): Int16Array =>
  Int16Array.from({ length: rate * seconds }, (_, at) =>
    Math.round(8000 * Math.sin((2 * Math.PI * hertz * at) / rate)),
  );

/** 16-bit PCM of one channel. */
function wav(rate: number, samples: Int16Array): Buffer {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + 2 * samples.length, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(2 * rate, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(2 * samples.length, 40);
  return Buffer.concat([header, Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)]);
}

const put = (files: Readonly<Record<string, Uint8Array>>) => putFiles(folder, files);

const source = (change: Partial<AudioFolderSource> = {}): AudioFolderSource => ({
  ...{ kind: 'audio_folder', path: folder, audio: { rate: 8000, seconds: 0.5 }, features: { kind: 'log_mel' } },
  split: { test: 0, validation: 0, seed: 1 },
  ...{ keepsSound: false, noise: null },
  broken: 'refuse',
  ...change,
});
const load = (change: Partial<AudioFolderSource> = {}) => loadDataset(source(change), { count: 0, seed: 0 });

async function mistakes(change: Partial<AudioFolderSource> = {}): Promise<string[]> {
  return (await diagnosticsOf(() => load(change))).map(
    ({ place, code, message }) => `${place.file.replace(folder, '')} ${code}: ${message}`,
  );
}

describe('an audio folder', () => {
  it('gives the features of recordings that are cut or end in silence', async () => {
    const samples = tone(8000, 0.3, 440);
    put({ 'high/1.wav': wav(8000, tone(8000, 2, 2000)), 'low/1.wav': wav(8000, samples) });
    const { train, image, reals } = await load();
    expect([...labelsOf(train)]).toEqual([0, 1]);
    // 4,000 samples, frames of 256 every 160: 1 + floor(3744 / 160).
    expect(image).toEqual({ height: 24, width: 40, channels: 1 });
    const padded = new Float32Array(4000);
    padded.set(Float32Array.from(samples, (sample) => sample / 32768));
    const expected = logMel.prepare(8000, logMel.defaults(8000))(padded);
    const { mean = 0, deviation = 1 } = reals?.channels[0] ?? {};
    const second = realsIn(train).subarray(24 * 40);
    for (const [at, value] of expected.entries()) expect(mean + deviation * second[at]!).toBeCloseTo(value, 3);
  });

  it('keeps the names of test recordings, and how low and how high they go in each stretch', async () => {
    // A ramp up to half of full scale in the first of two quarters of a second, then full scale downwards.
    const samples = Int16Array.from({ length: 4000 }, (_, at) => (at < 2000 ? at * 8 : -32_768));
    const files = { 'train/a/1.wav': tone(8000, 0.5, 90), 'train/b/1.wav': tone(8000, 0.5, 80) };
    put(Object.fromEntries(Object.entries(files).map(([name, sound]) => [name, wav(8000, sound)])));
    put({ 'test/a/quiet.wav': wav(8000, tone(8000, 0.1, 0)), 'test/b/loud.wav': wav(8000, samples) });
    for (const keepsSound of [false, true]) {
      const { test, train } = await load({ keepsSound });
      expect(test.names).toEqual(['test/a/quiet.wav', 'test/b/loud.wav']);
      const [quiet, loud] = (test.waves ?? []).map((wave) => [...new Int8Array(Buffer.from(wave, 'base64'))]);
      expect(quiet).toEqual(Array(192).fill(0));
      // Of 96 stretches the k-th begins at sample floor(k * 4000 / 96).
      const expected = Array.from({ length: 96 }, (_, stretch) => {
        const [start, end] = [Math.floor((stretch * 4000) / 96), Math.floor(((stretch + 1) * 4000) / 96)];
        const part = [...samples.subarray(start, end)].map((sample) => Math.round((127 * sample) / 32_768));
        return [Math.min(...part), Math.max(...part)];
      });
      expect(loud).toEqual(expected.flat());
      // Only examples that are tested are shown.
      expect([train.names, train.waves]).toEqual([undefined, undefined]);
    }
  });

  it('has inputs that a device quantizes to the codes of the integer front end', async () => {
    const samples = tone(8000, 0.5, 700);
    put({ 'a/1.wav': wav(8000, samples), 'b/1.wav': wav(8000, tone(8000, 0.5, 300)) });
    const { train, reals } = await load({ features: { kind: 'micro_frontend' } });
    const { min, max } = reals?.range ?? { min: NaN, max: NaN };
    expect(min).toBe(0);
    expect(max / 255).toBeCloseTo(frontendQuantization.scale, 12);
    const integers = createMicroFrontend(8000, microFrontendDefaults(8000))(samples);
    const codes = Array.from(realsIn(train).subarray(0, integers.length), (value) =>
      Math.min(127, Math.round(value / frontendQuantization.scale) - 128),
    );
    expect(codes).toEqual(Array.from(integers, frontendCode));
  });

  it('resamples other rates and says so', async () => {
    put({ 'a/1.wav': wav(16_000, tone(16_000, 0.5, 700)), 'b/1.wav': wav(8000, tone(8000, 0.5, 700)) });
    const { train, notes } = await load();
    expect(notes).toEqual(['recordings of another rate are resampled to 8000 Hz: 16000 Hz (a/1.wav)']);
    const [first, second] = [realsIn(train).subarray(0, 960), realsIn(train).subarray(960)];
    // The middle of a tone is the same tone; only the ends of the filter differ.
    const loudest = (values: typeof first) => values.indexOf(Math.max(...values.subarray(400, 440)), 400);
    expect(loudest(first)).toBe(loudest(second));
  });

  it('names broken files, and options that do not fit', async () => {
    put({
      'a/1.wav': wav(8000, tone(8000, 1, 700)),
      'b/1.wav': Buffer.from('no sound'),
      'b/2.wav': wav(8000, new Int16Array(0)),
    });
    expect((await mistakes()).map((text) => text.replace(/:.*/, ''))).toEqual([
      '/b/1.wav not-wav',
      '/b/2.wav empty-wav',
    ]);
    expect(await mistakes({ features: { kind: 'log_mel', upper_edge_hertz: 5000 } })).toEqual([
      'data.features wrong-features: `upper_edge_hertz` is 5000; expected at most 4000 Hz, half the rate of 8000 Hz',
    ]);
    expect(await mistakes({ audio: { rate: 8000, seconds: 0.01 } })).toEqual([
      'data.features wrong-features: a recording of 80 samples is shorter than one frame',
    ]);
  });

  it('may leave broken files out', async () => {
    const low = wav(8000, tone(8000, 0.5, 300));
    put({ 'a/1.wav': Buffer.from('no sound'), 'a/2.wav': low, 'b/1.wav': wav(8000, tone(8000, 0.5, 700)) });
    const { train, notes } = await load({ broken: 'skip' });
    expect([...labelsOf(train)]).toEqual([0, 1]);
    expect(notes).toEqual(['1 file cannot be decoded and is left out: a/1.wav']);
    const { files } = await openFiles(source());
    const facts = audioFolder.describe?.(source({ broken: 'skip' }), new Map(files.map((file) => [file.name, file])));
    expect(facts?.tallies?.[0]?.values).toEqual([{ value: '8000 Hz', files: 2, names: [] }]);
    rmSync(join(folder, 'a/1.wav'));
    expect((await load()).train).toEqual(train);
    put({ 'a/2.wav': low.subarray(0, 20) });
    expect(await mistakes({ broken: 'skip' })).toEqual([' all-broken: none of the files of class a can be decoded']);
  });
});
