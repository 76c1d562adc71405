import { internal } from '../core/assert.ts';
import { log } from '../core/math.ts';
import type { Split } from '../data/dataset.ts';
import type { Normalization } from '../data/batches.ts';
import { fillBatch } from '../data/batches.ts';
import type { Session } from '../engine/engine.ts';
import type { Graph } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import { softmaxRow } from '../ops/softmax.ts';
import { setBatch } from '../passes/index.ts';
import { modelInput } from './graphs.ts';

/** Images per run when nothing is trained. */
export const evaluationBatch = 250;

/** What a float graph makes of a split. */
export interface Evaluation {
  /** [count, classes] */
  readonly logits: Float32Array;
  /** The class with the largest logit, the first of equals. */
  readonly predictions: Uint8Array;
  readonly correct: number;
  /** Mean cross entropy of the softmax of the logits. */
  readonly loss: number;
}

/**
 * Runs a float or eval graph over a split.
 *
 * @param graph inference form, any batch
 * @param open starts a session on the stage's engine
 */
export async function evaluate(
  graph: Graph,
  split: Split,
  normalize: Normalization,
  open: (graph: Graph) => Promise<Session>,
  signal: AbortSignal,
): Promise<Evaluation> {
  const batched = setBatch(graph, evaluationBatch);
  const input = modelInput(batched);
  const [output = ''] = batched.outputs;
  const classes = valueOf(batched, output).type.shape[1] ?? internal(`"${output}" is not [batch, classes]`);
  const logits = new Float32Array(split.count * classes);
  const session = await open(batched);
  try {
    for (const chunk of chunks(split, normalize)) {
      signal.throwIfAborted();
      const result = await session.run(new Map([[input, chunk.images]]));
      const values = result.get(output) ?? internal(`the engine gave no "${output}"`);
      logits.set(values.subarray(0, chunk.count * classes), chunk.start * classes);
    }
  } finally {
    await session.close();
  }
  return { logits, ...scores(logits, split.labels, classes) };
}

interface Chunk {
  readonly start: number;
  readonly count: number;
  readonly images: Float32Array;
}

/** The split in order, in pieces of one batch; the last is filled up with its own first images. */
export function* chunks(split: Split, normalize: Normalization): Generator<Chunk> {
  const imageSize = split.images.length / split.count;
  const images = new Float32Array(evaluationBatch * imageSize);
  const labels = new Float32Array(evaluationBatch);
  for (let start = 0; start < split.count; start += evaluationBatch) {
    const count = Math.min(evaluationBatch, split.count - start);
    const order = Uint32Array.from({ length: evaluationBatch }, (_, index) => start + (index % count));
    fillBatch(split, order, 0, evaluationBatch, normalize, images, labels);
    yield { start, count, images };
  }
}

function scores(logits: Float32Array, labels: Uint8Array, classes: number): Omit<Evaluation, 'logits'> {
  const count = labels.length;
  const predictions = new Uint8Array(count);
  const probabilities = new Float32Array(classes);
  let correct = 0;
  let loss = 0;
  for (let row = 0; row < count; row++) {
    const values = logits.subarray(row * classes, (row + 1) * classes);
    predictions[row] = argmax(values);
    if (predictions[row] === labels[row]) correct++;
    softmaxRow(values, 0, classes, 1, probabilities);
    loss -= log(Math.max(probabilities[labels[row]!]!, 1e-38));
  }
  return { predictions, correct, loss: loss / count };
}

/** The index of the largest value, the first of equals. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let index = 1; index < values.length; index++) if (values[index]! > values[best]!) best = index;
  return best;
}
