/** The three runtimes of `predict` behind one interface: stored numbers in, stored numbers out, any number of ports. */
import { availableParallelism } from 'node:os';
import type { QuantParams } from '../core/affine.ts';
import { perTensor, roundHalfAway } from '../core/affine.ts';
import { present } from '../core/assert.ts';
import { UserError, userError } from '../core/diagnostic.ts';
import type { DType, Shape, TensorType } from '../core/tensor.ts';
import { numElements } from '../core/tensor.ts';
import { counted } from '../core/words.ts';
import { litertReference, microcontroller } from '../interpreter/arithmetic.ts';
import type { Arithmetic } from '../interpreter/arithmetic.ts';
import { prepareInterpreter } from '../interpreter/interpreter.ts';
import type { LitertArray } from '../interpreter/litert.ts';
import { openLitert } from '../interpreter/litert.ts';
import { openWasmInterpreter } from '../interpreter/wasm/index.ts';
import { newData } from '../interpreter/wasm/view.ts';
import type { IntegerData } from '../ops/define.ts';
import type { TfliteFile, TfliteTensor } from '../tflite/file.ts';
import type { Edge } from '../tflite/float-edges.ts';
import { addFloatEdges, edgeOf } from '../tflite/float-edges.ts';
import { readTflite, readTfliteContents } from '../tflite/read.ts';
import type { RuntimeName } from './runtime-names.ts';

/** An input or output of a model. Its shape is that of one example. */
export interface Port {
  /** In the model's signature, where it has one; else of the tensor. */
  readonly name: string;
  readonly tensorName: string;
  readonly type: TensorType;
  readonly quant: QuantParams | null;
  /** The shape with -1 for the axes that the model leaves open; null where it leaves none but the first. */
  readonly dynamic: Shape | null;
}

export interface Runtime {
  readonly name: RuntimeName;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** @param inputs for each port the numbers of `count` examples; the outputs come in the same way */
  run(inputs: readonly IntegerData[], count: number): Promise<readonly IntegerData[]>;
  close(): Promise<void> | void;
}

/**
 * Opens the runtime that is asked for; without a wish the reference, or LiteRT with a note for what only LiteRT runs.
 *
 * @throws UserError when the model is malformed, or not for this runtime
 */
export async function openRuntime(
  bytes: Uint8Array,
  model: string,
  wanted: RuntimeName | undefined,
  onNote: (note: string) => void,
): Promise<Runtime> {
  if (wanted !== undefined) return runtimes[wanted](bytes, model);
  try {
    return await runtimes.reference(bytes, model);
  } catch (error) {
    if (!(error instanceof UserError && error.diagnostics.every(({ code }) => onlyForOthers.includes(code))))
      throw error;
    const reason = error.diagnostics[0]?.message ?? 'qpipe does not run this model';
    const witness = await openWitness(bytes, model).catch((refusal: unknown) => {
      throw refusal instanceof UserError ? nobodyRuns(model, reason, refusal) : refusal;
    });
    onNote(`${reason}: it runs on LiteRT`);
    return witness;
  }
}

function nobodyRuns(model: string, reason: string, { diagnostics: [refusal] }: UserError): UserError {
  return userError(
    model,
    'unsupported-model',
    `${reason}; and ${refusal?.message ?? 'LiteRT refuses it'}`,
    'convert it for int8 without what is named here; `qpipe inspect` shows the file',
  );
}

const onlyForOthers = ['unknown-op', 'unsupported-model'];

const runtimes: { readonly [N in RuntimeName]: (bytes: Uint8Array, model: string) => Promise<Runtime> } = {
  reference: (bytes, model) => openLoops('reference', bytes, model, microcontroller),
  wasm: openFast,
  litert: openWitness,
  'litert-reference': (bytes, model) => openLoops('litert-reference', bytes, model, litertReference),
};

