/** Validation of a network during training. */
import { unreachable } from '../core/assert.ts';
import type { Normalization } from '../data/batches.ts';
import { inputRange } from '../data/batches.ts';
import type { Split } from '../data/dataset.ts';
import type { Task } from '../models/layers.ts';
import { crossEntropy, predict } from '../tasks/classify.ts';
import type { Evaluation } from '../evaluation/evaluate.ts';
import { imageErrors, summarize } from '../tasks/reconstruct.ts';

export type Validation =
  | { readonly task: 'classify'; readonly loss: number; readonly accuracy: number }
  /** The loss is the mean squared error. */
  | { readonly task: 'reconstruct'; readonly loss: number };

export function validationOf(
  task: Task,
  { outputs, logits }: Evaluation,
  split: Split,
  normalize: Normalization,
): Validation {
  switch (task) {
    case 'classify':
      return { task, loss: crossEntropy(logits, split), accuracy: predict(outputs, split).correct / split.count };
    case 'reconstruct':
      return { task, loss: summarize(imageErrors(outputs, split, normalize)).mean };
    default:
      return unreachable(task);
  }
}

/** What the best epoch has most of. */
export function qualityOf(validation: Validation): number {
  switch (validation.task) {
    case 'classify':
      return validation.accuracy;
    case 'reconstruct':
      return -validation.loss;
    default:
      return unreachable(validation);
  }
}

/**
 * The loss of a network that knows nothing: of guessing among the classes, or of outputs off by the whole range of the
 * input.
 */
export function ignorantLoss(task: Task, classes: number, normalize: Normalization): number {
  const { min, max } = inputRange(normalize);
  const width = max - min;
  switch (task) {
    case 'classify':
      return Math.log(classes);
    case 'reconstruct':
      return width ** 2;
    default:
      return unreachable(task);
  }
}
