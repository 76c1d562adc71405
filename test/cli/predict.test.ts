/** `predict` as a function: shapes, several inputs and outputs, and what runs where. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import { floatTensor, numElements, tensor } from '../../src/core/tensor.ts';
import type { Shape, Tensor } from '../../src/core/tensor.ts';
import { namedInputs, predict } from '../../src/cli/predict.ts';
import type { PredictOptions } from '../../src/cli/predict.ts';
import { runtimeNames } from '../../src/cli/runtime-names.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import { verify } from '../../src/graph/verify.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { readNpy, writeNpy } from '../../src/formats/npy.ts';
import { readBytes } from '../../src/formats/bytes.ts';
import { builtin, handmade, plainOperator, plainTensor, reshaped, sumOf } from '../tflite/handmade.ts';

const folder = mkdtempSync(join(tmpdir(), 'qpipe-predict-'));
afterAll(() => rmSync(folder, { recursive: true }));

const at = (file: string): string => join(folder, file);

function write(file: string, bytes: Uint8Array): string {
  writeFileSync(at(file), bytes);
  return at(file);
}

/** 0, 1, 2 … modulo 50, so that sums of two stay codes. */
function counted(shape: Shape): Tensor<'int8'> {
  return tensor(
    'int8',
    shape,
    Int8Array.from({ length: numElements(shape) }, (_, index) => index % 50),
  );
}

interface Run {
  readonly outputs: readonly Tensor[];
  readonly notes: readonly string[];
}

async function run(model: Uint8Array, input: Tensor, more: Partial<PredictOptions> = {}): Promise<Run> {
  const notes: string[] = [];
  const outputs = await predict({
    model: write('model.tflite', model),
    input: write('x.npy', writeNpy(input)),
    output: at('out/'),
    onNote: (note) => notes.push(note),
    ...more,
  });
  for (const { file, tensor: given } of outputs) expect(readNpy(readBytes(file, ''), file)).toEqual(given);
  return { outputs: outputs.map(({ tensor: given }) => given), notes };
}

async function messageOf(body: Promise<unknown>): Promise<string> {
  const error: unknown = await body.catch((reason: unknown) => reason);
  if (error instanceof UserError) return error.message;
  throw new Error(`expected a diagnostic, got ${String(error)}`);
}

describe.each(runtimeNames)('examples on %s', (runtime) => {
  // The shapes of a model, of an array, and of the output that goes with it.
  it.each<[string, Shape, Shape, Shape, Shape]>([
    ['one example in the shape of the model', [2, 6], [3, 4], [2, 6], [3, 4]],
    ['several in front of it', [2, 6], [3, 4], [5, 2, 6], [5, 3, 4]],
    ['one in front of it', [2, 6], [3, 4], [1, 2, 6], [1, 3, 4]],
    ['a batch along a first axis of 1', [1, 6], [1, 2, 3], [4, 6], [4, 2, 3]],
    ['rows out of one example', [1, 6], [3, 2], [4, 6], [4, 3, 2]],
    ['one example whose output has no axis of 1', [1, 6], [3, 2], [1, 6], [3, 2]],
    ['a vector', [6], [2, 3], [6], [2, 3]],
    ['several vectors', [6], [2, 3], [4, 6], [4, 2, 3]],
    ['axes of 1 left out', [1, 2, 3, 1], [1, 6], [4, 2, 3], [4, 6]],
    ['an array of more than 125,000 values', [1, 200, 700], [1, 140_000], [1, 200, 700], [1, 140_000]],
  ])('%s', async (_case, own, result, given, expected) => {
    const input = counted(given);
    const { outputs } = await run(reshaped(own, result), input, { runtime });
    expect(outputs[0]?.shape).toEqual(expected);
    expect(Buffer.compare(Buffer.from(outputs[0]!.data.buffer), Buffer.from(input.data.buffer))).toBe(0);
  });

  it('several inputs by name, several outputs into a folder', async () => {
    const model = sumOf('INT8', [1, 2, 3], [6]);
    const input = {
      a: write('a.npy', writeNpy(counted([2, 2, 3]))),
      'b:0': write('b.npy', writeNpy(counted([2, 2, 3]))),
    };
    const { outputs } = await run(model, counted([1]), { runtime, input });
    const doubled = Int8Array.from({ length: 12 }, (_, index) => 2 * index);
    expect(outputs).toEqual([tensor('int8', [2, 2, 3], doubled), tensor('int8', [2, 6], doubled)]);
  });

  it('int8 without a scale is moved as it is', async () => {
    const { outputs } = await run(reshaped([1, 4], [1, 2, 2], { quantization: null }), counted([3, 4]), { runtime });
    expect(outputs[0]).toEqual({ ...counted([3, 2, 2]) });
  });
});

