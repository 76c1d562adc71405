import type { Normalization } from '../data/batches.ts';
import type { Split } from '../data/dataset.ts';
import type { Evaluation } from '../evaluation/evaluate.ts';
import type { Gate, Task, UnjudgedTest } from '../measurements/metrics.ts';
import type { Purpose } from '../graph/contract.ts';
import type { Shape } from '../core/tensor.ts';
import type { Loss } from '../passes/index.ts';
import type { LossField, LossOptions } from './loss-options.ts';
import type { TestField, Tested } from './tested.ts';

/** What of the examples the outputs of a network are compared with. */
export type Answers = 'classes' | 'targets' | 'tags' | 'masks' | 'inputs';

/** What the output of a network must look like. */
export interface ExpectedOutput {
  /** Units of a fully connected layer that would give it. */
  readonly values: number;
  /** `10 scores, one per class` */
  readonly text: string;
  /** How a network gets there; left out where a fully connected layer of so many units does it. */
  readonly hint?: string;
  /** @param shape with the batch in front */
  readonly fits: (shape: Shape) => boolean;
}

/** What validation measured in an epoch. */
export interface Validation {
  /** The loss on the validation examples, without weights and smoothing. */
  readonly loss: number;
  /** What the best epoch has most of. */
  readonly quality: number;
  /** What is shown of it beside the loss, 0..1; null where the loss says all. */
  readonly share: number | null;
  /** Of several outputs, in their order. */
  readonly outputs?: readonly { readonly name: string; readonly loss: number; readonly share: number | null }[];
}

type TaskPart<T> = T extends unknown ? Omit<T, keyof CommonTest> : never;
type CommonTest = Pick<
  UnjudgedTest,
  'kind' | 'n' | 'compared' | 'litertNote' | 'layers' | 'preparation' | 'model' | 'seconds'
>;
type Measured = TaskPart<UnjudgedTest>;
/** What a task measures beside what every test stage does. */
export type MeasuredBy<T extends Task> = Measured extends infer M
  ? M extends { readonly task: infer Tasks }
    ? T extends Tasks
      ? M
      : never
    : never
  : never;

/** A limit that a pipeline may set. */
export interface GateRow<M> {
  readonly description: string;
  /** Limits of fractions are in 0..1. */
  readonly limit: 'fraction' | 'positive';
  /** Whether it compares with a float model. */
  readonly compares: 'float' | null;
  readonly rule: Gate['rule'];
  readonly unit: Gate['unit'];
  /** Null where it could not be measured. A method, so that a table of tasks may forget what each measures. */
  value(measured: M): number | null;
}

/** What the output of a network is for, and all that follows from it outside of the report. */
export interface TaskRow<T extends Task = Task> {
  /** The word of `task:`. */
  readonly name: T;
  /** `a network that …`, for messages. */
  readonly does: string;
  readonly answers: Answers;
  /** The function that may end the network for inference; the loss reads what is before it. */
  readonly last: 'softmax' | 'logistic' | null;
  readonly output: (spec: Pick<Purpose, 'classes' | 'targets' | 'tags' | 'image'>) => ExpectedOutput;
  /** Which fields of a pipeline's `loss` it has. */
  readonly lossFields: readonly LossField[];
  /** Which fields of the test stage, of those that not every task has. */
  readonly testFields: readonly TestField[];
  /** @param train null where only the graph is wanted, not its constants */
  readonly loss: (options: LossOptions, spec: Purpose, train: Split | null) => Loss;
  /** The loss of a network that knows nothing. */
  readonly ignorantLoss: (spec: Pick<Purpose, 'classes' | 'normalize'>) => number;
  /** Whether a threshold is chosen on the validation examples before the test. */
  readonly decides: boolean;
  readonly validate: (evaluation: Evaluation, split: Split, normalize: Normalization) => Validation;
  readonly measure: (tested: Tested) => MeasuredBy<T>;
  readonly gates: Readonly<Record<string, GateRow<MeasuredBy<T>>>>;
}

/** The digests of code drop the fields of a row that a stage does not read: what is measured trains nothing again. */
export function defineTask<const T extends Task>(row: TaskRow<T>): TaskRow<T> {
  return row;
}
