import type { Augmentation } from '../data/augment.ts';
import type { Place } from '../core/diagnostic.ts';
import type { Digest } from '../core/digest.ts';
import type { TestData, TrainingData } from '../data/dataset.ts';
import type { Device, Session } from '../engine/engine.ts';
import type { Purpose } from '../graph/contract.ts';
import type { Graph } from '../graph/graph.ts';
import type { ModelSpec } from '../models/layers.ts';
import type { StageContext, StageOutcome } from '../runner/plan.ts';
import type { LossOptions } from '../tasks/loss-options.ts';

/** What a stage may use besides its own config and its input files. */
export interface StageEnvironment {
  readonly seed: number;
  /** Read at the first call, for all stages of a pipeline. A stage may ask for what its definition `uses`. */
  readonly trainingData: () => Promise<TrainingData>;
  readonly testData: () => Promise<TestData>;
  /** Of training images. */
  readonly augment: Augmentation;
  readonly loss: LossOptions;
  /** The network of the pipeline, for the classes and images of its data. */
  readonly model: () => ModelSpec;
  /** What a network for these data is for. */
  readonly purpose: () => Purpose;
  /** Rejects when the stage's model file is no longer that of its key. */
  readonly checkModelFile: (found: Digest) => Promise<void>;
  /** Starts a session on the stage's engine. */
  readonly open: (graph: Graph, replicas: number, options?: OpenOptions) => Promise<Session>;
  /** What the definition's `outside` found when the run was planned. */
  readonly outside: () => LocatedOutside;
  /** For what a stage runs beside the engine; the results are the same for any number. */
  readonly threads: number;
  /** Milliseconds on a clock that only goes forward. */
  readonly now: () => number;
}

/** What a stage reads besides the pipeline, its data and the results of others. Plain JSON. */
export interface Outside {
  /** Part of the key. */
  readonly inputs: Readonly<Record<string, { readonly type: string; readonly digest: Digest }>>;
  /** Variables of the environment, part of the key; null for one that is not set. */
  readonly variables: Readonly<Record<string, string | null>>;
  /** Absolute paths of files, by the names that the stage has for them. */
  readonly paths: Readonly<Record<string, string>>;
}

export interface LocatedOutside extends Outside {
  /** Where the pipeline has the fields of the stage, for messages, by paths such as `command` and `outputs.report`. */
  readonly places: Readonly<Record<string, Place>>;
}

export interface OpenOptions {
  /** Where each replica runs; default: the engine chooses. */
  readonly devices?: readonly Device[];
  /** What becomes of a step when the run is interrupted. Default abandoned: it rejects at once. */
  readonly onInterrupt?: 'abandoned' | 'finished';
}

export type StageRun<Config> = (
  config: Config,
  context: StageContext,
  environment: StageEnvironment,
) => Promise<StageOutcome>;
