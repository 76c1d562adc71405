import { existsSync } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { dequantizeValue, integerRanges, perTensor, quantizeValue } from '../core/affine.ts';
import { internal } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import type { Shape, Tensor } from '../core/tensor.ts';
import { numElements, sameShape, strides, tensor } from '../core/tensor.ts';
import { counted } from '../core/words.ts';
import { readBytes } from '../formats/bytes.ts';
import { readNpy, writeNpy } from '../formats/npy.ts';
import type { IntegerData } from '../ops/define.ts';
import { explainWriteError } from '../runner/disk-error.ts';
import { requireFormat } from './file-format.ts';
import type { Port } from './predict-runtimes.ts';
import { openRuntime } from './predict-runtimes.ts';
import type { RuntimeName } from './runtime-names.ts';

export type { RuntimeName } from './runtime-names.ts';

export interface PredictOptions {
  /** Path of a .tflite file, by any converter. */
  readonly model: string;
  /**
   * Path of an .npy file for the model's only input, or the paths by the inputs' names. An array has the shape of the
   * model's input, which is one example, or more examples in front of it; where the model's first axis is 1, it may be
   * the number of examples itself. Its type is the model's, or float32.
   */
  readonly input: string | Readonly<Record<string, string>>;
  /** Path of the .npy file to write, or of a folder that gets `NAME.npy` for each output. */
  readonly output: string;
  /** Without it the reference; LiteRT, with a note, for models that the reference does not run. */
  readonly runtime?: RuntimeName;
  /** Raw codes as the model gives them, or real values. */
  readonly values?: 'raw' | 'dequantized';
  readonly onNote?: (note: string) => void;
}

export interface PredictOutput {
  readonly name: string;
  /** The file that was written. */
  readonly file: string;
  readonly tensor: Tensor;
}

/**
 * Runs a model over its examples and writes each output.
 *
 * @throws UserError for a file that is not what it should be, an array that does not fit, a model that cannot run
 */
export async function predict(options: PredictOptions): Promise<readonly PredictOutput[]> {
  const { model, output, runtime: wanted, values = 'raw', onNote = () => undefined } = options;
  const bytes = readBytes(model, 'give the path of a .tflite file');
  requireFormat(bytes, model, 'tflite', 'predict runs .tflite models');
  const runtime = await openRuntime(bytes, model, wanted, onNote);
  try {
    const files = await outputFiles(runtime.outputs, output);
    const given = inputFiles(runtime.inputs, options).map((file, index) =>
      readInput(file, runtime.inputs[index]!, onNote),
    );
    const count = commonCount(given);
    const results = await runtime.run(
      given.map(({ stored }) => stored),
      count,
    );
    const written = runtime.outputs.map((port, index): PredictOutput => {
      const shape = outputShape(port.type.shape, count, given);
      return { name: port.name, file: files[index]!, tensor: outputTensor(results[index]!, shape, port, values) };
    });
    const folder = files[0] === output ? null : output;
    for (const { file, tensor: result } of written) await writeResult(file, writeNpy(result), folder);
    return written;
  } finally {
    await runtime.close();
  }
}

/** The values of `--input`: a path, or `name=path` for each input. */
export function namedInputs(given: readonly string[]): PredictOptions['input'] {
  const [first, ...others] = given;
  if (first !== undefined && others.length === 0 && (!first.includes('=') || existsSync(first))) return first;
  const entries = given.map((text): readonly [string, string] => {
    const at = text.indexOf('=');
    if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
    throw userError(
      'command line',
      'wrong-input',
      `--input ${text} has no name`,
      'give --input NAME=FILE for each',
      64,
    );
  });
  return Object.fromEntries(entries);
}

/** @param folder to make for several outputs; null for a file, whose folder has to exist */
async function writeResult(file: string, bytes: Uint8Array, folder: string | null): Promise<void> {
  try {
    if (folder !== null) await mkdir(folder, { recursive: true });
    await writeFile(file, bytes);
  } catch (error) {
    throw explainWriteError(error, dirname(file), 'the output');
  }
}

/** One file, or one for each output in a folder. */
async function outputFiles(ports: readonly Port[], output: string): Promise<readonly string[]> {
  const isFolder = output.endsWith('/') || (await stat(output).catch(() => null))?.isDirectory() === true;
  if (!isFolder && ports.length === 1) return [output];
  if (!isFolder && output.endsWith('.npy')) {
    const names = ports.map(({ name }) => name).join(', ');
    throw userError(
      'command line',
      'wrong-output',
      `--output is ${output}; the model has ${ports.length} outputs: ${names}`,
      'give a folder, for example `--output predictions/`: it gets an .npy file for each',
      64,
    );
  }
  const taken = new Set<string>();
  return ports.map(({ name }, index) => {
    const safe = name.replaceAll(/[^\w.-]+/g, '_').replace(/^\.*$/, 'output');
    const unique = taken.has(safe) ? `${safe}_${index}` : safe;
    taken.add(unique);
    return join(output, `${unique}.npy`);
  });
}

/** The file of each input, in the model's order. */
function inputFiles(ports: readonly Port[], { input, model }: PredictOptions): readonly string[] {
  const fail = (message: string): never => {
    const names = ports.map(({ name }) => `--input ${name}=FILE`).join(' ');
    throw userError(model, 'wrong-input', message, `give ${names}`, 64);
  };
  if (typeof input === 'string') {
    return ports.length === 1
      ? [input]
      : fail(`the model has ${ports.length} inputs, and one file without a name is given`);
  }
  const names = ports.flatMap(({ name, tensorName }) => [name, tensorName]);
  const unknown = Object.keys(input).find((name) => !names.includes(name));
  if (unknown !== undefined) fail(`the model has no input "${unknown}"`);
  return ports.map(
    ({ name, tensorName }) => input[name] ?? input[tensorName] ?? fail(`no file is given for "${name}"`),
  );
}

