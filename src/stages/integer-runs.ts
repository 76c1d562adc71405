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
import { writeTfliteFile } from '../tflite/file.ts';
import { addFloatEdges } from '../tflite/float-edges.ts';
import { optionFields } from '../tflite/option-fields.ts';
import { readTfliteContents } from '../tflite/read.ts';
import { quantizeImages } from './integer-input.ts';

/** What an integer model gives for a split. */
export interface IntegerRun {
  /** [count, values] */
  readonly codes: Int32Array;
}

interface RunContext {
  readonly split: Split;
  readonly normalize: Normalization;
  readonly signal: AbortSignal;
  /** Called every so many images, between which nothing else gets a turn. */
  readonly progress: (done: number) => Promise<void>;
}

const imagesPerTurn = 50;

/** Images on which the reference loops must give the bytes of the SIMD kernels. */
const checkedImages = 200;

export function numChecked(split: Split): number {
  return Math.min(checkedImages, split.count);
}

/** Our SIMD kernels, on all images. */
export async function runInteger(
  interpreter: WasmInterpreter,
  { split, normalize, signal, progress }: RunContext,
): Promise<IntegerRun> {
  const image = quantizeImages(interpreter.graph, normalize);
  const size = split.images.length / split.count;
  const inputs = image(split, 0) instanceof Int8Array ? new Int8Array(split.images) : new Uint8Array(split.images);
  for (let index = 0; index < split.count; index++) inputs.set(image(split, index), index * size);
  const [codes] = await interpreter.run([inputs], { signal, progress });
  return { codes: Int32Array.from(codes ?? []) };
}

/**
 * The reference loops on the first images, beside what the SIMD kernels gave.
 *
 * @throws Error `internal:` with the first layer that differs
 */
export async function checkReference(
  reference: Interpreter,
  fast: WasmInterpreter,
  { codes }: IntegerRun,
  { split, normalize, signal, progress }: RunContext,
): Promise<void> {
  const images = quantizeImages(reference.graph, normalize);
  const values = valuesOf(reference.graph);
  const checked = numChecked(split);
  for (let index = 0; index < checked; index++) {
    const image = images(split, index);
    const [output] = reference.run([image]);
    if (!sameCodes(output?.data ?? [], codes.subarray(index * values, (index + 1) * values))) {
      const layer = await firstDifference(reference, fast, image);
      internal(`the SIMD kernels differ from the reference loops on test image ${index}, first in ${layer}`);
    }
    if ((index + 1) % imagesPerTurn === 0 || index + 1 === checked) {
      signal.throwIfAborted();
      await progress(index + 1);
    }
  }
}

/** @param reference whose last run was this image */
async function firstDifference(
  reference: Interpreter,
  fast: WasmInterpreter,
  image: Int8Array | Uint8Array,
): Promise<string> {
  const values = await fast.trace([image]);
  const differs = reference.graph.nodes.find(({ outputs }) =>
    outputs.some((name) => !sameCodes(reference.peek(name), values.get(name) ?? [])),
  );
  return differs === undefined ? 'no layer when it runs alone' : `${differs.op} "${differs.name}"`;
}

function sameCodes(a: ArrayLike<number | bigint>, b: ArrayLike<number>): boolean {
  return a.length === b.length && Array.from(a).every((code, index) => code === b[index]);
}

/** Google's runtime on the same file, with QUANTIZE and DEQUANTIZE at the edges; null with the reason if it cannot. */
export async function runLitert(
  bytes: Uint8Array,
  graph: Graph,
  path: string,
  context: RunContext,
): Promise<IntegerRun | { readonly unavailable: string }> {
  const wrapped = writeTfliteFile(addFloatEdges(readTfliteContents(bytes, path)), optionFields);
  let model: Awaited<ReturnType<typeof openLitert>>;
  try {
    model = await openLitert(wrapped);
  } catch (error) {
    if (error instanceof UserError) return { unavailable: error.diagnostics.map(({ message }) => message).join('; ') };
    throw error;
  }
  try {
    const input = perTensor(valueOf(graph, graph.inputs[0] ?? '').quant, 'the model input');
    const output = perTensor(valueOf(graph, graph.outputs[0] ?? '').quant, 'the model output');
    const images = quantizeImages(graph, context.normalize);
    const reals = new Float32Array(context.split.images.length / context.split.count);
    return await collect(context, valuesOf(graph), async (index) => {
      const codes = images(context.split, index);
      for (let pixel = 0; pixel < reals.length; pixel++) reals[pixel] = input.scale * (codes[pixel]! - input.zeroPoint);
      const [result] = await model.run([reals]);
      return Array.from(result?.data ?? [], (real) => roundHalfAway(real / output.scale) + output.zeroPoint);
    });
  } finally {
    model.close();
  }
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
