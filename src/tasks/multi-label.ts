/** Any number of labels for each example, each with an output of its own: it applies where the output says so. */
import type { Shape } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import { counted } from '../core/words.ts';
import type { Split } from '../data/dataset.ts';
import { targetsOf } from '../data/dataset.ts';
import type { Examples } from '../measurements/examples.ts';
import type { Table } from '../measurements/metrics.ts';
import type { MeasuredBy } from './define.ts';
import { defineTask } from './define.ts';
import { meanLogisticEntropy } from './entropy.ts';
import { answersOf, baselineOf, groupsOfLabels, listedValues, shownExamples } from './examples.ts';
import { dequantize, realOutputs } from './models.ts';
import { areaUnderCurve } from './ranking.ts';
import type { Counts } from './scores.ts';
import { scoreDrop, scoresOf, totalsOf } from './scores.ts';
import type { Tested } from './tested.ts';

/** By label: labels that are rightly found, wrongly found, missed. */
const KINDS = 3;

/** @param threshold from which on an output says that its label applies */
function countsOf(outputs: Float32Array, split: Split, threshold: number): Counts {
  const answers = targetsOf(split);
  const numLabels = answers.length / split.count;
  const values = KINDS * numLabels;
  const data = new Float64Array(split.count * values);
  for (const [at, answer] of answers.entries()) {
    const [found, applies] = [outputs[at]! >= threshold, answer === 1];
    const kind = found && applies ? 0 : found ? 1 : applies ? 2 : null;
    if (kind !== null) data[Math.floor(at / numLabels) * values + KINDS * (at % numLabels) + kind] = 1;
  }
  return { values, data };
}

/** 2 TP / (2 TP + FP + FN), of one label. */
const f1 = (right: number, wrong: number, missed: number): number =>
  right + wrong + missed === 0 ? 1 : (2 * right) / (2 * right + wrong + missed);

/** The mean F1 of all labels; one that neither applies nor is found counts as 1. */
function macroF1(totals: Float64Array): number {
  const labels = totals.length / KINDS;
  let sum = 0;
  for (let at = 0; at < totals.length; at += KINDS) sum += f1(totals[at]!, totals[at + 1]!, totals[at + 2]!);
  return sum / labels;
}

function measure(tested: Tested): MeasuredBy<'multi_label'> {
  const { spec, dataset } = tested;
  const { test: split } = dataset;
  const tags = spec.tags ?? [];
  // A probability of one half.
  const threshold = tested.areProbabilities ? 0.5 : 0;
  const scores = scoresOf(tested, (outputs) => countsOf(outputs, split, threshold), macroF1);
  return {
    task: 'multi_label',
    scoreName: 'macro F1',
    ...scores,
    ignorant: {
      answer: 'every label for every example',
      score: macroF1(totalsOf(countsOf(new Float32Array(split.count * tags.length).fill(1), split, 0.5))),
    },
    tables: [labelTable(tags, tested, threshold)],
    examples: examplesOf(tested, tags, threshold),
  };
}

function examplesOf(tested: Tested, tags: readonly string[], threshold: number): Examples {
  const { test: split } = tested.dataset;
  const truth = targetsOf(split);
  const outputs = realOutputs(tested);
  const size = tags.length;
  const labels = (index: number): number[] => tags.map((_, label) => index * size + label);
  const isRight = (of: Float32Array, at: number): boolean => of[at]! >= threshold === (truth[at] === 1);
  const margin = (of: Float32Array, at: number): number => Math.abs(of[at]! - threshold);
  const named = (index: number, holds: (at: number) => boolean): string => {
    const found = tags.filter((_tag, label) => holds(index * size + label));
    return found.length === 0 ? 'none' : found.join(', ');
  };
  return shownExamples(
    tested,
    { unit: tested.areProbabilities ? 'probability' : 'logits', threshold },
    groupsOfLabels(baselineOf(tested).title, labels, (of, at) => ({
      right: isRight(outputs[of], at),
      margin: margin(outputs[of], at),
    })),
    (index) => ({
      truth: named(index, (at) => truth[at] === 1),
      answers: answersOf(tested, (model) => ({
        text: named(index, (at) => outputs[model][at]! >= threshold),
        right: labels(index).every((at) => isRight(outputs[model], at)),
        margin: Math.min(...labels(index).map((at) => margin(outputs[model], at))),
        error: null,
      })),
      ...listedValues(
        labels(index).map((at, label) => ({
          name: tags[label] ?? '',
          truth: truth[at]!,
          first: outputs.first[at]!,
          fakeQuant: outputs.fakeQuant[at]!,
          int8: outputs.int8[at]!,
          code: tested.int8[at]!,
        })),
        labels(index).flatMap((at, label) => (truth[at] === 1 ? [label] : [])),
      ),
    }),
  );
}

