import type { Static, TObject } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { present } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import { choice, key, runtime } from '../core/schema.ts';
import { floatTensor } from '../core/tensor.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { correctBiases } from '../calibration/bias-correction.ts';
import type { CalibrationExamples } from '../calibration/examples.ts';
import { chooseExamples } from '../calibration/examples.ts';
import type { RangeMethod } from '../calibration/range-methods.ts';
import { rangeMethodNames } from '../calibration/range-methods.ts';
import type { CalibratedRange } from '../calibration/ranges.ts';
import { calibrateRanges, unknownRanges } from '../calibration/ranges.ts';
import type { TrainingData } from '../data/dataset.ts';
import { engineNames } from '../engine/engine.ts';
import type { QuantizationForm } from '../evaluation/graphs.ts';
import { evalGraph, trainingGraph, withWeights } from '../evaluation/graphs.ts';
import type { Model, Purpose } from '../graph/contract.ts';
import { purposeOf } from '../graph/contract.ts';
import { variablesOf } from '../graph/graph.ts';
import type { PtqMetrics } from '../measurements/metrics.ts';
import { addBiases, equalizeLayers, trainedRanges } from '../passes/index.ts';
import type { StageContext } from '../runner/plan.ts';
import { answerFeeds, outputsOf, trainingLoss } from '../tasks/outputs.ts';
import { reestimateBatchNorm } from '../training/batch-norm-statistics.ts';
import { encodeModelFile, readModelFile, tensorSource } from '../training/checkpoint.ts';
import { stepsPerEpoch } from '../training/steps.ts';
import { batchFeeds } from '../training/feeds.ts';
import { defineStage } from './define.ts';
import { inputPath, writeOutput } from './files.ts';
import { formFields } from './quantization-fields.ts';
import type { StageEnvironment } from './run.ts';

const outputs = { model: { type: 'QatModel/2', file: 'qat_model.safetensors' } } as const;

/** What resolving fills in for each way to choose ranges. */
export const calibrationDefaults = {
  ...{ min_max: {}, mse: {}, entropy: {} },
  percentile: { percentile: 99.99 },
} as const;

const fields = {
  examples: Type.Integer({
    ...key('Number of training examples to calibrate on, chosen at random; all, where there are fewer'),
    minimum: 1,
    maximum: 1_000_000,
    default: 500,
  }),
  ranges: choice(rangeMethodNames, {
    ...key(
      'How activation ranges are chosen from the values of the examples. min_max: all values; percentile: the middle ' +
        '`percentile` percent; mse: the least mean squared error of rounding and clipping; entropy: the least ' +
        "Kullback-Leibler divergence, as TensorRT's calibration",
    ),
    default: 'mse',
  }),
  percentile: Type.Optional(
    Type.Number({
      ...key(
        `Percentage of the values of an activation that its range holds. Only with \`ranges: percentile\`; default: ` +
          `${calibrationDefaults.percentile.percentile}`,
      ),
      minimum: 90,
      maximum: 100,
    }),
  ),
  ...formFields,
  cross_layer_equalization: Type.Boolean({
    ...key(
      'Whether to scale the channels between two layers so that both have weights of the same range; for one range ' +
        'for a whole filter, or layers whose channels differ much',
    ),
    default: false,
  }),
  bias_correction: Type.Boolean({
    ...key('Whether to correct the biases by what quantization moves the mean of each channel'),
    default: false,
  }),
  reestimate_batch_norm: Type.Integer({
    ...key(
      'Number of batches of 64 training examples from which to re-estimate the statistics of batch norm with ' +
        'quantized weights and activations; 0 keeps those of the float model',
    ),
    minimum: 0,
    default: 0,
  }),
  // Not in the key as written: which engine runs, and its version, are there already.
  engine: Type.Optional(choice(engineNames, runtime('Engine of this stage; default: the engine of the pipeline'))),
};

type PtqFields = Static<TObject<typeof fields>>;

