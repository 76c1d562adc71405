/** Sets that threads decode, that lie on the disk, and that are kept for the next time. */
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openBatches } from '../../src/data/ahead/batches.ts';
import type { AheadOptions } from '../../src/data/ahead/batches.ts';
import type { BatchPlan } from '../../src/data/ahead/filler.ts';
import { identify } from '../../src/data/dataset.ts';
import type { Dataset } from '../../src/data/dataset.ts';
import { closeExamples } from '../../src/data/example-files.ts';
import { keptFiles } from '../../src/data/kept-files.ts';
import type { LoadOptions } from '../../src/data/load.ts';
import { loadDataset, loadIdentified, openFiles, recipeDigest } from '../../src/data/load.ts';
import type { ImageFolderSource } from '../../src/data/sources/image-folder.ts';
import { writePng } from '../formats/png-writer.ts';
import { diagnosticsOf, putFiles } from './sources/files.ts';

/** Enough for threads to decode them. */
const perClass = 210;
const none = { count: 0, seed: 0 };

let folder = '';
let kept = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'qpipe-many-'));
  for (let value = 0; value < perClass; value++) {
    putFiles(folder, { [`dark/${value}.png`]: grey(value), [`light/${value}.png`]: grey(255 - value) });
  }
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  kept = mkdtempSync(join(tmpdir(), 'qpipe-kept-'));
  for (const name of ['examples', 'digests', 'tmp']) mkdirSync(join(kept, name));
});
afterEach(() => rmSync(kept, { recursive: true }));

/** An image whose corners differ, so that mirroring shows. */
const grey = (value: number) =>
  writePng({ width: 3, height: 2, depth: 8, colorType: 0, sample: (x, y) => (x === 0 && y === 0 ? 7 : value) });

const source = (path = folder): ImageFolderSource => ({
  ...{ kind: 'image_folder', path, broken: 'refuse', split: { test: 0.1, validation: 0.1, seed: 1 } },
  image: { size: [2, 3], color: 'grey', aspect: 'stretch', interpolation: 'bilinear', exif: 'apply' },
});

const cache = () => ({
  examples: join(kept, 'examples'),
  digests: join(kept, 'digests'),
  temporaryPath: () => join(kept, 'tmp', String(Math.random())),
});

/** Examples as a run gets them, with a cache. */
async function loadKept(options: Partial<LoadOptions> = {}) {
  const all: LoadOptions = { threads: 1, memory: 2 ** 20, signal: null, cache: cache(), ...options };
  const { files, close } = await openFiles(source(), all);
  close();
  let decoded = false;
  const open = () => {
    decoded = true;
    return openFiles(source(), all);
  };
  const recipe = recipeDigest(source(), none, files, 'sha256:0');
  return { ...(await loadIdentified(source(), none, recipe, open, all)), decoded: () => decoded };
}

const batch = 20;

/** Of two epochs, each batch as bytes. */
async function batchesOf(dataset: Dataset, { threads, ahead }: Pick<AheadOptions, 'threads' | 'ahead'>) {
  const perEpoch = Math.floor(dataset.train.count / batch);
  const plan: BatchPlan = {
    ...{ split: dataset.train, shape: dataset.image, batch, perEpoch, seed: 3 },
    ...{ normalize: { scale: 1, mean: 0 }, augment: { crop: 1, flip: true } },
  };
  const batches = openBatches(plan, { threads, ahead, end: 2 * perEpoch, now: () => 0 });
  const found: string[] = [];
  const pixels: number[] = [];
  for (let step = 0; step < 2 * perEpoch; step++) {
    const { inputs, answers } = await batches.next(step);
    found.push(createHash('sha256').update(inputs).update(answers).digest('hex'));
    pixels.push(...inputs);
  }
  await batches.close();
  return { found, pixels };
}

