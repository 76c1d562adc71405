import { internal } from '../core/assert.ts';
import { log } from '../core/math.ts';
import type { Split } from '../data/dataset.ts';
import type { Normalization } from '../data/batches.ts';
import { fillBatch } from '../data/batches.ts';
import type { Session } from '../engine/engine.ts';
import type { Graph } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import { softmaxRow } from '../ops/softmax.ts';
import { logitsOf, setBatch } from '../passes/index.ts';
import { modelInput } from './graphs.ts';

/** Images per run when nothing is trained. */
export const evaluationBatch = 250;

/** What a float graph makes of a split. */
export interface Evaluation {
  /** The class with the largest output, the first of equals. */
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
  // The loss reads the logits, as in training, also where the network ends in a softmax.
  const logitsName = logitsOf(batched);
  const outputs = new Float32Array(split.count * classes);
  const logits = new Float32Array(split.count * classes);
  const session = await open({ ...batched, outputs: [...new Set([output, logitsName])] });
  try {
    for (const chunk of chunks(split, normalize)) {
      signal.throwIfAborted();
      const result = await session.run(new Map([[input, chunk.images]]));
      for (const [name, all] of [
        [output, outputs],
        [logitsName, logits],
      ] as const) {
        const values = result.get(name) ?? internal(`the engine gave no "${name}"`);
        all.set(values.subarray(0, chunk.count * classes), chunk.start * classes);
      }
    }
  } finally {
    await session.close();
  }
  return scores(outputs, logits, split.labels, classes);
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

function scores(outputs: Float32Array, logits: Float32Array, labels: Uint8Array, classes: number): Evaluation {
  const count = labels.length;
  const predictions = new Uint8Array(count);
  const probabilities = new Float32Array(classes);
  let correct = 0;
  let loss = 0;
  for (let row = 0; row < count; row++) {
    const [start, end] = [row * classes, (row + 1) * classes];
    predictions[row] = argmax(outputs.subarray(start, end));
    if (predictions[row] === labels[row]) correct++;
    softmaxRow(logits.subarray(start, end), 0, classes, 1, probabilities);
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
