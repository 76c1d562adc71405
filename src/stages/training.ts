import type { Static, TObject } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { present } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import { choice, key, object, runtime } from '../core/schema.ts';
import { expectDType } from '../core/tensor.ts';
import type { Tensor } from '../core/tensor.ts';
import type { TrainingData } from '../data/dataset.ts';
import { engineNames } from '../engine/engine.ts';
import type { Session } from '../engine/engine.ts';
import type { Model } from '../graph/contract.ts';
import { purposeOf } from '../graph/contract.ts';
import type { Graph } from '../graph/graph.ts';
import { modelVariables } from '../graph/variables.ts';
import type { OptimizerSpec } from '../passes/index.ts';
import { trainedRanges } from '../passes/index.ts';
import type { StageContext } from '../runner/plan.ts';
import { devicesSchema } from '../training/devices.ts';
import { evaluateOutputs } from '../evaluation/evaluate.ts';
import { reestimateBatchNorm } from '../training/batch-norm-statistics.ts';
import type { QuantizationForm, QuantizationOptions } from '../evaluation/graphs.ts';
import { evalGraph, floatGraph, trainingGraph, withWeights } from '../evaluation/graphs.ts';
import { newModel } from '../models/build.ts';
import { readModelFile, tensorSource } from '../training/checkpoint.ts';
import type { BatchFeeds, FeedEnvironment } from '../training/feeds.ts';
import { batchFeeds } from '../training/feeds.ts';
import type { OptimizerConfig } from '../training/optimizer.ts';
import { optimizerSchema } from '../training/optimizer.ts';
import type { StageEnvironment } from './run.ts';
import type { Schedule } from '../training/schedule.ts';
import { firstQuantizedEpoch, stepsPerEpoch } from '../training/steps.ts';
import type { Trained, TrainOptions } from '../training/train-loop.ts';
import { train } from '../training/train-loop.ts';
import type { Validation } from '../tasks/define.ts';
import type { Output } from '../tasks/outputs.ts';
import {
  answerFeeds,
  areNamed,
  examplesFor,
  ignorantLoss,
  outputsOf,
  trainingLoss,
  validationOf,
} from '../tasks/outputs.ts';
import type { CountedOutput } from '../training/curves.ts';
import type { Task } from '../measurements/metrics.ts';

const checkpointSeconds = 30;

/** The fields that both training stages have. */
export const trainingFields = {
  epochs: Type.Integer({ ...key('Number of passes over the training images'), minimum: 1, maximum: 100_000 }),
  batch: Type.Integer({ ...key('Images per step, all devices together'), minimum: 1, default: 64 }),
  optimizer: optimizerSchema,
  early_stopping: Type.Optional(
    object(
      {
        patience: Type.Integer({
          ...key('Number of epochs without a better validation result before training stops'),
          minimum: 1,
        }),
      },
      key('Stop before the last epoch when validation no longer improves; needs `data.validation`'),
    ),
  ),
  keep: choice(['last', 'best'], {
    ...key('Which weights to keep: those of the last epoch, or of the epoch with the best validation result'),
    default: 'last',
  }),
  devices: devicesSchema,
  checkpoint: Type.Optional(
    object(
      {
        seconds: Type.Number({
          ...runtime(
            'Longest time between two states; what was trained since the last is lost when the process is killed',
          ),
          minimum: 0,
          default: checkpointSeconds,
        }),
        steps: Type.Optional(Type.Integer({ ...runtime('Largest number of steps between two states'), minimum: 1 })),
      },
      runtime(
        `When the state of the training is saved, from which an interrupted one goes on; default: every ` +
          `${checkpointSeconds} seconds. Ctrl-C and \`kill\` save it too`,
      ),
    ),
  ),
  // Not in the key as written: which engine runs, and its version, are there already.
  engine: Type.Optional(choice(engineNames, runtime('Engine of this stage; default: the engine of the pipeline'))),
};

export type TrainingConfig = Static<TObject<typeof trainingFields>>;

/**
 * What of the fields decides the steps. With a schedule over the whole training, its length is among them.
 *
 * @returns the fields without those that only say where training ends and which weights are kept
 */
export function stepFields<C extends TrainingConfig>(config: C): Partial<C> {
  const { early_stopping: _stopping, keep: _keep, ...steps } = config;
  const { schedule, warmup } = config.optimizer;
  if (schedule !== 'constant' || warmup > 0) return steps as Partial<C>; // a spread of a generic has no better type
  const { epochs: _epochs, ...others } = steps;
  return others as Partial<C>; // the same
}

