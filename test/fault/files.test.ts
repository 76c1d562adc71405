/** Damaged files: never a crash, never a wrong answer that looks right because a check was left out. */
import { chmodSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { inspect } from '../../src/cli/inspect.ts';
import { predict } from '../../src/cli/predict.ts';
import { run } from '../../src/cli/run.ts';
import { validate } from '../../src/cli/validate.ts';
import { UserError } from '../../src/core/diagnostic.ts';
import { createRandom } from '../../src/core/random.ts';
import { hasHelloWorld, helloWorld, idxFile, makeWorkspace, npyFile, tinyWith } from '../e2e/workspace.ts';

async function outcome(body: () => unknown): Promise<unknown> {
  try {
    await body();
    return null;
  } catch (error) {
    return error;
  }
}

describe('a damaged data file', () => {
  const space = makeWorkspace();
  const names = ['train_images', 'train_labels', 'test_images', 'test_labels'] as const;
  const good: Record<string, Uint8Array> = {};
  const random = createRandom(5, 'pixels');
  const images = (count: number): Uint8Array =>
    gzipSync(
      idxFile(
        [count, 12, 12],
        Uint8Array.from({ length: count * 144 }, () => random.below(256)),
      ),
    );
  const labels = (count: number): Uint8Array =>
    gzipSync(
      idxFile(
        [count],
        Uint8Array.from({ length: count }, (_, index) => index % 4),
      ),
    );

  beforeAll(() => {
    Object.assign(good, {
      train_images: images(256),
      train_labels: labels(256),
      test_images: images(64),
      test_labels: labels(64),
    });
    const entries = names.map((name) => `${name}: ${name}.gz`).join(', ');
    const synthetic = 'source: synthetic, size: 12, classes: 4, train: 256, test: 64,';
    space.write('idx.yaml', tinyWith([[synthetic, `source: idx, ${entries},`]]));
  });

  function placeFiles(damaged: Partial<Record<(typeof names)[number], Uint8Array>>): void {
    for (const name of names) space.write(`${name}.gz`, damaged[name] ?? good[name] ?? new Uint8Array());
  }
  const start = () => run({ pipeline: space.file('idx.yaml'), runs: space.file('runs'), store: space.file('store') });

  it('is named, with what is wrong, and nothing is written', async () => {
    const half = (name: (typeof names)[number]) => (good[name] ?? new Uint8Array()).subarray(0, 60);
    const raw = gunzipSync(good['train_images'] ?? new Uint8Array());
    const cases = [
      [{ train_images: half('train_images') }, 'train_images.gz error damaged-gzip'],
      [{ test_labels: half('test_labels').subarray(0, 20) }, 'test_labels.gz error damaged-gzip'],
      [{ train_images: gzipSync(raw.subarray(0, 1000)) }, 'train_images.gz error '],
      [{ train_images: labels(256) }, 'train_images.gz error '],
      [{ train_labels: labels(255) }, '255'],
      [{ test_images: new Uint8Array() }, 'test_images.gz error '],
      [{ test_images: gzipSync(idxFile([64, 10, 12], new Uint8Array(64 * 120))) }, 'test_images.gz error '],
    ] as const;
    for (const [damaged, words] of cases) {
      placeFiles(damaged);
      const error = await outcome(start);
      expect(error, words).toBeInstanceOf(UserError);
      expect(String(error)).toContain(words);
      expect(String(error)).toContain('hint: ');
      expect(existsSync(space.file('runs')), words).toBe(false);
    }
  });

  it('is found wherever one bit is wrong', async () => {
    const file = good['train_images'] ?? new Uint8Array();
    for (let trial = 0; trial < 20; trial++) {
      // Bytes 4 to 9 of a gzip file are its date, compression hint and system: they may be anything.
      const at = 10 + random.below(file.length - 10);
      placeFiles({ train_images: Uint8Array.from(file, (byte, index) => (index === at ? byte ^ 16 : byte)) });
      expect(await outcome(() => validate(space.file('idx.yaml'))), `byte ${at}`).toBeInstanceOf(UserError);
    }
  });

  it('does not matter once it is whole again', async () => {
    placeFiles({});
    expect((await start()).record.stages).toHaveLength(6);
  });
});

describe('a damaged model', () => {
  const space = makeWorkspace();
  const models: { readonly bytes: Uint8Array; readonly input: Uint8Array }[] = [];

  beforeAll(async () => {
    const { folder } = await run({
      pipeline: space.file('tiny.yaml'),
      set: ['stages.test.litert=off'],
      runs: space.file('runs'),
      store: space.file('store'),
    });
    const ours = readFileSync(`${folder}/stages/convert/model.tflite`);
    models.push({ bytes: ours, input: npyFile('|i1', [1, 12, 12, 1], new Int8Array(144)) });
    if (hasHelloWorld)
      models.push({ bytes: readFileSync(helloWorld), input: npyFile('|i1', [1, 1], new Int8Array(1)) });
  });

  /** Inspects and predicts; anything but success or a diagnostic about the file is a failure. */
  async function use(bytes: Uint8Array, input: Uint8Array, what: string): Promise<number> {
    const model = space.file('damaged.tflite');
    writeFileSync(model, bytes);
    writeFileSync(space.file('x.npy'), input);
    const started = performance.now();
    const options = { model, input: space.file('x.npy'), output: space.file('y.npy') };
    const errors = [await outcome(() => inspect(model)), await outcome(() => predict(options))];
    for (const error of errors.filter((found) => found !== null)) {
      if (!(error instanceof UserError)) throw new Error(what, { cause: error });
      expect(error.diagnostics[0]?.place.file, what).toContain(space.folder);
    }
    // Neither a loop without end nor memory by the gigabyte.
    expect(performance.now() - started, what).toBeLessThan(2000);
    return errors.filter((error) => error !== null).length;
  }

  it('is refused or runs, whichever bit is wrong', async () => {
    const random = createRandom(11, 'bits');
    for (const { bytes, input } of models) {
      let refused = 0;
      for (let trial = 0; trial < 300; trial++) {
        const [at, bit] = [random.below(bytes.length), random.below(8)];
        const damaged = Uint8Array.from(bytes, (byte, index) => (index === at ? byte ^ (1 << bit) : byte));
        refused += await use(damaged, input, `byte ${at}, bit ${bit}`);
      }
      // Most bits are weights, which may be anything; those of the structure are not.
      expect(refused).toBeGreaterThan(10);
    }
  });

  it('is refused wherever it is cut', async () => {
    for (const { bytes, input } of models) {
      for (let length = 0; length < bytes.length; length += 97) {
        expect(await use(bytes.subarray(0, length), input, `the first ${length} bytes`)).toBe(2);
      }
    }
  });

  it('in the store is noticed, and made again', async () => {
    const objects = space.file('store/v1/objects');
    const found = readdirSync(objects, { recursive: true, encoding: 'utf8' })
      .map((name) => `${objects}/${name}`)
      .filter((name) => /[0-9a-f]{60,}$/.test(name) && readFileSync(name).includes('TFL3'));
    const [object = ''] = found;
    expect(found).toHaveLength(1);
    const bytes = readFileSync(object);
    bytes[bytes.length - 1]! ^= 1;
    chmodSync(object, 0o644);
    writeFileSync(object, bytes);
    const { stdout, code } = await space.qpipe(
      ...['run', 'tiny.yaml', '--store', 'store', '--set', 'stages.test.litert=off'],
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/convert: damage in the store/);
    expect(stdout).toMatch(/convert: started/);
    expect(stdout).toMatch(/pretrain: cached/);
  });
});
