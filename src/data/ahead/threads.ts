/** Threads that fill batches, each a step of its own, into memory that they share with the thread that reads them. */
import { Worker } from 'node:worker_threads';
import { internal } from '../../core/assert.ts';
import { packageFile } from '../../core/package-file.ts';
import type { Deferred } from '../../core/promise.ts';
import { withResolvers } from '../../core/promise.ts';
import type { Batch, BatchPlan } from './filler.ts';
import { batchBytes } from './filler.ts';

/** What a thread is told once. */
export interface FillTask {
  readonly plan: BatchPlan;
  readonly slots: readonly Batch[];
}

export interface FillMessage {
  readonly step: number;
  /** Where to write it. */
  readonly slot: number;
}

export type FilledMessage =
  { readonly kind: 'filled'; readonly step: number } | { readonly kind: 'failed'; readonly reason: string };

export interface FillingThreads {
  /**
   * The batch of a step, in memory that is used again for the step after all others that are on their way. Steps are
   * asked for one after the other; those that follow are filled meanwhile.
   *
   * @throws Error `internal:` when a thread failed, now or before
   */
  readonly batch: (step: number) => Promise<Batch>;
  /** Ends the threads. */
  readonly close: () => Promise<void>;
}

/** Every thread has a batch to work on while another one of its own waits to be read. */
const slotsPerThread = 2;

/** @param end the step before which to stop */
export function startFilling(plan: BatchPlan, threads: number, end: number): FillingThreads {
  const bytes = batchBytes(plan);
  const shared = (length: number): Float32Array => new Float32Array(new SharedArrayBuffer(length));
  // One more, whose batch is being read.
  const slots = Array.from({ length: slotsPerThread * threads + 1 }, () => ({
    inputs: shared(bytes.inputs),
    answers: shared(bytes.answers),
  }));
  // Built, because Node 20 starts no TypeScript; see scripts/build.js.
  const file = packageFile('dist/data/ahead/worker.bundle.js');
  const task: FillTask = { plan, slots };
  // Flags of the process may be for its main script only, like --input-type.
  const workers = Array.from({ length: threads }, () => new Worker(file, { workerData: task, execArgv: [] }));
  let failure: Error | null = null;
  let next: number | null = null;
  const waiting = new Map<number, Deferred<Batch>>();

  const fail = (reason: string, cause?: unknown): void => {
    failure ??= new Error(`internal: a thread that fills batches ended: ${reason}`, { cause });
    for (const { reject } of waiting.values()) reject(failure);
    for (const worker of workers) void worker.terminate();
  };
  const slotOf = (step: number): number => step % slots.length;
  const ask = (step: number): void => {
    const asked = withResolvers<Batch>();
    // A rejection is seen when the batch is awaited; it must not count as unhandled until then.
    asked.promise.catch(() => undefined);
    waiting.set(step, asked);
    const message: FillMessage = { step, slot: slotOf(step) };
    workers[step % threads]?.postMessage(message);
  };
  for (const worker of workers) {
    worker.on('message', (message: FilledMessage) => {
      if (message.kind === 'failed') return fail(message.reason);
      const slot = slots[slotOf(message.step)] ?? internal('no slot');
      waiting.get(message.step)?.resolve(slot);
    });
    worker.on('error', (error) => fail(String(error), error));
    worker.on('exit', () => fail('it exited'));
  }

  return {
    async batch(step) {
      if (failure !== null) throw failure;
      if (next !== null && step !== next - waiting.size) internal(`step ${step} is asked for out of order`);
      next ??= step;
      // The slot of the step before this one is free again.
      while (next < Math.min(end, step + slots.length - 1)) ask(next++);
      const { promise } = waiting.get(step) ?? internal(`step ${step} of ${end}`);
      const batch = await promise;
      waiting.delete(step);
      return batch;
    },
    async close() {
      failure ??= new Error('internal: the batches are closed');
      for (const { reject } of waiting.values()) reject(failure);
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}
