import { internal } from '../core/assert.ts';
import { createRandom } from '../core/random.ts';
import { userError } from '../core/diagnostic.ts';
import type { Tensor } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import type { Augmentation, VaryImage } from '../data/augment.ts';
import { augmentEpoch } from '../data/augment.ts';
import type { Normalization } from '../data/batches.ts';
import { epochOrder, fillBatch } from '../data/batches.ts';
import type { Dataset } from '../data/dataset.ts';
import type { Session } from '../engine/engine.ts';
import type { Graph } from '../graph/graph.ts';
import { valueOf, variablesOf } from '../graph/graph.ts';
import { dropoutKeyInput } from '../models/build.ts';
import { learningRateInput, lossNames } from '../passes/index.ts';
import type { StageProgress } from '../runner/plan.ts';
import type { Evaluation } from './evaluate.ts';
import { modelInput } from './graphs.ts';
import type { TrainMetrics } from './metrics.ts';
import type { Schedule } from './schedule.ts';
import { learningRateAt } from './schedule.ts';
import { stepsPerEpoch } from './steps.ts';

export interface TrainOptions {
  readonly epochs: number;
  /** Images per step over all replicas. */
  readonly batch: number;
  readonly replicas: number;
  readonly seed: number;
  readonly schedule: Schedule;
  /** Epochs without a better validation accuracy before the end; null never ends early. */
  readonly patience: number | null;
  readonly keep: 'last' | 'best';
}

export interface TrainEnvironment {
  readonly dataset: Dataset;
  readonly normalize: Normalization;
  /** Of the images to train on; those to validate with stay as they are. */
  readonly augment: Augmentation;
  readonly open: (graph: Graph, replicas: number) => Promise<Session>;
  /** Validation at the end of an epoch, with the variables as they are; null without a validation split. */
  readonly validate: ((variables: Variables) => Promise<Evaluation>) | null;
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
  readonly metrics: Omit<TrainMetrics, 'level' | 'kind' | 'delay' | 'decay' | 'ranges'>;
  readonly ranges: readonly {
    name: string;
    min: number;
    max: number;
    history: { step: number; min: number; max: number }[];
  }[];
}

const historyPoints = 400;
const rangePoints = 80;
const progressIntervalMs = 100;

/** A mean loss of an epoch this many times that of guessing is no training any more: weights that blew up stay so. */
const divergedFactor = 10;

