import { internal } from '../core/assert.ts';
import { createRandom } from '../core/random.ts';
import { userError } from '../core/diagnostic.ts';
import type { Tensor } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import type { Augmentation, VaryImage } from '../data/augment.ts';
import { augmentEpoch } from '../data/augment.ts';
import type { Normalization } from '../data/batches.ts';
import { epochOrder, fillBatch } from '../data/batches.ts';
import type { TrainingData } from '../data/dataset.ts';
import type { Session } from '../engine/engine.ts';
import type { Graph } from '../graph/graph.ts';
import type { Task } from '../models/layers.ts';
import { valueOf, variablesOf } from '../graph/graph.ts';
import { dropoutKeyInput } from '../models/build.ts';
import { learningRateInput, lossNames } from '../passes/index.ts';
import type { StageProgress } from '../runner/plan.ts';
import type { StepResult } from './curves.ts';
import { curveRecorder, epochText, scalar } from './curves.ts';
import { modelInput } from './graphs.ts';
import type { CommonTrain, TrainCurves } from './metrics.ts';
import { sampler } from './sampler.ts';
import type { Schedule } from './schedule.ts';
import { learningRateAt } from './schedule.ts';
import { stepsPerEpoch } from './steps.ts';
import type { Validation } from './validation.ts';
import { ignorantLoss, qualityOf } from './validation.ts';

export interface TrainOptions {
  readonly epochs: number;
  /** Images per step over all replicas. */
  readonly batch: number;
  readonly replicas: number;
  readonly seed: number;
  readonly schedule: Schedule;
  /** Epochs without a better validation before the end; null never ends early. */
  readonly patience: number | null;
  readonly keep: 'last' | 'best';
}

export interface TrainEnvironment {
  readonly task: Task;
  readonly dataset: TrainingData;
  readonly normalize: Normalization;
  /** Of the images to train on; those to validate with stay as they are. */
  readonly augment: Augmentation;
  readonly open: (graph: Graph, replicas: number) => Promise<Session>;
  /** Validation at the end of an epoch, with the variables as they are; null without a validation split. */
  readonly validate: ((variables: Variables) => Promise<Validation>) | null;
  /** Values to follow over the steps, by name: the ranges of level qat. */
  readonly tracked: readonly { readonly name: string; readonly min: string; readonly max: string }[];
  readonly emit: (progress: StageProgress) => void;
  readonly signal: AbortSignal;
  /** Milliseconds on a clock that only goes forward. */
  readonly now: () => number;
}

export type Variables = ReadonlyMap<string, Tensor>;

export interface Trained {
  readonly variables: Variables;
  readonly metrics: CommonTrain & TrainCurves;
  readonly ranges: readonly {
    name: string;
    min: number;
    max: number;
    history: { step: number; min: number; max: number }[];
  }[];
}

const rangePoints = 80;
const progressIntervalMs = 100;

/** A mean loss of an epoch this many times that of knowing nothing is no training any more: weights that blew up stay so. */
const divergedFactor = 10;

/** Trains for the given epochs; a last incomplete batch of an epoch is left out. */
export async function train(graph: Graph, options: TrainOptions, environment: TrainEnvironment): Promise<Trained> {
  const { task, dataset, normalize, tracked, now } = environment;
  const perEpoch = stepsPerEpoch(dataset.train.count, options.batch);
  const totalSteps = perEpoch * options.epochs;
  const followed = tracked.map((range) => ({ ...range, ...updatedValues(graph, range) }));
  const outputs = [...graph.outputs, ...followed.flatMap(({ minValue, maxValue }) => [minValue, maxValue])];
  const session = await environment.open({ ...graph, outputs }, options.replicas);
  const recorder = curveRecorder(task, { batch: options.batch, replicas: options.replicas, totalSteps });
  const ranges = followed.map((range) => ({
    ...range,
    points: sampler<{ step: number; min: number; max: number }>(totalSteps, rangePoints),
  }));
  const best: { epoch: number; quality: number; variables: Variables | null } = {
    epoch: 0,
    quality: -Infinity,
    variables: null,
  };
  const started = now();
  let lastProgress = -Infinity;
  let stoppedEarly = false;
  let steps = 0;

  try {
    const feeds = batchFeeds(graph, options, environment, perEpoch, totalSteps);
    for (let epoch = 0; epoch < options.epochs; epoch++) {
      const epochStarted = now();
      let lossSum = 0;
      const record = (step: number, result: StepResult): void => {
        const loss = scalar(result, lossNames.loss);
        if (!Number.isFinite(loss)) throw diverged(dataset.name, step + 1, loss);
        lossSum += loss;
        const learningRate = learningRateAt(options.schedule, step, totalSteps);
        recorder.step({ step: step + 1, loss, learningRate }, result);
        for (const range of ranges) {
          range.points.offer(step + 1, {
            step: step + 1,
            min: scalar(result, range.minValue),
            max: scalar(result, range.maxValue),
          });
        }
        const time = now();
        if (time - lastProgress < progressIntervalMs && step + 1 < totalSteps) return;
        lastProgress = time;
        const done = (step % perEpoch) + 1;
        const stepsPerMs = (step + 1) / Math.max(1, time - started);
        environment.emit({
          kind: 'progress',
          step: step + 1,
          totalSteps,
          values: {
            epoch: epoch + 1,
            epochs: options.epochs,
            loss: lossSum / done,
            ...recorder.means(),
            images_per_second: stepsPerMs * 1000 * options.batch,
            eta_seconds: (totalSteps - step - 1) / stepsPerMs / 1000,
          },
        });
      };

      // The next batch is prepared while the engine works on this one.
      let pending: { step: number; result: Promise<StepResult> } | null = null;
      for (let index = 0; index < perEpoch; index++) {
        environment.signal.throwIfAborted();
        const step = epoch * perEpoch + index;
        const result: Promise<StepResult> = session.run(feeds(step));
        // A rejection is seen when the result is awaited below; it must not count as unhandled until then.
        result.catch(() => undefined);
        if (pending !== null) record(pending.step, await pending.result);
        pending = { step, result };
      }
      if (pending !== null) record(pending.step, await pending.result);

      steps = (epoch + 1) * perEpoch;
      const trainLoss = lossSum / perEpoch;
      if (trainLoss > divergedFactor * ignorantLoss(task, dataset.classNames.length, normalize)) {
        throw diverged(dataset.name, steps, trainLoss);
      }
      const variables = readVariables(graph, session);
      const validation = (await environment.validate?.(variables)) ?? null;
      const seconds = (now() - epochStarted) / 1000;
      recorder.endEpoch(
        { epoch: epoch + 1, step: steps, trainLoss, validationLoss: validation?.loss ?? null, seconds },
        validation,
      );
      environment.emit({ kind: 'log', message: epochText(recorder.curves(), options.epochs) });
      if (validation === null) continue;
      const quality = qualityOf(validation);
      if (quality > best.quality) Object.assign(best, { epoch: epoch + 1, quality, variables });
      if (options.patience !== null && epoch + 1 - best.epoch >= options.patience) {
        stoppedEarly = epoch + 1 < options.epochs;
        break;
      }
    }
    const kept = options.keep === 'best' ? best.variables : null;
    return {
      variables: kept ?? readVariables(graph, session),
      metrics: {
        batch: options.batch,
        devices: options.replicas,
        stepsPerEpoch: perEpoch,
        steps,
        parameters: countParameters(graph),
        imagesPerSecond: (steps * options.batch * 1000) / Math.max(1, now() - started),
        bestEpoch: best.epoch === 0 ? null : best.epoch,
        stoppedEarly,
        ...recorder.curves(),
      },
      ranges: ranges.map(({ name, min, max, points }) => ({
        name,
        min: session.read(min)[0] ?? 0,
        max: session.read(max)[0] ?? 0,
        history: points.points(),
      })),
    };
  } finally {
    await session.close();
  }
}

