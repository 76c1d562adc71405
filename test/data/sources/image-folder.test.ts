import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { identify, labelsOf } from '../../../src/data/dataset.ts';
import { loadDataset } from '../../../src/data/load.ts';
import type { ImageFolderSource } from '../../../src/data/sources/image-folder.ts';
import { writePng } from '../../formats/png-writer.ts';
import { diagnosticsOf, putFiles } from './files.ts';
import { pixelsIn } from '../examples.ts';

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'qpipe-images-'))));
afterEach(() => rmSync(folder, { recursive: true }));

/** A grey image of one value. */
const grey = (value: number, width = 4, height = 4) =>
  writePng({ width, height, depth: 8, colorType: 0, sample: () => value });

const put = (files: Readonly<Record<string, Uint8Array | string>>) => putFiles(folder, files);

function source(change: Partial<Pick<ImageFolderSource, 'image' | 'split' | 'broken'>> = {}): ImageFolderSource {
  return {
    kind: 'image_folder',
    path: folder,
    image: { size: [4, 4], color: 'grey', aspect: 'stretch', interpolation: 'bilinear', exif: 'apply' },
    split: { test: 0.2, validation: 0, seed: 1 },
    broken: 'refuse',
    ...change,
  };
}

const load = (change: Parameters<typeof source>[0] = {}) => loadDataset(source(change), { count: 0, seed: 0 });

async function mistakes(change: Parameters<typeof source>[0] = {}): Promise<string[]> {
  return (await diagnosticsOf(() => load(change))).map(
    ({ place, code }) => `${place.file.slice(folder.length + 1)} ${code}`,
  );
}

/** `count` different images of each of two classes: dark ones and bright ones. */
function putClasses(count: number): void {
  for (let index = 0; index < count; index++) {
    put({ [`dark/${index}.png`]: grey(index), [`light/${index}.PNG`]: grey(255 - index) });
  }
}

