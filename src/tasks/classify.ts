/** Measurements of a network that classifies. */
import { dequantizeValue } from '../core/affine.ts';
import { log } from '../core/math.ts';
import type { Shape } from '../core/tensor.ts';
import { counted } from '../core/words.ts';
import type { Split } from '../data/dataset.ts';
import { labelsOf } from '../data/dataset.ts';
import { softmaxRow } from '../ops/softmax.ts';
import type { ClassifyTest, Flips } from '../measurements/metrics.ts';
import type { MeasuredBy, TaskRow } from './define.ts';
import { defineTask } from './define.ts';
import type { Tested } from './tested.ts';
import { pictureOf } from './tested.ts';

interface Predictions {
  /** The class with the largest output, the first of equals. */
  readonly classes: Uint16Array;
  readonly correct: number;
}

/** @param outputs [count, classes], real values or codes */
export function predict(outputs: Float32Array | Int32Array, split: Split): Predictions {
  const { count } = split;
  const labels = labelsOf(split);
  const size = outputs.length / count;
  const classes = Uint16Array.from({ length: count }, (_, index) =>
    argmax(outputs.subarray(index * size, (index + 1) * size)),
  );
  return { classes, correct: classes.filter((label, index) => label === labels[index]).length };
}

/** The index of the largest value, the first of equals. */
function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let index = 1; index < values.length; index++) if (values[index]! > values[best]!) best = index;
  return best;
}

/** Mean cross entropy of the softmax of the logits, [count, classes]. */
export function crossEntropy(logits: Float32Array, split: Split): number {
  const { count } = split;
  const labels = labelsOf(split);
  const classes = logits.length / count;
  const probabilities = new Float32Array(classes);
  let loss = 0;
  for (let row = 0; row < count; row++) {
    softmaxRow(logits.subarray(row * classes, (row + 1) * classes), 0, classes, 1, probabilities);
    loss -= log(Math.max(probabilities[labels[row]!]!, 1e-38));
  }
  return loss / count;
}

export type MeasuredClasses = MeasuredBy<'classify'>;

function measure(tested: Tested): MeasuredClasses {
  const { dataset } = tested;
  const { test: split } = dataset;
  const float = tested.float === null ? null : predict(tested.float, split);
  const qatFloat = predict(tested.qatFloat, split);
  const fakeQuant = predict(tested.fakeQuant, split);
  const int8 = predict(tested.int8, split);
  const litert = tested.litert === null ? null : predict(tested.litert, split);
  const each = <T>(of: (predictions: Predictions) => T) => ({
    float: float === null ? null : of(float),
    qat_float: of(qatFloat),
    fake_quant: of(fakeQuant),
    int8: of(int8),
    int8_litert: litert === null ? null : of(litert),
  });
  const accuracy = each(({ correct }) => ({ top1: correct / split.count, correct, n: split.count }));
  const agreement = {
    fake_quant_vs_float: float === null ? null : agree(fakeQuant.classes, float.classes),
    int8_vs_fake_quant: agree(int8.classes, fakeQuant.classes),
    int8_vs_litert: litert === null ? null : agree(int8.classes, litert.classes),
  };
  const flips = (from: Predictions, to: Predictions) => flipsOf(from.classes, to.classes, split);
  return {
    task: 'classify',
    classes: [...dataset.classNames],
    accuracy,
    confusion: confusionOf(int8.classes, split, dataset.classNames.length),
    agreement,
    flips: float === null ? null : flips(float, int8),
    costs: { training: float === null ? null : flips(float, qatFloat), quantization: flips(qatFloat, int8) },
    correctByClass: each(({ classes }) => correctOf(classes, split, dataset.classNames.length)),
    examples: examplesOf(tested, int8, float),
  };
}

/** By class: images of it that were recognized. */
function correctOf(predictions: Uint16Array, split: Split, classes: number): number[] {
  const correct = new Array<number>(classes).fill(0);
  for (const [index, label] of labelsOf(split).entries()) if (predictions[index] === label) correct[label]!++;
  return correct;
}

