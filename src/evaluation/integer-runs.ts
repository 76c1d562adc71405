import { internal } from '../core/assert.ts';
import { UserError } from '../core/diagnostic.ts';
import { perTensor, roundHalfAway } from '../core/affine.ts';
import { numElements } from '../core/tensor.ts';
import type { Normalization } from '../data/batches.ts';
import type { Split } from '../data/dataset.ts';
import type { Graph } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import type { Interpreter } from '../interpreter/interpreter.ts';
import { openLitert } from '../interpreter/litert.ts';
import type { WasmInterpreter } from '../interpreter/wasm/index.ts';
import { addFloatEdges } from '../tflite/float-edges.ts';
import type { ModelImage, OutputScale } from './integer-input.ts';
import { modelImages, newImages, outputScale } from './integer-input.ts';
import { affordableExamples, spread } from './memory.ts';

/** What an integer model gives for a split. */
export interface IntegerRun {
  /** By output, [count, values] each. */
  readonly codes: readonly Int32Array[];
}

/** The examples of a run, and how it is stopped and followed. */
export interface RunContext {
  readonly split: Split;
  readonly normalize: Normalization;
  readonly signal: AbortSignal;
  /** Called once per group of images; the thread is blocked in between. */
  readonly progress: (done: number) => Promise<void>;
}

const imagesPerTurn = 50;

/** Elements of the images that the SIMD kernels are given in one call. */
const preparedBytes = 2 ** 25;

/** Images on which the reference loops must give the bytes of the SIMD kernels, at most. */
const mostChecked = 200;

export function numChecked(graph: Graph, split: Split): number {
  return Math.min(affordableExamples(graph, mostChecked), split.count);
}

/** Our SIMD kernels, on all images. */
export async function runInteger(
  interpreter: WasmInterpreter,
  { split, normalize, signal, progress }: RunContext,
): Promise<IntegerRun> {
  const { graph } = interpreter;
  const { count, inputs: all } = split;
  const { size } = all;
  const image = modelImages(graph, normalize, all);
  const ports = portsOf(graph);
  const codes = ports.map(({ values }) => new Int32Array(count * values));
  // What is prepared at once stays small, however many images there are.
  const most = Math.max(1, Math.floor(preparedBytes / size));
  for (let first = 0; first < count; first += most) {
    const images = Math.min(most, count - first);
    const inputs = newImages(graph, images * size);
    for (let index = 0; index < images; index++) inputs.set(image(first + index), index * size);
    const results = await interpreter.run([inputs], { signal, progress: (done) => progress(first + done) });
    for (const [index, { codesOf, values }] of ports.entries()) {
      codes[index]?.set(codesOf(results[index] ?? []), first * values);
    }
  }
  return { codes };
}

/**
 * The reference loops on some images, spread over the split, beside what the SIMD kernels gave.
 *
 * @throws Error `internal:` with the first layer that differs
 */
export async function checkReference(
  reference: Interpreter,
  fast: WasmInterpreter,
  { codes }: IntegerRun,
  { split, normalize, signal, progress }: RunContext,
): Promise<void> {
  const images = modelImages(reference.graph, normalize, split.inputs);
  const ports = portsOf(reference.graph);
  const checked = spread(numChecked(reference.graph, split), split.count);
  for (const [done, index] of checked.entries()) {
    const image = images(index);
    reference.run([image]);
    const isSame = ports.every(({ name, codesOf, values }, output) => {
      const expected = codes[output]?.subarray(index * values, (index + 1) * values);
      return sameCodes(codesOf(reference.peek(name)), expected ?? []);
    });
    if (!isSame) {
      const layer = await firstDifference(reference, fast, image);
      internal(`the SIMD kernels differ from the reference loops on test image ${index}, first in ${layer}`);
    }
    // One image of a large network takes seconds.
    signal.throwIfAborted();
    await progress(done + 1);
  }
}

/** @param reference whose last run was this image */
async function firstDifference(reference: Interpreter, fast: WasmInterpreter, image: ModelImage): Promise<string> {
  const values = await fast.trace([image]);
  const differs = reference.graph.nodes.find(({ outputs }) =>
    outputs.some((name) => !sameCodes(reference.peek(name), values.get(name) ?? [])),
  );
  return differs === undefined ? 'no layer when it runs alone' : `${differs.op} "${differs.name}"`;
}

function sameCodes(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  return a.length === b.length && Array.from(a).every((code, index) => code === b[index]);
}

/** Google's runtime on the same file, with QUANTIZE and DEQUANTIZE at the edges; null with the reason if it cannot. */
export async function runLitert(
  bytes: Uint8Array,
  graph: Graph,
  path: string,
  context: RunContext,
): Promise<IntegerRun | { readonly unavailable: string }> {
  const wrapped = addFloatEdges(bytes, path);
  let model: Awaited<ReturnType<typeof openLitert>>;
  try {
    model = await openLitert(wrapped, path);
  } catch (error) {
    if (error instanceof UserError) return { unavailable: error.diagnostics.map(({ message }) => message).join('; ') };
    throw error;
  }
  try {
    const { quant } = valueOf(graph, graph.inputs[0] ?? '');
    const input = quant === null ? { scale: 1, zeroPoint: 0 } : perTensor(quant, 'the model input');
    const ports = portsOf(graph);
    const images = modelImages(graph, context.normalize, context.split.inputs);
    const reals = new Float32Array(context.split.inputs.size);
    return await collect(context, ports, async (index) => {
      const image = images(index);
      for (let pixel = 0; pixel < reals.length; pixel++) reals[pixel] = input.scale * (image[pixel]! - input.zeroPoint);
      const results = await model.run([reals]);
      return ports.map(({ scale }, output) => Array.from(results[output]?.data ?? [], (real) => codeOf(real, scale)));
    });
  } finally {
    model.close();
  }
}

/** An output as runs are collected from it. */
interface OutputPort {
  readonly name: string;
  /** Of one example. */
  readonly values: number;
  readonly scale: OutputScale;
  /** The integers that outputs stand for: theirs, or behind DEQUANTIZE the ones that it was given. */
  readonly codesOf: (outputs: ArrayLike<number>) => Int32Array;
}

function portsOf(graph: Graph): readonly OutputPort[] {
  return graph.outputs.map((name, index) => {
    const { type } = valueOf(graph, name);
    const scale = outputScale(graph, index);
    const integer = (value: number): number => (type.dtype === 'float32' ? codeOf(value, scale) : value);
    const codesOf = (outputs: ArrayLike<number>): Int32Array => Int32Array.from(outputs, integer);
    return { name, values: numElements(type.shape), scale, codesOf };
  });
}

/** Exact: the error of one float32 product is far below half a step. */
function codeOf(real: number, { scale, zeroPoint }: OutputScale): number {
  return roundHalfAway(real / scale) + zeroPoint;
}

async function collect(
  { split, signal, progress }: RunContext,
  ports: readonly OutputPort[],
  run: (index: number) => Promise<readonly ArrayLike<number>[]>,
): Promise<IntegerRun> {
  const codes = ports.map(({ values }) => new Int32Array(split.count * values));
  for (let index = 0; index < split.count; index++) {
    const results = await run(index);
    for (const [output, { values }] of ports.entries()) codes[output]?.set(results[output] ?? [], index * values);
    if ((index + 1) % imagesPerTurn === 0) {
      signal.throwIfAborted();
      await progress(index + 1);
    }
  }
  return { codes };
}
