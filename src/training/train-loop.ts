/**
 * A training is a state that advances (`state.ts`). The loop holds it open: variables in a session, curves in their
 * recorders. At any step it can be written down, and a training that begins with what was written ends with the same
 * bytes.
 */
import { internal } from '../core/assert.ts';
import { tensor } from '../core/tensor.ts';
import type { Session } from '../engine/engine.ts';
import type { Graph } from '../graph/graph.ts';
import type { QuantizerRange } from '../graph/variables.ts';
import { estimatedRanges, withVariables } from '../graph/variables.ts';
import { variablesOf } from '../graph/graph.ts';
import { lossNames } from '../passes/index.ts';
import type { Checkpoints, StageProgress } from '../runner/plan.ts';
import type { CountedOutput, CurveRecorder, StepResult } from './curves.ts';
import { curveRecorder, epochText, scalar } from './curves.ts';
import type { BatchFeeds, FeedEnvironment, FeedOptions } from './feeds.ts';
import { batchFeeds } from './feeds.ts';
import type { LossWatch } from './loss-watch.ts';
import { watchLoss } from './loss-watch.ts';
import type { CommonTrain, Task, TrainCurves } from '../measurements/metrics.ts';
import type { Sampler } from './sampler.ts';
import { sampler } from './sampler.ts';
import type { CheckpointInterval, Saver } from './saver.ts';
import { openSaver } from './saver.ts';
import { learningRateAt } from './schedule.ts';
import type { Best, EarlyStop, RangePoint, TrainState, Variables } from './state.ts';
import { bestEpoch, decodeTrainState, refusalOf, stopsEarly } from './state.ts';
import { stepsPerEpoch } from './steps.ts';
import { watchWeights } from './weight-watch.ts';
import type { Validation } from '../tasks/define.ts';

/** Its `judgedFrom` also says which epochs can be the best one. */
export interface TrainOptions extends FeedOptions, EarlyStop {
  readonly epochs: number;
  readonly keep: 'last' | 'best';
  readonly checkpoint: CheckpointInterval;
}

export interface TrainEnvironment extends FeedEnvironment {
  /** Of the network, or its outputs where it has several. */
  readonly task: Task | readonly CountedOutput[];
  /** Of a network that knows nothing. */
  readonly ignorantLoss: number;
  /** The session finishes its steps even when `signal` is raised, so that the state behind them can be saved. */
  readonly open: (graph: Graph, replicas: number) => Promise<Session>;
  /** Validation at the end of an epoch, with the variables as they are; null without a validation split. */
  readonly validate: ((variables: Variables) => Promise<Validation>) | null;
  readonly emit: (progress: StageProgress) => void;
  readonly signal: AbortSignal;
  /** Where the state is kept; null keeps none. */
  readonly checkpoints: Checkpoints | null;
}

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

/**
 * Trains for the given epochs, from the last saved state where there is one; a last incomplete batch of an epoch is
 * left out.
 *
 * @throws the reason of the signal, when it was raised and the state is saved
 */
export async function train(graph: Graph, asked: TrainOptions, environment: TrainEnvironment): Promise<Trained> {
  const options = environment.validate === null ? { ...asked, patience: null } : asked;
  const saved = await savedState(graph, options, environment);
  const run = await openRun(graph, options, environment, saved);
  try {
    if (saved !== null) announce(run);
    while (!isOver(run)) {
      await runSteps(run);
      await endEpoch(run);
    }
    // Also behind the last step: more epochs continue from it.
    run.saver.save(() => snapshot(run));
    return result(run);
  } finally {
    await run.saver.settled();
    await run.feeds.close();
    await run.session.close();
  }
}

/** The newest state that this training may go on from; null for a start at the first step. */
async function savedState(
  graph: Graph,
  options: TrainOptions,
  { checkpoints, emit, dataset }: TrainEnvironment,
): Promise<TrainState | null> {
  if (checkpoints === null) return null;
  const perEpoch = stepsPerEpoch(dataset.train.count, options.batch);
  const training = { ...options, perEpoch, totalSteps: perEpoch * options.epochs };
  return checkpoints.latest((bytes, path) => {
    const state = decodeTrainState(bytes, graph, path);
    const refusal = refusalOf(state, training);
    if (refusal === null) return state;
    emit({ kind: 'log', message: `the state saved after step ${state.step} is not used: it ${refusal}` });
    return null;
  });
}

