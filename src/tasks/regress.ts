/** Measurements of a network that gives numbers. */
import { targetsOf } from '../data/dataset.ts';
import type { Split } from '../data/dataset.ts';
import type { RegressTest, UnjudgedTest } from '../measurements/metrics.ts';
import type { Target } from '../models/layers.ts';
import { costs, dequantize, ofEachModel, summaries, summarize } from './errors.ts';
import type { GateValue } from './gates.ts';
import type { Tested } from './tested.ts';

/** Mean over all examples and targets of the squared difference, in standard deviations: the loss of training. */
export function squaredError(outputs: Float32Array, split: Split): number {
  const targets = targetsOf(split);
  let total = 0;
  for (const [at, target] of targets.entries()) total += (outputs[at]! - target) ** 2;
  return total / targets.length;
}

type Measured = Pick<RegressTest, 'task' | 'error' | 'unit' | 'targets' | 'meanAnswer' | 'costs' | 'examples'>;

/** Errors of one target are in its unit; of several, which may have different ones, in standard deviations. */
export function measureRegression(tested: Tested): Measured {
  const columns = tested.spec.targets ?? [];
  const { test: split } = tested.dataset;
  const [only, ...others] = columns;
  const unit = only !== undefined && others.length === 0 ? only.deviation : 1;
  const errors = ofEachModel(tested, (outputs) => exampleErrors(outputs, split, unit));
  return {
    task: 'regress',
    error: summaries(errors),
    unit: others.length === 0 ? (only?.name ?? null) : null,
    targets: columns.map((target, column) => measureTarget(tested, target, column, columns.length)),
    meanAnswer: summarize(exampleErrors(meanTargets(split, columns.length), split, unit)).mean,
    costs: costs(errors),
    examples: examplesOf(tested, columns),
  };
}

export function regressionGates({ error }: UnjudgedTest & { task: 'regress' }): GateValue[] {
  const rise = error.float === null ? null : error.int8.mean / error.float.mean - 1;
  return [
    { name: 'int8_mae_max', rule: 'at_most', value: error.int8.mean, unit: 'error' },
    { name: 'mae_rise_max', rule: 'at_most', value: rise, unit: 'share' },
  ];
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

function examplesOf(tested: Tested, columns: readonly Target[]): RegressTest['examples'] {
  const { dataset, output, float, int8 } = tested;
  const { test: split } = dataset;
  const targets = targetsOf(split);
  const size = columns.length;
  const inUnits = (values: Float32Array): number[] =>
    Array.from(values, (value, column) => (columns[column]?.mean ?? 0) + (columns[column]?.deviation ?? 1) * value);
  return Array.from({ length: Math.min(tested.numExamples, split.count) }, (_, index) => {
    const [start, end] = [index * size, (index + 1) * size];
    const codes = int8.subarray(start, end);
    return {
      ...{ index, raw: [...codes], ...output },
      target: inUnits(targets.subarray(start, end)),
      answer: inUnits(dequantize(codes, output)),
      floatAnswer: float === null ? null : inUnits(float.subarray(start, end)),
    };
  });
}
