import { packageFile } from '../../core/package-file.ts';
import type { ThreadPool } from '../../wasm/threads.ts';
import { startThreads as startWorkers } from '../../wasm/threads.ts';

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

/** Threads of which each runs its program once a turn. */
export function startThreads(tasks: readonly WorkerTask[]): ThreadPool {
  const file = packageFile('dist/engine/wasm/worker.js');
  const wakeWord = (tasks[0]?.control ?? 0) / 4;
  return startWorkers({ file, tasks, wakeWord, thread: 'a compute thread', owner: 'the session' });
}
