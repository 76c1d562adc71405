/** One of two classes for each example: the second from a threshold of the single output on, below it the first. */
import { dequantizeValue } from '../core/affine.ts';
import type { Shape } from '../core/tensor.ts';
import { counted } from '../core/words.ts';
import { labelsOf } from '../data/dataset.ts';
import type { RuntimeName, Table } from '../measurements/metrics.ts';
import { runtimeTitles } from '../measurements/runtime-titles.ts';
import { classGates, measureClasses, predictions } from './classes.ts';
import { targetTable } from './classify.ts';
import type { MeasuredBy } from './define.ts';
import { defineTask } from './define.ts';
import { meanLogisticEntropy } from './entropy.ts';
import { classWeights } from './loss-options.ts';
import { mapModels, outputsOf, realOutputs } from './models.ts';
import { areaUnderCurve, bestThreshold } from './ranking.ts';
import type { Tested } from './tested.ts';

const from =
  (outputs: Float32Array | Int32Array, threshold: number) =>
  (index: number): number =>
    Number(outputs[index]! >= threshold);

/** The thresholds of all models, real values but for the codes of the integer model on a microcontroller (TFLM). */
function thresholdsOf({
  options,
  validation,
  areProbabilities,
  output,
}: Tested): Readonly<Record<RuntimeName, number>> {
  const aim = options.threshold ?? 'balanced_accuracy';
  // Outputs are probabilities or logits.
  const half = areProbabilities ? 0.5 : 0;
  const isSecond = (index: number): boolean => validation?.split.labels?.[index] === 1;
  const chosen = (outputs: Float32Array | Int32Array | null | undefined, otherwise: number): number =>
    outputs == null || aim === 'half' ? otherwise : (bestThreshold(outputs, isSecond, aim) ?? otherwise);
  const code = Math.ceil(chosen(validation?.int8, half / output.scale + output.zeroPoint));
  return {
    float: chosen(validation?.float, half),
    qat_float: chosen(validation?.qatFloat, half),
    fake_quant: chosen(validation?.fakeQuant, half),
    ...{ int8: code, int8_litert: code },
  };
}

function measure(tested: Tested): MeasuredBy<'binary'> {
  const { test: split, classNames } = tested.dataset;
  const labels = labelsOf(split);
  const outputs = outputsOf(tested);
  const thresholds = thresholdsOf(tested);
  const real = (of: Float32Array | Int32Array, threshold: number): number =>
    of instanceof Int32Array ? dequantizeValue(threshold, tested.output.scale, tested.output.zeroPoint) : threshold;
  const decision = {
    auc: mapModels(outputs, (of) => areaUnderCurve(of, (index) => labels[index] === 1)),
    threshold: mapModels(outputs, (of, name) => real(of, thresholds[name])),
    code: thresholds.int8,
  };
  const models = mapModels(outputs, (of, name) => predictions(split, from(of, thresholds[name])));
  const shown = realOutputs(tested);
  const limits = {
    first: tested.float === null ? decision.threshold.qat_float : (decision.threshold.float ?? 0),
    fakeQuant: decision.threshold.fake_quant,
    int8: decision.threshold.int8,
  };
  const measured = measureClasses('binary', tested, models, {
    unit: tested.areProbabilities ? 'probability' : 'logits',
    threshold: decision.threshold.int8,
    margin: (model, index) => Math.abs(shown[model][index]! - limits[model]),
    lead: (model, index) => (shown[model][index]! - limits[model]) * (labels[index] === 1 ? 1 : -1),
    values: (index) => ({
      values: [
        {
          name: classNames[1] ?? '1',
          truth: null,
          first: shown.first[index]!,
          fakeQuant: shown.fakeQuant[index]!,
          int8: shown.int8[index]!,
          code: tested.int8[index]!,
        },
      ],
      hidden: 0,
    }),
  });
  const second = classNames[1] ?? '1';
  return { ...measured, decision, tables: [decisionTable(second, decision), ...(measured.tables ?? [])] };
}

function decisionTable(second: string, { auc, threshold, code }: NonNullable<MeasuredBy<'binary'>['decision']>): Table {
  const rows = [
    [runtimeTitles.float, threshold.float, auc.float],
    [runtimeTitles.qat_float, threshold.qat_float, auc.qat_float],
    [runtimeTitles.fake_quant, threshold.fake_quant, auc.fake_quant],
    [runtimeTitles.int8, threshold.int8, auc.int8],
    [runtimeTitles.int8_litert, threshold.int8_litert, auc.int8_litert],
  ];
  return {
    title: 'Decision',
    lead: `An output from the threshold on is ${second}. For the .tflite file this is a code of ${code} or more. AUC is the area under the ROC curve: how often an example of ${second} has a larger output than one of the other class.`,
    columns: [
      { head: 'Model', unit: 'text' },
      { head: 'Threshold', unit: 'number' },
      { head: 'AUC', unit: 'number' },
    ],
    rows: rows.filter(([, , area]) => area !== null).map((row) => [...row]),
  };
}

export const binary = defineTask({
  name: 'binary',
  does: 'decides between two classes',
  answers: 'classes',
  last: 'logistic',
  output({ classes }) {
    const fits = (shape: Shape): boolean => classes.length === 2 && shape.length === 2 && shape[1] === 1;
    const text = '1 value, which decides between 2 classes';
    if (classes.length === 2) return { values: 1, text, fits };
    const found = `${text}; the data have ${counted(classes.length, 'class', 'classes')}`;
    return {
      values: 1,
      text: found,
      hint: 'use data with 2 classes, or `task: classify` with an output for each',
      fits,
    };
  },
  lossFields: ['class_weights', 'label_smoothing'],
  testFields: ['threshold'],
  loss({ label_smoothing: smoothing = 0, class_weights }, { classes }, train) {
    const weights = classWeights(class_weights, classes, train);
    return { kind: 'logistic_cross_entropy', targets: targetTable(weights, smoothing, 2) };
  },
  ignorantLoss: () => Math.LN2,
  decides: true,
  validate({ logits }, split) {
    const accuracy = predictions(split, from(logits, 0)).correct / split.count;
    return { loss: meanLogisticEntropy(logits, labelsOf(split)), quality: accuracy, share: accuracy };
  },
  measure,
  gates: {
    ...classGates,
    int8_auc_min: {
      description: 'Minimum area under the ROC curve of the integer model on a microcontroller (TFLM), 0..1',
      ...{ limit: 'fraction', compares: null, rule: 'at_least', unit: 'number' },
      value: ({ decision }) => decision?.auc.int8 ?? null,
    },
  },
});
