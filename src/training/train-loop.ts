import { internal } from '../core/assert.ts';
import { createRandom } from '../core/random.ts';
import type { Tensor } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import { openBatches } from '../data/ahead/batches.ts';
import type { Augmentation } from '../data/augment.ts';
import type { Normalization } from '../data/batches.ts';
import type { TrainingData } from '../data/dataset.ts';
import type { Session } from '../engine/engine.ts';
import type { Graph } from '../graph/graph.ts';
import type { QuantizerRange } from '../graph/variables.ts';
import { estimatedRanges } from '../graph/variables.ts';
import { variablesOf } from '../graph/graph.ts';
import { dropoutKeyInput, learningRateInput, lossNames } from '../passes/index.ts';
import type { StageProgress } from '../runner/plan.ts';
import type { CurveRecorder, StepResult } from './curves.ts';
import { curveRecorder, epochText, scalar } from './curves.ts';
import { modelInput } from '../evaluation/graphs.ts';
import type { LossWatch } from './loss-watch.ts';
import { watchLoss } from './loss-watch.ts';
import type { CommonTrain, Task, TrainCurves } from '../measurements/metrics.ts';
import type { Sampler } from './sampler.ts';
import { sampler } from './sampler.ts';
import type { Schedule } from './schedule.ts';
import { learningRateAt } from './schedule.ts';
import { stepsPerEpoch } from './steps.ts';
import { watchWeights } from './weight-watch.ts';
import type { Validation } from '../tasks/define.ts';

export interface TrainOptions {
  readonly epochs: number;
  /** Images per step over all replicas. */
  readonly batch: number;
  readonly replicas: number;
  readonly seed: number;
  readonly schedule: Schedule;
  /** Number of judged epochs without a better validation result before training stops; null never stops early. */
  readonly patience: number | null;
  readonly keep: 'last' | 'best';
  /** The first epoch, counted from 1, that can be the best one. */
  readonly judgedFrom: number;
}

export interface TrainEnvironment {
  readonly task: Task;
  /** Of a network that knows nothing. */
  readonly ignorantLoss: number;
  readonly dataset: TrainingData;
  readonly normalize: Normalization;
  /** Applied to training images only, not to validation images. */
  readonly augment: Augmentation;
  readonly open: (graph: Graph, replicas: number) => Promise<Session>;
  /** Validation at the end of an epoch, with the variables as they are; null without a validation split. */
  readonly validate: ((variables: Variables) => Promise<Validation>) | null;
  /** That may fill batches ahead of the steps; the results are the same for any number. */
  readonly threads: number;
  readonly emit: (progress: StageProgress) => void;
  readonly signal: AbortSignal;
  /** Milliseconds on a clock that only goes forward. */
  readonly now: () => number;
}

export type Variables = ReadonlyMap<string, Tensor>;

export interface Trained {
  readonly variables: Variables;
  readonly metrics: CommonTrain & TrainCurves;
  /** For the kept weights; the history continues to the end of training. */
  readonly ranges: readonly {
    name: string;
    min: number;
    max: number;
    updates: number;
    history: { step: number; min: number; max: number }[];
  }[];
}

const rangePoints = 80;
const progressIntervalMs = 100;

