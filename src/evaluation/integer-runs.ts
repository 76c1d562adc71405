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
  /** [count, values] */
  readonly codes: Int32Array;
}

interface RunContext {
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
  const values = valuesOf(graph);
  const codes = new Int32Array(count * values);
  // What is prepared at once stays small, however many images there are.
  const most = Math.max(1, Math.floor(preparedBytes / size));
  for (let first = 0; first < count; first += most) {
    const images = Math.min(most, count - first);
    const inputs = newImages(graph, images * size);
    for (let index = 0; index < images; index++) inputs.set(image(first + index), index * size);
    const [outputs = []] = await interpreter.run([inputs], { signal, progress: (done) => progress(first + done) });
    codes.set(codesOf(graph, outputs), first * values);
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
  const values = valuesOf(reference.graph);
  const checked = spread(numChecked(reference.graph, split), split.count);
  for (const [done, index] of checked.entries()) {
    const image = images(index);
    reference.run([image]);
    const found = codesOf(reference.graph, reference.peek(reference.graph.outputs[0] ?? ''));
    if (!sameCodes(found, codes.subarray(index * values, (index + 1) * values))) {
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
    const output = outputScale(graph);
    const images = modelImages(graph, context.normalize, context.split.inputs);
    const reals = new Float32Array(context.split.inputs.size);
    return await collect(context, valuesOf(graph), async (index) => {
      const image = images(index);
      for (let pixel = 0; pixel < reals.length; pixel++) reals[pixel] = input.scale * (image[pixel]! - input.zeroPoint);
      const [result] = await model.run([reals]);
      return Array.from(result?.data ?? [], (real) => codeOf(real, output));
    });
  } finally {
    model.close();
  }
}

/** The integers that outputs stand for: theirs, or behind DEQUANTIZE the ones that it was given. */
function codesOf(graph: Graph, outputs: ArrayLike<number>): Int32Array {
  const isFloat = valueOf(graph, graph.outputs[0] ?? internal('the model has no output')).type.dtype === 'float32';
  const quant = outputScale(graph);
  return Int32Array.from(outputs, (value) => (isFloat ? codeOf(value, quant) : value));
}

/** Exact: the error of one float32 product is far below half a step. */
function codeOf(real: number, { scale, zeroPoint }: OutputScale): number {
  return roundHalfAway(real / scale) + zeroPoint;
}

/** Values of one output. */
function valuesOf(graph: Graph): number {
  return numElements(valueOf(graph, graph.outputs[0] ?? internal('the model has no output')).type.shape);
}

async function collect(
  { split, signal, progress }: RunContext,
  values: number,
  run: (index: number) => ArrayLike<number> | Promise<ArrayLike<number>>,
): Promise<IntegerRun> {
  const codes = new Int32Array(split.count * values);
  for (let index = 0; index < split.count; index++) {
    codes.set(await run(index), index * values);
    if ((index + 1) % imagesPerTurn === 0) {
      signal.throwIfAborted();
      await progress(index + 1);
    }
  }
  return { codes };
}
