/** The exported C++: compiled by GCC and Clang without a warning, it passes its own vectors and no others. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { optionFields } from '../../src/tflite/option-fields.ts';
import { readTfliteContents } from '../../src/tflite/read.ts';
import { writeTfliteFile } from '../../src/tflite/write-file.ts';
import type { LineResult } from '../stages/pipeline-line.ts';
import { runLine } from '../stages/pipeline-line.ts';
import { taskLines } from '../stages/task-lines.ts';
import type { Folder } from './bundles.ts';
import { exportLine } from './bundles.ts';
import { compile, compilers, lookUp, runProgram, writeAnswers } from './compile.ts';

const sources = ['main.cc', 'model_data.cc', 'test_vectors.cc', 'tflm_invoke.cc', 'look_up.cc'];

/** The file with the sign of the largest weights turned. */
function altered(bytes: Uint8Array): Uint8Array {
  const file = readTfliteContents(bytes, 'model.tflite');
  const weights = new Set(file.subgraphs[0]!.tensors.filter(({ type }) => type === 'INT8').map(({ buffer }) => buffer));
  const buffers = file.buffers.map((buffer, index) =>
    weights.has(index) ? buffer.map((byte) => (byte === 127 ? 129 : byte)) : buffer,
  );
  return writeTfliteFile({ ...file, buffers }, optionFields);
}

describe.skipIf(compilers.length === 0).each(taskLines.filter((_, at) => at !== 5))('%s', (_, config) => {
  let line: LineResult;
  let folder: Folder;
  let model: Uint8Array;
  beforeAll(async () => {
    line = await runLine(config);
    folder = await exportLine(config, line);
    model = readFileSync(line.file('convert', 'model.tflite'));
    writeFileSync(join(folder.path, 'look_up.cc'), lookUp('small'));
  }, 60_000);
  afterAll(() => {
    line.remove();
    folder.remove();
  });

  it.each(compilers)('%s compiles it without a warning, and it passes', (compiler) => {
    expect(compile(compiler, folder.path, sources)).toBe('');
    writeAnswers(folder.path, model);
    expect(runProgram(folder.path)).toEqual({ status: 0, text: 'PASS: 0 of 3 vectors differ\n' });
  });

  it('fails for another model, and names the layer where it begins', () => {
    writeAnswers(folder.path, altered(model));
    const { status, text } = runProgram(folder.path);
    expect(status).toBe(1);
    expect(text).toMatch(/^vector 0: \d+ of \d+ values differ, first in \S+\n/);
    expect(text).toContain('FAIL: 3 of 3 vectors differ\n');
  });

  it('fails for another expected value, and where there are no answers', () => {
    writeAnswers(folder.path, model);
    const file = join(folder.path, 'test_vectors.cc');
    const text = readFileSync(file, 'utf8');
    rmSync(file);
    // One step nearer to 0, so that it stays a code.
    const wrong = text.replace(/(kVectorOutputs.*\n.*\n\s+)(-?\d+)/, (_whole, before: string, code: string) => {
      return `${before}${Number(code) === 0 ? 1 : Number(code) - Math.sign(Number(code))}`;
    });
    expect(wrong).not.toBe(text);
    writeFileSync(file, wrong);
    expect(compile(compilers[0]!, folder.path, sources)).toBe('');
    const found = runProgram(folder.path);
    expect(found.status).toBe(1);
    expect(found.text).toMatch(/^vector 0: 1 of \d+ values differ\nFAIL: 1 of 3 vectors differ\n$/);
    rmSync(join(folder.path, 'answers.bin'));
    expect(runProgram(folder.path)).toEqual({ status: 1, text: 'FAIL: the runtime does not take the model\n' });
  });
});