/** Trains for the given epochs; a last incomplete batch of an epoch is left out. */
export async function train(graph: Graph, options: TrainOptions, environment: TrainEnvironment): Promise<Trained> {
  const { task, dataset, now } = environment;
  const perEpoch = stepsPerEpoch(dataset.train.count, options.batch);
  const totalSteps = perEpoch * options.epochs;
  const checkWeights = watchWeights(graph);
  const followed = estimatedRanges(graph).map((range) => ({ ...range, ...updatedValues(graph, range) }));
  const outputs = [...graph.outputs, ...followed.flatMap(({ minValue, maxValue }) => [minValue, maxValue])];
  const session = await environment.open({ ...graph, outputs }, options.replicas);
  const run: TrainingRun = {
    ...{ options, environment, session, perEpoch, totalSteps, started: now() },
    recorder: curveRecorder(task, {
      answers: options.batch * (dataset.train.masks?.size ?? 1),
      replicas: options.replicas,
      totalSteps,
    }),
    watch: watchLoss(dataset.name, environment.ignorantLoss),
    ranges: followed.map((range) => ({ ...range, points: sampler<RangePoint>(totalSteps, rangePoints) })),
    feeds: batchFeeds(graph, options, environment, perEpoch, totalSteps),
    progress: { emitted: -Infinity },
  };
  try {
    let best: Best | null = null;
    let epoch = 0;
    for (let ended = false; !ended && epoch < options.epochs;) {
      const epochStarted = now();
      await runEpoch(run, ++epoch);
      const trainLoss = run.watch.endEpoch(epoch);
      const variables = readVariables(graph, session);
      checkWeights(epoch, trainLoss, variables);
      const validation = (await environment.validate?.(variables)) ?? null;
      const seconds = (now() - epochStarted) / 1000;
      run.recorder.endEpoch(
        { epoch, step: epoch * perEpoch, trainLoss, validationLoss: validation?.loss ?? null, seconds },
        validation,
      );
      environment.emit({ kind: 'log', message: epochText(run.recorder.curves(), options.epochs) });
      if (validation === null) continue;
      best = better(best, { epoch, quality: validation.quality, variables }, options.judgedFrom);
      const lastGain = best?.epoch ?? options.judgedFrom - 1;
      ended = options.patience !== null && epoch - lastGain >= options.patience;
    }
    return result(graph, run, best, epoch);
  } finally {
    await run.feeds.close();
    await session.close();
  }
}

type RangePoint = Trained['ranges'][number]['history'][number];

/** What all parts of a training use. */
interface TrainingRun {
  readonly options: TrainOptions;
  readonly environment: TrainEnvironment;
  readonly session: Session;
  readonly perEpoch: number;
  readonly totalSteps: number;
  readonly started: number;
  readonly recorder: CurveRecorder;
  readonly watch: LossWatch;
  readonly ranges: readonly (QuantizerRange & {
    readonly minValue: string;
    readonly maxValue: string;
    readonly points: Sampler<RangePoint>;
  })[];
  readonly feeds: BatchFeeds;
  readonly progress: { emitted: number };
}

interface Best {
  readonly epoch: number;
  readonly quality: number;
  readonly variables: Variables;
}

/** An equal quality is not better, and an epoch before `judgedFrom` does not count. */
function better(best: Best | null, next: Best, judgedFrom: number): Best | null {
  return next.epoch >= judgedFrom && next.quality > (best?.quality ?? -Infinity) ? next : best;
}

/** @param epoch counted from 1 */
async function runEpoch(run: TrainingRun, epoch: number): Promise<void> {
  const { perEpoch, session, feeds, environment } = run;
  // The next batch is prepared while the engine works on this one.
  let pending: { step: number; result: Promise<StepResult> } | null = null;
  for (let index = 0; index < perEpoch; index++) {
    environment.signal.throwIfAborted();
    const step = (epoch - 1) * perEpoch + index;
    const result: Promise<StepResult> = session.run(await feeds.next(step));
    // A rejection is seen when the result is awaited below; it must not count as unhandled until then.
    result.catch(() => undefined);
    if (pending !== null) record(run, epoch, pending.step, await pending.result);
    pending = { step, result };
  }
  if (pending !== null) record(run, epoch, pending.step, await pending.result);
}

