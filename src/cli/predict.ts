import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { perTensor, dequantizeValue, integerRanges, quantizeValue, roundHalfAway } from '../core/affine.ts';
import { userError } from '../core/diagnostic.ts';
import type { Shape, Tensor, TensorType } from '../core/tensor.ts';
import { floatTensor, numElements, tensor } from '../core/tensor.ts';
import type { QuantParams } from '../core/affine.ts';
import { readBytes } from '../files/bytes.ts';
import { readNpy, writeNpy } from '../files/npy.ts';
import { valueOf } from '../graph/graph.ts';
import { prepareInterpreter } from '../interpreter/interpreter.ts';
import { openLitert } from '../interpreter/litert.ts';
import { openWasmInterpreter } from '../interpreter/wasm/index.ts';
import { newData } from '../interpreter/wasm/view.ts';
import { explainWriteError } from '../runner/disk-error.ts';
import { writeTfliteFile } from '../tflite/file.ts';
import { addFloatEdges } from '../tflite/float-edges.ts';
import { optionFields } from '../tflite/option-fields.ts';
import { readTflite, readTfliteContents } from '../tflite/read.ts';
import { dirname } from 'node:path';
import { present, unreachable } from '../core/assert.ts';

/** Plain loops, SIMD kernels with equal results, and Google's runtime. */
export type RuntimeName = 'reference' | 'wasm' | 'litert';

export interface PredictOptions {
  /** Path of a .tflite file, by any converter. */
  readonly model: string;
  /** Path of an .npy file: a leading batch axis, then the model's input; the model's type, or float32. */
  readonly input: string;
  /** Path of the .npy file to write: the batch, then the model's output. */
  readonly output: string;
  readonly runtime?: RuntimeName;
  /** Raw codes as the model gives them, or real values. */
  readonly values?: 'raw' | 'dequantized';
  readonly onNote?: (note: string) => void;
}

/** Runs a model over a batch. */
export async function predict(options: PredictOptions): Promise<Tensor> {
  const bytes = readBytes(options.model, 'give the path of a .tflite file');
  const input = readNpy(readBytes(options.input, 'give the path of an .npy file'), options.input);
  const port = await openRuntime(bytes, options);
  try {
    const { count, examples } = splitBatch(input, port.input, options);
    const outputs = await port.run(count, examples);
    const shape = [count, ...port.output.type.shape.slice(1)];
    const result = outputTensor(outputs, shape, port.output, options.values ?? 'raw');
    await writeResult(options.output, writeNpy(result));
    return result;
  } finally {
    await port.close();
  }
}

interface Port {
  readonly type: TensorType;
  readonly quant: QuantParams | null;
}

interface Runtime {
  readonly input: Port;
  readonly output: Port;
  /** @param example stored integers of the example at an index, or reals where the model takes float32 */
  run(count: number, example: (index: number) => Float64Array): Promise<readonly number[]>;
  close(): Promise<void> | void;
}

async function writeResult(file: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(file, bytes);
  } catch (error) {
    throw explainWriteError(error, dirname(file), 'the output');
  }
}

async function openRuntime(bytes: Uint8Array, { model, runtime = 'reference' }: PredictOptions): Promise<Runtime> {
  switch (runtime) {
    case 'reference':
      return openReference(bytes, model);
    case 'wasm':
      return openFast(bytes, model);
    case 'litert':
      return openWitness(bytes, model);
    default:
      return unreachable(runtime);
  }
}

/** One example after the other. */
function oneByOne(run: (values: Float64Array) => readonly number[] | Promise<readonly number[]>): Runtime['run'] {
  return async (count, example) => {
    const outputs: number[] = [];
    for (let index = 0; index < count; index++) outputs.push(...(await run(example(index))));
    return outputs;
  };
}

function openReference(bytes: Uint8Array, model: string): Runtime {
  const graph = readTflite(bytes, model);
  const interpreter = prepareInterpreter(graph, model);
  const [inputName, outputName] = [onlyOne(graph.inputs, model, 'input'), onlyOne(graph.outputs, model, 'output')];
  const input = valueOf(graph, inputName);
  const stored = interpreter.peek(inputName).slice();
  return {
    input,
    output: valueOf(graph, outputName),
    run: oneByOne((values) => {
      stored.set(values);
      const [output] = interpreter.run([stored]);
      return Array.from(output?.data ?? [], Number);
    }),
    close: () => undefined,
  };
}

/** All examples at once, on every core. */
async function openFast(bytes: Uint8Array, model: string): Promise<Runtime> {
  const graph = readTflite(bytes, model);
  const [input, output] = [
    valueOf(graph, onlyOne(graph.inputs, model, 'input')),
    valueOf(graph, onlyOne(graph.outputs, model, 'output')),
  ];
  const interpreter = await openWasmInterpreter(graph, model, { threads: availableParallelism() });
  const size = numElements(input.type.shape);
  return {
    input,
    output,
    async run(count, example) {
      const stored = newData(input.type.dtype, count * size);
      for (let index = 0; index < count; index++) stored.set(example(index), index * size);
      const [codes] = await interpreter.run([stored]);
      return Array.from(codes ?? []);
    },
    close: () => interpreter.close(),
  };
}