describe('batches', () => {
  it('are the same for any number of threads, in memory and on the disk, decoded just now and kept', async () => {
    const inMemory = await loadDataset(source(), none);
    expect(inMemory.train.inputs.place.kind).toBe('memory');
    const { found: expected, pixels } = await batchesOf(inMemory, { threads: 1, ahead: 'never' });
    expect(new Set(expected).size).toBe(expected.length);
    // Cropped and mirrored, but each pixel is one of the images' or of the border.
    expect(new Set(pixels).size).toBeGreaterThan(100);
    for (const threads of [1, 2, 3]) {
      for (const memory of [0, 2 ** 20]) {
        for (const run of ['first', 'second']) {
          const { dataset, decoded } = await loadKept({
            threads,
            memory,
            cache: { ...cache(), examples: join(kept, `${threads} ${memory}`) },
          });
          expect(decoded()).toBe(run === 'first');
          expect(dataset.train.inputs.place.kind).toBe(memory === 0 ? 'file' : 'memory');
          for (const ahead of ['never', 'always'] as const) {
            expect((await batchesOf(dataset, { threads, ahead })).found).toEqual(expected);
          }
          closeExamples(dataset);
        }
      }
    }
  });

  it('hold every training example once an epoch, with its class', async () => {
    const dataset = await loadDataset(source(), none, { threads: 2, memory: 0 });
    const { count } = dataset.train;
    const plan: BatchPlan = {
      ...{ split: dataset.train, shape: dataset.image, batch: 1, perEpoch: count, seed: 3 },
      ...{ normalize: { scale: 1, mean: 0 }, augment: { crop: 0, flip: false } },
    };
    const batches = openBatches(plan, { threads: 2, ahead: 'always', end: count, now: () => 0 });
    const seen: string[] = [];
    for (let step = 0; step < count; step++) {
      const { inputs, answers } = await batches.next(step);
      const [corner, value = 0, ...others] = inputs;
      expect([corner, ...others]).toEqual([7, value, value, value, value]);
      // Dark images are 0 to 209, light ones 46 to 255.
      const isKnown = answers[0] === 0 ? value < perClass : value > 255 - perClass;
      expect(isKnown).toBe(true);
      seen.push(`${answers[0]} ${value}`);
    }
    await batches.close();
    closeExamples(dataset);
    expect(new Set(seen).size).toBe(count);
    expect(count + dataset.validation.count + dataset.test.count).toBe(2 * perClass);
  });

  it('end with what a thread says when it fails', async () => {
    const { train, image } = await loadDataset(source(), none);
    const plan: BatchPlan = {
      ...{ split: train, shape: image, batch: train.count + 1, perEpoch: 1, seed: 3 },
      ...{ normalize: { scale: 1, mean: 0 }, augment: { crop: 0, flip: false } },
    };
    const batches = openBatches(plan, { threads: 2, ahead: 'always', end: 9, now: () => 0 });
    const message = `a thread that fills batches ended: Error: internal: batch 0..${train.count + 1}`;
    await expect(batches.next(0)).rejects.toThrow(message);
    await batches.close();
  });
});

describe('decoded examples', () => {
  it('are kept once, and found until a file changes', async () => {
    const first = await loadKept();
    const second = await loadKept({ threads: 3 });
    expect([first.decoded(), second.decoded()]).toEqual([true, false]);
    expect(second.identity).toEqual(first.identity);
    expect(second.identity).toEqual(await identify(await loadDataset(source(), none)));
    const before = readFileSync(join(folder, 'dark/3.png'));
    writeFileSync(join(folder, 'dark/3.png'), grey(250));
    try {
      const changed = await loadKept();
      expect(changed.decoded()).toBe(true);
      expect(changed.identity.digests).not.toEqual(first.identity.digests);
    } finally {
      writeFileSync(join(folder, 'dark/3.png'), before);
    }
    expect(readdirSync(join(kept, 'tmp'))).toEqual([]);
  });

  /** The folder of the only set that is kept. */
  const setFolder = (): string => {
    const [outer = ''] = readdirSync(join(kept, 'examples'));
    const [inner = ''] = readdirSync(join(kept, 'examples', outer));
    return join(kept, 'examples', outer, inner);
  };
  /** What `cache verify` finds wrong with each set. */
  const examined = async (): Promise<(string | null)[]> => {
    const [sets] = keptFiles(new AbortController().signal);
    return Promise.all((await sets!.paths(kept)).map((folder) => sets!.check(folder)));
  };
  const flip = (file: string, at: number): void => {
    const bytes = readFileSync(file);
    bytes[at]! ^= 1;
    writeFileSync(file, bytes);
  };

  it.each([
    ['a pixel', () => flip(join(setFolder(), 'inputs-0'), 1000)],
    ['the end of the pixels', () => truncateSync(join(setFolder(), 'inputs-0'), 1000)],
    ['all pixels', () => rmSync(join(setFolder(), 'inputs-0'))],
    ['a label', () => flip(join(setFolder(), 'set'), readFileSync(join(setFolder(), 'set')).length - 20)],
    ['the version', () => flip(join(setFolder(), 'set'), 3)],
    ['the end of the set', () => truncateSync(join(setFolder(), 'set'), 200)],
  ])('are decoded again where %s is damaged', async (_what, damage) => {
    const { identity } = await loadKept();
    expect(await examined()).toEqual([null]);
    damage();
    expect(await examined()).toEqual([expect.any(String)]);
    const again = await loadKept();
    expect(again.decoded()).toBe(true);
    expect(again.identity).toEqual(identity);
    expect((await loadKept()).decoded()).toBe(false);
  });

  it('are not begun where the run has been stopped, and leave nothing behind', async () => {
    const stop = new AbortController();
    const loading = loadKept({ threads: 2, signal: stop.signal });
    setImmediate(() => stop.abort(new Error('enough')));
    await expect(loading).rejects.toThrow('enough');
    expect(readdirSync(join(kept, 'tmp'))).toEqual([]);
    expect(readdirSync(join(kept, 'examples'))).toEqual([]);
  });
});