/** Trains for the given epochs; a last incomplete batch of an epoch is left out. */
export async function train(graph: Graph, options: TrainOptions, environment: TrainEnvironment): Promise<Trained> {
  const { dataset, tracked, now } = environment;
  const perEpoch = stepsPerEpoch(dataset.train.count, options.batch);
  const totalSteps = perEpoch * options.epochs;
  const followed = tracked.map((range) => ({ ...range, ...updatedValues(graph, range) }));
  const outputs = [...graph.outputs, ...followed.flatMap(({ minValue, maxValue }) => [minValue, maxValue])];
  const session = await environment.open({ ...graph, outputs }, options.replicas);
  const history = sampler<TrainMetrics['history'][number]>(totalSteps, historyPoints);
  const ranges = followed.map((range) => ({
    ...range,
    points: sampler<{ step: number; min: number; max: number }>(totalSteps, rangePoints),
  }));
  const epochs: TrainMetrics['epochs'] = [];
  const best: { epoch: number; accuracy: number; variables: Variables | null } = {
    epoch: 0,
    accuracy: -1,
    variables: null,
  };
  const started = now();
  let lastProgress = -Infinity;
  let stoppedEarly = false;

  try {
    const feeds = batchFeeds(graph, options, environment, perEpoch, totalSteps);
    for (let epoch = 0; epoch < options.epochs; epoch++) {
      const epochStarted = now();
      let [lossSum, correct] = [0, 0];
      const record = (step: number, result: ReadonlyMap<string, Float32Array>): void => {
        const loss = scalar(result, lossNames.loss);
        // A mean over replicas of counts per replica.
        const right = scalar(result, lossNames.top1) * options.replicas;
        if (!Number.isFinite(loss)) throw diverged(dataset.name, step + 1, loss);
        lossSum += loss;
        correct += right;
        const learningRate = learningRateAt(options.schedule, step, totalSteps);
        history.offer(step + 1, { step: step + 1, loss, accuracy: right / options.batch, learningRate });
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
            accuracy: correct / (done * options.batch),
            images_per_second: stepsPerMs * 1000 * options.batch,
            eta_seconds: (totalSteps - step - 1) / stepsPerMs / 1000,
          },
        });
      };

      // The next batch is prepared while the engine works on this one.
      let pending: { step: number; result: Promise<ReadonlyMap<string, Float32Array>> } | null = null;
      for (let index = 0; index < perEpoch; index++) {
        environment.signal.throwIfAborted();
        const step = epoch * perEpoch + index;
        const result: Promise<ReadonlyMap<string, Float32Array>> = session.run(feeds(step));
        // A rejection is seen when the result is awaited below; it must not count as unhandled until then.
        result.catch(() => undefined);
        if (pending !== null) record(pending.step, await pending.result);
        pending = { step, result };
      }
      if (pending !== null) record(pending.step, await pending.result);

      const meanLoss = lossSum / perEpoch;
      if (meanLoss > divergedFactor * Math.log(dataset.classNames.length)) {
        throw diverged(dataset.name, (epoch + 1) * perEpoch, meanLoss);
      }
      const variables = readVariables(graph, session);
      const validation = (await environment.validate?.(variables)) ?? null;
      const accuracy = validation === null ? null : validation.correct / dataset.validation.count;
      epochs.push({
        epoch: epoch + 1,
        step: (epoch + 1) * perEpoch,
        trainLoss: lossSum / perEpoch,
        trainAccuracy: correct / (perEpoch * options.batch),
        validationLoss: validation?.loss ?? null,
        validationAccuracy: accuracy,
        seconds: (now() - epochStarted) / 1000,
      });
      environment.emit({ kind: 'log', message: epochSentence(epochs, options.epochs) });
      if (accuracy === null) continue;
      if (accuracy > best.accuracy) Object.assign(best, { epoch: epoch + 1, accuracy, variables });
      if (options.patience !== null && epoch + 1 - best.epoch >= options.patience) {
        stoppedEarly = epoch + 1 < options.epochs;
        break;
      }
    }
    const kept = options.keep === 'best' ? best.variables : null;
    const steps = perEpoch * epochs.length;
    return {
      variables: kept ?? readVariables(graph, session),
      metrics: {
        batch: options.batch,
        devices: options.replicas,
        stepsPerEpoch: perEpoch,
        steps,
        parameters: countParameters(graph),
        history: history.points(),
        epochs,
        imagesPerSecond: (steps * options.batch * 1000) / Math.max(1, now() - started),
        bestEpoch: best.accuracy < 0 ? null : best.epoch,
        stoppedEarly,
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

function scalar(result: ReadonlyMap<string, Float32Array>, name: string): number {
  return result.get(name)?.[0] ?? internal(`the engine gave no "${name}"`);
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
      [lossNames.labels, labels],
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

function epochSentence(epochs: TrainMetrics['epochs'], total: number): string {
  const last = epochs.at(-1) ?? internal('no epoch was run');
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  const validation = last.validationAccuracy === null ? '' : `, validation ${percent(last.validationAccuracy)}`;
  return (
    `epoch ${last.epoch}/${total}: loss ${last.trainLoss.toFixed(4)}, ` +
    `accuracy ${percent(last.trainAccuracy)}${validation} in ${last.seconds.toFixed(1)} s`
  );
}

/** Keeps about `wanted` of the points offered over the steps, evenly, the first and the last always. */
function sampler<Point>(totalSteps: number, wanted: number) {
  const stride = Math.max(1, Math.ceil(totalSteps / (wanted - 1)));
  const kept: Point[] = [];
  let latest: Point | null = null;
  return {
    offer(step: number, point: Point): void {
      latest = point;
      if ((step - 1) % stride === 0) {
        kept.push(point);
        latest = null;
      }
    },
    points: (): Point[] => (latest === null ? kept : [...kept, latest]),
  };
}
