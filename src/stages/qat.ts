import type { Static, TObject } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { present, unreachable } from '../core/assert.ts';
import { choice, derived, key } from '../core/schema.ts';
import type { Model } from '../graph/contract.ts';
import type { RangeEstimator } from '../passes/index.ts';
import { stepVariable, trainedRanges } from '../passes/index.ts';
import type { StageContext } from '../runner/plan.ts';
import { encodeModelFile, readQatModel, tensorSource } from '../training/checkpoint.ts';
import { defineStage } from './define.ts';
import { writeOutput } from './files.ts';
import type { QuantizationOptions } from '../evaluation/graphs.ts';
import type { TrainMetrics } from '../measurements/metrics.ts';
import { firstQuantizedEpoch } from '../training/steps.ts';
import type { StageEnvironment } from './run.ts';
import type { TrainingConfig } from './training.ts';
import { formFields } from './quantization-fields.ts';
import { formOf, initialModel, runTraining, stepFields, trainingFields } from './training.ts';

const outputs = { model: { type: 'QatModel/2', file: 'qat_model.safetensors' } } as const;

/** What resolving fills in for each kind of estimate. */
export const rangeDefaults = {
  running_extremes: { range_window: 10_000, merge_ranges: 'min_max' },
  moving_average: { ema_decay: 0.999, merge_ranges: 'mean' },
} as const;

/** How a network is quantized. */
const quantizationFields = {
  delay: Type.Integer({
    ...key(
      'Quantization delay: the first step of this stage that is quantized; with 0 as with 1 all are. Ranges are observed from the first step on; `from` a `ptq` or a `qat` they begin with its ranges, so that 0 works',
    ),
    minimum: 0,
    default: 0,
  }),
  ranges: choice(['running_extremes', 'moving_average'], {
    ...key(
      'How activation ranges are estimated. running_extremes: the largest values seen so far, which decay over ' +
        "`range_window` examples and do not depend on the batch size; moving_average: a moving average of each batch's " +
        'extremes, as in TensorFlow 1, which is too narrow for small batches',
    ),
    default: 'running_extremes',
  }),
  // Each belongs to one kind of estimate, where resolving fills in what is left out.
  range_window: Type.Optional(
    Type.Integer({
      ...key(
        `Number of examples after which an extreme has decayed to 37 %. Only with \`ranges: running_extremes\`; ` +
          `default: ${rangeDefaults.running_extremes.range_window}`,
      ),
      minimum: 1,
    }),
  ),
  ema_decay: Type.Optional(
    Type.Number({
      ...key(
        `Decay of the moving average of activation ranges. Only with \`ranges: moving_average\`; ` +
          `default: ${rangeDefaults.moving_average.ema_decay}`,
      ),
      exclusiveMinimum: 0,
      exclusiveMaximum: 1,
    }),
  ),
  merge_ranges: derived(
    choice(
      ['mean', 'min_max'],
      key('How to combine the ranges of several devices: their mean, or the range that contains all'),
    ),
    '`min_max` for running_extremes, `mean` for moving_average',
  ),
  ...formFields,
  batch_norm: derived(
    choice(['kept', 'folded'], {
      ...key(
        'kept: batch norm stays separate in training and is folded at export; folded: training quantizes the folded ' +
          'weights and corrects the output by the batch statistics',
      ),
    }),
    '`folded` for uint8, `kept` for int8',
  ),
  freeze_bn_delay: Type.Optional(
    Type.Integer({
      ...key('Step from which on the statistics of batch norm are frozen; needs `batch_norm: folded`'),
      minimum: 1,
    }),
  ),
  dropout: choice(['always', 'off_after_delay'], {
    ...key('Whether dropout continues once quantization is applied'),
    default: 'always',
  }),
};

type QatFields = Static<TObject<typeof quantizationFields>> & Pick<TrainingConfig, 'batch'>;