describe('sets that nothing uses', () => {
  it('are removed when another one is kept', async () => {
    const long = new Date(Date.now() - 31 * 24 * 3600 * 1000);
    const put = (name: string, used: Date): void => {
      mkdirSync(join(kept, 'examples', name), { recursive: true });
      writeFileSync(join(kept, 'examples', name, 'set'), '');
      utimesSync(join(kept, 'examples', name, 'set'), used, used);
    };
    const found = () =>
      readdirSync(join(kept, 'examples'), { recursive: true, encoding: 'utf8' }).filter((name) =>
        name.endsWith('/set'),
      );
    put('aa/unused', long);
    put('aa/used', new Date());
    await loadKept();
    const [own = ''] = found().filter((name) => !name.startsWith('aa/'));
    expect(found().sort()).toEqual([own, 'aa/used/set'].sort());
    // To find a set is to use it.
    utimesSync(join(kept, 'examples', own), long, long);
    await loadKept();
    expect(statSync(join(kept, 'examples', own)).mtimeMs).toBeGreaterThan(Date.now() - 60_000);
  });
});

describe('broken files', () => {
  it('are told in the same words and order by threads', async () => {
    const other = mkdtempSync(join(tmpdir(), 'qpipe-broken-'));
    try {
      for (let value = 0; value < perClass; value++) {
        putFiles(other, { [`a/${value}.png`]: grey(value), [`b/${value}.png`]: grey(255 - value) });
      }
      putFiles(other, { 'a/7.png': 'words', 'b/9.png': grey(1).subarray(0, 50), 'b/10.png': '' });
      const told = (threads: number, broken: 'refuse' | 'skip' = 'refuse') =>
        diagnosticsOf(() => loadDataset({ ...source(other), broken }, none, { threads }));
      const inline = await told(1);
      expect(inline.map(({ place }) => place.file.slice(other.length + 1))).toEqual(['a/7.png', 'b/9.png', 'b/10.png']);
      expect(await told(3)).toEqual(inline);
      const notes = async (threads: number) =>
        (await loadDataset({ ...source(other), broken: 'skip' }, none, { threads })).notes;
      expect(await notes(1)).toEqual(['3 files cannot be decoded and are left out: a/7.png, b/9.png, b/10.png']);
      expect(await notes(3)).toEqual(await notes(1));
    } finally {
      rmSync(other, { recursive: true });
    }
  });
});