/** The network of the float stage that this one continues; without one, that of the pipeline with fresh weights. */
export async function initialModel({ inputs }: StageContext, environment: StageEnvironment): Promise<Model> {
  const parent = inputs['model'];
  if (parent === undefined) return newModel(environment.model(), environment.seed);
  const { graph, contract } = await readModelFile(parent);
  return { graph, contract };
}

/** Trains a network as a training stage does, float or with quantization. */
export async function runTraining(
  config: TrainingConfig,
  model: Model,
  dataset: TrainingData,
  method: TrainingMethod,
  context: StageContext,
  environment: StageEnvironment,
): Promise<TrainedModel> {
  const { devices } = config;
  const networkOutputs = outputsOf(model.contract);
  const loss = trainingLoss(networkOutputs, environment.loss, dataset.train);
  const optimizer = optimizerSpec(config.optimizer);
  const graph = trainingGraph(model, config.batch / devices.length, method.quantization, optimizer, loss);
  const perEpoch = stepsPerEpoch(dataset.train.count, config.batch);
  const options = trainOptions(config, method, environment.seed, perEpoch);
  const judgement = judgementText(config, options.judgedFrom);
  if (judgement !== null) context.emit({ kind: 'log', message: judgement });
  const feeding = feedEnvironment(model, dataset, environment);
  const trained = await train(graph, options, {
    ...feeding,
    task: countedTask(networkOutputs, dataset),
    ignorantLoss: ignorantLoss(networkOutputs),
    open: (opened, count) => environment.open(opened, count, { devices, onInterrupt: 'finished' }),
    validate:
      dataset.validation.count === 0
        ? null
        : (variables) => {
            const inference = inferenceGraph(model, method.quantization, variables);
            return validate(inference, networkOutputs, dataset, context.signal, environment);
          },
    emit: (progress) => context.emit(progress),
    signal: context.signal,
    checkpoints: context.checkpoints ?? null,
  });
  const { reestimateBatches } = method;
  const variables =
    reestimateBatches === 0
      ? trained.variables
      : await reestimate(
          graph,
          trained,
          reestimateBatches,
          batchFeeds(graph, options, feeding, perEpoch, trained.metrics.steps + reestimateBatches),
          (opened) => environment.open(opened, devices.length, { devices }),
        );
  if (variables !== trained.variables) {
    const message = `re-estimated the statistics of batch norm over ${reestimateBatches} batches`;
    context.emit({ kind: 'log', message });
  }
  return { ...trained, tensors: inferenceTensors(modelVariables(graph), variables) };
}

function trainOptions(
  config: TrainingConfig,
  { quantization, change }: TrainingMethod,
  seed: number,
  perEpoch: number,
): TrainOptions {
  const { learning_rate: learningRate, schedule, warmup } = config.optimizer;
  return {
    epochs: config.epochs,
    batch: config.batch,
    replicas: config.devices.length,
    seed,
    schedule: { learningRate, schedule, warmup, change },
    patience: config.early_stopping?.patience ?? null,
    keep: config.keep,
    checkpoint: { seconds: checkpointSeconds, steps: null, ...config.checkpoint },
    // Weights of an epoch without quantizers must not be the result, however good their validation is.
    judgedFrom: quantization === null ? 1 : firstQuantizedEpoch(quantization.delay, perEpoch),
  };
}

function feedEnvironment(
  { contract }: Model,
  dataset: TrainingData,
  { augment, threads, now }: StageEnvironment,
): FeedEnvironment {
  const answers = answerFeeds(outputsOf(contract), dataset);
  return { dataset, normalize: purposeOf(contract).normalize, answers, augment, threads, now: () => now() };
}

/** The network with weights in training, as it is validated: float, or with the quantizers that it is trained for. */
function inferenceGraph(model: Model, quantization: QuantizationOptions, variables: Trained['variables']): Graph {
  const tensor = tensorSource(variables, 'the weights in training');
  const trained = withWeights(model, tensor);
  return quantization === null ? floatGraph(trained) : evalGraph(trained, trainedRanges(tensor), formOf(quantization));
}