/** The int8 recall of each class that has images. */
function recallsOf({ confusion }: Pick<ClassifyTest, 'confusion'>): number[] {
  return confusion.flatMap((row, label) => {
    const images = row.reduce((sum, count) => sum + count, 0);
    return images > 0 ? [(row[label] ?? 0) / images] : [];
  });
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** How much recall the class loses that loses most from float to int8; null without a float model. */
function largestClassDrop({
  confusion,
  correctByClass: { float, int8 },
}: Pick<ClassifyTest, 'confusion' | 'correctByClass'>): number | null {
  if (float === null) return null;
  const drops = confusion.flatMap((row, label) => {
    const images = row.reduce((sum, count) => sum + count, 0);
    return images > 0 ? [((float[label] ?? 0) - (int8[label] ?? 0)) / images] : [];
  });
  return drops.length === 0 ? null : Math.max(...drops);
}

function agree(a: Uint16Array, b: Uint16Array): number {
  let equal = 0;
  for (let index = 0; index < a.length; index++) if (a[index] === b[index]) equal++;
  return equal / a.length;
}

/** Rows are true classes, columns predicted ones. */
function confusionOf(predictions: Uint16Array, split: Split, classes: number): number[][] {
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (const [index, label] of labelsOf(split).entries()) matrix[label]![predictions[index]!]!++;
  return matrix;
}

function flipsOf(before: Uint16Array, after: Uint16Array, split: Split): Flips {
  let [rightToWrong, wrongToRight] = [0, 0];
  for (const [index, label] of labelsOf(split).entries()) {
    const [was, is] = [before[index] === label, after[index] === label];
    if (was && !is) rightToWrong++;
    if (!was && is) wrongToRight++;
  }
  return { rightToWrong, wrongToRight };
}

function examplesOf(tested: Tested, int8: Predictions, float: Predictions | null): ClassifyTest['examples'] {
  const { test: split } = tested.dataset;
  const { scale, zeroPoint } = tested.output;
  const classes = tested.int8.length / split.count;
  const labels = labelsOf(split);
  return Array.from({ length: Math.min(tested.numExamples, split.count) }, (_, index) => {
    const raw = [...tested.int8.subarray(index * classes, (index + 1) * classes)];
    return {
      index,
      label: labels[index]!,
      raw,
      scale,
      zeroPoint,
      dequantized: raw.map((code) => dequantizeValue(code, scale, zeroPoint)),
      predicted: int8.classes[index]!,
      floatPredicted: float === null ? null : float.classes[index]!,
      image: pictureOf(tested, index),
    };
  });
}

/** Limits of answers that are classes. */
const gates: TaskRow<'classify'>['gates'] = {
  int8_top1_min: {
    description: 'Minimum top-1 accuracy of the integer model, as a fraction 0..1',
    ...{ limit: 'fraction', compares: null, rule: 'at_least', unit: 'share' },
    value: ({ accuracy }) => accuracy.int8.top1,
  },
  drop_max: {
    description: 'Maximum drop in top-1 accuracy from float to int8, as a fraction 0..1; needs a float-pretrain stage',
    ...{ limit: 'fraction', compares: 'float', rule: 'at_most', unit: 'share_difference' },
    value: ({ accuracy: { float, int8 } }) => (float === null ? null : float.top1 - int8.top1),
  },
  fake_quant_top1_min: {
    description: 'Minimum top-1 accuracy of the fake-quant model, as a fraction 0..1',
    ...{ limit: 'fraction', compares: null, rule: 'at_least', unit: 'share' },
    value: ({ accuracy }) => accuracy.fake_quant?.top1 ?? null,
  },
  agreement_min: {
    description: 'Minimum fraction of images for which fake-quant and int8 predict the same class',
    ...{ limit: 'fraction', compares: null, rule: 'at_least', unit: 'share' },
    value: ({ agreement }) => agreement.int8_vs_fake_quant,
  },
  worst_recall_min: {
    description:
      'Minimum recall of every class by the integer model, as a fraction 0..1; classes without test images do not count',
    ...{ limit: 'fraction', compares: null, rule: 'at_least', unit: 'share' },
    value(measured) {
      const recalls = recallsOf(measured);
      return recalls.length === 0 ? null : Math.min(...recalls);
    },
  },
  class_drop_max: {
    description:
      'Maximum drop in the recall of any class from float to int8, as a fraction 0..1; needs a float-pretrain stage',
    ...{ limit: 'fraction', compares: 'float', rule: 'at_most', unit: 'share_difference' },
    value: largestClassDrop,
  },
  balanced_accuracy_min: {
    description:
      'Minimum mean of the recalls of all classes by the integer model, as a fraction 0..1; classes without test images do not count',
    ...{ limit: 'fraction', compares: null, rule: 'at_least', unit: 'share' },
    value(measured) {
      const recalls = recallsOf(measured);
      return recalls.length === 0 ? null : mean(recalls);
    },
  },
};

/** One class for each example, of two or more: that of the largest score. */
export const classify = defineTask({
  name: 'classify',
  does: 'classifies',
  answers: 'classes',
  softmax: true,
  output({ classes: { length: values } }) {
    const fits = (shape: Shape): boolean => shape.length === 2 && shape[1] === values;
    return { values, text: `${counted(values, 'score')}, one per class`, fits };
  },
  loss: { kind: 'softmax_cross_entropy', targets: null },
  ignorantLoss: ({ classes }) => Math.log(classes.length),
  validate({ outputs, logits }, split) {
    const accuracy = predict(outputs, split).correct / split.count;
    return { loss: crossEntropy(logits, split), quality: accuracy, share: accuracy };
  },
  measure,
  gates,
});
