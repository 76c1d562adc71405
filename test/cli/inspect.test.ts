import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { inspectionText } from '../../src/cli/inspect-text.ts';
import { inspect } from '../../src/cli/inspect.ts';
import { builtinName } from '../../src/tflite/builtin-names.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { dense } from '../models/networks.ts';
import { builtin, handmade, plainOperator, plainTensor } from '../tflite/handmade.ts';
import { lowered } from '../tflite/lowered.ts';

const folder = mkdtempSync(join(tmpdir(), 'qpipe-inspect-'));
afterAll(() => rmSync(folder, { recursive: true }));

function write(file: string, content: Uint8Array | string): string {
  writeFileSync(join(folder, file), content);
  return join(folder, file);
}

const longName = `model/${'block/'.repeat(40)}Relu6;StatefulPartitionedCall`;
const model = handmade({
  codes: [209, builtin.add],
  tensors: [
    plainTensor('x', [1, 224, 224, 3], 'INT8', { shapeSignature: [-1, -1, -1, 3] }),
    plainTensor(longName, [1, 224, 224, 1024], 'INT8'),
  ],
  operators: [plainOperator(0, [0], [1]), plainOperator(1, [1, 1], [1], { optionsType: 11 })],
  inputs: [0],
  outputs: [1],
});

describe('inspect', () => {
  it.each([40, 80, 120, 0])('fits %i columns, or the fewest that it can', (columns) => {
    const lines = inspectionText(inspect(write('m.tflite', model)), columns).split('\n');
    const width = Math.max(...lines.map((line) => line.length));
    // A table of seven columns of 8 characters is the narrowest.
    expect(width).toBeLessThanOrEqual(Math.max(columns, 72));
  });

  it('shows in 80 columns where none are given, with names cut in the middle and all of it as data', () => {
    const inspection = inspect(write('m.tflite', model));
    const text = inspectionText(inspection);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(text).toContain('STABLEHLO_CASE');
    expect(text).toContain('open axes [?, ?, ?, 3]');
    expect(text).toMatch(/│ mode\S*…\S*Call │/);
    expect(inspection).toMatchObject({ outputs: [{ name: longName }] });
  });

  it('shows what a file says of its classes and its input', () => {
    const about = {
      version: 1,
      input: { kind: 'values', channels: [{ name: 'x', mean: 124.68, deviation: 855.4 }] },
      decoding: { audio: { rate: 8000 } },
      outputs: [{ task: 'classify', classes: ['walk\u001b', ...Array.from({ length: 40 }, (_, at) => `c${at}`)] }],
    };
    const { graph } = lowered([dense('logits', 3)]);
    const data = new TextEncoder().encode(JSON.stringify(about));
    const withEntry = (entry: Uint8Array) => writeTflite(graph, new Map([['qpipe', entry]]));
    const file = write('about.tflite', withEntry(data));
    const inspection = inspect(file);
    expect(inspection).toMatchObject({ kind: 'tflite', about });
    const text = inspectionText(inspection, 1000);
    expect(text).toContain('takes   (measured - mean) / deviation of x 124.68 ± 855.4\n');
    expect(text).toContain('made by {"audio":{"rate":8000}}\ntask    classify\nclasses 0 walk');
    expect(text).toContain('31 c30, and 9 more\n');
    expect(text).not.toContain('\u001b');
    const later = withEntry(new TextEncoder().encode('{"version":7}'));
    expect(inspect(write('later.tflite', later))).toMatchObject({ about: null });
  });

  it.each<[string, Uint8Array | string, string]>([
    ['m.h5', Buffer.from('\x89HDF\r\n\x1a\n', 'latin1'), 'the file is an HDF5 file (Keras .h5); inspect shows .tflite'],
    ['m.tflite', Buffer.from('\x89HDF\r\n\x1a\n', 'latin1'), 'from_keras_model'],
    ['m.onnx', Buffer.from('0807120770797463' + '6f7263681a05322e312e30', 'hex'), 'the file is an ONNX model'],
    ['saved_model.pb', Buffer.from('080112100a0e0d000000000000000000000000', 'hex'), 'from_saved_model(FOLDER)'],
    ['p.yaml', 'version: 1\n', 'the file is text'],
    ['empty.tflite', '', 'the file is empty'],
    ['noise.bin', Uint8Array.of(0xf0, 0x12, 0x99, 0x00, 0xfe), 'the file is of an unknown format'],
    ['noise.tflite', new Uint8Array(64).fill(0xff), 'the file identifier is'],
  ])('says what %s is', (name, content, words) => {
    expect(() => inspect(write(name, content))).toThrow(words);
  });

  it('reads a model by its bytes, whatever its name', () => {
    expect(inspect(write('model.bin', model)).kind).toBe('tflite');
  });

  it('says that a folder is one', () => {
    expect(() => inspect(folder)).toThrow('the path is a folder; expected a file');
  });
});

describe('names of builtin operators', () => {
  // The newest of LiteRT's schema is STABLEHLO_CASE, 209.
  it('are known to the end of the schema', () => {
    const codes = Array.from({ length: 210 }, (_, code) => code);
    expect(codes.filter((code) => builtinName(code) === `BUILTIN_${code}`)).toEqual([]);
    expect(builtinName(210)).toBe('BUILTIN_210');
    expect(new Set(codes.map(builtinName)).size).toBe(210);
  });
});