describe('digests of files', () => {
  const digests = async () => {
    const { files, close } = await openFiles(source(), { signal: null, cache: cache() });
    close();
    return new Map(files.map(({ name, sha256 }) => [name, sha256]));
  };
  const indexFile = () => join(kept, 'digests', readdirSync(join(kept, 'digests'))[0]!);
  /** Says of a file what is not true, so that it shows where the digest is from. */
  const forge = (name: string, digest: string): void => {
    const [, ...lines] = readFileSync(indexFile(), 'utf8').split('\n');
    const text = lines.map((line) =>
      line.startsWith(`["${name}"`) ? line.replace(/"[0-9a-f]{64}"/, `"${digest}"`) : line,
    );
    const whole = text.join('\n');
    writeFileSync(indexFile(), `${createHash('sha256').update(whole).digest('hex')}\n${whole}`);
  };
  const hashOf = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex');
  const forged = 'f'.repeat(64);

  it('are remembered for files that have not changed for some seconds', async () => {
    // The times of a file are set back, but not the one at which that was done: it is as new as it is.
    for (const name of ['dark/1.png', 'dark/2.png']) utimesSync(join(folder, name), 1, 1);
    expect((await digests()).get('dark/1.png')).toBe(hashOf('dark/1.png'));
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await digests();
    forge('dark/1.png', forged);
    forge('dark/2.png', forged);
    expect((await digests()).get('dark/1.png')).toBe(forged);
    // Whatever is done to a file gives it another time.
    chmodSync(join(folder, 'dark/2.png'), 0o600);
    expect((await digests()).get('dark/2.png')).toBe(hashOf('dark/2.png'));
    // A damaged list is none.
    flipByte(indexFile());
    expect((await digests()).get('dark/1.png')).toBe(hashOf('dark/1.png'));
  });

  it('are not remembered for files that have just been written', async () => {
    writeFileSync(join(folder, 'dark/1.png'), readFileSync(join(folder, 'dark/1.png')));
    await digests();
    expect(readFileSync(indexFile(), 'utf8')).not.toContain('"dark/1.png"');
  });
});

function flipByte(file: string): void {
  const bytes = readFileSync(file);
  bytes[bytes.length - 30]! ^= 1;
  writeFileSync(file, bytes);
}

/** Runs in a process of its own: loads an array and reads all of its examples; tells the most memory that it took. */
const measuring = `
  const [root, path, memory] = process.argv.slice(-3);
  const { loadDataset } = await import(root + '/dist/data/load.js');
  const { identify } = await import(root + '/dist/data/dataset.js');
  const source = { kind: 'npz', path, columns: {}, split: { test: 0.1, validation: 0.1, seed: 1 } };
  const dataset = await loadDataset(source, { count: 0, seed: 0 }, { memory: Number(memory) });
  const { digests } = await identify(dataset);
  console.log(JSON.stringify({ digests, place: dataset.train.inputs.place.kind, kilobytes: process.resourceUsage().maxRSS }));
`;

describe('memory', () => {
  it('stays far below a set that is larger than the setting', () => {
    const root = join(import.meta.dirname, '../..');
    const other = mkdtempSync(join(tmpdir(), 'qpipe-large-'));
    // Rows of 64 kB, which differ in their first bytes only: a file with holes.
    const measure = (rows: number, memory: number) => {
      const header = `{'descr': '|u1', 'fortran_order': False, 'shape': (${rows}, 256, 256), }`.padEnd(117) + '\n';
      const file = join(other, 'x.npy');
      writeFileSync(file, Buffer.concat([Buffer.from('\x93NUMPY\x01\x00\x76\x00', 'latin1'), Buffer.from(header)]));
      truncateSync(file, 128 + rows * 65_536);
      const descriptor = openSync(file, 'r+');
      for (let row = 0; row < rows; row++) writeSync(descriptor, Uint32Array.of(row), 0, 4, 128 + row * 65_536);
      closeSync(descriptor);
      const found = execFileSync(process.execPath, [
        '--input-type=module',
        '-e',
        measuring,
        root,
        other,
        String(memory),
      ]);
      return JSON.parse(found.toString()) as { digests: object; place: string; kilobytes: number };
    };
    try {
      const rows = 6000;
      const little = measure(20, 1e6).kilobytes;
      const streamed = measure(rows, 20e6);
      const whole = measure(rows, 1e9);
      expect([streamed.place, whole.place]).toEqual(['file', 'memory']);
      expect(streamed.digests).toEqual(whole.digests);
      // 393 MB are read; the margin is for what V8 collects late.
      expect(streamed.kilobytes).toBeLessThan(little + 150_000);
      expect(whole.kilobytes).toBeGreaterThan(little + 300_000);
    } finally {
      rmSync(other, { recursive: true });
    }
  });
});