/** LiteRT takes floats, so the file gets QUANTIZE and DEQUANTIZE at its edges; codes pass them unchanged. */
async function openWitness(bytes: Uint8Array, model: string): Promise<Runtime> {
  const file = readTfliteContents(bytes, model);
  const litert = await openLitert(writeTfliteFile(addFloatEdges(file), optionFields));
  const [main] = file.subgraphs;
  const port = (indices: readonly number[] | undefined, role: string): Port => {
    const index = onlyOne(indices ?? [], model, role);
    return portOfTensor(present(main?.tensors[index], `tensor ${index}`), model);
  };
  const [input, output] = [port(main?.inputs, 'input'), port(main?.outputs, 'output')];
  const toReal = affineOf(input);
  const fromReal = affineOf(output);
  return {
    input,
    output,
    run: oneByOne(async (values) => {
      const reals = Float32Array.from(values, (q) => (toReal === null ? q : toReal.scale * (q - toReal.zeroPoint)));
      const [result] = await litert.run([reals]);
      return Array.from(result?.data ?? [], (real) =>
        fromReal === null ? real : roundHalfAway(real / fromReal.scale) + fromReal.zeroPoint,
      );
    }),
    close: () => litert.close(),
  };
}

function affineOf({ type, quant }: Port): { scale: number; zeroPoint: number } | null {
  return type.dtype === 'float32' ? null : perTensor(quant, 'an edge of the model');
}

const dtypeOf = { FLOAT32: 'float32', INT8: 'int8', UINT8: 'uint8', INT32: 'int32' } as const;

function portOfTensor(
  entry: {
    name: string;
    type: string;
    shape: Shape;
    quantization: { scale: Float32Array; zeroPoint: readonly number[] } | null;
  },
  model: string,
): Port {
  const dtype = Object.entries(dtypeOf).find(([name]) => name === entry.type)?.[1];
  if (dtype === undefined) throw userError(model, 'unsupported-model', `tensor "${entry.name}" is ${entry.type}`);
  const [scale] = entry.quantization?.scale ?? [];
  const quant: QuantParams | null =
    scale === undefined ? null : { kind: 'per_tensor', scale, zeroPoint: entry.quantization?.zeroPoint[0] ?? 0 };
  return { type: { dtype, shape: entry.shape }, quant };
}

function onlyOne<T>(values: readonly T[], model: string, role: string): T {
  const [value, ...others] = values;
  if (value === undefined || others.length > 0) {
    throw userError(model, 'unsupported-model', `the model has ${values.length} ${role}s; predict handles one`);
  }
  return value;
}

/** The examples of a batch as stored integers; float32 is quantized, and a note says so once. */
function splitBatch(
  input: Tensor,
  port: Port,
  { input: file, onNote }: PredictOptions,
): { count: number; examples: (index: number) => Float64Array } {
  const example = port.type.shape.slice(1);
  const size = numElements(example);
  const expected = `[batch, ${example.join(', ')}] of ${port.type.dtype}`;
  if (input.shape.length < 1 || numElements(input.shape.slice(1)) !== size) {
    throw userError(
      file,
      'wrong-input',
      `the array is ${input.dtype}[${input.shape.join(', ')}]; expected ${expected}`,
      'add the batch axis, or reshape the array',
    );
  }
  const count = input.shape[0] ?? 0;
  if (input.dtype === port.type.dtype) {
    return {
      count,
      examples: (index) => Float64Array.from({ length: size }, (_, at) => Number(input.data[index * size + at]!)),
    };
  }
  if (input.dtype !== 'float32' || (port.type.dtype !== 'int8' && port.type.dtype !== 'uint8')) {
    throw userError(
      file,
      'wrong-input',
      `the array is ${input.dtype}; expected ${expected}, or float32 to be quantized`,
      'convert the array with numpy: x.astype(...)',
    );
  }
  const { scale, zeroPoint } = perTensor(port.quant, 'the model input');
  const range = integerRanges[port.type.dtype];
  onNote?.(`input is float32: quantized with scale ${scale} and zero point ${zeroPoint} to ${port.type.dtype}`);
  const reals = input.data;
  return {
    count,
    examples: (index) =>
      Float64Array.from({ length: size }, (_, at) =>
        quantizeValue(Number(reals[index * size + at]!), scale, zeroPoint, range),
      ),
  };
}

function outputTensor(values: readonly number[], shape: Shape, port: Port, wanted: 'raw' | 'dequantized'): Tensor {
  const { dtype } = port.type;
  if (wanted === 'dequantized' && dtype !== 'float32') {
    const { scale, zeroPoint } = perTensor(port.quant, 'the model output');
    return floatTensor(
      shape,
      values.map((q) => dequantizeValue(q, scale, zeroPoint)),
    );
  }
  switch (dtype) {
    case 'int8':
      return tensor('int8', shape, Int8Array.from(values));
    case 'uint8':
      return tensor('uint8', shape, Uint8Array.from(values));
    case 'int32':
      return tensor('int32', shape, Int32Array.from(values));
    case 'float32':
    case 'int64':
      return floatTensor(shape, values);
  }
}
