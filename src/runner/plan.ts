import type { Diagnostic } from '../core/diagnostic.ts';
import type { JsonObject } from '../core/json.ts';
import type { Digest } from '../core/digest.ts';
import type { MatrixRecord } from './record.ts';

/** A pipeline with every default filled in: everything that the runner knows. Plain JSON, but for the warnings' places. */
export interface Plan<Job extends object = object> {
  /** Letters, digits, `.`, `_` and `-`: it becomes part of the run folder's name. */
  readonly name: string;
  /** The YAML text as written. */
  readonly pipeline: string;
  readonly origin: Origin;
  readonly resolved: JsonObject;
  /** What is allowed but seldom meant; the report repeats it. */
  readonly warnings: readonly Diagnostic[];
  /** Producers before consumers. */
  readonly stages: readonly StagePlan<Job>[];
  /** Which stage is which in each cell; left out for a pipeline without a matrix. */
  readonly matrix?: MatrixRecord;
}

/** Where a pipeline was read from, so that it can be read again. */
export interface Origin {
  /** Absolute path of the pipeline file. */
  readonly file: string;
  /** What the command line changed, each `path=value`. */
  readonly set: readonly string[];
  /** Absolute path of the folder of data sets that was named, null for the default. */
  readonly data: string | null;
}

export interface StagePlan<Job extends object = object> {
  /**
   * Unique in the plan; names the stage's folder, and is no part of its key. The letters of the plan's name, and `@`, `=`
   * and `+`.
   */
  readonly name: string;
  readonly kind: string;
  readonly implementation: StageImplementation;
  /** Only the fields that can change the result: neither run-time limits nor descriptions. */
  readonly config: JsonObject;
  /**
   * Of `config`, what decides the steps of a stage that advances step by step, however many they are. Executions that
   * differ in the rest go on from each other's checkpoints. Left out by a stage that keeps none.
   */
  readonly trajectory?: JsonObject;
  readonly seeds: JsonObject;
  /** What besides code and configuration decides the bytes: backend, numerics, architecture. */
  readonly environment: JsonObject;
  readonly replicas: number;
  readonly inputs: Readonly<Record<string, StageInput>>;
  readonly outputs: Readonly<Record<string, StageOutput>>;
  /** What the stage runs with; `StageWork` knows what it means. Plain JSON, so that another process may run it. */
  readonly job: Job;
  /** What the stage takes of the machine while it runs. */
  readonly needs: StageNeeds;
}

export interface StageNeeds {
  /** Cores that it keeps busy; 0 for a stage that is over in a moment. */
  readonly threads: number;
  /** Bytes of memory; left out by a stage that needs little. */
  readonly memory?: number;
}

/** What stages do. The runner knows when, where and whether. */
export interface StageWork<Job extends object = object> {
  readonly execute: (stage: StagePlan<Job>, context: StageContext) => Promise<StageOutcome>;
  /** Rejects when the file is not what the output's type promises; the result is then not kept. */
  readonly check: (stage: StagePlan<Job>, output: string, file: string) => Promise<void>;
  /** What the measurements mean for this pipeline. Asked on every run, so its limits are no part of the key. */
  readonly judge: (stage: StagePlan<Job>, metrics: JsonObject) => Judgement;
  /** What the measurements say in a few words, for people who follow the run. */
  readonly result?: (stage: StagePlan<Job>, metrics: JsonObject) => StageResult | null;
}

/** What a stage reached, as the line that stays of it says. */
export interface StageResult {
  /** At most a few words, for example `val 98.44 %`. */
  readonly text: string;
  /** How it came about, for a small drawing: of a training what the text says, by epoch; else empty. */
  readonly curve: readonly number[];
}

export interface StageImplementation {
  readonly id: string;
  /** Increased by hand for a change of meaning that `code` does not show. */
  readonly revision: number;
  /** Digest of the code that computes the numbers, and of nothing else. */
  readonly code: Digest;
}

export type StageInput =
  | { readonly kind: 'output'; readonly stage: string; readonly output: string; readonly type: string }
  /** Bytes from outside the pipeline, a dataset for instance. The job knows where they are. */
  | { readonly kind: 'external'; readonly type: string; readonly digest: Digest };

export interface StageOutput {
  /** Name and version of the format, for example `Tflite/1`. */
  readonly type: string;
  /** Where the stage writes it, relative to the folder it is given. */
  readonly file: string;
}

export interface StageContext {
  /** Absolute path of each input that is another stage's output. Never written to. */
  readonly inputs: Readonly<Record<string, string>>;
  /** The only folder to write to. It is removed after the stage, with everything that is not a declared output. */
  readonly directory: string;
  readonly emit: (progress: StageProgress) => void;
  /** Where to go on from, and where to keep what was reached; left out for a stage without a trajectory. */
  readonly checkpoints?: Checkpoints;
  /** When it is raised, a stage stops as soon as it can; one with checkpoints may save its state first. */
  readonly signal: AbortSignal;
}

/** How far a stage is, in bytes that only the stage understands; see `checkpoints.ts`. */
export interface Checkpoints {
  /**
   * What `use` makes of the newest checkpoint, or of the one before where that is damaged or of no use.
   *
   * @param use gets the bytes and a path for messages. It gives null for a checkpoint that this execution may not go on
   *   from, and throws UserError for one that it cannot read.
   */
  readonly latest: <T extends object>(use: (bytes: Uint8Array, path: string) => T | null) => Promise<T | null>;
  /**
   * Keeps the bytes, which are not changed any more. A refusal of the disk is an event and no error: what is lost is
   * time, and only if the process is killed.
   *
   * @param step for people who look into the folder
   */
  readonly save: (bytes: Uint8Array, step: number) => Promise<void>;
}

export type StageProgress =
  | {
      readonly kind: 'progress';
      readonly step: number;
      readonly totalSteps: number;
      /** Whatever the stage measures, by name: epoch, loss, images per second. */
      readonly values: Readonly<Record<string, number>>;
    }
  /** The stage goes on behind a step; see the event. */
  | {
      readonly kind: 'resumed';
      readonly step: number;
      readonly totalSteps: number;
      readonly epoch: number;
      readonly resumedAt: readonly number[];
    }
  | { readonly kind: 'log'; readonly message: string };

export interface StageOutcome {
  readonly metrics: JsonObject;
}

export interface Judgement {
  /** The measurements, with what was found of them. */
  readonly metrics: JsonObject;
  /** `fail` is a gate that was not met. The measurements are a result like any other, kept and reused. */
  readonly verdict: 'pass' | 'fail';
}