describe('what only LiteRT runs', () => {
  const input = { 'a:0': at('a.npy'), 'b:0': at('b.npy') };

  it.each(['FLOAT32', 'INT32'] as const)('%s runs there by itself, with a note', async (type) => {
    const values = [1, -2, 300];
    const given = type === 'FLOAT32' ? floatTensor([1, 3], values) : tensor('int32', [1, 3], Int32Array.from(values));
    for (const file of Object.values(input)) writeFileSync(file, writeNpy(given));
    const { outputs, notes } = await run(sumOf(type, [1, 3]), given, { input });
    expect([...outputs[0]!.data]).toEqual([2, -4, 600]);
    expect(notes).toEqual([`tensor "a:0" of add is ${type.toLowerCase()}; ${notes[0]?.split('; ')[1]}`]);
    expect(notes[0]).toMatch(/: it runs on LiteRT$/);
    const refused = messageOf(run(sumOf(type, [1, 3]), given, { input, runtime: 'reference' }));
    expect(await refused).toContain('error unsupported-model: tensor "a:0" of add is');
  });

  it('an output that no operator writes is refused, since it would be memory that nobody wrote', async () => {
    const model = handmade({
      codes: [builtin.add],
      tensors: [plainTensor('x', [1, 3], 'FLOAT32'), plainTensor('y', [1, 3], 'FLOAT32')],
      operators: [],
      inputs: [0],
      outputs: [1],
    });
    const refused = messageOf(run(model, floatTensor([1, 3], [1, 2, 3]), { runtime: 'litert' }));
    expect(await refused).toContain('no operator writes the output "y"');
  });

  it('what LiteRT does not run either is refused for both reasons, and not said to run', async () => {
    const model = handmade({
      codes: [builtin.custom],
      tensors: [plainTensor('x', [1, 3], 'FLOAT32'), plainTensor('y', [1, 3], 'FLOAT32')],
      operators: [plainOperator(0, [0], [1])],
      inputs: [0],
      outputs: [1],
    });
    const notes: string[] = [];
    const onNote = (note: string): void => void notes.push(note);
    const refused = await messageOf(run(model, floatTensor([1, 3], [1, 2, 3]), { onNote }));
    expect(refused).toMatch(/unsupported-model: the model uses .*; and LiteRT \(@litertjs\/core\) refuses the model/);
    expect(notes).toEqual([]);
  });

  it('gives the shape of a value, whose element type is an option of an operator that qpipe lacks', async () => {
    const model = handmade({
      codes: [builtin.shape],
      tensors: [plainTensor('x', [1, 5, 7], 'INT8'), plainTensor('y', [3], 'INT32')],
      operators: [plainOperator(0, [0], [1], { optionsType: 55 })],
      inputs: [0],
      outputs: [1],
    });
    // out_type, the one option, is left out: 0 is FLOAT32, which SHAPE cannot give, and LiteRT says so.
    expect(await messageOf(run(model, counted([1, 5, 7]), { runtime: 'litert' }))).toContain('error litert-failed');
  });
});

it('a bias of floats is refused by the reference, which would add its bits', async () => {
  const model = handmade({
    codes: [builtin.fullyConnected],
    tensors: [
      plainTensor('x', [1, 2], 'INT8'),
      plainTensor('filter', [2, 2], 'INT8', { buffer: 1 }),
      plainTensor('bias', [2], 'FLOAT32', { buffer: 2 }),
      plainTensor('y', [1, 2], 'INT8'),
    ],
    operators: [plainOperator(0, [0, 1, 2], [3], { optionsType: 8 })],
    inputs: [0],
    outputs: [3],
    buffers: [Uint8Array.of(1, 2, 3, 4), new Uint8Array(Float32Array.of(1, 2).buffer)],
  });
  const refused = messageOf(run(model, counted([1, 2]), { runtime: 'reference' }));
  expect(await refused).toContain('tensor "bias" of fully_connected is a bias of float32');
});

