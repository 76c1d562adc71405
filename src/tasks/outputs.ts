/** The outputs of a network, each with its task. */
import { internal, present, unreachable } from '../core/assert.ts';
import type { AnswerColumn } from '../data/batches.ts';
import type { DatasetForm, Split, TargetColumn } from '../data/dataset.ts';
import type { Contract, Purpose } from '../graph/contract.ts';
import { purposesOf } from '../graph/contract.ts';
import type { TrainingLoss } from '../passes/index.ts';
import { lossNames, lossNamesOf } from '../passes/index.ts';
import type { Answers, TaskRow, Validation } from './define.ts';
import { tasks } from './index.ts';
import type { LossOptions } from './loss-options.ts';

export interface Output {
  /** In the words of a pipeline; null for the only one of a network. */
  readonly name: string | null;
  readonly purpose: Purpose;
  readonly task: TaskRow;
  /** What its loss counts in the sum. */
  readonly weight: number;
}

/** @returns one at least */
export function outputsOf(contract: Contract): readonly Output[] {
  return purposesOf(contract).map((purpose) => ({
    ...{ name: purpose.output ?? null, purpose, task: tasks[purpose.task], weight: purpose.lossWeight ?? 1 },
  }));
}

/** Whether a pipeline names the outputs, of which there are several then. */
export const areNamed = (outputs: readonly Output[]): boolean => outputs.some(({ name }) => name !== null);

const nameOf = ({ name }: Output): string => name ?? internal('one output of several has no name');

/** @param train null where only the graph is wanted, not its constants */
export function trainingLoss(outputs: readonly Output[], options: LossOptions, train: Split | null): TrainingLoss {
  const lossOf = ({ task, purpose }: Output) => task.loss(options, purpose, train);
  if (!areNamed(outputs)) return lossOf(present(outputs[0], 'an output'));
  return outputs.map((output) => ({ name: nameOf(output), weight: output.weight, loss: lossOf(output) }));
}

/** The loss of a network that knows nothing. */
export function ignorantLoss(outputs: readonly Output[]): number {
  return outputs.reduce((sum, { task, purpose, weight }) => sum + weight * task.ignorantLoss(purpose), 0);
}

/** What training compares an output with: an input of its graph. */
export interface AnswerFeed {
  readonly input: string;
  readonly column: AnswerColumn;
  /** Of the targets, those that the output gives, in their order; null for all of the column. */
  readonly picked: readonly number[] | null;
}

/** What of the examples the training graph of these outputs reads beside their inputs. */
export function answerFeeds(outputs: readonly Output[], { targets }: Pick<DatasetForm, 'targets'>): AnswerFeed[] {
  return outputs.flatMap((output): AnswerFeed[] => {
    const column = columnOf(output.task.answers);
    if (column === null) return [];
    const { labels: input } = output.name === null ? lossNames : lossNamesOf(output.name);
    return [{ input, column, picked: column === 'targets' ? pickedTargets(output, targets) : null }];
  });
}

function columnOf(answers: Answers): AnswerColumn | null {
  switch (answers) {
    case 'classes':
      return 'labels';
    case 'targets':
    case 'tags':
      return 'targets';
    case 'masks':
      return 'masks';
    case 'inputs':
      return null;
    default:
      return unreachable(answers);
  }
}

/** Where the targets of an output are among those of the data; null where it gives all of them. */
function pickedTargets({ purpose }: Output, columns: readonly TargetColumn[] = []): readonly number[] | null {
  const wanted = purpose.targets ?? [];
  if (purpose.task !== 'regress' || purpose.output === undefined) return null;
  return wanted.map(({ name }) => {
    const column = columns.findIndex((target) => target.name === name);
    return column < 0 ? internal(`the data have no target "${name}"`) : column;
  });
}

/** The examples as an output is measured on them: with its own targets alone. */
export function examplesFor(output: Output, split: Split, columns: readonly TargetColumn[] | undefined): Split {
  const { targets } = split;
  const picked = pickedTargets(output, columns);
  if (targets === null || picked === null) return split;
  return { ...split, targets: pickColumns(targets, columns?.length ?? 0, picked) };
}

/** Some columns of rows. */
export function pickColumns(rows: Float32Array, columns: number, picked: readonly number[]): Float32Array {
  const out = new Float32Array((rows.length / columns) * picked.length);
  for (let at = 0; at < out.length; at++) {
    const row = Math.floor(at / picked.length);
    out[at] = rows[row * columns + (picked[at % picked.length] ?? 0)]!;
  }
  return out;
}

/** What validation found of several outputs: the best epoch is that with the smallest sum of weighted losses. */
export function validationOf(outputs: readonly Output[], found: readonly Validation[]): Validation {
  if (!areNamed(outputs)) return present(found[0], 'an output');
  const each = outputs.map((output, index) => ({ output, ...present(found[index], 'what was validated') }));
  const loss = each.reduce((sum, one) => sum + one.output.weight * one.loss, 0);
  return {
    ...{ loss, quality: -loss, share: null },
    outputs: each.map((one) => ({ name: nameOf(one.output), loss: one.loss, share: one.share })),
  };
}