/** One example after the other. */
async function openLoops(
  name: RuntimeName,
  bytes: Uint8Array,
  model: string,
  arithmetic: Arithmetic,
): Promise<Runtime> {
  const ports = portsOf(bytes, model, ({ type }) => dtypes[type]);
  const interpreter = prepareInterpreter(readTflite(bytes, model), model, arithmetic);
  return Promise.resolve({
    name,
    ...ports,
    run: (inputs, count) =>
      oneByOne(model, ports, inputs, count, (example) =>
        Promise.resolve(interpreter.run(example).map(({ data }) => data as IntegerData)),
      ),
    close: () => undefined,
  });
}

/** All examples at once, on every core. */
async function openFast(bytes: Uint8Array, model: string): Promise<Runtime> {
  const ports = portsOf(bytes, model, ({ type }) => dtypes[type]);
  const interpreter = await openWasmInterpreter(readTflite(bytes, model), model, { threads: availableParallelism() });
  return { name: 'wasm', ...ports, run: (inputs) => interpreter.run(inputs), close: () => interpreter.close() };
}

/** LiteRT takes floats, so the file gets QUANTIZE and DEQUANTIZE at its edges; codes pass them unchanged. */
async function openWitness(bytes: Uint8Array, model: string): Promise<Runtime> {
  const ports = portsOf(bytes, model, dtypeOnLitert);
  const { main } = mainOf(bytes, model);
  const edges = (indices: readonly number[]): readonly Edge[] => indices.map((index) => edgeOf(main.tensors[index]!));
  const [inputEdges, outputEdges] = [edges(main.inputs), edges(main.outputs)];
  requireWrittenOutputs(main, outputEdges, model);
  const litert = await openLitert(addFloatEdges(bytes, model), model);
  const example = async (values: readonly IntegerData[]): Promise<readonly IntegerData[]> => {
    const given = values.map((stored, index) => toLitert(stored, ports.inputs[index]!, inputEdges[index]!));
    const results = await litert.run(given);
    return ports.outputs.map((port, index) => fromLitert(results[index]!, port, outputEdges[index]!, model));
  };
  return {
    name: 'litert',
    ...ports,
    run: (inputs, count) => oneByOne(model, ports, inputs, count, example),
    close: () => litert.close(),
  };
}

type Subgraph = TfliteFile['subgraphs'][number];

/** LiteRT leaves an output that no operator writes as it finds it: whatever its memory held. */
function requireWrittenOutputs({ operators, outputs, tensors }: Subgraph, edges: readonly Edge[], model: string): void {
  const written = new Set(operators.flatMap((operator) => operator.outputs));
  const left = outputs.find((index, at) => edges[at] === 'direct' && !written.has(index));
  if (left === undefined) return;
  throw userError(
    model,
    'unsupported-model',
    `no operator writes the output "${tensors[left]?.name ?? ''}", so LiteRT would answer with memory that nobody wrote`,
    'convert the model again with an operator in front of each output',
  );
}

/** What is int16, int64 or bool inside is float32 or int32 at the border. */
function dtypeOnLitert(tensor: TfliteTensor): DType {
  const edge = edgeOf(tensor);
  if (edge === 'quantize' && tensor.type === 'INT16') return 'float32';
  return edge === 'cast' && tensor.type !== 'INT8' ? 'int32' : (dtypes[tensor.type] ?? 'int32');
}

function toLitert(stored: IntegerData, { type, quant }: Port, edge: Edge): LitertArray {
  if (edge === 'cast') return Int32Array.from(stored);
  if (edge === 'quantize' && type.dtype !== 'float32') {
    const { scale, zeroPoint } = perTensor(quant, 'a quantized edge');
    return Float32Array.from(stored, (q) => scale * (q - zeroPoint));
  }
  return stored instanceof Int8Array ? Int32Array.from(stored) : stored;
}

