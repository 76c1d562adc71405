/** The export stage behind a line of stages: what it takes from them, and that it repeats its bytes. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { internal } from '../../src/core/assert.ts';
import { readTfliteContents } from '../../src/tflite/read.ts';
import type { Folder } from '../export/bundles.ts';
import { exportLine } from '../export/bundles.ts';
import { edited, mistakes } from '../config/example.ts';
import { parsePipeline } from '../../src/config/load.ts';
import type { LineResult } from './pipeline-line.ts';
import { runLine } from './pipeline-line.ts';
import { taskLines } from './task-lines.ts';

const [, config] = taskLines.find(([title]) => title.startsWith('binary')) ?? internal('no binary task');

describe('the export stage', () => {
  let line: LineResult;
  beforeAll(async () => {
    line = await runLine(config);
  }, 60_000);
  afterAll(() => line.remove());

  const withFolder = async <T>(
    given: Promise<Folder & { readonly metrics: unknown }>,
    use: (read: (file: string) => Buffer, metrics: unknown) => T,
  ): Promise<T> => {
    const folder = await given;
    try {
      return use((file) => readFileSync(join(folder.path, file)), folder.metrics);
    } finally {
      folder.remove();
    }
  };
  const everyFile = (folder: Folder): Record<string, string> =>
    Object.fromEntries(
      readdirSync(folder.path, { recursive: true, encoding: 'utf8', withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => [
          join(parentPath, name).slice(folder.path.length),
          readFileSync(join(parentPath, name), 'base64'),
        ]),
    );

  it('has the threshold that the test stage chose, or that of one half', async () => {
    if (line.test.task !== 'binary') throw new Error(line.test.task);
    const code = line.test.decision?.code ?? internal('no decision');
    await withFolder(exportLine(config, line), (read) => {
      expect(read('model_settings.h').toString()).toContain(`kThresholdCode = ${code};`);
      expect(read('README.md').toString()).toContain('chosen by the test stage on the validation examples');
    });
    await withFolder(exportLine(config, line, {}, 'convert'), (read) => {
      // Logistic: scale 1 / 256, zero point -128.
      expect(read('model_settings.h').toString()).toContain('kThresholdCode = 0;');
    });
  });

  it('writes the same bytes again, and says how many', async () => {
    const [first, second] = await Promise.all([exportLine(config, line), exportLine(config, line)]);
    const files = everyFile(first);
    expect(everyFile(second)).toEqual(files);
    expect(Object.keys(files)).toHaveLength(16);
    expect(first.metrics).toMatchObject({ kind: 'export', name: 'small', vectors: 3 });
    first.remove();
    second.remove();
  });

  it('leaves the converted file as it is, and adds metadata to its own copy only where asked', async () => {
    const converted = readFileSync(line.file('convert', 'model.tflite'));
    const plain = (bytes: Uint8Array) => readTfliteContents(bytes, 'model.tflite');
    await withFolder(exportLine(config, line, { metadata: false }), (read) => {
      expect(read('model.tflite').equals(converted)).toBe(true);
    });
    await withFolder(exportLine(config, line), (read) => {
      const { metadata, buffers, ...rest } = plain(read('model.tflite'));
      const before = plain(converted);
      expect({ ...rest, buffers: buffers.slice(0, -1) }).toEqual({
        ...{ ...before, metadata: undefined },
        buffers: before.buffers,
      });
      expect(metadata.map(({ name }) => name)).toEqual([...before.metadata.map(({ name }) => name), 'TFLITE_METADATA']);
      const bytes = Array.from(converted, (byte) => `0x${byte.toString(16).padStart(2, '0')}`);
      const source = read('model_data.cc').toString();
      expect(source.match(/0x[0-9a-f]{2}/g)).toEqual(bytes);
      expect(source).toContain('alignas(16) const unsigned char kModelData[kModelDataLength]');
    });
  });
});

describe('a pipeline with an export stage', () => {
  const stage = (fields: string) =>
    edited(['  test:\n    uses: test', `  out: { uses: export, ${fields} }\n  test:\n    uses: test`]);

  it('names the model after itself', () => {
    const { pipeline } = parsePipeline(stage('from: test'), 'p.yaml');
    expect(pipeline.stages.at(-1)).toEqual({
      name: 'out',
      config: { uses: 'export', from: 'test', name: 'mnist_lenet', test_vectors: 8, metadata: true },
    });
  });

  it('is told what does not fit', () => {
    const found = mistakes(stage("from: qat, name: 'a b', test_vectors: 0"));
    expect(found.join('\n')).toContain(
      '`stages.out.from` is `qat`, which gives QatModel/2; export takes Tflite/1 or TestReport/1',
    );
    expect(found.join('\n')).toContain('stages.out.name');
    expect(found.join('\n')).toContain('stages.out.test_vectors');
  });
});
