/** Measurements of a network that gives numbers. */
import type { Shape } from '../core/tensor.ts';
import { targetsOf } from '../data/dataset.ts';
import type { Split } from '../data/dataset.ts';
import type { Examples } from '../measurements/examples.ts';
import type { RegressTest } from '../measurements/metrics.ts';
import type { Target } from '../models/layers.ts';
import { errorRise, summarize, summarizeModels } from './errors.ts';
import { answersOfErrors, baselineOf, groupsOfErrors, meanDifference, shownExamples } from './examples.ts';
import type { OfModels } from './models.ts';
import { ofEachModel, realOutputs } from './models.ts';
import type { MeasuredBy } from './define.ts';
import { defineTask } from './define.ts';
import type { Tested } from './tested.ts';

/** Mean over all examples and targets of the squared difference, in standard deviations: the loss of training. */
export function squaredError(outputs: Float32Array, split: Split): number {
  const targets = targetsOf(split);
  let total = 0;
  for (const [at, target] of targets.entries()) total += (outputs[at]! - target) ** 2;
  return total / targets.length;
}

type Regression = MeasuredBy<'regress'>;

/** Errors of one target are in its unit; of several, which may have different ones, in standard deviations. */
function measure(tested: Tested): Regression {
  const columns = tested.spec.targets ?? [];
  const { test: split } = tested.dataset;
  const [only, ...others] = columns;
  const unit = only !== undefined && others.length === 0 ? only.deviation : 1;
  const errors = ofEachModel(tested, (outputs) => exampleErrors(outputs, split, unit));
  return {
    task: 'regress',
    ...summarizeModels(errors),
    unit: others.length === 0 ? (only?.name ?? null) : null,
    targets: columns.map((target, column) => measureTarget(tested, target, column, columns.length)),
    meanAnswer: summarize(exampleErrors(meanTargets(split, columns.length), split, unit)).mean,
    examples: examplesOf(tested, columns, errors),
  };
}

/** The mean absolute error of each example over its targets. */
function exampleErrors(outputs: Float32Array, split: Split, unit: number): Float64Array {
  const targets = targetsOf(split);
  const size = targets.length / split.count;
  return Float64Array.from({ length: split.count }, (_, example) => {
    let total = 0;
    for (let at = example * size; at < (example + 1) * size; at++) total += Math.abs(outputs[at]! - targets[at]!);
    return (unit * total) / size;
  });
}

function measureTarget(
  tested: Tested,
  { name, mean, deviation }: Target,
  column: number,
  columns: number,
): RegressTest['targets'][number] {
  const { test: split } = tested.dataset;
  const targets = targetsOf(split);
  const errorOf = (outputs: Float32Array): number => {
    let total = 0;
    for (let at = column; at < targets.length; at += columns) total += Math.abs(outputs[at]! - targets[at]!);
    return (deviation * total) / split.count;
  };
  const error = ofEachModel(tested, errorOf);
  return { name, mean, deviation, error, meanAnswer: errorOf(meanTargets(split, columns)) };
}

/** The mean of all targets, once for each example: what a network that ignores its input would give. */
function meanTargets(split: Split, columns: number): Float32Array {
  const targets = targetsOf(split);
  const sums = new Float64Array(columns);
  for (const [at, target] of targets.entries()) sums[at % columns]! += target;
  return Float32Array.from({ length: targets.length }, (_, at) => sums[at % columns]! / split.count);
}

function examplesOf(tested: Tested, columns: readonly Target[], errors: OfModels<Float64Array>): Examples {
  const { test: split } = tested.dataset;
  const targets = targetsOf(split);
  const size = columns.length;
  const outputs = realOutputs(tested);
  const inUnit = (value: number, column: number): number =>
    (columns[column]?.mean ?? 0) + (columns[column]?.deviation ?? 1) * value;
  const groups = groupsOfErrors(
    baselineOf(tested).title,
    (index) => meanDifference(outputs.int8, outputs.first, index, size),
    (index) => errors.int8[index]!,
  );
  const [only, ...others] = columns;
  const unit =
    only !== undefined && others.length === 0
      ? `absolute, in the unit of ${only.name}`
      : 'absolute, the mean over the targets, in standard deviations';
  return shownExamples(tested, { unit }, groups, (index) => ({
    truth: null,
    answers: answersOfErrors(tested, errors, index),
    values: columns.map(({ name }, column) => {
      const at = index * size + column;
      return {
        name,
        truth: inUnit(targets[at]!, column),
        first: inUnit(outputs.first[at]!, column),
        fakeQuant: inUnit(outputs.fakeQuant[at]!, column),
        int8: inUnit(outputs.int8[at]!, column),
        code: tested.int8[at]!,
      };
    }),
    hidden: 0,
  }));
}

/** Numbers: those of the target columns. */
export const regress = defineTask({
  name: 'regress',
  does: 'regresses',
  answers: 'targets',
  last: null,
  output({ targets }) {
    const values = targets?.length ?? 0;
    const fits = (shape: Shape): boolean => shape.length === 2 && shape[1] === values;
    return { values, text: `${values} values, one for each target`, fits };
  },
  lossFields: ['error', 'huber_delta'],
  testFields: [],
  loss({ error: of = 'squared', huber_delta: delta = 1 }) {
    return of === 'huber' ? { kind: 'error_of_targets', of, delta } : { kind: 'error_of_targets', of };
  },
  decides: false,
  // Targets have a standard deviation of 1, so that their mean is an answer with this loss.
  ignorantLoss: () => 1,
  validate({ outputs }, split) {
    const loss = squaredError(outputs, split);
    return { loss, quality: -loss, share: null };
  },
  measure,
  gates: {
    int8_mae_max: {
      description:
        'Maximum mean absolute error of an integer model that regresses: in the unit of its target, or in standard deviations of several',
      ...{ limit: 'positive', compares: null, rule: 'at_most', unit: 'error' },
      value: ({ error }) => error.int8.mean,
    },
    mae_rise_max: {
      description:
        'Maximum rise of the mean absolute error from float to int8 on a microcontroller (TFLM), as a fraction of the float error; needs a float-pretrain stage',
      ...{ limit: 'positive', compares: 'float', rule: 'at_most', unit: 'share' },
      value: errorRise,
    },
  },
});
