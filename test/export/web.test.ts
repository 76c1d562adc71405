/** The exported module for browsers, run as it is on the package that it is written for. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadLitert } from '../../src/interpreter/litert.ts';
import type { LineResult } from '../stages/pipeline-line.ts';
import { runLine } from '../stages/pipeline-line.ts';
import { taskLines } from '../stages/task-lines.ts';
import type { Folder } from './bundles.ts';
import { exportLine } from './bundles.ts';

interface Vectors {
  readonly vectors: readonly { input: number[]; output: number[]; litert: number[] | null }[];
}

interface Checked {
  readonly values: number;
  readonly fromLitert: number | null;
  readonly fromDevice: number;
  readonly largest: number;
  readonly passed: boolean;
}

type Check = (litert: unknown, vectors: Vectors, file: Uint8Array) => Promise<Checked>;

// Both regressions export the same.
describe.each(taskLines.filter((_, at) => at !== 5))('%s', (_, config) => {
  let line: LineResult;
  let folder: Folder;
  let vectors: Vectors;
  let check: Check;
  beforeAll(async () => {
    line = await runLine(config);
    folder = await exportLine(config, line, { test_vectors: 5 });
    vectors = JSON.parse(readFileSync(join(folder.path, 'test_vectors.json'), 'utf8')) as Vectors; // ours
    const url = pathToFileURL(join(folder.path, 'web/check.js')).href;
    ({ check } = (await import(/* @vite-ignore */ url)) as { check: Check });
  }, 60_000);
  afterAll(() => {
    line.remove();
    folder.remove();
  });

  it('gives what LiteRT gave, and says how far that is from the device', async () => {
    const file = readFileSync(join(folder.path, 'web/model.tflite'));
    const found = await check(await loadLitert(), vectors, file);
    const pairs = vectors.vectors.flatMap(({ output, litert }) => output.map((value, at) => [value, litert?.[at]]));
    const fromDevice = pairs.filter(([device, litert]) => device !== litert).length;
    expect(found).toEqual({ values: pairs.length, fromLitert: 0, fromDevice, largest: 0, passed: true });
  });

  it('finds another value', async () => {
    const [first, ...others] = vectors.vectors;
    const litert = first!.litert!.with(0, first!.litert![0]! + 2);
    const file = readFileSync(join(folder.path, 'web/model.tflite'));
    const found = await check(await loadLitert(), { vectors: [{ ...first!, litert }, ...others] }, file);
    expect(found).toMatchObject({ fromLitert: 1, largest: 2, passed: false });
  });

  it('says where it did not run when the folder was made', async () => {
    const file = readFileSync(join(folder.path, 'web/model.tflite'));
    const without = { vectors: vectors.vectors.map((vector) => ({ ...vector, litert: null })) };
    expect(await check(await loadLitert(), without, file)).toMatchObject({ fromLitert: null, passed: false });
  });
});