async function validate(
  graph: Graph,
  networkOutputs: readonly Output[],
  { validation, targets }: TrainingData,
  signal: AbortSignal,
  environment: StageEnvironment,
): Promise<Validation> {
  const { normalize } = present(networkOutputs[0], 'an output').purpose;
  const open = (batched: Graph) => environment.open(batched, 1);
  const lasts = networkOutputs.map(({ task }) => task.last);
  const evaluations = await evaluateOutputs(graph, validation, normalize, open, signal, lasts);
  const found = networkOutputs.map((output, index) => {
    const evaluation = present(evaluations[index], 'an output');
    return output.task.validate(evaluation, examplesFor(output, validation, targets), normalize);
  });
  return validationOf(networkOutputs, found);
}

/**
 * The variables of training with statistics of batch norm over as many more batches; the same map where the network has
 * none.
 *
 * @param feeds of the steps behind those of training; closed behind the last
 */
async function reestimate(
  graph: Graph,
  { variables, metrics: { steps } }: Trained,
  batches: number,
  feeds: BatchFeeds,
  open: (graph: Graph) => Promise<Session>,
): Promise<Trained['variables']> {
  const batchesInOrder = Array.from({ length: batches }, (_, index) => () => feeds.next(steps + index));
  return reestimateBatchNorm(graph, variables, batchesInOrder, open).finally(() => feeds.close());
}

/** What training counts: the task of the only output, or the outputs. */
function countedTask(outputs: readonly Output[], { train: { masks } }: TrainingData): Task | readonly CountedOutput[] {
  const [first] = outputs;
  if (first !== undefined && !areNamed(outputs)) return first.purpose.task;
  return outputs.map(({ name, purpose: { task }, task: { answers } }) => ({
    ...{ name: present(name, 'the name of an output'), task },
    answers: answers === 'masks' ? (masks?.size ?? 1) : 1,
  }));
}

/** Which epochs `keep: best` and `early_stopping` judge, where those are not all. */
function judgementText({ epochs, keep, early_stopping }: TrainingConfig, judgedFrom: number): string | null {
  if (judgedFrom === 1 || (keep === 'last' && early_stopping === undefined)) return null;
  if (judgedFrom > epochs)
    return 'no epoch is quantized from its first step on, so none is judged and the last is kept';
  return `epochs are judged from epoch ${judgedFrom} on, the first that is quantized from its first step on`;
}

/** What a training stage does beyond its common fields. */
export interface TrainingMethod {
  readonly quantization: QuantizationOptions;
  readonly change: Schedule['change'];
  /**
   * Number of batches from which to re-estimate the statistics of batch norm after training; 0 keeps the moving
   * averages.
   */
  readonly reestimateBatches: number;
}

export const floatTraining: TrainingMethod = { quantization: null, change: null, reestimateBatches: 0 };

/** What of a quantization its eval graph depends on. */
export function formOf(quantization: NonNullable<QuantizationOptions>): QuantizationForm {
  const { scheme, denseWeights, observe, batchNorm } = quantization;
  return { scheme, denseWeights, observe, batchNorm: batchNorm.kind };
}

export interface TrainedModel extends Omit<Trained, 'variables'> {
  /** What a model's file holds of the variables: no optimizer slots, no intermediate averages. */
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/**
 * The named tensors out of all variables of training, as far as they are there.
 *
 * @throws UserError for a tensor that is not finite: the last step may destroy weights after a finite loss
 */
export function inferenceTensors(
  names: Iterable<string>,
  variables: ReadonlyMap<string, Tensor>,
): ReadonlyMap<string, Tensor> {
  return new Map(
    [...names].flatMap((name) => {
      const tensor = variables.get(name);
      if (tensor === undefined) return [];
      if (expectDType(tensor, 'float32').data.every(Number.isFinite)) return [[name, tensor] as const];
      throw userError(
        'the trained weights',
        'training-diverged',
        `\`${name}\` holds values that are not finite`,
        'lower the learning rate, or train for fewer steps',
      );
    }),
  );
}

function optimizerSpec(config: OptimizerConfig): OptimizerSpec {
  const weightDecay = config.weight_decay;
  switch (config.kind) {
    case 'sgd':
      return { kind: 'sgd', momentum: config.momentum, nesterov: config.nesterov, weightDecay };
    case 'adam':
      return { kind: 'adam', beta1: config.beta1, beta2: config.beta2, epsilon: config.epsilon, weightDecay };
  }
}