export const ptq = defineStage({
  kind: 'ptq',
  revision: 1,
  description: 'Post-training quantization: calibrates a float model on training examples, without training',
  from: { accepts: ['FloatModel/2'], optional: false },
  produces: 'QatModel/2',
  uses: ['training-data', 'engine', 'seed'],
  inputs: { model: { type: 'FloatModel/2', optional: false } },
  outputs,
  fields,

  async run(config, context, environment) {
    const started = environment.now();
    const dataset = await environment.trainingData();
    const { graph, contract } = await readModelFile(inputPath(context, 'model'));
    const purpose = purposeOf(contract);
    const form = calibratedForm(config);
    const examples = calibrationExamples(config, dataset, purpose, context, environment);
    const log = (message: string): void => context.emit({ kind: 'log', message });

    const float = await withReestimatedBatchNorm(config, { graph, contract }, dataset, environment);
    const equalized = config.cross_layer_equalization ? equalizeLayers(float.graph) : { graph: float.graph, pairs: [] };
    const prepared = { contract, graph: config.bias_correction ? addBiases(equalized.graph) : equalized.graph };
    const method = methodOf(config);
    const ranges = await calibrateRanges(evalGraph(prepared, unknownRanges, form), method, examples);
    log(`chose ${ranges.length} ranges from ${examples.order.length} training examples`);
    const tensors = rangeTensors(ranges);
    const source = trainedRanges(tensorSource(tensors, 'the calibrated ranges'));
    const corrected = config.bias_correction
      ? await correctBiases(prepared, source, form, examples)
      : { model: prepared, layers: [] };
    if (corrected.layers.length > 0) log(`corrected the biases of ${corrected.layers.length} layers`);

    const file = { level: 'qat', ...corrected.model, tensors, quantization: form } as const;
    await writeOutput(context, outputs.model, encodeModelFile(file));
    return {
      metrics: {
        kind: 'ptq',
        examples: examples.order.length,
        method: method.kind,
        ranges: ranges.map(({ quantizer: name, min, max, observed }) => ({
          name,
          min,
          max,
          observed: { ...observed },
        })),
        equalized: [...equalized.pairs],
        corrected: [...corrected.layers],
        reestimatedBatches: config.reestimate_batch_norm,
        seconds: (environment.now() - started) / 1000,
      } satisfies PtqMetrics,
    };
  },
});

/** Batch norm is folded before weights are quantized: nothing is trained that would need it apart. */
export function calibratedForm({ scheme, dense_weights, observe }: Pick<PtqFields, keyof typeof formFields>) {
  return { scheme, denseWeights: dense_weights, observe, batchNorm: 'folded' } satisfies QuantizationForm;
}

function methodOf({ ranges: kind, percentile }: PtqFields): RangeMethod {
  return kind === 'percentile' ? { kind, percentile: present(percentile, 'percentile') } : { kind };
}

function calibrationExamples(
  config: PtqFields,
  { train: split }: TrainingData,
  { normalize }: Purpose,
  context: StageContext,
  environment: StageEnvironment,
): CalibrationExamples {
  if (split.count === 0) {
    throw userError(
      'the training examples',
      'no-calibration-examples',
      'no example is for training, and ranges are never calibrated on test examples',
      'give the data training examples, or leave fewer for validation',
    );
  }
  const order = chooseExamples(split.count, config.examples, environment.seed);
  let ran = 0;
  return {
    ...{ split, normalize, order },
    open: (graph) => environment.open(graph, 1),
    ran(examples) {
      context.signal.throwIfAborted();
      ran += examples;
      context.emit({ kind: 'progress', step: ran % order.length, totalSteps: order.length, values: { images: ran } });
    },
  };
}

function rangeTensors(ranges: readonly CalibratedRange[]): ReadonlyMap<string, FloatTensor> {
  return new Map(
    ranges.flatMap(({ names, min, max }) => [
      [names.min, floatTensor([], [min])] as const,
      [names.max, floatTensor([], [max])] as const,
    ]),
  );
}

/** Images of one batch of `reestimate_batch_norm`. */
const reestimatedBatch = 64;

/** Statistics of batch norm as they are behind quantized weights and activations, whose ranges are those of a batch. */
async function withReestimatedBatchNorm(
  config: PtqFields,
  model: Model,
  dataset: TrainingData,
  environment: StageEnvironment,
): Promise<Model> {
  const { reestimate_batch_norm: batches } = config;
  if (batches === 0) return model;
  const purpose = purposeOf(model.contract);
  const batch = Math.min(reestimatedBatch, dataset.train.count);
  const { batchNorm: kind, ...form } = calibratedForm(config);
  const observer = { delay: 0, merge: 'min_max', estimator: { kind: 'running_extremes', decay: 0 } } as const;
  const quantization = { ...form, ...observer, batchNorm: { kind, freezeDelay: null }, dropout: 'always' } as const;
  const optimizer = { kind: 'sgd', momentum: 0, nesterov: false, weightDecay: 0 } as const;
  const networkOutputs = outputsOf(model.contract);
  const loss = trainingLoss(networkOutputs, {}, dataset.train);
  const answers = answerFeeds(networkOutputs, dataset);
  const graph = trainingGraph(model, batch, quantization, optimizer, loss);
  const schedule = { learningRate: 0, schedule: 'constant', warmup: 0, change: null } as const;
  const plan = { batch, replicas: 1, seed: environment.seed, schedule };
  const unchanged = { crop: 0, flip: false } as const;
  const { threads } = environment;
  const images = {
    dataset,
    normalize: purpose.normalize,
    answers,
    augment: unchanged,
    threads,
    now: () => environment.now(),
  };
  const feeds = batchFeeds(graph, plan, images, stepsPerEpoch(dataset.train.count, batch), batches);
  const variables = new Map(variablesOf(graph).map(({ name, source }) => [name, source.initial] as const));
  const steps = Array.from({ length: batches }, (_, step) => () => feeds.next(step));
  const open: CalibrationExamples['open'] = (opened) => environment.open(opened, 1);
  const estimated = await reestimateBatchNorm(graph, variables, steps, open).finally(() => feeds.close());
  return withWeights(model, tensorSource(estimated, 'the re-estimated weights'));
}