describe('an image folder', () => {
  it('gives images with the classes of their folders', async () => {
    putClasses(10);
    const { classNames, image, train, test } = await load();
    expect(classNames).toEqual(['dark', 'light']);
    expect(image).toEqual({ height: 4, width: 4, channels: 1 });
    expect([train.count, test.count]).toEqual([16, 4]);
    for (const split of [train, test]) {
      const firstPixels = Array.from(labelsOf(split), (_, index) => pixelsIn(split)[16 * index]!);
      expect(firstPixels.map((pixel) => (pixel > 127 ? 1 : 0))).toEqual([...labelsOf(split)]);
    }
  });

  it('repeats colours and resizes to the nearest value', async () => {
    put({ 'a/1.png': grey(7, 8, 2), 'b/1.png': grey(9, 1, 1), 'a/2.png': grey(8), 'b/2.png': grey(10) });
    const { image, train, test } = await load({ image: { ...source().image, size: [2, 3], color: 'rgb' } });
    expect(image).toEqual({ height: 2, width: 3, channels: 3 });
    expect(new Set([...pixelsIn(train), ...pixelsIn(test)])).toEqual(new Set([7, 8, 9, 10]));
    expect(pixelsIn(train).length / train.count).toBe(18);
  });

  it('keeps the parts that it has, and draws the others from training', async () => {
    for (let index = 0; index < 10; index++) {
      put({ [`train/a/${index}.png`]: grey(index), [`train/b/${index}.png`]: grey(100 + index) });
    }
    put({ 'test/a/x.png': grey(50), 'test/b/y.png': grey(150) });
    const { train, validation, test } = await load({ split: { test: 0.5, validation: 0.2, seed: 1 } });
    expect([train.count, validation.count, test.count]).toEqual([16, 4, 2]);
    expect([pixelsIn(test)[0], pixelsIn(test)[16]]).toEqual([50, 150]);
  });

  it('keeps equal images, and those of one group, in one part', async () => {
    for (let index = 0; index < 12; index++) {
      const person = ['ada', 'bob', 'cy', 'dee'][index % 4]!;
      put({ [`a/${person}_${index}.png`]: grey(index), [`b/${person}_${index}.png`]: grey(100 + index) });
    }
    const { train, test } = await load({ split: { test: 0.25, validation: 0, seed: 3, group: '/([a-z]+)_' } });
    const people = (split: typeof train) =>
      new Set(Array.from({ length: split.count }, (_, index) => (pixelsIn(split)[16 * index]! % 100) % 4));
    expect(test.count).toBe(6);
    expect(people(test).size).toBe(1);
    expect([...people(train)].some((person) => people(test).has(person))).toBe(false);
  });

  it('says when no name fits the group', async () => {
    putClasses(4);
    expect(await mistakes({ split: { test: 0.25, validation: 0, seed: 3, group: 'speaker([0-9]+)' } })).toEqual([
      expect.stringMatching(/ no-group$/),
    ]);
  });

  it('divides a set in which all images are equal', async () => {
    for (let index = 0; index < 300; index++) put({ [`a/${index}.png`]: grey(1), [`b/${index}.png`]: grey(1) });
    const { train, test } = await load();
    expect([train.count, test.count]).toEqual([600, 0]);
  });

  it('tells of equal images in two given parts, and of files that are no images', async () => {
    put({ 'train/a/1.png': grey(1), 'train/b/1.png': grey(2), 'test/a/copy.png': grey(1), 'test/b/3.png': grey(3) });
    put({ 'train/a/notes.txt': 'words', 'README.txt': 'words' });
    expect((await identify(await load())).notes).toEqual([
      '1 file is no example: train/a/notes.txt',
      '1 test example is equal to train examples, such as test/a/copy.png and train/a/1.png',
    ]);
  });

  it('names each broken file, ten at most', async () => {
    putClasses(2);
    put({ 'dark/words.jpg': 'no image', 'light/cut.png': grey(1).subarray(0, 60) });
    expect(await mistakes()).toEqual(['dark/words.jpg not-an-image', 'light/cut.png truncated-image']);
    for (let index = 10; index < 30; index++) put({ [`dark/${index}.png`]: '' });
    expect(await mistakes()).toHaveLength(10);
  });

  it('may leave broken files out, with their labels, unless a class or a part would have none', async () => {
    putClasses(8);
    for (const index of [0, 1, 2, 3]) put({ [`dark/${index}.png`]: 'no image' });
    const { train, test, notes } = await load({ broken: 'skip', split: { test: 0.25, validation: 0, seed: 1 } });
    expect([train.count, test.count]).toEqual([9, 3]);
    for (const split of [train, test]) {
      const bright = Array.from({ length: split.count }, (_, index) => (pixelsIn(split)[16 * index]! > 127 ? 1 : 0));
      expect(bright).toEqual([...labelsOf(split)]);
    }
    expect(notes).toEqual([
      '4 files cannot be decoded and are left out: dark/0.png, dark/1.png, dark/2.png and 1 more',
    ]);
    for (let index = 4; index < 8; index++) put({ [`dark/${index}.png`]: '' });
    expect(await mistakes({ broken: 'skip' })).toEqual([' all-broken']);
    put({ 'train/a/1.png': grey(1), 'train/b/1.png': grey(2), 'test/a/1.png': 'x', 'test/b/1.png': 'x' });
    expect(await mistakes({ broken: 'skip' })).toEqual([' all-broken']);
  });

  it('reads nothing outside the folder', async () => {
    putClasses(3);
    const outside = mkdtempSync(join(tmpdir(), 'qpipe-outside-'));
    try {
      writeFileSync(join(outside, 'x.png'), grey(77));
      symlinkSync(outside, join(folder, 'linked'));
      symlinkSync(join(outside, 'x.png'), join(folder, 'dark/x.png'));
      expect(await mistakes()).toEqual([' unsafe-entry', ' unsafe-entry']);
    } finally {
      rmSync(outside, { recursive: true });
    }
  });

  it('is known by the content of its files', async () => {
    putClasses(5);
    const before = (await identify(await load())).digests;
    expect((await identify(await load())).digests).toEqual(before);
    put({ 'dark/0.png': grey(200) });
    expect((await identify(await load())).digests).not.toEqual(before);
  });

  it('may be an archive', async () => {
    putClasses(5);
    const { train, test } = await load();
    const archive = `${folder}.tar.gz`;
    execFileSync('tar', ['-czf', archive, '-C', folder, 'dark', 'light']);
    try {
      const packed = await loadDataset({ ...source(), path: archive }, { count: 0, seed: 0 });
      expect([packed.train, packed.test]).toEqual([train, test]);
    } finally {
      rmSync(archive);
    }
  });
});
