/** A stage as data, and how it runs: in this process, in a child, on another machine. */
import { internal, present } from '../core/assert.ts';
import type { Digest } from '../core/digest.ts';
import { userError } from '../core/diagnostic.ts';
import type { Augmentation } from '../data/augment.ts';
import type { IdentifiedRequest } from '../data/pool.ts';
import type { EngineName } from '../engine/engine.ts';
import { stoppable } from '../engine/stoppable.ts';
import type { Purpose } from '../graph/contract.ts';
import type { ModelSpec } from '../models/layers.ts';
import type { StageContext, StagePlan, StageWork } from '../runner/plan.ts';
import type { LossOptions } from '../tasks/loss-options.ts';
import { artifactChecks } from './artifacts.ts';
import type { StageDefinition } from './define.ts';
import type { StageConfig } from './index.ts';
import { stages as definitions } from './index.ts';
import type { Resources } from './resources.ts';
import { stageResult } from './result.ts';
import type { LocatedOutside, StageEnvironment } from './run.ts';

/** All that a stage reads besides its input files. Plain JSON: what another process makes of it is the same. */
export interface StageJob {
  readonly config: StageConfig;
  readonly seed: number;
  readonly engine: EngineName;
  readonly threads: number;
  readonly data: IdentifiedRequest;
  readonly augment: Augmentation;
  readonly loss: LossOptions;
  /** The network of the pipeline; null where it has none. */
  readonly model: ModelSpec | null;
  readonly purpose: Purpose;
  /** Of the file that an import stage reads; null for the others. */
  readonly modelFile: Digest | null;
  /** Null for a stage that reads nothing outside of the pipeline. */
  readonly outside: LocatedOutside | null;
}

/** The definition of a stage's kind, which forgets what its config is: the table pairs them. */
export const definitionOf = ({ uses }: Pick<StageConfig, 'uses'>): StageDefinition => definitions[uses];

/** Runs jobs with the data sets and engines of this process. */
export function stageWork(resources: Resources): StageWork<StageJob> {
  return {
    async execute({ name, job }, context) {
      return definitionOf(job.config).run(job.config, context, environmentOf(name, job, context, resources));
    },
    check({ outputs }, output, file) {
      const type = outputs[output]?.type ?? internal(`no output ${output}`);
      return artifactChecks[isArtifactType(type) ? type : internal(`no artifact ${type}`)](file);
    },
    judge: ({ job }, metrics) => definitionOf(job.config).judge(job.config, metrics),
    result: ({ job }, metrics) => stageResult(metrics, 'keep' in job.config ? job.config.keep : 'last'),
  };
}

const isArtifactType = (type: string): type is keyof typeof artifactChecks => Object.hasOwn(artifactChecks, type);

function environmentOf(
  name: string,
  job: StageJob,
  { signal }: StageContext,
  { data, engine, now }: Resources,
): StageEnvironment {
  const { seed, augment, loss, model, purpose, threads, modelFile, outside } = job;
  return {
    ...{ seed, augment, loss, threads },
    trainingData: () => data.load(job.data),
    testData: () => data.load(job.data),
    model: () => present(model, 'a model'),
    purpose: () => purpose,
    checkModelFile: (found) => (found === modelFile ? Promise.resolve() : Promise.reject(changedModel(name))),
    outside: () => present(outside, 'what the stage reads outside'),
    open: async (graph, replicas, { devices, onInterrupt } = {}) => {
      const opened = await engine(job.engine);
      const options = { replicas, threads, ...(devices === undefined ? {} : { devices }) };
      const session = await opened.open(graph, options);
      return onInterrupt === 'finished' ? session : stoppable(session, signal);
    },
    now: () => now(),
  };
}

const changedModel = (stage: string) =>
  userError(`stage ${stage}`, 'model-changed', 'the model file changed while the run began', 'run the pipeline again');

export type JobPlan = StagePlan<StageJob>;
