import { unreachable } from '../core/assert.ts';
import type { CountedTask, ReconstructTest, RegressTest, Task } from '../measurements/metrics.ts';

/** What the share of right answers is called. */
export function accuracyName({ task }: { readonly task: Task }): string {
  return task === 'classify' ? 'top-1' : 'accuracy';
}

/** What the share of right answers is called that training counts. */
export function sharedName(task: CountedTask): string {
  return task === 'segment' ? 'pixels right' : accuracyName({ task });
}

/** What stands above each table of the models of a test. */
export const fileLead =
  'int8 is the .tflite file itself, run here with the integer arithmetic of two kinds of devices.';

/** `test (seed=1, scheme=int8)` for `test@seed=1@scheme=int8`, the name of a stage in a matrix. */
export function stageTitle(name: string): string {
  const [called = name, ...choices] = name.split('@');
  return choices.length === 0 ? called : `${called} (${choices.join(', ')})`;
}

/** What a task's error is called. */
export function errorName({ task }: Pick<RegressTest | ReconstructTest, 'task'>): string {
  switch (task) {
    case 'regress':
      return 'mean absolute error';
    case 'reconstruct':
      return 'mean squared error';
    default:
      return unreachable(task);
  }
}
