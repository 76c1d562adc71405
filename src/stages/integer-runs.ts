import { internal } from '../core/assert.ts';
import { UserError } from '../core/diagnostic.ts';
import { perTensor, roundHalfAway } from '../core/affine.ts';
import type { Normalization } from '../data/batches.ts';
import type { Split } from '../data/dataset.ts';
import type { Graph } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import type { Interpreter } from '../interpreter/interpreter.ts';
import { openLitert } from '../interpreter/litert.ts';
import { writeTfliteFile } from '../tflite/file.ts';
import { addFloatEdges } from '../tflite/float-edges.ts';
import { optionFields } from '../tflite/option-fields.ts';
import { readTfliteContents } from '../tflite/read.ts';
import { argmax } from './evaluate.ts';
import { quantizeImages } from './integer-input.ts';

/** What an integer model makes of a split. */
export interface IntegerRun {
  /** [count, classes] */
  readonly codes: Int32Array;
  readonly predictions: Uint8Array;
  readonly correct: number;
}

interface RunContext {
  readonly split: Split;
  readonly normalize: Normalization;
  readonly signal: AbortSignal;
  /** Called every so many images, between which nothing else gets a turn. */
  readonly progress: (done: number) => Promise<void>;
}

const imagesPerTurn = 50;

/** Our reference loops, image by image. */
export async function runReference(interpreter: Interpreter, context: RunContext): Promise<IntegerRun> {
  const images = quantizeImages(interpreter.graph, context.normalize);
  return collect(context, classesOf(interpreter.graph), (index) => {
    const [output] = interpreter.run([images(context.split, index)]);
    return output?.data as Int8Array; // the output of an integer model holds its codes
  });
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
    return await collect(context, classesOf(graph), async (index) => {
      const codes = images(context.split, index);
      for (let pixel = 0; pixel < reals.length; pixel++) reals[pixel] = input.scale * (codes[pixel]! - input.zeroPoint);
      const [result] = await model.run([reals]);
      return Array.from(result?.data ?? [], (real) => roundHalfAway(real / output.scale) + output.zeroPoint);
    });
  } finally {
    model.close();
  }
}

function classesOf(graph: Graph): number {
  const { shape } = valueOf(graph, graph.outputs[0] ?? internal('the model has no output')).type;
  return shape.at(-1) ?? internal('the output has no classes');
}

async function collect(
  { split, signal, progress }: RunContext,
  classes: number,
  run: (index: number) => ArrayLike<number> | Promise<ArrayLike<number>>,
): Promise<IntegerRun> {
  const codes = new Int32Array(split.count * classes);
  const predictions = new Uint8Array(split.count);
  let correct = 0;
  for (let index = 0; index < split.count; index++) {
    const output = await run(index);
    codes.set(output, index * classes);
    predictions[index] = argmax(output);
    if (predictions[index] === split.labels[index]) correct++;
    if ((index + 1) % imagesPerTurn === 0) {
      signal.throwIfAborted();
      await progress(index + 1);
    }
  }
  return { codes, predictions, correct };
}
