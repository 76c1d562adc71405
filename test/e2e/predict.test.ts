/** `qpipe predict` and `qpipe inspect`, on our model and on one that Google made. */
import { existsSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeTfliteFile } from '../../src/tflite/write-file.ts';
import { optionFields } from '../../src/tflite/option-fields.ts';
import { readTfliteContents } from '../../src/tflite/read.ts';
import { hasHelloWorld, helloWorld, makeWorkspace, npyContent, npyFile } from './workspace.ts';

describe.skipIf(!hasHelloWorld)('hello_world_int8.tflite (skipped without the shared models, set QPIPE_DATA)', () => {
  const space = makeWorkspace();
  // docs quantization.md, G18: what TensorFlow Lite Micro's reference kernels give.
  const inputs = Int8Array.of(-128, -96, -63, -34, 0, 40, 80, 127);
  const outputs = [4, 89, 125, 93, 4, -91, -106, -9];
  const predict = (input: string, ...more: string[]) =>
    space.qpipe('predict', helloWorld, '--input', input, '--output', 'y.npy', ...more);

  it.each(['reference', 'wasm'])('gives the eight golden outputs exactly on %s', async (runtime) => {
    space.write('x.npy', npyFile('|i1', [8, 1], inputs));
    const { code, stdout } = await predict('x.npy', '--runtime', runtime);
    expect([code, stdout]).toEqual([0, '']);
    const { header, body } = npyContent(space.file('y.npy'));
    expect(header).toContain("'descr': '|i1', 'fortran_order': False, 'shape': (8, 1)");
    expect([...new Int8Array(body)]).toEqual(outputs);
  });

  it('gives the same within a step on LiteRT, which rounds through float32', async () => {
    const { code } = await predict('x.npy', '--runtime', 'litert');
    expect(code).toBe(0);
    const given = [...new Int8Array(npyContent(space.file('y.npy')).body)];
    for (const [index, code8] of given.entries()) expect(Math.abs(code8 - outputs[index]!)).toBeLessThanOrEqual(1);
  });

  it('quantizes float32 with a word on it, and gives real values when asked', async () => {
    const reals = Float32Array.from(inputs, (q) => 0.024480115622282028 * (q + 128));
    space.write('reals.npy', npyFile('<f4', [8, 1], reals));
    const { code, stderr } = await predict('reals.npy', '--dequantize');
    expect(code).toBe(0);
    expect(stderr).toContain('is float32: quantized with scale 0.024480115622282028 and zero point -128');
    const { header, body } = npyContent(space.file('y.npy'));
    expect(header).toContain("'<f4'");
    for (const [index, q] of outputs.entries()) {
      expect(body.readFloatLE(4 * index)).toBe(Math.fround(0.008290956728160381 * (q - 5)));
    }
  });

  it.each([
    ['a shape that does not fit', npyFile('|i1', [8, 2], new Int8Array(16)), 'expected [batch, 1] of int8'],
    ['no batch axis', npyFile('|i1', [], new Int8Array(1)), 'expected [batch, 1] of int8'],
    ['another integer type', npyFile('<i4', [8, 1], new Int32Array(8)), 'the array is int32'],
    ['an element type of its own', npyFile('<f8', [8, 1], new Float64Array(8)), '<f8'],
    ['half a file', npyFile('|i1', [8, 1], new Int8Array(5)), '5 bytes of data, expected 8'],
    ['an archive', Buffer.from('PK\u0003\u0004'), 'this file is a ZIP archive'],
    ['no array', Buffer.from([0xff, 0xfe, 0x00]), 'does not start with'],
    ['what no code stands for', npyFile('<f4', [2, 1], Float32Array.of(1, NaN)), 'the value at [1, 0] is NaN'],
  ])('refuses %s', async (_case, bytes, words) => {
    space.write('bad.npy', bytes);
    const output = ['--output', 'never.npy'];
    const { code, stderr } = await space.qpipe('predict', helloWorld, '--input', 'bad.npy', ...output);
    expect(code).toBe(1);
    expect(stderr).toContain('bad.npy error ');
    expect(stderr).toContain(words);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(existsSync(space.file('never.npy'))).toBe(false);
  });

  it('names the operators that are not in the table, and still shows the file', async () => {
    const file = readTfliteContents(readFileSync(helloWorld), helloWorld);
    const operatorCodes = file.operatorCodes.map((code) => ({ ...code, builtinCode: 32, customCode: 'DetectEdges' }));
    const subgraphs = file.subgraphs.map((subgraph) => ({
      ...subgraph,
      operators: subgraph.operators.map((operator) => ({ ...operator, options: {} })),
    }));
    space.write('custom.tflite', writeTfliteFile({ ...file, operatorCodes, subgraphs }, optionFields));
    const refused = await space.qpipe('predict', 'custom.tflite', '--input', 'x.npy', '--output', 'never.npy');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('the model uses DetectEdges (3 times)');
    const shown = await space.qpipe('inspect', 'custom.tflite');
    expect(shown.code).toBe(0);
    expect(shown.stdout).toContain("not in qpipe's op table: DetectEdges");
  });
});

