/** One class for each example, of two or more: that of the largest score. */
import { dequantizeValue } from '../core/affine.ts';
import { internal } from '../core/assert.ts';
import type { FloatTensor, Shape } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import { counted } from '../core/words.ts';
import type { Split } from '../data/dataset.ts';
import { labelsOf } from '../data/dataset.ts';
import type { Table } from '../measurements/metrics.ts';
import type { ClassAnswers, Predictions } from './classes.ts';
import { classGates, measureClasses, predictions } from './classes.ts';
import type { MeasuredBy } from './define.ts';
import { defineTask } from './define.ts';
import { listedValues } from './examples.ts';
import { classWeights } from './loss-options.ts';
import { meanRowEntropy } from './entropy.ts';
import { mapModels, outputsOf, realOutputs } from './models.ts';
import type { Tested } from './tested.ts';

/**
 * The class with the largest output, the first of equals.
 *
 * @param outputs [count, classes], real values or codes
 */
export function predict(outputs: Float32Array | Int32Array, split: Split): Predictions {
  const size = outputs.length / split.count;
  return predictions(split, (index) => largestAt(outputs, index * size, size));
}

/** Which of `size` values from `start` on is the largest, the first of equals. */
export function largestAt(values: ArrayLike<number>, start: number, size: number): number {
  let best = 0;
  for (let at = 1; at < size; at++) if (values[start + at]! > values[start + best]!) best = at;
  return best;
}

/** Mean cross entropy of the softmax of the logits, [count, classes], without weights and smoothing. */
export function crossEntropy(logits: Float32Array, split: Split): number {
  const labels = labelsOf(split);
  return meanRowEntropy(logits, logits.length / split.count, (row) => labels[row]!);
}

/**
 * The targets of each label, times its weight: weight * ((1 - smoothing) * one_hot(label) + smoothing / classes).
 *
 * @returns [classes, classes]; null where every target is 1 at its label
 */
export function targetTable(weights: readonly number[] | null, smoothing: number, classes: number): FloatTensor | null {
  if (weights === null && smoothing === 0) return null;
  const rows = Float32Array.from({ length: classes * classes }, (_, at) => {
    const [label, index] = [Math.floor(at / classes), at % classes];
    return (weights?.[label] ?? 1) * ((label === index ? 1 - smoothing : 0) + smoothing / classes);
  });
  return tensor('float32', [classes, classes], rows);
}

function measure(tested: Tested): MeasuredBy<'classify'> {
  const { options, dataset } = tested;
  const answers = mapModels(outputsOf(tested), (outputs) => predict(outputs, dataset.test));
  const measured = measureClasses('classify', tested, answers, shownAnswers(tested));
  return options.top_k === undefined
    ? measured
    : { ...measured, tables: [topTable(tested, options.top_k), ...(measured.tables ?? [])] };
}

function shownAnswers(tested: Tested): ClassAnswers {
  const { dataset, areProbabilities, output } = tested;
  const { classNames, test: split } = dataset;
  const labels = labelsOf(split);
  const size = classNames.length;
  const outputs = realOutputs(tested);
  return {
    unit: areProbabilities ? 'probability' : 'logits',
    margin(model, index) {
      const row = outputs[model].subarray(index * size, (index + 1) * size);
      return ahead(row, largestAt(row, 0, size));
    },
    lead: (model, index) => ahead(outputs[model].subarray(index * size, (index + 1) * size), labels[index]!),
    values(index) {
      const start = index * size;
      const values = classNames.map((name, at) => ({
        ...{ name, truth: null },
        first: outputs.first[start + at]!,
        fakeQuant: outputs.fakeQuant[start + at]!,
        int8: dequantizeValue(tested.int8[start + at]!, output.scale, output.zeroPoint),
        code: tested.int8[start + at]!,
      }));
      const answered = [outputs.first, outputs.fakeQuant, outputs.int8].map((of) => largestAt(of, start, size));
      return listedValues(values, [labels[index]!, ...answered]);
    },
  };
}

/** How far the value of an index is above the largest of the others. */
function ahead(row: Float32Array, index: number): number {
  return row[index]! - row.reduce((most, value, at) => (at === index ? most : Math.max(most, value)), -Infinity);
}

/** How often the right class is among those with the largest outputs. */
function topTable({ dataset: { test: split }, float, fakeQuant, int8 }: Tested, k: number): Table {
  const labels = labelsOf(split);
  const hit = (outputs: Float32Array | Int32Array): number => {
    const size = outputs.length / split.count;
    let hits = 0;
    for (let index = 0; index < split.count; index++) {
      const row = [...outputs.subarray(index * size, (index + 1) * size)];
      const label = labels[index] ?? internal(`no label ${index}`);
      // Of equal outputs the first counts as the largest.
      const before = row.filter((value, at) => value > row[label]! || (value === row[label]! && at < label)).length;
      if (before < k) hits++;
    }
    return hits / split.count;
  };
  return {
    title: `Top-${k}`,
    lead: `How often the right class is among the ${k} with the largest outputs.`,
    columns: ['float', 'fake-quant', 'int8'].map((head) => ({ head, unit: 'share' as const })),
    rows: [[float === null ? null : hit(float), hit(fakeQuant), hit(int8)]],
  };
}

export const classify = defineTask({
  name: 'classify',
  does: 'classifies',
  answers: 'classes',
  last: 'softmax',
  output({ classes: { length: values } }) {
    // Data without classes are a mistake of their own.
    const fits = (shape: Shape): boolean => values === 0 || (shape.length === 2 && shape[1] === values);
    return { values, text: `${counted(values, 'score')}, one per class`, fits };
  },
  lossFields: ['class_weights', 'label_smoothing'],
  testFields: ['top_k'],
  loss({ label_smoothing: smoothing = 0, class_weights }, { classes }, train) {
    const weights = classWeights(class_weights, classes, train);
    return { kind: 'softmax_cross_entropy', targets: targetTable(weights, smoothing, classes.length) };
  },
  ignorantLoss: ({ classes }) => Math.log(classes.length),
  validate({ outputs, logits }, split) {
    const accuracy = predict(outputs, split).correct / split.count;
    return { loss: crossEntropy(logits, split), quality: accuracy, share: accuracy };
  },
  decides: false,
  measure,
  gates: classGates,
});