/** What all parts of a training use. */
interface TrainingRun {
  readonly graph: Graph;
  readonly options: TrainOptions;
  readonly environment: TrainEnvironment;
  readonly session: Session;
  readonly perEpoch: number;
  readonly totalSteps: number;
  readonly recorder: CurveRecorder;
  readonly watch: LossWatch;
  readonly checkWeights: ReturnType<typeof watchWeights>;
  readonly ranges: readonly (QuantizerRange & {
    readonly minValue: string;
    readonly maxValue: string;
    readonly points: Sampler<RangePoint>;
  })[];
  readonly feeds: BatchFeeds;
  readonly saver: Saver;
  readonly resumedAt: readonly number[];
  /** How far it is. */
  readonly at: {
    step: number;
    readonly qualities: (number | null)[];
    best: Best | null;
    /** On the clock, as if it had never been interrupted. */
    readonly started: number;
    epochStarted: number;
    emitted: number;
  };
}

async function openRun(
  graph: Graph,
  options: TrainOptions,
  environment: TrainEnvironment,
  saved: TrainState | null,
): Promise<TrainingRun> {
  const { task, dataset, now, ignorantLoss } = environment;
  const perEpoch = stepsPerEpoch(dataset.train.count, options.batch);
  const totalSteps = perEpoch * options.epochs;
  const followed = estimatedRanges(graph).map((range) => ({ ...range, ...updatedValues(graph, range) }));
  const outputs = [...graph.outputs, ...followed.flatMap(({ minValue, maxValue }) => [minValue, maxValue])];
  const begun = saved === null ? graph : withVariables(graph, ({ name }) => variable(saved.variables, name));
  const session = await environment.open({ ...begun, outputs }, options.replicas);
  const answers = options.batch * (dataset.train.masks?.size ?? 1);
  const points = new Map(saved?.ranges.map((range) => [range.quantizer, range.points]));
  const { step = 0, qualities = [], best = null, milliseconds = { total: 0, epoch: 0 } } = saved ?? {};
  return {
    ...{ graph, options, environment, session, perEpoch, totalSteps },
    recorder: curveRecorder(task, { answers, examples: options.batch, replicas: options.replicas }, saved?.curves),
    watch: watchLoss(dataset.name, ignorantLoss, saved?.watch),
    checkWeights: watchWeights(graph),
    ranges: followed.map((range) => ({
      ...range,
      points: sampler<RangePoint>(rangePoints, points.get(range.quantizer)),
    })),
    feeds: batchFeeds(graph, options, environment, perEpoch, totalSteps),
    saver: openSaver(environment.checkpoints, options.checkpoint, { step, qualities }, () => now()),
    resumedAt: saved === null ? [] : [...saved.resumedAt, step],
    at: {
      ...{
        step,
        qualities: [...qualities],
        best: options.keep === 'best' ? best : best && { ...best, variables: null },
      },
      ...{ started: now() - milliseconds.total, epochStarted: now() - milliseconds.epoch, emitted: -Infinity },
    },
  };
}

function announce({ environment, at, totalSteps, perEpoch, resumedAt }: TrainingRun): void {
  const epoch = Math.max(1, Math.ceil(at.step / perEpoch));
  environment.emit({ kind: 'resumed', step: at.step, totalSteps, epoch, resumedAt });
}

/** The training as it is. Not while a step is outstanding. */
function snapshot({ graph, session, recorder, watch, ranges, environment, resumedAt, at }: TrainingRun): TrainState {
  const time = environment.now();
  return {
    ...{ step: at.step, qualities: at.qualities, best: at.best, resumedAt: [...resumedAt] },
    ...{ curves: recorder.state(), watch: watch.state(), variables: readVariables(graph, session) },
    ranges: ranges.map(({ quantizer, points }) => ({ quantizer, points: points.state() })),
    milliseconds: { total: time - at.started, epoch: time - at.epochStarted },
  };
}

function isOver({ at, options }: TrainingRun): boolean {
  return at.qualities.length === options.epochs || (at.qualities.length > 0 && stopsEarly(at.qualities, options));
}

/** Runs the steps that the epoch has left. */
async function runSteps(run: TrainingRun): Promise<void> {
  const { perEpoch, session, feeds, environment, saver } = run;
  const end = (run.at.qualities.length + 1) * perEpoch;
  // The next batch is prepared while the engine works on this one.
  let pending: Promise<StepResult> | null = null;
  const settle = async (): Promise<void> => {
    if (pending === null) return;
    const result = await pending;
    pending = null;
    record(run, result);
  };
  for (let step = run.at.step; step < end; step++) {
    if (environment.signal.aborted || saver.isDue(step)) {
      await settle();
      await save(run);
    }
    const result: Promise<StepResult> = session.run(await feeds.next(step));
    // A rejection is seen when the result is awaited; it must not count as unhandled until then.
    result.catch(() => undefined);
    await settle();
    pending = result;
  }
  await settle();
}