/** @param step counted from 0 */
function record(run: TrainingRun, epoch: number, step: number, result: StepResult): void {
  const { options, environment, totalSteps, recorder, watch } = run;
  const loss = scalar(result, lossNames.loss);
  const ranges = run.ranges.map(({ quantizer, minValue, maxValue, points }) => ({
    ...{ quantizer, points, min: scalar(result, minValue), max: scalar(result, maxValue) },
  }));
  const infinite = ranges.find(({ min, max }) => !Number.isFinite(min) || !Number.isFinite(max));
  watch.step(step + 1, loss, infinite?.quantizer ?? null);
  recorder.step({ step: step + 1, loss, learningRate: learningRateAt(options.schedule, step, totalSteps) }, result);
  for (const { min, max, points } of ranges) points.offer(step + 1, { step: step + 1, min, max });
  const time = environment.now();
  if (time - run.progress.emitted < progressIntervalMs && step + 1 < totalSteps) return;
  run.progress.emitted = time;
  const stepsPerMs = (step + 1) / Math.max(1, time - run.started);
  environment.emit({
    kind: 'progress',
    step: step + 1,
    totalSteps,
    values: {
      epoch,
      epochs: options.epochs,
      loss: watch.mean(),
      ...recorder.means(),
      images_per_second: stepsPerMs * 1000 * options.batch,
      eta_seconds: (totalSteps - step - 1) / stepsPerMs / 1000,
    },
  });
}

/** @param epochs how many were run */
function result(graph: Graph, run: TrainingRun, best: Best | null, epochs: number): Trained {
  const { options, environment, session, perEpoch } = run;
  const steps = epochs * perEpoch;
  const kept = options.keep === 'best' ? best : null;
  const variables = kept?.variables ?? readVariables(graph, session);
  const end = (name: string): number => Number(variables.get(name)?.data[0]);
  return {
    variables,
    metrics: {
      batch: options.batch,
      devices: options.replicas,
      stepsPerEpoch: perEpoch,
      steps,
      parameters: countParameters(graph),
      imagesPerSecond: (steps * options.batch * 1000) / Math.max(1, environment.now() - run.started),
      bestEpoch: best?.epoch ?? null,
      stoppedEarly: epochs < options.epochs,
      ...run.recorder.curves(),
    },
    ranges: run.ranges.map(({ quantizer, min, max, points }) => ({
      ...{ name: quantizer, min: end(min), max: end(max) },
      updates: kept === null ? steps : kept.epoch * perEpoch,
      history: points.points(),
    })),
  };
}

/** The values that become a range's variables: as outputs they cost two scalars a step. */
function updatedValues(graph: Graph, range: QuantizerRange) {
  const valueFor = (variable: string): string =>
    graph.updates.find((update) => update.variable === variable)?.value ?? internal(`"${variable}" is not updated`);
  return { minValue: valueFor(range.min), maxValue: valueFor(range.max) };
}

/** What each step reads. */
export interface BatchFeeds {
  /** Of a step, good until the second step after it is asked for. Steps are asked for in ascending order. */
  readonly next: (step: number) => Promise<ReadonlyMap<string, Float32Array>>;
  readonly close: () => Promise<void>;
}

/** @param end the step before which training ends */
export function batchFeeds(
  graph: Graph,
  options: Pick<TrainOptions, 'batch' | 'replicas' | 'seed' | 'schedule'>,
  environment: Pick<TrainEnvironment, 'dataset' | 'normalize' | 'augment' | 'threads' | 'now'>,
  perEpoch: number,
  end: number,
): BatchFeeds {
  const { dataset, normalize, augment, threads } = environment;
  const input = modelInput(graph);
  const { batch, seed, schedule } = options;
  const plan = { split: dataset.train, shape: dataset.image, batch, perEpoch, seed, normalize, augment };
  const batches = openBatches(plan, { threads, ahead: 'auto', end, now: () => environment.now() });
  return {
    async next(step) {
      const { inputs, answers } = await batches.next(step);
      return new Map([
        [input, inputs],
        ...(graph.inputs.includes(lossNames.labels) ? ([[lossNames.labels, answers]] as const) : []),
        [learningRateInput, Float32Array.of(learningRateAt(schedule, step, end))],
        ...(graph.inputs.includes(dropoutKeyInput) ? [[dropoutKeyInput, dropoutKeys(options, step)] as const] : []),
      ]);
    },
    close: batches.close,
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
