import { gzipSync } from 'node:zlib';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../../../src/core/diagnostic.ts';
import { identify } from '../../../src/data/dataset.ts';
import { readIdx } from '../../../src/data/sources/idx.ts';
import type { IdxArray, IdxSource } from '../../../src/data/sources/idx.ts';
import { loadDataset } from '../../../src/data/load.ts';

// Three images of 2 x 2 and their labels, by hand.
const images = Uint8Array.from([0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
const labels = Uint8Array.from([0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 1]);
const noValidation = { count: 0, seed: 0 };

describe('readIdx', () => {
  const read = (bytes: Uint8Array): IdxArray => readIdx({ path: 'a.idx', bytes });

  it('reads plain and packed files', () => {
    const expected = { shape: [3, 2, 2], data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12) };
    expect(read(images)).toEqual(expected);
    expect(read(gzipSync(images))).toEqual(expected);
  });

  it.each([
    ['another magic number', [0x50, 0x4b, 3, 4], 'not-idx: the file is a ZIP archive; expected an IDX array'],
    ['floats', [0, 0, 0x0d, 1, 0, 0, 0, 0], 'not-idx: the elements are floats of 32 bits; expected unsigned bytes'],
    ['no dimensions', [0, 0, 8, 0], 'byte 3: 0 dimensions'],
    ['an element too many', [...labels, 0], 'byte 4: the dimensions 3 mean 3 elements, the file holds 4'],
    [
      'dimensions of 2^64 elements',
      [0, 0, 8, 2, 255, 255, 255, 255, 255, 255, 255, 255],
      'byte 4: the dimensions 4294967295 x 4294967295 mean 18446744065119617000 elements, the file holds 0',
    ],
  ])('refuses %s', (_what, bytes, message) => {
    expect(() => read(Uint8Array.from(bytes))).toThrow(
      `a.idx error ${message.startsWith('byte') ? 'malformed-idx: ' : ''}${message}`,
    );
    expect(() => read(Uint8Array.from(bytes))).toThrow('hint: ');
  });

  it('refuses a file cut anywhere, plain or packed', () => {
    for (const whole of [images, Uint8Array.from(gzipSync(images))]) {
      for (let length = 0; length < whole.length; length++) {
        expect(() => read(whole.slice(0, length))).toThrow(UserError);
      }
    }
  });
});

describe('an idx dataset', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'qpipe-idx-'));
    write('images', images);
    write('labels', labels);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (name: string, bytes: Uint8Array): void => writeFileSync(join(folder, name), bytes);
  const source = (changes: Partial<Record<keyof IdxSource, string>>): IdxSource => ({
    kind: 'idx',
    ...{ trainImages: join(folder, 'images'), trainLabels: join(folder, 'labels') },
    ...{ testImages: join(folder, 'images'), testLabels: join(folder, 'labels') },
    ...Object.fromEntries(Object.entries(changes).map(([key, name]) => [key, join(folder, name)])),
  });

  it('has as many classes as the training labels name', async () => {
    expect(await loadDataset(source({}), noValidation)).toMatchObject({
      name: 'idx',
      classNames: ['0', '1', '2'],
      image: { height: 2, width: 2, channels: 1 },
      train: { count: 3, labels: Uint8Array.of(2, 0, 1) },
      validation: { count: 0 },
      test: { count: 3 },
    });
  });

  it('has a digest of its training and one of its test examples, whatever place and packing its files have', async () => {
    const digests = async (changes: Record<string, string>, validation = noValidation) =>
      (await identify(await loadDataset(source(changes), validation))).digests;
    const { training, test } = await digests({});
    for (const digest of [training, test]) expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    write('moved', images);
    write('packed', gzipSync(images));
    expect(await digests({ trainImages: 'moved', testImages: 'packed' })).toEqual({ training, test });
    write('changed', images.with(-1, 99));
    expect(await digests({ testImages: 'changed' })).toEqual({
      training,
      test: expect.not.stringMatching(test) as string,
    });
    const retrained = { training: expect.not.stringMatching(training) as string, test };
    expect(await digests({ trainImages: 'changed' })).toEqual(retrained);
    expect(await digests({}, { count: 1, seed: 0 })).toEqual(retrained);
  });

  it('is refused with the file at fault when files do not belong together', async () => {
    await expect(loadDataset(source({ trainImages: 'gone' }), noValidation)).rejects.toThrow(
      /gone error unreadable-file: .*ENOENT.*\n.*check the paths/,
    );
    await expect(loadDataset(source({ trainImages: 'labels' }), noValidation)).rejects.toThrow(
      /labels error mismatched-idx/,
    );
    write('two', Uint8Array.from([0, 0, 8, 1, 0, 0, 0, 2, 1, 0]));
    await expect(loadDataset(source({ testLabels: 'two' }), noValidation)).rejects.toThrow(
      'is [2], expected [3] labels',
    );
    write('strange', labels.with(-1, 9));
    await expect(loadDataset(source({ testLabels: 'strange' }), noValidation)).rejects.toThrow('label 9 occurs');
    write('wide', Uint8Array.from([0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 4, ...images.slice(16)]));
    await expect(loadDataset(source({ testImages: 'wide' }), noValidation)).rejects.toThrow('images are 1x4x1');
  });
});
