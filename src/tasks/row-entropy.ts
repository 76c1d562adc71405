import { log } from '../core/math.ts';
import { softmaxRow } from '../ops/softmax.ts';

/**
 * Mean cross entropy of the softmax of rows of logits, [rows, classes], without weights and smoothing.
 *
 * @param labelOf by row; rows are asked for in their order
 */
export function meanRowEntropy(logits: Float32Array, classes: number, labelOf: (row: number) => number): number {
  const rows = logits.length / classes;
  const probabilities = new Float32Array(classes);
  let loss = 0;
  for (let row = 0; row < rows; row++) {
    softmaxRow(logits.subarray(row * classes, (row + 1) * classes), 0, classes, 1, probabilities);
    loss -= log(Math.max(probabilities[labelOf(row)]!, 1e-38));
  }
  return loss / rows;
}
