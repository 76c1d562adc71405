/** What runs when: as soon as what it needs is there, and as much at once as the machine and the user allow. */

export interface Task {
  readonly name: string;
  /** Names of tasks that must have ended before. */
  readonly after: readonly string[];
  /** Cores that it keeps busy. */
  readonly threads: number;
}

export interface ScheduleOptions<T extends Task> {
  /** How many tasks run at once, at most. */
  readonly jobs: number;
  /** Cores of the machine. A task that wants more than are free waits, unless nothing else runs. */
  readonly cores: number;
  /** What a failure does to the tasks that do not need the failed one. */
  readonly failures: 'stop' | 'keep-going';
  /** Which of several ready tasks to start; a test draws one, so that a dependency that nobody declared shows. */
  readonly pick: (ready: readonly T[]) => T;
  readonly signal: AbortSignal;
}

export type Ending =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly error: unknown }
  /** What it needs has failed. */
  | { readonly kind: 'skipped'; readonly because: string }
  /** The schedule ended before. */
  | { readonly kind: 'not-started' };

/**
 * Runs all tasks; those that run when one fails, or when `signal` is raised, are waited for.
 *
 * @param tasks each after those it needs
 * @returns how each ended, by its name
 */
export async function runAll<T extends Task>(
  tasks: readonly T[],
  run: (task: T) => Promise<void>,
  { jobs, cores, failures, pick, signal }: ScheduleOptions<T>,
): Promise<ReadonlyMap<string, Ending>> {
  const endings = new Map<string, Ending>();
  const waiting = new Set(tasks);
  const running = new Map<T, Promise<void>>();

  const start = (task: T): void => {
    waiting.delete(task);
    const end = (ending: Ending): void => {
      endings.set(task.name, ending);
      running.delete(task);
    };
    const ended = run(task).then(
      () => end({ kind: 'done' }),
      (error: unknown) => end({ kind: 'failed', error }),
    );
    running.set(task, ended);
  };
  const skip = (): void => {
    for (const task of waiting) {
      const cause = task.after.find((name) => ['failed', 'skipped'].includes(endings.get(name)?.kind ?? ''));
      if (cause === undefined) continue;
      const ending = endings.get(cause);
      endings.set(task.name, { kind: 'skipped', because: ending?.kind === 'skipped' ? ending.because : cause });
      waiting.delete(task);
    }
  };
  const fits = ({ threads }: T): boolean => {
    if (running.size === 0) return true;
    const busy = [...running.keys()].reduce((sum, task) => sum + task.threads, 0);
    return running.size < jobs && busy + threads <= cores;
  };
  const stopped = (): boolean =>
    signal.aborted || (failures === 'stop' && [...endings.values()].some(({ kind }) => kind === 'failed'));
  const isReady = ({ after }: T): boolean => after.every((name) => endings.get(name)?.kind === 'done');

  for (;;) {
    skip();
    const ready = stopped() ? [] : [...waiting].filter((task) => isReady(task) && fits(task));
    if (ready.length > 0) start(pick(ready));
    else if (running.size > 0) await Promise.race(running.values());
    else break;
  }
  for (const { name } of waiting) endings.set(name, { kind: 'not-started' });
  return endings;
}
