/** A class for each pixel of the input. */
import type { Shape } from '../core/tensor.ts';
import type { Split } from '../data/dataset.ts';
import { masksOf } from '../data/dataset.ts';
import { pixelReader } from '../data/inputs.ts';
import type { Examples } from '../measurements/examples.ts';
import type { Table } from '../measurements/metrics.ts';
import { largestAt, targetTable } from './classify.ts';
import type { MeasuredBy } from './define.ts';
import { defineTask } from './define.ts';
import { meanRowEntropy } from './entropy.ts';
import { classWeights } from './loss-options.ts';
import type { Group } from './examples.ts';
import { answersOf, baselineOf, shownExamples } from './examples.ts';
import { ofEachModel, realOutputs } from './models.ts';
import type { Counts } from './scores.ts';
import { scoreDrop, scoresOf, totalsOf } from './scores.ts';
import type { Tested } from './tested.ts';
import { maskOf } from './views.ts';

/** By class: its pixels that are found, and pixels that have the class in the mask or in the answer. */
const KINDS = 2;

/** The class of each pixel of one example. */
function classesOf(outputs: Float32Array, index: number, pixels: number, classes: number): Uint8Array {
  const start = index * pixels * classes;
  return Uint8Array.from({ length: pixels }, (_, pixel) => largestAt(outputs, start + pixel * classes, classes));
}

function countsOf(split: Split, classes: number, answerOf: (index: number) => Uint8Array): Counts {
  const read = pixelReader(masksOf(split));
  const values = KINDS * classes;
  const data = new Float64Array(split.count * values);
  for (let index = 0; index < split.count; index++) {
    const [mask, answer] = [read(index), answerOf(index)];
    const counts = data.subarray(index * values, (index + 1) * values);
    for (let pixel = 0; pixel < mask.length; pixel++) {
      const [wanted, found] = [mask[pixel]!, answer[pixel]!];
      counts[KINDS * wanted + 1]!++;
      if (wanted === found) counts[KINDS * wanted]!++;
      else counts[KINDS * found + 1]!++;
    }
  }
  return { values, data };
}

/** Intersection over union of each class; null for one that is nowhere. */
function unions(totals: Float64Array): (number | null)[] {
  return Array.from({ length: totals.length / KINDS }, (_, label) => {
    const [intersection, union] = [totals[KINDS * label]!, totals[KINDS * label + 1]!];
    return union === 0 ? null : intersection / union;
  });
}

/** Over the classes that are somewhere. */
function meanUnion(totals: Float64Array): number {
  const found = unions(totals).filter((union) => union !== null);
  return found.length === 0 ? 0 : found.reduce((sum, union) => sum + union, 0) / found.length;
}

function pixelsRight(totals: Float64Array): number {
  return totals.reduce((sum, count, at) => sum + (at % KINDS === 0 ? count : 0), 0);
}

const answersIn =
  (outputs: Float32Array, { size }: { readonly size: number }, classes: number) =>
  (index: number): Uint8Array =>
    classesOf(outputs, index, size, classes);

function measure(tested: Tested): MeasuredBy<'segment'> {
  const { dataset } = tested;
  const { test: split, classNames } = dataset;
  const masks = masksOf(split);
  const classes = classNames.length;
  const counts = (outputs: Float32Array): Counts => countsOf(split, classes, answersIn(outputs, masks, classes));
  const constant = classNames.map((name, label) => {
    const answer = new Uint8Array(masks.size).fill(label);
    return { answer: `${name} for every pixel`, score: meanUnion(totalsOf(countsOf(split, classes, () => answer))) };
  });
  const ignorant = constant.toSorted((a, b) => b.score - a.score)[0] ?? { answer: 'nothing', score: 0 };
  return {
    task: 'segment',
    scoreName: 'mean IoU',
    ...scoresOf(tested, counts, meanUnion),
    ignorant,
    tables: [unionTable(classNames, tested, counts)],
    examples: examplesOf(tested, classes),
  };
}

function unionTable(classNames: readonly string[], tested: Tested, counts: (outputs: Float32Array) => Counts): Table {
  const totals = ofEachModel(tested, (outputs) => totalsOf(counts(outputs)));
  const models = [
    ['float', totals.float],
    ['fake-quant', totals.fake_quant],
    ['int8', totals.int8],
  ] as const;
  const measured = models.flatMap(([name, found]) => (found === null ? [] : [{ name, unions: unions(found) }]));
  return {
    title: 'By class',
    lead: 'IoU, intersection over union: of the pixels that have the class in the mask or in the answer, the share that has it in both.',
    columns: [
      { head: 'Class', unit: 'text' },
      ...measured.map(({ name }) => ({ head: `IoU ${name}`, unit: 'share' as const })),
    ],
    rows: classNames.map((name, label) => [name, ...measured.map((model) => model.unions[label] ?? null)]),
  };
}

/** Pixels of one example. */
interface Judged {
  /** Right before quantization, and wrong in int8. */
  turnedWrong: number;
  turnedRight: number;
  /** In int8. */
  wrong: number;
}