describe('arrays that do not fit', () => {
  it.each<[string, Uint8Array, Tensor, string]>([
    ['a batch of a model of two', reshaped([2, 6], [3, 4]), counted([4, 6]), 'expected [2, 6], or [batch, 2, 6]'],
    ['a vector', reshaped([1], [1, 1]), counted([2, 2]), 'expected [batch] of int8'],
    [
      'axes in another order',
      reshaped([1, 4, 4, 3], [1, 48]),
      counted([2, 3, 4, 4]),
      'expected [batch, 4, 4, 3] of int8',
    ],
    [
      'a size that the model leaves open',
      reshaped([1, 1, 1, 3], [1, 3], { shapeSignature: [-1, -1, -1, 3] }),
      counted([1, 8, 8, 3]),
      'the model leaves axes open ([?, ?, ?, 3]) and its file holds them at [1, 1, 1, 3]',
    ],
    [
      'NaN',
      reshaped([1, 2, 2], [1, 4]),
      floatTensor([2, 2, 2], [0, 1, 2, 3, 4, 5, NaN, 7]),
      'the value at [1, 1, 0] is NaN',
    ],
  ])('%s', async (_case, model, input, words) => {
    expect(await messageOf(run(model, input))).toContain(words);
  });

  it('one file for two inputs, an unknown name, and different numbers of examples', async () => {
    const model = sumOf('INT8', [1, 3], [3]);
    const [one, two] = [write('one.npy', writeNpy(counted([1, 3]))), write('two.npy', writeNpy(counted([2, 3])))];
    expect(await messageOf(run(model, counted([1, 3])))).toContain('hint: give --input a=FILE --input b=FILE');
    const named = (input: PredictOptions['input']) => messageOf(run(model, counted([1]), { input }));
    expect(await named({ a: one, c: one })).toContain('the model has no input "c"');
    expect(await named({ a: one })).toContain('no file is given for "b"');
    expect(await named({ a: one, b: two })).toContain('the file has 2 examples, but ');
    const toFile = messageOf(run(model, counted([1]), { input: { a: one, b: one }, output: at('y.npy') }));
    expect(await toFile).toContain('the model has 2 outputs: sum, flat');
  });

  it('names on the command line', () => {
    expect(namedInputs(['x.npy'])).toBe('x.npy');
    expect(namedInputs(['a=x.npy', 'b:0=y=z.npy'])).toEqual({ a: 'x.npy', 'b:0': 'y=z.npy' });
    expect(() => namedInputs(['a=x.npy', 'y.npy'])).toThrow('--input y.npy has no name');
  });
});

/** -196 * 0.4 is -78.4. Rounding the product to -157 halves and those again gives -79 (docs/quantization.md, 5.1). */
it.each([
  ['reference', -79],
  ['wasm', -79],
  ['litert', -78],
  ['litert-reference', -78],
] as const)('a fully connected layer rounds on %s as on what it stands for', async (runtime, expected) => {
  const quant = (scale: number) => ({ kind: 'per_tensor', scale: Math.fround(scale), zeroPoint: 0 }) as const;
  const builder = buildGraph('dense', 'int8');
  const input = builder.input('input', { dtype: 'int8', shape: [1, 1] }, quant(1));
  const filter = builder.constant('filter', tensor('int8', [1, 1], Int8Array.of(2)), quant(0.4));
  const bias = builder.constant('bias', tensor('int32', [1], Int32Array.of(0)), quant(0.4));
  const attrs = { activation: 'none', keepNumDims: false } as const;
  const graph = builder.finish(builder.node('fully_connected', 'dense', [input, filter, bias], attrs, quant(1)));
  const { outputs } = await run(writeTflite(verify(graph)), tensor('int8', [1, 1], Int8Array.of(-98)), { runtime });
  expect([...outputs[0]!.data]).toEqual([expected]);
});
