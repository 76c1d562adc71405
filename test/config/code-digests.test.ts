/**
 * What the digests of code in the cache keys hold: a copy of the sources is edited, and the digests are looked at. An
 * edit that can change a byte must change the key of every stage or engine that runs the code, and only theirs.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ParsedSources } from '../../scripts/stage-manifest.js';
import { codeDigests } from '../../scripts/stage-manifest.js';

const root = join(import.meta.dirname, '../..');
const copy = mkdtempSync(join(tmpdir(), 'qpipe-digests-'));
cpSync(join(root, 'src'), join(copy, 'src'), { recursive: true });
cpSync(join(root, 'package-lock.json'), join(copy, 'package-lock.json'));
afterAll(() => rmSync(copy, { recursive: true, force: true }));

interface Edit {
  readonly file: string;
  /** A text that stands there once, and what takes its place; null changes one byte in the middle. */
  readonly change: readonly [before: string, after: string] | null;
}

const edit = (file: string, before: string, after: string): Edit => ({ file, change: [before, after] });

/** Those of the digests that differ once the edits are made. */
async function changedBy(edits: readonly Edit[], names: readonly string[]): Promise<string[]> {
  const before = new Map(edits.map(({ file }) => [file, readFileSync(join(copy, file))]));
  for (const { file, change } of edits) {
    const bytes = readFileSync(join(copy, file));
    if (change === null) bytes[bytes.length >> 1]! ^= 1;
    const text = bytes.toString();
    if (change !== null) expect(text.split(change[0]), `${change[0]} in ${file}`).toHaveLength(2);
    writeFileSync(join(copy, file), change === null ? bytes : text.replace(change[0], () => change[1]));
  }
  const now = await codeDigests(copy, names, parsed);
  for (const [file, bytes] of before) writeFileSync(join(copy, file), bytes);
  for (const name of names)
    original.set(name, original.get(name) ?? (await codeDigests(copy, [name], parsed))[name]!.code);
  return names.filter((name) => original.get(name) !== now[name]?.code);
}

const parsed: ParsedSources = new Map();
const original = new Map<string, string>();

const training = ['float-pretrain', 'qat'];
const ourEngines = ['wasm', 'reference'];
const everything = [...training, 'save-eval-graph', 'freeze', 'convert', 'test', ...ourEngines, 'tensorflow', 'data'];

describe('an edit that cannot change a byte', () => {
  it('changes no digest at all: words, names of variables, types, comments, limits of gates', async () => {
    const edits = [
      // What training says.
      edit('src/training/curves.ts', ': loss ${', ': the loss is ${'),
      // Errors: ours, and the user's.
      edit('src/core/tensor.ts', 'internal(`expected a ${', 'internal(`wanted a ${'),
      edit('src/core/diagnostic.ts', "'  hint: '", "'  remedy: '"),
      // The name of a local variable, a type and a comment.
      edit('src/training/steps.ts', 'trainingImages: number', 'numImages: number'),
      edit('src/training/steps.ts', 'Math.floor(trainingImages', 'Math.floor(numImages'),
      edit('src/training/steps.ts', '/** Steps of one epoch', '/** How many steps an epoch has'),
      edit('src/stages/run.ts', 'readonly seed: number', 'readonly seed: number | bigint'),
      // What a field is for, and what it may be; its value is in the key.
      edit('src/stages/training.ts', 'Number of passes over', 'How often training passes over'),
      edit('src/tasks/classes.ts', 'Minimum top-1 accuracy of the integer', 'Smallest top-1 accuracy of the integer'),
      edit('src/tasks/gates.ts', 'limit - 1e-9', 'limit - 1e-8'),
      // Progress, report and command line.
      edit('src/cli/event-text.ts', "'━'", "'#'"),
      edit('src/report/titles.ts', 'export const fileLead', 'export const unused = 1;\nexport const fileLead'),
    ];
    expect(await changedBy(edits, everything)).toEqual([]);
  }, 180_000);
});

