/** A class for each pixel of the input. */
import type { Shape } from '../core/tensor.ts';
import type { Split } from '../data/dataset.ts';
import { masksOf } from '../data/dataset.ts';
import { pixelReader } from '../data/inputs.ts';
import type { Table } from '../measurements/metrics.ts';
import { largestAt, targetTable } from './classify.ts';
import type { MeasuredBy } from './define.ts';
import { defineTask } from './define.ts';
import { meanRowEntropy } from './entropy.ts';
import { classWeights } from './loss-options.ts';
import { dequantize, ofEachModel } from './models.ts';
import type { Counts } from './scores.ts';
import { scoreDrop, scoresOf, totalsOf } from './scores.ts';
import type { Tested } from './tested.ts';
import { base64, pictureOf } from './tested.ts';

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

/** Colours that people with any colour vision tell apart. @see Okabe and Ito 2008, Color Universal Design */
const palette = [
  [0, 0, 0],
  [230, 159, 0],
  [86, 180, 233],
  [0, 158, 115],
  [240, 228, 66],
  [0, 114, 178],
  [213, 94, 0],
  [204, 121, 167],
  [255, 255, 255],
] as const;

function examplesOf(tested: Tested, classes: number): MeasuredBy<'segment'>['examples'] {
  const { spec, dataset, float, int8, output } = tested;
  const { test: split } = dataset;
  const [height, width] = spec.image;
  const masks = masksOf(split);
  const read = pixelReader(masks);
  const painted = (title: string, labels: Uint8Array) => {
    const pixels = Uint8Array.from({ length: 3 * labels.length }, (_, at) => {
      const color = palette[labels[Math.floor(at / 3)]! % palette.length] ?? palette[0];
      return color[at % 3] ?? 0;
    });
    return { title, width, height, channels: 3 as const, pixels: base64(pixels) };
  };
  const size = masks.size * classes;
  const part = <T extends Float32Array | Int32Array>(outputs: T, index: number) =>
    outputs.subarray(index * size, (index + 1) * size);
  return Array.from({ length: Math.min(tested.numExamples, split.count) }, (_, index) => {
    const picture = pictureOf(tested, index);
    const ofInt8 = dequantize(Int32Array.from(part(int8, index)), output);
    const answer = classesOf(ofInt8, 0, masks.size, classes);
    const mask = read(index);
    const right = mask.reduce((count, label, pixel) => count + Number(label === answer[pixel]), 0);
    return {
      index,
      answers: [{ name: 'pixels right', text: `${right} of ${mask.length}` }],
      pictures: [
        ...(picture === null ? [] : [{ title: 'input', ...picture }]),
        painted('mask', Uint8Array.from(mask)),
        painted('int8', answer),
        ...(float === null ? [] : [painted('float', classesOf(float, index, masks.size, classes))]),
      ],
    };
  });
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
