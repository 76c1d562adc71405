/** Validation of a network during training. */
import { unreachable } from '../core/assert.ts';
import type { Normalization } from '../data/batches.ts';
import { inputRange } from '../data/batches.ts';
import type { Split } from '../data/dataset.ts';
import type { Task } from '../models/layers.ts';
import { crossEntropy, predict } from '../tasks/classify.ts';
import type { Evaluation } from '../evaluation/evaluate.ts';
import { summarize } from '../tasks/errors.ts';
import { imageErrors } from '../tasks/reconstruct.ts';
import { squaredError } from '../tasks/regress.ts';

export type Validation =
  | { readonly task: 'classify'; readonly loss: number; readonly accuracy: number }
  /** The loss is the mean squared error. */
  | { readonly task: 'regress' | 'reconstruct'; readonly loss: number };

export function validationOf(
  task: Task,
  { outputs, logits }: Evaluation,
  split: Split,
  normalize: Normalization,
): Validation {
  switch (task) {
    case 'classify':
      return { task, loss: crossEntropy(logits, split), accuracy: predict(outputs, split).correct / split.count };
    case 'regress':
      return { task, loss: squaredError(outputs, split) };
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
    case 'regress':
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
    // Targets have a standard deviation of 1, so that their mean is an answer with this loss.
    case 'regress':
      return 1;
    case 'reconstruct':
      return width ** 2;
    default:
      return unreachable(task);
  }
}
