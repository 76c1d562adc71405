/** Measurements of a network that reconstructs its input. */
import { roundHalfAway } from '../core/affine.ts';
import type { Shape } from '../core/tensor.ts';
import { numElements } from '../core/tensor.ts';
import { counted } from '../core/words.ts';
import type { Normalization } from '../data/batches.ts';
import { inputRange, inputWriter, pixelNormalization } from '../data/batches.ts';
import type { Split } from '../data/dataset.ts';
import type { MeasuredBy } from './define.ts';
import { defineTask } from './define.ts';
import type { Examples } from '../measurements/examples.ts';
import type { Table } from '../measurements/metrics.ts';
import { answersOfErrors, baselineOf, groupsOfErrors, meanDifference, shownExamples } from './examples.ts';
import { areaUnderCurve } from './ranking.ts';
import type { Tested } from './tested.ts';
import { errorRise, summarize, summarizeModels } from './errors.ts';
import type { OfModels } from './models.ts';
import { mapModels, ofEachModel, realOutputs } from './models.ts';
import { viewerOf } from './views.ts';

/**
 * The mean squared error of each image: between the output and the real values of the pixels, which are the network's
 * input before any quantizer.
 *
 * @param outputs [count, values], real values
 */
export function imageErrors(outputs: Float32Array, split: Split, normalize: Normalization): Float64Array {
  const { count, inputs } = split;
  const { size } = inputs;
  const write = inputWriter(inputs, normalize);
  const reals = new Float32Array(size);
  return Float64Array.from({ length: count }, (_, image) => {
    write(image, reals, 0);
    let total = 0;
    for (let at = 0; at < size; at++) total += (outputs[image * size + at]! - reals[at]!) ** 2;
    return total / size;
  });
}

type Reconstruction = MeasuredBy<'reconstruct'>;

function measure(tested: Tested): Reconstruction {
  const { test: split } = tested.dataset;
  const errors = ofEachModel(tested, (outputs) => imageErrors(outputs, split, tested.spec.normalize));
  return {
    task: 'reconstruct',
    ...summarizeModels(errors),
    meanImageError: summarize(imageErrors(meanImages(split, tested.spec.normalize), split, tested.spec.normalize)).mean,
    ...detectionOf(tested, errors),
    examples: examplesOf(tested, errors),
  };
}

/** How well the errors tell the examples of the class of anomalies from the others. */
function detectionOf(
  { options: { anomaly }, dataset: { classNames, test } }: Tested,
  errors: OfModels<Float64Array>,
): Pick<Reconstruction, 'detection' | 'tables'> {
  const { labels } = test;
  if (anomaly === undefined || labels === null) return {};
  const label = classNames.indexOf(anomaly);
  const auc = mapModels(errors, (of) => areaUnderCurve(of, (index) => labels[index] === label));
  const table: Table = {
    title: 'Detection of anomalies',
    lead: `Area under the ROC curve: how often an example of ${anomaly} has a larger error than another one.`,
    columns: ['float', 'fake-quant', 'int8'].map((head) => ({ head, unit: 'number' as const })),
    rows: [[auc.float, auc.fake_quant, auc.int8]],
  };
  return { detection: { anomaly, auc }, tables: [table] };
}

/** The mean of all images, once for each of them: what a network that ignores its input would give. */
function meanImages(split: Split, normalize: Normalization): Float32Array {
  const { count, inputs } = split;
  const { size } = inputs;
  const write = inputWriter(inputs, normalize);
  const reals = new Float32Array(size);
  const sums = new Float64Array(size);
  for (let image = 0; image < count; image++) {
    write(image, reals, 0);
    for (const [at, real] of reals.entries()) sums[at]! += real;
  }
  return Float32Array.from({ length: count * size }, (_, at) => sums[at % size]! / count);
}

function examplesOf(tested: Tested, errors: OfModels<Float64Array>): Examples {
  const { spec, dataset } = tested;
  const { size, kind } = dataset.test.inputs;
  const outputs = realOutputs(tested);
  const viewer = viewerOf(dataset);
  const groups = groupsOfErrors(
    baselineOf(tested).title,
    (index) => meanDifference(outputs.int8, outputs.first, index, size),
    (index) => errors.int8[index]!,
  );
  const answers = [
    { title: baselineOf(tested).title, of: outputs.first },
    { title: 'int8', of: outputs.int8 },
  ];
  return shownExamples(tested, { unit: 'squared, the mean over the elements of the input' }, groups, (index) => ({
    truth: null,
    answers: answersOfErrors(tested, errors, index),
    ...{ values: [], hidden: 0 },
    views: answers.flatMap(({ title, of }) => {
      const reals = of.subarray(index * size, (index + 1) * size);
      const view = viewer.values(kind === 'pixels' ? toPixels(reals, spec.normalize) : reals);
      return view === null ? [] : [{ title, view }];
    }),
  }));
}

/** The pixels, 0..255, whose real values are nearest. */
function toPixels(reals: Float32Array, normalize: Normalization): Uint8Array {
  const { scale, mean } = pixelNormalization(normalize);
  return Uint8Array.from(reals, (real) => Math.max(0, Math.min(255, roundHalfAway(real / scale + mean))));
}

/** The input itself. */
export const reconstruct = defineTask({
  name: 'reconstruct',
  does: 'reconstructs',
  answers: 'inputs',
  last: null,
  output({ image }) {
    const values = numElements(image);
    const fits = (shape: Shape): boolean => numElements(shape) === values;
    return { values, text: `${counted(values, 'value')}, as many as the image has`, fits };
  },
  lossFields: [],
  testFields: ['anomaly'],
  loss: () => ({ kind: 'squared_error_of_input' }),
  decides: false,
  // Outputs that are off by the whole range of the input.
  ignorantLoss({ normalize }) {
    const { min, max } = inputRange(normalize);
    return (max - min) ** 2;
  },
  validate({ outputs }, split, normalize) {
    const { mean: loss } = summarize(imageErrors(outputs, split, normalize));
    return { loss, quality: -loss, share: null };
  },
  measure,
  gates: {
    int8_error_max: {
      description: 'Maximum mean squared error of an integer model that reconstructs, in real units',
      ...{ limit: 'positive', compares: null, rule: 'at_most', unit: 'error' },
      value: ({ error }) => error.int8.mean,
    },
    int8_auc_min: {
      description: 'Minimum area under the ROC curve of the integer model on a microcontroller (TFLM), 0..1',
      ...{ limit: 'fraction', compares: null, rule: 'at_least', unit: 'number' },
      value: ({ detection }) => detection?.auc.int8 ?? null,
    },
    error_rise_max: {
      description:
        'Maximum rise of the mean squared error from float to int8 on a microcontroller (TFLM), as a fraction of the float error; needs a float-pretrain stage',
      ...{ limit: 'positive', compares: 'float', rule: 'at_most', unit: 'share' },
      value: errorRise,
    },
  },
});