/** Between steps. Waits until the state is written only when the training is to stop, and then throws. */
async function save(run: TrainingRun): Promise<void> {
  run.saver.save(() => snapshot(run));
  if (!run.environment.signal.aborted) return;
  await run.saver.settled();
  run.environment.signal.throwIfAborted();
}

/** Records the step behind those that are done. */
function record(run: TrainingRun, result: StepResult): void {
  const { options, environment, totalSteps, recorder, watch, at } = run;
  const loss = scalar(result, lossNames.loss);
  const ranges = run.ranges.map(({ quantizer, minValue, maxValue, points }) => ({
    ...{ quantizer, points, min: scalar(result, minValue), max: scalar(result, maxValue) },
  }));
  const infinite = ranges.find(({ min, max }) => !Number.isFinite(min) || !Number.isFinite(max));
  const step = at.step + 1;
  watch.step(step, loss, infinite?.quantizer ?? null);
  recorder.step({ step, loss, learningRate: learningRateAt(options.schedule, at.step, totalSteps) }, result);
  for (const { min, max, points } of ranges) points.offer({ step, min, max });
  at.step = step;
  const time = environment.now();
  if (time - at.emitted < progressIntervalMs && step < totalSteps) return;
  at.emitted = time;
  const stepsPerMs = step / Math.max(1, time - at.started);
  environment.emit({
    kind: 'progress',
    step,
    totalSteps,
    values: {
      epoch: at.qualities.length + 1,
      epochs: options.epochs,
      loss: watch.mean(),
      ...recorder.means(),
      images_per_second: stepsPerMs * 1000 * options.batch,
      eta_seconds: (totalSteps - step) / stepsPerMs / 1000,
    },
  });
}

/** Behind the last step of an epoch: validation, and what it means for the training. */
async function endEpoch(run: TrainingRun): Promise<void> {
  const { graph, options, environment, session, recorder, watch, at } = run;
  if (environment.signal.aborted) await save(run);
  const epoch = at.qualities.length + 1;
  const variables = readVariables(graph, session);
  watch.judge(epoch);
  run.checkWeights(epoch, watch.mean(), variables);
  // Nothing has changed so far: a validation that is interrupted begins again.
  const validation = await validated(run, variables);
  const trainLoss = watch.endEpoch(epoch);
  const time = environment.now();
  recorder.endEpoch(
    {
      ...{ epoch, step: at.step, trainLoss, validationLoss: validation?.loss ?? null },
      seconds: (time - at.epochStarted) / 1000,
    },
    validation,
  );
  environment.emit({ kind: 'log', message: epochText(recorder.curves(), options.epochs) });
  const quality = validation?.quality;
  at.epochStarted = time;
  at.qualities.push(quality !== undefined && Number.isFinite(quality) ? quality : null);
  if (quality === undefined || bestEpoch(at.qualities, options.judgedFrom) !== epoch) return;
  at.best = { epoch, quality, variables: options.keep === 'best' ? variables : null };
}

async function validated(run: TrainingRun, variables: Variables): Promise<Validation | null> {
  const { validate, signal } = run.environment;
  try {
    return (await validate?.(variables)) ?? null;
  } catch (error) {
    if (signal.aborted) await save(run);
    throw error;
  }
}

function result({ graph, options, environment, session, perEpoch, recorder, at, ranges }: TrainingRun): Trained {
  const steps = at.step;
  const kept = options.keep === 'best' ? at.best : null;
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
      imagesPerSecond: (steps * options.batch * 1000) / Math.max(1, environment.now() - at.started),
      bestEpoch: at.best?.epoch ?? null,
      stoppedEarly: at.qualities.length < options.epochs,
      ...recorder.curves(),
    },
    ranges: ranges.map(({ quantizer, min, max, points }) => ({
      ...{ name: quantizer, min: end(min), max: end(max) },
      updates: kept === null ? steps : kept.epoch * perEpoch,
      history: points.points(),
    })),
  };
}

/** The values that become a range's variables: as outputs they cost two scalars a step. */
function updatedValues(graph: Graph, range: QuantizerRange) {
  const valueFor = (name: string): string =>
    graph.updates.find((update) => update.variable === name)?.value ?? internal(`"${name}" is not updated`);
  return { minValue: valueFor(range.min), maxValue: valueFor(range.max) };
}

function readVariables(graph: Graph, session: Session): Variables {
  return new Map(
    variablesOf(graph).map(({ name, type }) => [name, tensor('float32', type.shape, session.read(name))] as const),
  );
}

const variable = (variables: Variables, name: string) =>
  variables.get(name) ?? internal(`the saved state has no variable "${name}"`);

function countParameters(graph: Graph): number {
  return variablesOf(graph)
    .filter((value) => value.source.trainable)
    .reduce((sum, { type }) => sum + type.shape.reduce((product, size) => product * size, 1), 0);
}
