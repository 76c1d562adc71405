/** What each step of a training reads. */
import { createRandom } from '../core/random.ts';
import { openBatches } from '../data/ahead/batches.ts';
import type { Augmentation } from '../data/augment.ts';
import type { Normalization } from '../data/batches.ts';
import { answerSections, answerSizes } from '../data/batches.ts';
import type { TrainingData } from '../data/dataset.ts';
import { modelInput } from '../evaluation/graphs.ts';
import type { Graph } from '../graph/graph.ts';
import { dropoutKeyInput, learningRateInput } from '../passes/index.ts';
import type { AnswerFeed } from '../tasks/outputs.ts';
import { pickColumns } from '../tasks/outputs.ts';
import type { Schedule } from './schedule.ts';
import { learningRateAt } from './schedule.ts';

export interface BatchFeeds {
  /** Of a step, good until the second step after it is asked for. Steps are asked for in ascending order. */
  readonly next: (step: number) => Promise<ReadonlyMap<string, Float32Array>>;
  readonly close: () => Promise<void>;
}

export interface FeedOptions {
  /** Images per step over all replicas. */
  readonly batch: number;
  readonly replicas: number;
  readonly seed: number;
  readonly schedule: Schedule;
}

export interface FeedEnvironment {
  readonly dataset: TrainingData;
  readonly normalize: Normalization;
  /** What the outputs are compared with. */
  readonly answers: readonly AnswerFeed[];
  /** Applied to training images only, not to validation images. */
  readonly augment: Augmentation;
  /** That may fill batches ahead of the steps; the results are the same for any number. */
  readonly threads: number;
  /** Milliseconds on a clock that only goes forward. */
  readonly now: () => number;
}

/** @param end the step before which training ends */
export function batchFeeds(
  graph: Graph,
  options: FeedOptions,
  environment: FeedEnvironment,
  perEpoch: number,
  end: number,
): BatchFeeds {
  const { dataset, normalize, augment, threads } = environment;
  const input = modelInput(graph);
  const { batch, seed, schedule } = options;
  const plan = { split: dataset.train, shape: dataset.image, batch, perEpoch, seed, normalize, augment };
  const sections = answerSections(dataset.train, batch);
  const { targets: numTargets } = answerSizes(dataset.train);
  const answersIn = (all: Float32Array, { column, picked }: AnswerFeed): Float32Array => {
    const values = all.subarray(...sections[column]);
    return picked === null ? values : pickColumns(values, numTargets, picked);
  };
  const batches = openBatches(plan, { threads, ahead: 'auto', end, now: () => environment.now() });
  return {
    async next(step) {
      const { inputs, answers } = await batches.next(step);
      return new Map([
        [input, inputs],
        ...environment.answers.map((feed) => [feed.input, answersIn(answers, feed)] as const),
        [learningRateInput, Float32Array.of(learningRateAt(schedule, step, end))],
        ...(graph.inputs.includes(dropoutKeyInput) ? [[dropoutKeyInput, dropoutKeys(options, step)] as const] : []),
      ]);
    },
    close: batches.close,
  };
}

/** The key of every replica, from the step and not from a running generator: a resumed training has the same masks. */
function dropoutKeys({ seed, replicas }: Pick<FeedOptions, 'seed' | 'replicas'>, step: number): Float32Array {
  const keys = new Float32Array(2 * replicas);
  for (let replica = 0; replica < replicas; replica++) {
    const random = createRandom(seed, 'dropout', `step ${step}`, `replica ${replica}`);
    keys.set([random.below(2 ** 24), random.below(2 ** 24)], 2 * replica);
  }
  return keys;
}