function judge(mask: Uint8Array, before: Uint8Array, after: Uint8Array): Judged {
  const pixels = { turnedWrong: 0, turnedRight: 0, wrong: 0 };
  for (let at = 0; at < mask.length; at++) {
    const [was, is] = [before[at] === mask[at], after[at] === mask[at]];
    if (was && !is) pixels.turnedWrong++;
    if (!was && is) pixels.turnedRight++;
    if (!is) pixels.wrong++;
  }
  return pixels;
}

/** @param name of the model that int8 is compared with */
function groupsOf(name: string, judged: readonly Judged[]): Group[] {
  const some =
    (kind: keyof Judged): Group['rank'] =>
    (index) =>
      judged[index]?.[kind] || null;
  return [
    {
      title: 'Pixels turned wrong',
      lead: `Pixels are right in ${name} and wrong in int8. First come the images with the most of them.`,
      ...{ weight: 1, rank: some('turnedWrong') },
    },
    {
      title: 'Pixels turned right',
      lead: `Pixels are wrong in ${name} and right in int8. First come the images with the most of them.`,
      ...{ weight: 1, rank: some('turnedRight') },
    },
    {
      title: 'Most wrong pixels',
      lead: 'First come the images with the most pixels that int8 gets wrong; those above are left out.',
      ...{ weight: 1, rank: some('wrong') },
    },
  ];
}

function examplesOf(tested: Tested, classes: number): Examples {
  const { dataset, spec } = tested;
  const { test: split, classNames } = dataset;
  const [height, width] = spec.image;
  const masks = masksOf(split);
  const outputs = realOutputs(tested);
  const read = pixelReader(masks);
  const answer = (model: keyof typeof outputs, index: number): Uint8Array =>
    classesOf(outputs[model], index, masks.size, classes);
  const judged = Array.from({ length: split.count }, (_, index) =>
    judge(read(index), answer('first', index), answer('int8', index)),
  );
  const numRight = (model: keyof typeof outputs, index: number): number => {
    const found = answer(model, index);
    return read(index).reduce((sum, label, at) => sum + Number(found[at] === label), 0);
  };
  const { title: name } = baselineOf(tested);
  const groups = groupsOf(name, judged);
  return shownExamples(tested, { unit: 'A colour for each class.', classes: [...classNames] }, groups, (index) => ({
    truth: null,
    answers: answersOf(tested, (model) => {
      const right = numRight(model, index);
      const text = `${right} of ${masks.size} pixels right`;
      return { text, right: null, margin: null, error: null };
    }),
    ...{ values: [], hidden: 0 },
    views: [
      { title: 'mask', view: maskOf(read(index), width, height) },
      { title: name, view: maskOf(answer('first', index), width, height) },
      { title: 'int8', view: maskOf(answer('int8', index), width, height) },
    ],
  }));
}

export const segment = defineTask({
  name: 'segment',
  does: 'segments',
  answers: 'masks',
  last: 'softmax',
  output({ classes, image: [height, width] }) {
    const values = classes.length;
    const fits = (shape: Shape): boolean =>
      shape.length === 4 && shape[1] === height && shape[2] === width && shape[3] === values;
    return {
      values,
      text: `${height} x ${width} pixels with ${values} scores each, one per class`,
      hint: `end it with { kind: conv_2d, filters: ${values}, kernel: 1 }, at the height and width of the image`,
      fits,
    };
  },
  lossFields: ['class_weights', 'label_smoothing'],
  testFields: [],
  loss({ label_smoothing: smoothing = 0, class_weights }, { classes }, train) {
    const weights = classWeights(class_weights, classes, train);
    return { kind: 'softmax_cross_entropy', targets: targetTable(weights, smoothing, classes.length) };
  },
  ignorantLoss: ({ classes }) => Math.log(classes.length),
  decides: false,
  validate({ outputs, logits }, split) {
    const masks = masksOf(split);
    const read = pixelReader(masks);
    const classes = outputs.length / (split.count * masks.size);
    const totals = totalsOf(countsOf(split, classes, answersIn(outputs, masks, classes)));
    let [example, mask] = [-1, new Uint8Array()];
    const loss = meanRowEntropy(logits, classes, (row) => {
      const index = Math.floor(row / masks.size);
      if (index !== example) [example, mask] = [index, read(index) as Uint8Array<ArrayBuffer>];
      return mask[row % masks.size]!;
    });
    const right = pixelsRight(totals) / (split.count * masks.size);
    return { loss, quality: meanUnion(totals), share: right };
  },
  measure,
  gates: {
    int8_iou_min: {
      description:
        'Minimum mean intersection over union of the integer model on a microcontroller (TFLM), as a fraction 0..1',
      ...{ limit: 'fraction', compares: null, rule: 'at_least', unit: 'share' },
      value: ({ score }) => score.int8.value,
    },
    iou_drop_max: {
      description:
        'Maximum drop of the mean intersection over union from float to int8 on a microcontroller (TFLM), as a fraction 0..1; needs a float-pretrain stage',
      ...{ limit: 'fraction', compares: 'float', rule: 'at_most', unit: 'share_difference' },
      value: scoreDrop,
    },
  },
});
