/** The source that docs/add-a-source.md writes does what the page says. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { DataContent } from '../../src/data/dataset.ts';
import { diagnosticsOf } from './sources/files.ts';
import type { SourceDefinition } from '../../src/data/sources/define.ts';
import { inputsIn } from './examples.ts';
import { createCollector } from '../../src/data/collector.ts';
import type { Decoding } from '../../src/data/decoding/decoding.ts';
import { createTurn } from '../../src/data/turn.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/add-a-source.md'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'qpipe-page-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Pgm {
  readonly kind: 'pgm_folder';
  readonly path: string;
  readonly split: { readonly test: number; readonly validation: number; readonly seed: number };
}

/** The page's code, with imports that lead to the sources from anywhere. */
async function sourceOfPage(): Promise<SourceDefinition<Pgm>> {
  const code = /```ts\n([^]*?)```/.exec(page)?.[1] ?? '';
  const placed = code
    .replaceAll("from '../../", `from '${root}/src/`)
    .replaceAll("from '../", `from '${root}/src/data/`)
    .replaceAll("from './", `from '${root}/src/data/sources/`);
  const file = join(folder, 'pgm-folder.ts');
  writeFileSync(file, placed);
  const module = (await import(file)) as { readonly pgmFolder: SourceDefinition<Pgm> };
  return module.pgmFolder;
}

const source: Pgm = { kind: 'pgm_folder', path: 'faces', split: { test: 0.5, validation: 0, seed: 1 } };
const pgm = (width: number, height: number, pixels: readonly number[]): Uint8Array =>
  Buffer.concat([Buffer.from(`P5\n${width} ${height}\n255\n`), Buffer.from(pixels)]);

const contents = (files: Readonly<Record<string, Uint8Array>>): ReadonlyMap<string, DataContent> =>
  new Map(Object.entries(files).map(([name, bytes]) => [name, { path: `faces/${name}`, bytes }]));

/** Reads files one after the other. */
function decodingWith(readFile: SourceDefinition<Pgm>['readFile']): Decoding {
  return {
    collector: (kind, size) => createCollector(mkdtempSync(join(folder, 'inputs-')), 'inputs', kind, size),
    readFiles(files, how, broken, take) {
      for (const file of files) {
        const examples = broken.attempt(file.name, () => readFile!(source, how)(file.content));
        if (examples !== null) take(file, examples);
      }
      return Promise.resolve();
    },
    turn: createTurn(),
  };
}

describe('the source of docs/add-a-source.md', () => {
  it('gives the pixels, classes and parts of its files', async () => {
    const { decode, readFile, describe: facts, guess } = await sourceOfPage();
    const files = contents({
      'a/1.pgm': pgm(2, 1, [1, 2]),
      'a/2.pgm': pgm(2, 1, [3, 4]),
      'b/1.pgm': pgm(2, 1, [9, 8]),
    });
    const { classNames, image, train, test } = await decode(source, files, decodingWith(readFile));
    expect(classNames).toEqual(['a', 'b']);
    expect(image).toEqual({ height: 1, width: 2, channels: 1 });
    expect([...inputsIn(train), ...inputsIn(test)].sort()).toEqual([1, 2, 3, 4, 8, 9]);
    expect(facts?.(source, files).exampleFiles).toEqual([['a/1.pgm', 'a/2.pgm'], ['b/1.pgm']]);
    expect(guess?.accepts('a/1.pgm')).toBe(true);
    expect(guess?.settings('faces', files).lines[0]?.yaml).toBe('split: { test: 0.2, validation: 0.1 }');
  });

  it('names each file that is no such image, or has another size', async () => {
    const { decode, readFile } = await sourceOfPage();
    const files = { 'a/1.pgm': pgm(2, 1, [1, 2]), 'b/1.pgm': pgm(1, 2, [1, 2]), 'b/2.pgm': pgm(2, 2, [1]) };
    const found = await diagnosticsOf(() => decode(source, contents(files), decodingWith(readFile)));
    expect(found.map(({ code, place }) => `${place.file} ${code}`)).toEqual([
      'faces/b/1.pgm mismatched-pgm',
      'faces/b/2.pgm not-pgm',
    ]);
  });
});