describe('an edit that can change a byte', () => {
  it.each<[string, Edit, { all: readonly string[]; none?: readonly string[] }]>([
    [
      'the transposition that the tensorflow engine uses',
      edit('src/core/tensor.ts', 'result.data[to] = source.data[from]!', 'result.data[to] = source.data[to]!'),
      { all: ['tensorflow'] },
    ],
    [
      'what it writes as a saved model',
      edit('src/formats/protobuf/saved-model.ts', 'const schemaVersion = 1;', 'const schemaVersion = 2;'),
      { all: ['tensorflow'], none: ['float-pretrain', 'wasm'] },
    ],
    [
      'how it writes nodes',
      edit('src/formats/protobuf/graph-def.ts', 'if (producer !== 0)', 'if (producer === 0)'),
      { all: ['tensorflow', 'save-eval-graph'], none: ['float-pretrain'] },
    ],
    [
      'how it lowers ops',
      edit('src/engine/tensorflow/lower.ts', "'Conv2DBackpropInput', operands", "'Conv2DBackpropFilter', operands"),
      { all: ['tensorflow'] },
    ],
    ['a float kernel', { file: 'src/engine/wasm/kernels.wasm', change: null }, { all: ['wasm'], none: ['qat'] }],
    [
      'the worker of the wasm engine',
      edit('src/engine/wasm/worker.js', 'const index = control / 4', 'const index = control / 8'),
      { all: ['wasm'], none: ['qat'] },
    ],
    [
      'what is exported',
      edit('src/export/arena.ts', 'const fixed = 1024', 'const fixed = 2048'),
      { all: ['export'], none: ['convert', 'test', 'data'] },
    ],
    [
      'an integer kernel',
      { file: 'src/interpreter/wasm/integer.wasm', change: null },
      { all: ['test'], none: ['qat', 'wasm'] },
    ],
    [
      'the worker of the interpreter',
      edit('src/interpreter/wasm/worker.ts', 'const bytes = new Uint8Array', 'const bytes = new Uint8ClampedArray'),
      { all: ['test'], none: ['qat'] },
    ],
    [
      'the float loops of an op',
      edit('src/ops/max_pool_2d.ts', 'winner = candidate;', 'winner = base;'),
      { all: ['reference'], none: ['data'] },
    ],
    [
      'the integer loops of an op',
      edit('src/ops/max_pool_2d.ts', 'y![at] = Math.min(largest, max)', 'y![at] = Math.min(largest, max - 1)'),
      { all: ['test'], none: ourEngines },
    ],
    [
      'the runtime that an op needs',
      edit('src/ops/squeeze.ts', "minimumRuntime: '1.6.0'", "minimumRuntime: '9.9.9'"),
      { all: ['convert'], none: [...training, 'save-eval-graph', ...ourEngines] },
    ],
    [
      'the random numbers',
      edit('src/core/random.ts', 'const shifted = b << 9', 'const shifted = b << 8'),
      { all: [...training, 'data'] },
    ],
    [
      'augmentation',
      edit('src/data/augment.ts', 'const places = 2 * crop + 1', 'const places = 2 * crop + 2'),
      { all: training, none: ['test'] },
    ],
    [
      'how a file becomes images',
      edit('src/data/sources/cifar10.ts', 'planes + channel * planePixels', 'planes - channel * planePixels'),
      { all: ['data'], none: ['test'] },
    ],
    [
      'what the test stage measures',
      edit('src/tasks/classes.ts', 'return equal / a.length', 'return equal / b.length'),
      { all: ['test'], none: ['qat', 'convert'] },
    ],
  ])('%s', async (_what, change, { all, none = [] }) => {
    expect(await changedBy([change], [...all, ...none])).toEqual(all);
  });

  it('is another version of a package that the code imports', async () => {
    const lock = JSON.parse(readFileSync(join(copy, 'package-lock.json'), 'utf8')) as Lock;
    const { integrity } = lock.packages['node_modules/@litertjs/core']!;
    const change = edit('package-lock.json', integrity, 'sha512-another');
    expect(await changedBy([change], ['test', 'qat'])).toEqual(['test']);
  });
});

interface Lock {
  readonly packages: Readonly<Record<string, { readonly integrity: string }>>;
}
