import { packageFile } from '../../core/package-file.ts';
import { startThreads as startWorkers } from '../../wasm/threads.ts';
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

/** Threads that take the images of a turn one by one. */
export function startThreads(tasks: readonly WorkerTask[]) {
  // Built, because a thread runs the ops' own loops too, and Node 20 starts no TypeScript; see scripts/build.js.
  const file = packageFile('dist/interpreter/wasm/worker.bundle.js');
  const pool = startWorkers({
    ...{ file, tasks, wakeWord: CONTROL.turn, thread: 'an interpreter thread', owner: 'the interpreter' },
  });
  return {
    run: (images: number): Promise<void> =>
      pool.run((words) => {
        words[CONTROL.images] = images;
        words[CONTROL.next] = 0;
        words[CONTROL.finished] = 0;
      }),
    close: () => pool.close(),
  };
}
