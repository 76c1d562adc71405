/** What tasks whose answers are classes have in common: examples that are right or wrong. */
import type { Split } from '../data/dataset.ts';
import { labelsOf } from '../data/dataset.ts';
import type { Examples, ShownExample } from '../measurements/examples.ts';
import type { ClassifyTest, Flips, Table } from '../measurements/metrics.ts';
import type { MeasuredBy, TaskRow } from './define.ts';
import { answersOf, baselineOf, groupsOfAnswers, shownExamples } from './examples.ts';
import type { OfModels } from './models.ts';
import { costsOf, mapModels } from './models.ts';
import type { Tested } from './tested.ts';
import { outcomesOf } from './tested.ts';

export interface Predictions {
  readonly classes: Uint16Array;
  readonly correct: number;
}

/** @param classOf by example */
export function predictions(split: Split, classOf: (index: number) => number): Predictions {
  const labels = labelsOf(split);
  const classes = Uint16Array.from({ length: split.count }, (_, index) => classOf(index));
  return { classes, correct: classes.filter((label, index) => label === labels[index]).length };
}

export type MeasuredClasses = MeasuredBy<'classify'>;

/** Of more classes there are too many pairs for a record. */
const MOST_COMPARED = 200;

export function measureClasses<T extends MeasuredClasses['task']>(
  task: T,
  tested: Tested,
  models: OfModels<Predictions>,
  answers: ClassAnswers,
): MeasuredClasses & { readonly task: T } {
  const { dataset } = tested;
  const { test: split } = dataset;
  const { float, fake_quant: fakeQuant, int8, int8_litert: litert } = models;
  const agreement = {
    fake_quant_vs_float: float === null ? null : agree(fakeQuant.classes, float.classes),
    int8_vs_fake_quant: agree(int8.classes, fakeQuant.classes),
    int8_vs_litert: litert === null ? null : agree(int8.classes, litert.classes),
  };
  const { whole, ...costs } = costsOf(models, (from, to) => flipsOf(from.classes, to.classes, split));
  return {
    task,
    classes: [...dataset.classNames],
    accuracy: mapModels(models, ({ correct }) => ({ top1: correct / split.count, correct, n: split.count })),
    confusion: confusionOf(int8.classes, split, dataset.classNames.length),
    confusionBefore:
      dataset.classNames.length > MOST_COMPARED
        ? null
        : {
            model: baselineOf(tested).model,
            counts: confusionOf((float ?? models.qat_float).classes, split, dataset.classNames.length),
          },
    agreement,
    flips: whole,
    costs,
    correctByClass: mapModels(models, ({ classes }) => correctOf(classes, split, dataset.classNames.length)),
    tables: [classTable(dataset.classNames, split, models)],
    outcomes: outcomesOf(labelsOf(split).map((label, index) => Number(int8.classes[index] === label))),
    examples: examplesOf(tested, models, answers),
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

/** What the report shows of an answer that is a class. */
export interface ClassAnswers {
  readonly unit: string;
  /** What the class of an example is decided by, as a real value: 0 or more. */
  readonly margin: (model: 'first' | 'fakeQuant' | 'int8', index: number) => number;
  /** How far the right answer is ahead of the best of the others; below 0 where one of them is ahead. */
  readonly lead: (model: 'first' | 'fakeQuant' | 'int8', index: number) => number;
  readonly values: (index: number) => Pick<ShownExample, 'values' | 'hidden'>;
  readonly threshold?: number;
}

function examplesOf(tested: Tested, models: OfModels<Predictions>, answers: ClassAnswers): Examples {
  const { test: split, classNames } = tested.dataset;
  const labels = labelsOf(split);
  const named = { first: models.float ?? models.qat_float, fakeQuant: models.fake_quant, int8: models.int8 };
  const judge = (model: keyof typeof named) => (index: number) => ({
    right: named[model].classes[index] === labels[index],
    margin: answers.margin(model, index),
  });
  const ranked = (model: keyof typeof named) => (index: number) => ({
    ...judge(model)(index),
    lead: answers.lead(model, index),
  });
  const groups = groupsOfAnswers(split.count, baselineOf(tested).title, ranked('first'), ranked('int8'));
  const { unit, threshold = null } = answers;
  return shownExamples(tested, { unit, threshold }, groups, (index) => ({
    truth: classNames[labels[index]!] ?? '',
    answers: answersOf(tested, (model) => ({
      text: classNames[named[model].classes[index]!] ?? '',
      ...judge(model)(index),
      error: null,
    })),
    ...answers.values(index),
  }));
}

/** Recall and precision of every class, by the models whose difference is the cost of quantization. */
function classTable(classNames: readonly string[], split: Split, models: OfModels<Predictions>): Table {
  const named = [
    ['float', models.float],
    ['fake-quant', models.fake_quant],
    ['int8', models.int8],
  ] as const;
  const measured = named.flatMap(([name, found]) =>
    found === null ? [] : [{ name, confusion: confusionOf(found.classes, split, classNames.length) }],
  );
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);
  const labels = labelsOf(split);
  return {
    title: 'By class',
    lead: 'Recall: what share of the examples of a class is recognized. Precision: what share of the answers with a class is right.',
    columns: [
      { head: 'Class', unit: 'text' },
      { head: 'Examples', unit: 'count' },
      ...measured.map(({ name }) => ({ head: `Recall ${name}`, unit: 'share' as const })),
      ...measured.map(({ name }) => ({ head: `Precision ${name}`, unit: 'share' as const })),
    ],
    rows: classNames.map((name, label) => [
      name,
      labels.filter((other) => other === label).length,
      ...measured.map(({ confusion }) => share(confusion[label]![label]!, sum(confusion[label]!))),
      ...measured.map(({ confusion }) => share(confusion[label]![label]!, sum(confusion.map((row) => row[label]!)))),
    ]),
  };
}

/** Limits of answers that are classes. */
export const classGates: TaskRow<'classify'>['gates'] = {
  int8_top1_min: {
    description: 'Minimum top-1 accuracy of the integer model on a microcontroller (TFLM), as a fraction 0..1',
    ...{ limit: 'fraction', compares: null, rule: 'at_least', unit: 'share' },
    value: ({ accuracy }) => accuracy.int8.top1,
  },
  drop_max: {
    description:
      'Maximum drop in top-1 accuracy from float to int8 on a microcontroller (TFLM), as a fraction 0..1; needs a float-pretrain stage',
    ...{ limit: 'fraction', compares: 'float', rule: 'at_most', unit: 'share_difference' },
    value: ({ accuracy: { float, int8 } }) => (float === null ? null : float.top1 - int8.top1),
  },
  fake_quant_top1_min: {
    description: 'Minimum top-1 accuracy of the fake-quant model, as a fraction 0..1',
    ...{ limit: 'fraction', compares: null, rule: 'at_least', unit: 'share' },
    value: ({ accuracy }) => accuracy.fake_quant?.top1 ?? null,
  },
  agreement_min: {
    description:
      'Minimum fraction of images for which fake-quant and int8 on a microcontroller (TFLM) predict the same class',
    ...{ limit: 'fraction', compares: null, rule: 'at_least', unit: 'share' },
    value: ({ agreement }) => agreement.int8_vs_fake_quant,
  },
  worst_recall_min: {
    description:
      'Minimum recall of every class by the integer model on a microcontroller (TFLM), as a fraction 0..1; classes without test images do not count',
    ...{ limit: 'fraction', compares: null, rule: 'at_least', unit: 'share' },
    value(measured) {
      const recalls = recallsOf(measured);
      return recalls.length === 0 ? null : Math.min(...recalls);
    },
  },
  class_drop_max: {
    description:
      'Maximum drop in the recall of any class from float to int8 on a microcontroller (TFLM), as a fraction 0..1; needs a float-pretrain stage',
    ...{ limit: 'fraction', compares: 'float', rule: 'at_most', unit: 'share_difference' },
    value: largestClassDrop,
  },
  balanced_accuracy_min: {
    description:
      'Minimum mean of the recalls of all classes by the integer model on a microcontroller (TFLM), as a fraction 0..1; classes without test images do not count',
    ...{ limit: 'fraction', compares: null, rule: 'at_least', unit: 'share' },
    value(measured) {
      const recalls = recallsOf(measured);
      return recalls.length === 0 ? null : mean(recalls);
    },
  },
};