/** The values that become a range's variables: as outputs they cost two scalars a step. */
function updatedValues(graph: Graph, range: { readonly min: string; readonly max: string }) {
  const valueFor = (variable: string): string =>
    graph.updates.find((update) => update.variable === variable)?.value ?? internal(`"${variable}" is not updated`);
  return { minValue: valueFor(range.min), maxValue: valueFor(range.max) };
}

export type BatchFeeds = (step: number) => ReadonlyMap<string, Float32Array>;

/** Fills one of three buffer sets in turn: two steps may be under way while the next is prepared. */
export function batchFeeds(
  graph: Graph,
  options: Pick<TrainOptions, 'batch' | 'replicas' | 'seed' | 'schedule'>,
  { dataset, normalize, augment }: Pick<TrainEnvironment, 'dataset' | 'normalize' | 'augment'>,
  perEpoch: number,
  totalSteps: number,
): BatchFeeds {
  const input = modelInput(graph);
  const imageSize = valueOf(graph, input)
    .type.shape.slice(1)
    .reduce((product, size) => product * size, 1);
  const sets = Array.from({ length: 3 }, () => ({
    images: new Float32Array(options.batch * imageSize),
    labels: new Float32Array(options.batch),
  }));
  let current: { epoch: number; order: Uint32Array; vary: VaryImage | null } | null = null;
  return (step) => {
    const epoch = Math.floor(step / perEpoch);
    if (current?.epoch !== epoch) {
      const { count } = dataset.train;
      current = {
        epoch,
        order: epochOrder(count, options.seed, epoch),
        vary: augmentEpoch(count, options.seed, epoch, augment, dataset.image),
      };
    }
    const { images, labels } = sets[step % sets.length] ?? internal('no buffer set');
    const start = (step % perEpoch) * options.batch;
    fillBatch(dataset.train, current.order, start, options.batch, normalize, images, labels, current.vary);
    return new Map([
      [input, images],
      ...(graph.inputs.includes(lossNames.labels) ? ([[lossNames.labels, labels]] as const) : []),
      [learningRateInput, Float32Array.of(learningRateAt(options.schedule, step, totalSteps))],
      ...(graph.inputs.includes(dropoutKeyInput) ? [[dropoutKeyInput, dropoutKeys(options, step)] as const] : []),
    ]);
  };
}

/** The key of every replica, from the step and not from a running generator: a resumed training has the same masks. */
function dropoutKeys({ seed, replicas }: Pick<TrainOptions, 'seed' | 'replicas'>, step: number): Float32Array {
  const keys = new Float32Array(2 * replicas);
  for (let replica = 0; replica < replicas; replica++) {
    const random = createRandom(seed, 'dropout', `step ${step}`, `replica ${replica}`);
    keys.set([random.below(2 ** 24), random.below(2 ** 24)], 2 * replica);
  }
  return keys;
}

function diverged(dataset: string, step: number, loss: number) {
  return userError(
    dataset,
    'training-diverged',
    `the loss is ${Number(loss.toPrecision(4))} at step ${step}`,
    'lower the learning rate, or warm it up; when training QAT from scratch, set a delay',
  );
}

function readVariables(graph: Graph, session: Session): Variables {
  return new Map(
    variablesOf(graph).map(({ name, type }) => [name, tensor('float32', type.shape, session.read(name))] as const),
  );
}

function countParameters(graph: Graph): number {
  return variablesOf(graph)
    .filter((variable) => variable.source.trainable)
    .reduce((sum, { type }) => sum + type.shape.reduce((product, size) => product * size, 1), 0);
}
