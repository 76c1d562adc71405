import type { Diagnostic } from '../core/diagnostic.ts';
import type { JsonObject } from '../core/json.ts';
import type { Digest } from '../core/digest.ts';

/** A pipeline with every default filled in and every stage bound to code: everything that the runner knows. */
export interface Plan {
  /** Letters, digits, `.`, `_` and `-`: it becomes part of the run folder's name. */
  readonly name: string;
  /** The YAML text as written. */
  readonly pipeline: string;
  readonly resolved: JsonObject;
  /** What is allowed but seldom meant; the report repeats it. */
  readonly warnings: readonly Diagnostic[];
  /** Producers before consumers. */
  readonly stages: readonly StagePlan[];
}

export interface StagePlan {
  /** Unique in the plan; names the stage's folder, and is no part of its key. Same letters as the plan's name. */
  readonly name: string;
  readonly kind: string;
  readonly implementation: StageImplementation;
  /** Only the fields that can change the result: neither run-time limits nor descriptions. */
  readonly config: JsonObject;
  readonly seeds: JsonObject;
  /** What besides code and configuration decides the bytes: backend, numerics, architecture. */
  readonly environment: JsonObject;
  readonly replicas: number;
  readonly inputs: Readonly<Record<string, StageInput>>;
  readonly outputs: Readonly<Record<string, StageOutput>>;
  /** Rejects when the file is not what the output's type promises; the result is then not kept. */
  readonly check: (output: string, file: string) => Promise<void>;
  readonly execute: (context: StageContext) => Promise<StageOutcome>;
  /** What the measurements mean for this pipeline. Asked on every run, so its limits are no part of the key. */
  readonly judge: (metrics: JsonObject) => Judgement;
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
  /** Bytes from outside the pipeline, a dataset for instance. `execute` knows by itself where they are. */
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
  readonly signal: AbortSignal;
}

export type StageProgress =
  | {
      readonly kind: 'progress';
      readonly step: number;
      readonly totalSteps: number;
      /** Whatever the stage measures, by name: epoch, loss, images per second. */
      readonly values: Readonly<Record<string, number>>;
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