function labelTable(tags: readonly string[], tested: Tested, threshold: number): Table {
  const { float, fakeQuant, output } = tested;
  const { test: split } = tested.dataset;
  const answers = targetsOf(split);
  const int8 = dequantize(tested.int8, output);
  const models = [
    ...(float === null ? [] : [{ name: 'float', outputs: float }]),
    { name: 'fake-quant', outputs: fakeQuant },
    { name: 'int8', outputs: int8 },
  ].map((model) => ({ ...model, totals: totalsOf(countsOf(model.outputs, split, threshold)) }));
  const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);
  const column = (values: Float32Array, label: number): Float32Array =>
    Float32Array.from({ length: split.count }, (_, index) => values[index * tags.length + label]!);
  return {
    title: 'By label',
    lead: 'A label is found where its output says a probability of one half or more.',
    columns: [
      { head: 'Label', unit: 'text' },
      { head: 'Examples', unit: 'count' },
      ...models.map(({ name }) => ({ head: `F1 ${name}`, unit: 'share' as const })),
      { head: 'Recall int8', unit: 'share' },
      { head: 'Precision int8', unit: 'share' },
      { head: 'AUC int8', unit: 'number' },
    ],
    rows: tags.map((tag, label) => {
      const counts = models.map(({ totals }) => totals.subarray(KINDS * label, KINDS * (label + 1)));
      const [right = 0, wrong = 0, missed = 0] = counts.at(-1) ?? [];
      const applies = column(answers, label);
      return [
        tag,
        applies.reduce((sum, answer) => sum + answer, 0),
        ...counts.map(([hits = 0, extras = 0, misses = 0]) => f1(hits, extras, misses)),
        share(right, right + missed),
        share(right, right + wrong),
        areaUnderCurve(column(int8, label), (index) => applies[index] === 1),
      ];
    }),
  };
}

/** Weights of no and yes by label, so that both count the same together. */
function balancedWeights(train: Split | null, numLabels: number): Float32Array {
  const answers = train?.targets ?? new Float32Array();
  const count = answers.length / numLabels;
  const weights = new Float32Array(2 * numLabels).fill(1);
  for (let label = 0; label < numLabels; label++) {
    let yes = 0;
    for (let at = label; at < answers.length; at += numLabels) yes += answers[at]!;
    if (yes === 0 || yes === count) continue;
    weights[label] = count / (2 * (count - yes));
    weights[numLabels + label] = count / (2 * yes);
  }
  return weights;
}

export const multiLabel = defineTask({
  name: 'multi_label',
  does: 'labels',
  answers: 'tags',
  last: 'logistic',
  output({ tags }) {
    const values = tags?.length ?? 0;
    // Data without labels are a mistake of their own.
    const fits = (shape: Shape): boolean => tags === undefined || (shape.length === 2 && shape[1] === values);
    return { values, text: `${counted(values, 'value')}, one per label`, fits };
  },
  lossFields: ['class_weights', 'label_smoothing'],
  testFields: [],
  loss({ label_smoothing: smoothing = 0, class_weights: given }, { tags = [] }, train) {
    const shape = [2, tags.length];
    const table =
      given === undefined
        ? null
        : given === 'balanced'
          ? balancedWeights(train, tags.length)
          : Float32Array.from({ length: 2 * tags.length }, (_, at) => given[tags[at % tags.length] ?? ''] ?? 1);
    return { kind: 'sigmoid_cross_entropy', weights: table && tensor('float32', shape, table), smoothing };
  },
  ignorantLoss: () => Math.LN2,
  decides: false,
  validate({ logits }, split) {
    const score = macroF1(totalsOf(countsOf(logits, split, 0)));
    return { loss: meanLogisticEntropy(logits, targetsOf(split)), quality: score, share: score };
  },
  measure,
  gates: {
    int8_f1_min: {
      description: 'Minimum mean F1 of all labels by the integer model on a microcontroller (TFLM), as a fraction 0..1',
      ...{ limit: 'fraction', compares: null, rule: 'at_least', unit: 'share' },
      value: ({ score }) => score.int8.value,
    },
    f1_drop_max: {
      description:
        'Maximum drop of the mean F1 from float to int8 on a microcontroller (TFLM), as a fraction 0..1; needs a float-pretrain stage',
      ...{ limit: 'fraction', compares: 'float', rule: 'at_most', unit: 'share_difference' },
      value: scoreDrop,
    },
  },
});