interface Given {
  readonly file: string;
  readonly count: number;
  readonly layout: Layout;
  readonly stored: IntegerData;
}

/** One example in the model's own shape; examples in front of it; examples along its first axis, which is 1. */
type Layout = 'one' | 'in_front' | 'along_first';

/** An array as stored integers; float32 is quantized, which is said. */
function readInput(file: string, port: Port, onNote: (note: string) => void): Given {
  const { dtype, shape } = port.type;
  const bytes = readBytes(file, 'give the path of an .npy file');
  requireFormat(bytes, file, 'npy', 'an input of predict is an .npy file');
  const quantizes = (dtype === 'int8' || dtype === 'uint8') && port.quant !== null;
  const types = `numpy.${dtype}${quantizes ? ', or numpy.float32 to be quantized' : ''}`;
  const array = readNpy(bytes, file, `convert the array with x.astype: the model takes ${types}`);
  const found = `the array is ${array.dtype}[${array.shape.join(', ')}]`;
  const fail = (remedy: string): never => {
    throw userError(file, 'wrong-input', `${found}; expected ${expectedShape(shape)} of ${dtype}`, remedy);
  };
  const layout = layoutOf(array.shape, shape) ?? fail(shapeRemedy(port));
  const count = layout === 'one' ? 1 : array.shape[0]!;
  if (array.dtype === dtype && !(array.data instanceof BigInt64Array)) {
    return { file, count, layout, stored: array.data };
  }
  if (!quantizes || !(array.data instanceof Float32Array)) return fail(`convert the array with x.astype: ${types}`);
  const { scale, zeroPoint } = perTensor(port.quant, 'the model input');
  onNote(`input "${port.name}" is float32: quantized with scale ${scale} and zero point ${zeroPoint} to ${dtype}`);
  return { file, count, layout, stored: quantize(array.data, array.shape, file, port) };
}

function quantize(reals: Float32Array, shape: Shape, file: string, { type, quant }: Port): Int8Array | Uint8Array {
  const { scale, zeroPoint } = perTensor(quant, 'the model input');
  const [range, stored] =
    type.dtype === 'int8'
      ? [integerRanges.int8, new Int8Array(reals.length)]
      : [integerRanges.uint8, new Uint8Array(reals.length)];
  for (let index = 0; index < reals.length; index++) {
    const real = reals[index]!;
    if (Number.isNaN(real)) {
      const position = strides(shape).map((stride, axis) => Math.floor(index / stride) % shape[axis]!);
      throw userError(
        file,
        'wrong-input',
        `the value at [${position.join(', ')}] is NaN, which no ${type.dtype} code stands for`,
        'find out where it comes from, or replace it with numpy.nan_to_num',
      );
    }
    stored[index] = quantizeValue(real, scale, zeroPoint, range);
  }
  return stored;
}

function layoutOf(found: Shape, own: Shape): Layout | null {
  if (sameShape(found, own)) return 'one';
  if (sameShape(found.slice(1), own) && found.length > 0) return 'in_front';
  // Axes of 1 may be left out; any other reshaping is the user's to do, since it could mix up axes.
  const long = (shape: Shape): Shape => shape.filter((size) => size !== 1);
  const isExample = own[0] === 1 && found.length > 0 && sameShape(long(found.slice(1)), long(own));
  return isExample ? 'along_first' : null;
}

function expectedShape(own: Shape): string {
  if (own[0] === 1) return `[${['batch', ...own.slice(1)].join(', ')}]`;
  return `[${own.join(', ')}], or [${['batch', ...own].join(', ')}] for several examples,`;
}

function shapeRemedy({ dynamic, type: { shape } }: Port): string {
  if (dynamic === null) return 'add the batch axis, or reshape the array';
  const axes = dynamic.map((size) => (size === -1 ? '?' : size)).join(', ');
  return (
    `the model leaves axes open ([${axes}]) and its file holds them at [${shape.join(', ')}]: ` +
    'convert it with the size of your input, since qpipe does not resize models'
  );
}

function commonCount(given: readonly Given[]): number {
  const [first] = given;
  if (first === undefined) return internal('a model without inputs passed the check');
  const other = given.find(({ count }) => count !== first.count);
  if (other === undefined) return first.count;
  throw userError(
    other.file,
    'wrong-input',
    `the file has ${counted(other.count, 'example')}, but ${first.file} has ${first.count}`,
    'give the same number of examples for each input',
  );
}

/** Examples are counted where the inputs count them: along a first axis of 1, or in front. */
function outputShape(own: Shape, count: number, given: readonly Given[]): Shape {
  const has = (wanted: Layout): boolean => given.some(({ layout }) => layout === wanted);
  if (has('along_first') && !has('in_front') && own[0] === 1) return [count, ...own.slice(1)];
  return has('along_first') || has('in_front') ? [count, ...own] : own;
}

function outputTensor(data: IntegerData, shape: Shape, { type, quant }: Port, wanted: 'raw' | 'dequantized'): Tensor {
  if (wanted === 'dequantized' && quant !== null && type.dtype !== 'float32') {
    const { scale, zeroPoint } = perTensor(quant, 'the model output');
    const reals = Float32Array.from(data, (q) => dequantizeValue(q, scale, zeroPoint));
    return tensor('float32', shape, reals);
  }
  if (data.length !== numElements(shape)) internal(`${data.length} values for [${shape.join(', ')}]`);
  return { dtype: type.dtype, shape, data };
}
