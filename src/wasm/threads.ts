/** Worker threads over one shared memory: one wake-up a turn; inside a turn they meet in that memory only. */
import { Worker } from 'node:worker_threads';
import { present } from '../core/assert.ts';

export type WorkerMessage = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly reason: string };

export interface ThreadPool {
  /**
   * Wakes all threads for one turn, and waits until it is done; one turn at a time.
   *
   * @param prepare writes what the threads are to find, once none of them runs
   * @throws Error `internal:` when a thread failed, now or before
   */
  run(prepare?: (words: Int32Array) => void): Promise<void>;
  /** Ends the threads; a turn under way is rejected. */
  close(): Promise<void>;
}

export interface ThreadOptions<Task extends { readonly memory: WebAssembly.Memory }> {
  /** What each thread runs. It sleeps on the wake word, of which each new value is a turn. */
  readonly file: URL;
  /** Everything that one thread is told, once. */
  readonly tasks: readonly Task[];
  /** Its index in the memory as int32. */
  readonly wakeWord: number;
  /** What the threads belong to, in errors: `a compute thread`, `the session`. */
  readonly thread: string;
  readonly owner: string;
}

/** Starts one worker for each task. They keep the process alive only during a turn. */
export function startThreads<Task extends { readonly memory: WebAssembly.Memory }>({
  file,
  tasks,
  wakeWord,
  thread,
  owner,
}: ThreadOptions<Task>): ThreadPool {
  const { memory } = present(tasks[0], 'a thread');
  const words = new Int32Array(memory.buffer);
  let turn = 0;
  let failure: Error | null = null;
  let current: { resolve: () => void; reject: (reason: Error) => void } | null = null;

  // Flags of the process may be for its main script only, like --input-type.
  const workers = tasks.map((task) => new Worker(file, { workerData: task, execArgv: [] }));
  const [first] = workers;

  const settle = (action: (run: NonNullable<typeof current>) => void): void => {
    const run = current;
    // A thread that reports while it is being ended must not stop the process from waiting for its end.
    if (run === null) return;
    current = null;
    first?.unref();
    action(run);
  };
  const fail = (reason: string, cause?: unknown): void => {
    failure ??= new Error(`internal: ${thread} ended: ${reason}`, { cause });
    const error = failure;
    settle((run) => run.reject(error));
    // The others may be waiting for the thread that ended.
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
    run: (prepare) =>
      new Promise((resolve, reject) => {
        if (failure !== null) {
          reject(failure);
          return;
        }
        current = { resolve, reject };
        first?.ref();
        prepare?.(words);
        turn = (turn + 1) & 0x3fffffff;
        Atomics.store(words, wakeWord, turn);
        Atomics.notify(words, wakeWord);
      }),
    async close() {
      failure ??= new Error(`internal: ${owner} is closed`);
      const error = failure;
      settle((run) => run.reject(error));
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}
