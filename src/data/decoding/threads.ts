/** Threads that decode files, a few at a time; what they give comes in the order in which it was asked for. */
import { Worker } from 'node:worker_threads';
import { packageFile } from '../../core/package-file.ts';
import type { DecodingMessage, DecodingTask, FileBatch, ReadBatch } from './messages.ts';

export interface DecodingThreads {
  /**
   * @param room of a batch that is done with: arrays of their own would wait for the garbage collector
   * @throws Error `internal:` when a thread failed, now or before
   */
  read(files: FileBatch['files'], room: ArrayBuffer | null): Promise<ReadBatch>;
  /** Ends the threads; what they have not finished is rejected. */
  close(): Promise<void>;
}

interface Waiting {
  readonly resolve: (read: ReadBatch) => void;
  readonly reject: (reason: Error) => void;
}

/** Each thread works off what it is given; the next batch goes to the one that has least to do. */
export function startDecoding(task: DecodingTask, threads: number): DecodingThreads {
  // Built, because Node 20 starts no TypeScript; see scripts/build.js.
  const file = packageFile('dist/data/decoding/worker.bundle.js');
  let failure: Error | null = null;
  let batches = 0;
  const all = Array.from({ length: threads }, () => {
    // Flags of the process may be for its main script only, like --input-type.
    const worker = new Worker(file, { workerData: task, execArgv: [] });
    return { worker, waiting: new Map<number, Waiting>() };
  });
  const fail = (reason: string, cause?: unknown): void => {
    failure ??= new Error(`internal: a thread that decodes ended: ${reason}`, { cause });
    for (const { worker, waiting } of all) {
      for (const { reject } of waiting.values()) reject(failure);
      waiting.clear();
      void worker.terminate();
    }
  };
  for (const { worker, waiting } of all) {
    worker.on('message', (message: DecodingMessage) => {
      if (message.kind === 'failed') return fail(message.reason);
      waiting.get(message.batch)?.resolve(message);
      waiting.delete(message.batch);
    });
    worker.on('error', (error) => fail(String(error), error));
    worker.on('exit', () => fail('it exited'));
  }
  return {
    read: (files, room) =>
      new Promise((resolve, reject) => {
        if (failure !== null) {
          reject(failure);
          return;
        }
        const batch = batches++;
        const { worker, waiting } = all.reduce((least, each) =>
          each.waiting.size < least.waiting.size ? each : least,
        );
        waiting.set(batch, { resolve, reject });
        const message: FileBatch = { batch, files, room };
        worker.postMessage(message, room === null ? [] : [room]);
      }),
    async close() {
      failure ??= new Error('internal: decoding has ended');
      await Promise.all(all.map(({ worker }) => worker.terminate()));
    },
  };
}
