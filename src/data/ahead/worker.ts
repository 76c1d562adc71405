/** One of the threads that fill batches ahead of the step that reads them. */
import { parentPort, workerData } from 'node:worker_threads';
import { batchFiller } from './filler.ts';
import type { FillMessage, FillTask, FilledMessage } from './threads.ts';

const { plan, slots } = workerData as FillTask;

function report(message: FilledMessage): void {
  parentPort?.postMessage(message);
}

const fill = batchFiller(plan);
parentPort?.on('message', ({ step, slot }: FillMessage) => {
  const out = slots[slot];
  try {
    if (out === undefined) throw new Error(`there is no slot ${slot}`);
    fill(step, out);
    report({ kind: 'filled', step });
  } catch (error) {
    report({ kind: 'failed', reason: String(error) });
  }
});
