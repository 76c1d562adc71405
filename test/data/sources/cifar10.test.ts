import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cifar10Files, decodeRecords } from '../../../src/data/sources/cifar10.ts';
import { loadDataset } from '../../../src/data/load.ts';
import { labelsOf } from '../../../src/data/dataset.ts';
import type { Labels } from '../../../src/data/dataset.ts';
import { pixelsIn } from '../examples.ts';

const folder = join(process.env['QPIPE_DATA'] ?? '../shared/data', 'cifar10');
const present = existsSync(folder);

describe('CIFAR-10 records', () => {
  it('become NHWC', () => {
    // One record: label 7, red plane 0 1 2 ... mod 256, green plane all 100, blue plane all 200.
    const plane = (value: (pixel: number) => number): number[] => Array.from({ length: 1024 }, (_, p) => value(p));
    const red = plane((pixel) => pixel % 256);
    const bytes = Uint8Array.from([7, ...red, ...plane(() => 100), ...plane(() => 200)]);
    const { pixels: images, labels } = decodeRecords({ path: 'one.bin', bytes });
    expect([...labels]).toEqual([7]);
    expect([...images.subarray(0, 9)]).toEqual([0, 100, 200, 1, 100, 200, 2, 100, 200]);
    expect([...images.subarray(3 * 1023)]).toEqual([255, 100, 200]);
  });

  it('must be whole and have labels 0 to 9', () => {
    expect(() => decodeRecords({ path: 'cut.bin', bytes: new Uint8Array(3072) })).toThrow('expected whole records');
    const wrong = new Uint8Array(2 * 3073);
    wrong[3073] = 10;
    expect(() => decodeRecords({ path: 'wrong.bin', bytes: wrong })).toThrow(
      'wrong.bin error malformed-cifar10: byte 3073: the label is 10',
    );
  });

  it('that are missing are a user error with the remedy', async () => {
    await expect(
      loadDataset({ kind: 'cifar10', path: 'nowhere', download: null }, { count: 0, seed: 0 }),
    ).rejects.toThrow(/data_batch_1\.bin\.gz error unreadable-file[^]*put cifar-10-binary.tar.gz/);
  });
});

describe('the archive of CIFAR-10', () => {
  let archived = '';
  beforeEach(() => {
    archived = mkdtempSync(join(tmpdir(), 'cifar10-'));
  });
  afterEach(() => rmSync(archived, { recursive: true }));

  const archive = () => join(archived, 'cifar-10-binary.tar.gz');
  const load = () => loadDataset({ kind: 'cifar10', path: archived, download: null }, { count: 0, seed: 0 });
  /** By the system's tar, with the folder that the published archive has. */
  const pack = (files: Readonly<Record<string, Uint8Array>>): void => {
    const inside = join(archived, 'cifar-10-batches-bin');
    mkdirSync(inside);
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(inside, name), bytes);
    execFileSync('tar', ['-czf', archive(), '-C', archived, 'cifar-10-batches-bin']);
    rmSync(inside, { recursive: true });
  };

  it('is read in place of the files', async () => {
    const bytes = Uint8Array.from({ length: 3073 }, (_, index) => index % 251);
    pack({ 'data_batch_1.bin': bytes });
    // Its file is not the published one, but it is the one that was packed.
    const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
    await expect(load()).rejects.toThrow(
      `data_batch_1.bin error wrong-digest: the unpacked file has SHA-256 ${digest}…, expected d1eacf8cd2c8`,
    );
  });

  it('that lacks a file, or is damaged, is a mistake with a remedy', async () => {
    pack({ 'other.bin': Uint8Array.of(1) });
    await expect(load()).rejects.toThrow(
      'cifar-10-binary.tar.gz error malformed-cifar10: there is no data_batch_1.bin in it',
    );
    writeFileSync(archive(), gzipSync(Uint8Array.from({ length: 5000 }, (_, index) => (index * 37) % 256)));
    await expect(load()).rejects.toThrow(
      /cifar-10-binary\.tar\.gz error malformed-cifar10[^]*download cifar-10-binary\.tar\.gz again/,
    );
    writeFileSync(archive(), readFileSync(archive()).subarray(0, 100));
    await expect(load()).rejects.toThrow('cifar-10-binary.tar.gz error damaged-gzip');
  });

  it('is asked for only when there are neither files nor archive', () => {
    const download = { url: 'https://example.org/x', sha256: 'ab' };
    const files = () => cifar10Files({ kind: 'cifar10', path: archived, download });
    expect(files()).toEqual([{ name: 'cifar-10-binary.tar.gz', path: archive(), download }]);
    writeFileSync(join(archived, 'data_batch_3.bin'), '');
    expect(files()).toHaveLength(6);
    expect(files()[2]).toEqual({ name: 'data_batch_3.bin', path: join(archived, 'data_batch_3.bin') });
  });
});

describe(present ? 'CIFAR-10' : 'CIFAR-10 (skipped: set QPIPE_DATA to a folder that holds cifar10/)', () => {
  it.runIf(present)('has 5,000 training and 1,000 test images of each class', async () => {
    const { train, test, image } = await loadDataset(
      { kind: 'cifar10', path: folder, download: null },
      { count: 0, seed: 0 },
    );
    expect(image).toEqual({ height: 32, width: 32, channels: 3 });
    const histogram = (labels: Labels): number[] => {
      const counts = new Array<number>(10).fill(0);
      for (const label of labels) counts[label]!++;
      return counts;
    };
    expect(histogram(labelsOf(train))).toEqual(new Array(10).fill(5000));
    expect(histogram(labelsOf(test))).toEqual(new Array(10).fill(1000));
    // The channel means that everyone normalizes CIFAR-10 by: 0.4914, 0.4822, 0.4465 of 255.
    const sums = [0, 0, 0];
    const pixels = pixelsIn(train);
    for (let index = 0; index < pixels.length; index += 3) {
      for (let channel = 0; channel < 3; channel++) sums[channel]! += pixels[index + channel]!;
    }
    const means = sums.map((sum) => Math.round((sum / (50000 * 1024 * 255)) * 10000));
    expect(means).toEqual([4914, 4822, 4465]);
  });
});