describe('the files of a run', () => {
  const space = makeWorkspace();
  const at = (file: string): string => space.file('runs/latest/stages', file);
  beforeAll(async () => {
    expect((await space.qpipe('run', 'tiny.yaml', '--json')).code).toBe(0);
  });

  it('predicts the raw codes that the report shows', async () => {
    const { examples } = JSON.parse(readFileSync(at('test/test.json'), 'utf8')) as {
      examples: { shown: { values: { code: number }[]; views: { view: { pixels: string } }[] }[] };
    };
    const { shown } = examples;
    // scale 1/255 and mean 0 make pixel p the code p - 128.
    const pixels = Buffer.concat(shown.map(({ views }) => Buffer.from(views[0]?.view.pixels ?? '', 'base64')));
    const codes = Int8Array.from(pixels, (pixel) => pixel - 128);
    space.write('images.npy', npyFile('|i1', [shown.length, 12, 12, 1], codes));
    const { code } = await space.qpipe(
      'predict',
      at('convert/model.tflite'),
      '--input',
      'images.npy',
      '--output',
      'y.npy',
    );
    expect(code).toBe(0);
    expect([...new Int8Array(npyContent(space.file('y.npy')).body)]).toEqual(
      shown.flatMap(({ values }) => values.map(({ code }) => code)),
    );
  });

  it.each([
    ['convert/model.tflite', 'TensorFlow Lite', { kind: 'tflite', inputs: [{ dtype: 'int8', shape: [1, 12, 12, 1] }] }],
    ['freeze/frozen.pb', 'FakeQuantWithMinMaxVars', { kind: 'graph_def', inputs: ['input'] }],
    ['eval/checkpoint.safetensors', 'conv_2d_1/filter', { kind: 'safetensors' }],
  ])('shows %s as text and as JSON', async (file, words, content) => {
    const text = await space.qpipe('inspect', at(file));
    expect([text.code, text.stderr]).toEqual([0, '']);
    expect(text.stdout).toContain(words);
    const { stdout } = await space.qpipe('inspect', at(file), '--json');
    expect(JSON.parse(stdout)).toMatchObject({ ...content, bytes: readFileSync(at(file)).length });
  });

  it.each(['convert/model.tflite', 'freeze/frozen.pb', 'eval/checkpoint.safetensors'])(
    'refuses half of %s',
    async (file) => {
      const bytes = readFileSync(at(file));
      const name = `half${file.slice(file.lastIndexOf('.'))}`;
      space.write(name, bytes.subarray(0, bytes.length / 2));
      const { code, stdout, stderr } = await space.qpipe('inspect', name);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toContain(`${name} error `);
      expect(stderr).toContain('hint: ');
      expect(stderr).not.toMatch(/^\s+at /m);
    },
  );
});
