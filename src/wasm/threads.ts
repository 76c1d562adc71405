/** Worker threads over one shared memory: one wake-up a step; inside a step they meet in WASM only. */
import { Worker } from 'node:worker_threads';
import { packageFile } from '../core/package-file.ts';

/** Everything that one thread is told, once. Addresses are bytes in the memory. */
export interface WorkerTask {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly control: number;
  readonly program: number;
  readonly teamThread: number;
  readonly teamThreads: number;
  readonly thread: number;
  readonly threads: number;
  readonly scratch: number;
}

export type WorkerMessage = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly reason: string };

export interface ThreadPool {
  /**
   * Runs every thread's program once; one run at a time.
   *
   * @throws Error `internal:` when a thread failed, now or before
   */
  run(): Promise<void>;
  /** Ends the threads; a run under way is rejected. */
  close(): Promise<void>;
}

/** Starts one worker for each task. They keep the process alive only during a run. */
export function startThreads(tasks: readonly WorkerTask[]): ThreadPool {
  const { memory, control } = tasks[0]!;
  const words = new Int32Array(memory.buffer);
  const index = control / 4;
  let step = 0;
  let failure: Error | null = null;
  let current: { resolve: () => void; reject: (reason: Error) => void } | null = null;

  // Flags of the process may be for its main script only, like --input-type.
  const workers = tasks.map(
    (task) => new Worker(packageFile('dist/engine/wasm/worker.js'), { workerData: task, execArgv: [] }),
  );
  const first = workers[0]!;

  const settle = (action: (run: NonNullable<typeof current>) => void): void => {
    const run = current;
    // A thread that reports while it is being ended must not stop the process from waiting for its end.
    if (run === null) return;
    current = null;
    first.unref();
    action(run);
  };
  const fail = (reason: string, cause?: unknown): void => {
    failure ??= new Error(`internal: a compute thread ended: ${reason}`, { cause });
    const error = failure;
    settle((run) => run.reject(error));
    // The others may be waiting at a barrier for the thread that ended.
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
    run: () =>
      new Promise((resolve, reject) => {
        if (failure !== null) {
          reject(failure);
          return;
        }
        current = { resolve, reject };
        first.ref();
        step = (step + 1) & 0x3fffffff;
        Atomics.store(words, index, step);
        Atomics.notify(words, index);
      }),
    async close() {
      failure ??= new Error('internal: the session is closed');
      const error = failure;
      settle((run) => run.reject(error));
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}