function fromLitert(result: { readonly data: LitertArray }, port: Port, edge: Edge, model: string): IntegerData {
  const { dtype, shape } = port.type;
  if (result.data.length !== numElements(shape)) throw otherSize(port, result.data.length, model);
  const stored = newData(dtype, result.data.length);
  if (edge === 'quantize' && dtype !== 'float32') {
    const { scale, zeroPoint } = perTensor(port.quant, 'a quantized edge');
    for (const [index, real] of result.data.entries()) stored[index] = roundHalfAway(real / scale) + zeroPoint;
  } else stored.set(result.data);
  return stored;
}

function otherSize({ name, type: { shape } }: Port, values: number, model: string): UserError {
  return userError(
    model,
    'unsupported-model',
    `the output "${name}" has ${counted(values, 'value')}; its shape in the file is [${shape.join(', ')}]`,
    'convert the model with fixed shapes',
  );
}

async function oneByOne(
  model: string,
  { inputs, outputs }: Pick<Runtime, 'inputs' | 'outputs'>,
  values: readonly IntegerData[],
  count: number,
  run: (example: readonly IntegerData[]) => Promise<readonly IntegerData[]>,
): Promise<readonly IntegerData[]> {
  const sizes = inputs.map(({ type }) => numElements(type.shape));
  const results = outputs.map(({ type }) => newData(type.dtype, count * numElements(type.shape)));
  for (let index = 0; index < count; index++) {
    const example = await run(
      values.map((all, port) => all.subarray(index * sizes[port]!, (index + 1) * sizes[port]!)),
    );
    for (const [port, data] of example.entries()) {
      if (data.length * count !== results[port]!.length) throw otherSize(outputs[port]!, data.length, model);
      results[port]!.set(data, index * data.length);
    }
  }
  return results;
}

const dtypes: { readonly [typeName: string]: DType | undefined } = {
  FLOAT32: 'float32',
  INT8: 'int8',
  UINT8: 'uint8',
  INT32: 'int32',
};

function mainOf(bytes: Uint8Array, model: string): { file: TfliteFile; main: Subgraph } {
  const file = readTfliteContents(bytes, model);
  return { file, main: present(file.subgraphs[0], 'a subgraph') };
}

function portsOf(
  bytes: Uint8Array,
  model: string,
  dtypeOf: (tensor: TfliteTensor) => DType | undefined,
): Pick<Runtime, 'inputs' | 'outputs'> {
  const { file, main } = mainOf(bytes, model);
  const signature = file.signatures.find(({ subgraph }) => subgraph === 0);
  const ports = (indices: readonly number[], role: 'inputs' | 'outputs'): readonly Port[] => {
    if (indices.length === 0)
      throw userError(model, 'unsupported-model', `the model has no ${role}`, 'convert it again');
    return indices.map((index) => {
      const entry = main.tensors[index]!;
      const dtype = dtypeOf(entry);
      if (dtype === undefined) throw unsupportedPort(model, entry);
      const name = signature?.[role].find(({ tensor }) => tensor === index)?.name ?? entry.name;
      return {
        name,
        tensorName: entry.name,
        type: { dtype, shape: entry.shape },
        quant: quantOf(entry),
        dynamic: openAxes(entry),
      };
    });
  };
  return { inputs: ports(main.inputs, 'inputs'), outputs: ports(main.outputs, 'outputs') };
}

function unsupportedPort(model: string, { name, type }: TfliteTensor): UserError {
  const message = `tensor "${name}" is ${type}; qpipe's interpreter runs int8 and uint8`;
  return userError(model, 'unsupported-model', message, '`--runtime litert` may run it');
}

function quantOf({ quantization }: TfliteTensor): QuantParams | null {
  if (quantization?.scale.length !== 1) return null;
  return { kind: 'per_tensor', scale: quantization.scale[0]!, zeroPoint: quantization.zeroPoint[0] ?? 0 };
}

function openAxes({ shapeSignature }: TfliteTensor): Shape | null {
  return shapeSignature?.slice(1).includes(-1) === true ? shapeSignature : null;
}
