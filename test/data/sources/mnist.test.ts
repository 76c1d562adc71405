import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { loadDataset } from '../../../src/data/load.ts';
import { mnistFolder } from '../../../src/data/sources/mnist.ts';
import { UserError } from '../../../src/core/diagnostic.ts';
import { labelsOf } from '../../../src/data/dataset.ts';
import { pixelsIn } from '../examples.ts';

const noValidation = { count: 0, seed: 0 };

describe('MNIST', () => {
  it('is the published one', async () => {
    const { image, train, test, classNames } = await loadDataset({ kind: 'mnist', path: mnistFolder }, noValidation);
    expect(image).toEqual({ height: 28, width: 28, channels: 1 });
    expect([train.count, test.count, classNames.length]).toEqual([60000, 10000, 10]);
    expect([...labelsOf(train).subarray(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    expect([...labelsOf(test).subarray(0, 5)]).toEqual([7, 2, 1, 0, 4]);
    const histogram = new Array<number>(10).fill(0);
    for (const label of labelsOf(train)) histogram[label]!++;
    expect(histogram).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    // The mean pixel that everyone normalizes MNIST by is 0.1307 of 255.
    const pixels = pixelsIn(train);
    const sum = pixels.reduce((total, pixel) => total + pixel, 0);
    expect(sum / pixels.length / 255).toBeCloseTo(0.1307, 4);
  });

  it('is refused when a file is missing, damaged, or not the published one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'qpipe-mnist-'));
    try {
      const load = () => loadDataset({ kind: 'mnist', path: folder }, noValidation);
      cpSync(mnistFolder, folder, { recursive: true });
      const path = join(folder, 't10k-labels-idx1-ubyte.gz');
      const packed = readFileSync(path);
      rmSync(path);
      await expect(load()).rejects.toThrow(`${path} error unreadable-file`);
      writeFileSync(path, packed.subarray(0, 4000));
      await expect(load()).rejects.toThrow(`${path} error damaged-gzip`);
      packed[2000]! ^= 16;
      writeFileSync(path, packed);
      await expect(load()).rejects.toThrow(UserError);
      await expect(load()).rejects.toThrow(/error damaged-gzip: .*\n {2}hint: restore the four MNIST files/);
      // A plain file has no checksum of its own: the published digest catches the bit.
      rmSync(path);
      packed[2000]! ^= 16;
      const plain = gunzipSync(packed);
      writeFileSync(join(folder, 't10k-labels-idx1-ubyte'), plain);
      await load();
      writeFileSync(join(folder, 't10k-labels-idx1-ubyte'), plain.with(5000, plain[5000]! ^ 1));
      await expect(load()).rejects.toThrow(/t10k-labels-idx1-ubyte error wrong-digest: .*expected ff7bcfd416de/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