export const qat = defineStage({
  kind: 'qat',
  revision: 5,
  description: 'Quantization-aware training, from a float model, a calibrated or a trained one, or from scratch',
  from: { accepts: ['FloatModel/2', 'QatModel/2'], optional: true },
  produces: 'QatModel/2',
  uses: ['training-data', 'augment', 'loss', 'model', 'engine', 'seed'],
  inputs: {
    model: { type: 'FloatModel/2', optional: true },
    quantized: { type: 'QatModel/2', optional: true },
  },
  outputs,
  fields: {
    ...trainingFields,
    ...quantizationFields,
    learning_rate_at_delay: Type.Optional(
      Type.Number({
        ...key('Learning rate once quantization is applied; replaces that of the optimizer'),
        exclusiveMinimum: 0,
      }),
    ),
    reestimate_batch_norm: Type.Integer({
      ...key(
        'Number of batches from which to re-estimate the statistics of batch norm after training; 0 keeps the moving averages',
      ),
      minimum: 0,
      default: 0,
    }),
  },
  // The statistics are estimated again behind the last step.
  trajectory: ({ reestimate_batch_norm: _batches, ...config }) => stepFields(config),

  async run(config, context, environment) {
    const dataset = await environment.trainingData();
    // Without a parent the delay is the float phase.
    const { model, ...observed } = await startOf(context, environment);
    const { learning_rate_at_delay } = config;
    const quantization = { ...quantizationOf(config), ...observed };
    const { delay, estimator } = quantization;
    const method = {
      quantization,
      change: learning_rate_at_delay === undefined ? null : { step: delay, learningRate: learning_rate_at_delay },
      reestimateBatches: config.reestimate_batch_norm,
    };
    const { tensors, metrics, ranges } = await runTraining(config, model, dataset, method, context, environment);
    const file = { level: 'qat', ...model, tensors, quantization: formOf(quantization) } as const;
    await writeOutput(context, outputs.model, encodeModelFile(file));
    const judgedFrom = firstQuantizedEpoch(delay, metrics.stepsPerEpoch);
    const { earlierSteps = 0 } = quantization;
    const seen = ranges.map((range) => ({ ...range, updates: range.updates + earlierSteps }));
    const learned = { delay, estimator, judgedFrom, ranges: seen };
    return { metrics: { kind: 'train', level: 'qat', ...learned, ...metrics } satisfies TrainMetrics };
  },
});

/** The network that training starts from, and its ranges where it is quantized already. */
async function startOf(
  context: StageContext,
  environment: StageEnvironment,
): Promise<Pick<NonNullable<QuantizationOptions>, 'initial' | 'earlierSteps'> & { readonly model: Model }> {
  const file = context.inputs['quantized'];
  if (file === undefined) return { model: await initialModel(context, environment) };
  const { graph, contract, tensors } = await readQatModel(file);
  const initial = trainedRanges(tensorSource(tensors, file)).range;
  // A calibration has counted none.
  const earlierSteps = Number(tensors.get(stepVariable)?.data[0] ?? 0);
  return { model: { graph, contract }, initial, earlierSteps };
}

/** How a stage quantizes, from its fields. */
export function quantizationOf(config: QatFields): NonNullable<QuantizationOptions> {
  const { delay, merge_ranges: merge, observe, scheme, dropout } = config;
  const { dense_weights: denseWeights, batch_norm: kind } = config;
  const batchNorm = kind === 'kept' ? { kind } : { kind, freezeDelay: config.freeze_bn_delay ?? null };
  return { delay, estimator: estimatorOf(config), merge, observe, scheme, denseWeights, dropout, batchNorm };
}

/** By examples and not by steps, so that the batch does not decide how far a range reaches. */
function estimatorOf({ ranges: kind, batch, range_window, ema_decay }: QatFields): RangeEstimator {
  switch (kind) {
    case 'running_extremes':
      return { kind, decay: Math.exp(-batch / present(range_window, 'range_window')) };
    case 'moving_average':
      return { kind, decay: present(ema_decay, 'ema_decay') };
    default:
      return unreachable(kind);
  }
}
