/** Worker threads over one shared memory: one wake-up for each turn of images, which they take one by one. */
import { Worker } from 'node:worker_threads';
import { packageFile } from '../../core/package-file.ts';
import { CONTROL } from './plan.ts';
import type { Port, ThreadPlan } from './plan.ts';

/** Everything that one thread is told, once. */
export interface WorkerTask {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly thread: number;
  readonly threads: number;
  readonly plan: ThreadPlan;
  /** Where the images of a turn are taken from, and where their results go. */
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

export type WorkerMessage = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly reason: string };

export interface ThreadPool {
  /**
   * Runs the images of one turn; one turn at a time.
   *
   * @throws Error `internal:` when a thread failed, now or before
   */
  run(images: number): Promise<void>;
  /** Ends the threads; a turn under way is rejected. */
  close(): Promise<void>;
}

/** Starts one worker for each task. They keep the process alive only during a turn. */
export function startThreads(tasks: readonly WorkerTask[]): ThreadPool {
  const words = new Int32Array(tasks[0]!.memory.buffer);
  let turn = 0;
  let failure: Error | null = null;
  let current: { resolve: () => void; reject: (reason: Error) => void } | null = null;

  // Built, because a thread runs the ops' own loops too, and Node 20 starts no TypeScript; see scripts/build.js.
  const file = packageFile('dist/interpreter/wasm/worker.bundle.js');
  // Flags of the process may be for its main script only, like --input-type.
  const workers = tasks.map((task) => new Worker(file, { workerData: task, execArgv: [] }));

  const settle = (action: (run: NonNullable<typeof current>) => void): void => {
    const run = current;
    // A thread that reports while it is being ended must not stop the process from waiting for its end.
    if (run === null) return;
    current = null;
    workers[0]!.unref();
    action(run);
  };
  const fail = (reason: string, cause?: unknown): void => {
    failure ??= new Error(`internal: an interpreter thread ended: ${reason}`, { cause });
    const error = failure;
    settle((run) => run.reject(error));
    for (const worker of workers) void worker.terminate();
  };
  for (const worker of workers) {
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'done') settle((run) => run.resolve());
      else fail(message.reason);
    });
    worker.on('error', (error) => fail(String(error), error));
    worker.on('exit', () => fail('it exited'));
    // Last, because listening for messages makes a worker keep the process alive again.
    worker.unref();
  }

  return {
    run: (images) =>
      new Promise((resolve, reject) => {
        if (failure !== null) {
          reject(failure);
          return;
        }
        current = { resolve, reject };
        workers[0]!.ref();
        // All threads have finished the previous turn, so no other thread touches these words.
        words[CONTROL.images] = images;
        words[CONTROL.next] = 0;
        words[CONTROL.finished] = 0;
        turn = (turn + 1) & 0x3fffffff;
        Atomics.store(words, CONTROL.turn, turn);
        Atomics.notify(words, CONTROL.turn);
      }),
    async close() {
      failure ??= new Error('internal: the interpreter is closed');
      const error = failure;
      settle((run) => run.reject(error));
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}
