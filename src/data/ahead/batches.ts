/** The batches of a training, one after the other. */
import { internal } from '../../core/assert.ts';
import type { Batch, BatchPlan } from './filler.ts';
import { batchBytes, batchFiller } from './filler.ts';
import type { FillingThreads } from './threads.ts';
import { startFilling } from './threads.ts';

export interface Batches {
  /** The batch of a step, good until the second step after it is asked for. Steps are asked for in ascending order. */
  readonly next: (step: number) => Promise<Batch>;
  readonly close: () => Promise<void>;
}

export interface AheadOptions {
  /** That may fill batches. */
  readonly threads: number;
  /**
   * `auto` fills batches between the steps until that turns out to take long; then threads do it. The batches are the
   * same.
   */
  readonly ahead: 'auto' | 'always' | 'never';
  /** The step before which to stop. */
  readonly end: number;
  /** Milliseconds on a clock that only goes forward. */
  readonly now: () => number;
}

/** Part of the time of the steps that filling batches between them may take. */
const mostBetween = 0.25;
/** Milliseconds of filling a batch below which it costs more to hear of it from a thread. */
const leastForThreads = 1;
/** Steps over which that is measured; the first so many are not, since code is compiled and files are read then. */
const measuredSteps = 16;

export function openBatches(plan: BatchPlan, { threads, ahead, end, now }: AheadOptions): Batches {
  const bytes = batchBytes(plan);
  // Two steps may be running while the next batch is prepared.
  const sets = Array.from({ length: 3 }, (): Batch => ({
    inputs: new Float32Array(bytes.inputs / 4),
    answers: new Float32Array(bytes.answers / 4),
  }));
  const fill = batchFiller(plan);
  let pool: FillingThreads | null = null;
  let measured = { steps: 0, started: now(), filling: 0 };
  let isWarm = false;
  const isSlow = (): boolean => {
    if (ahead !== 'auto' || measured.steps < measuredSteps) return ahead === 'always';
    const { started, filling, steps } = measured;
    measured = { steps: 0, started: now(), filling: 0 };
    if (!isWarm) {
      isWarm = true;
      return false;
    }
    return filling > leastForThreads * steps && filling > mostBetween * (measured.started - started);
  };
  return {
    async next(step) {
      const set = sets[step % sets.length] ?? internal('no buffer set');
      if (pool === null && isSlow()) pool = startFilling(plan, threads, end);
      if (pool !== null) {
        const { inputs, answers } = await pool.batch(step);
        // In memory of its own: an engine need not know of memory that threads share.
        set.inputs.set(inputs);
        set.answers.set(answers);
        return set;
      }
      const started = now();
      fill(step, set);
      measured.filling += now() - started;
      measured.steps++;
      return set;
    },
    close: async () => pool?.close(),
  };
}
