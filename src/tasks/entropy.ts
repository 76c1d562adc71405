/** The loss of answers, without weights and smoothing, as validation measures it. */
import { exp, log } from '../core/math.ts';
import { softmaxRow } from '../ops/softmax.ts';

/**
 * Mean cross entropy of the softmax of rows of logits, [rows, classes].
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

/**
 * Mean cross entropy of answers of yes and no, of which each has a logit z: log(1 + e^z) - answer * z.
 *
 * @param answers 0 or 1, one for each logit
 */
export function meanLogisticEntropy(logits: Float32Array, answers: ArrayLike<number>): number {
  let loss = 0;
  for (let at = 0; at < logits.length; at++) {
    const logit = logits[at]!;
    loss += Math.max(logit, 0) - logit * answers[at]! + log(1 + exp(-Math.abs(logit)));
  }
  return loss / logits.length;
}
