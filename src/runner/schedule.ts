/** What runs when: as soon as what it needs is there, and as much at once as the machine and the user allow. */

export interface Task {
  readonly name: string;
  /** Names of tasks that must have ended before. */
  readonly after: readonly string[];
  /** Cores that it keeps busy. */
  readonly threads: number;
  /** Bytes of memory that it fills; default 0. */
  readonly memory?: number;
}

export interface ScheduleOptions<T extends Task> {
  /** How many tasks run at once, at most. */
  readonly jobs: number;
  /** Cores of the machine. A task that wants more than are free waits, unless nothing else runs. */
  readonly cores: number;
  /** Bytes of the machine, for which the same is true; default: any number. */
  readonly memory?: number;
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
  { jobs, cores, memory = Infinity, failures, pick, signal }: ScheduleOptions<T>,
): Promise<ReadonlyMap<string, Ending>> {
  const endings = new Map<string, Ending>();
  const running = new Map<T, Promise<void>>();
  const waiting = waitingTasks(tasks);
  let hasFailed = false;

  const start = (task: T): void => {
    waiting.start(task);
    const end = (ending: Ending): void => {
      endings.set(task.name, ending);
      running.delete(task);
      if (ending.kind === 'done') return waiting.release(task.name);
      hasFailed = true;
      for (const { name } of waiting.skip(task.name)) endings.set(name, { kind: 'skipped', because: task.name });
    };
    const ended = run(task).then(
      () => end({ kind: 'done' }),
      (error: unknown) => end({ kind: 'failed', error }),
    );
    running.set(task, ended);
  };
  const fits = (next: T): boolean => {
    if (running.size === 0) return true;
    const all = [...running.keys(), next];
    const [threads, bytes] = [total(all, (task) => task.threads), total(all, (task) => task.memory ?? 0)];
    return running.size < jobs && threads <= cores && bytes <= memory;
  };
  const stopped = (): boolean => signal.aborted || (failures === 'stop' && hasFailed);

  for (;;) {
    const ready = stopped() ? [] : waiting.ready().filter(fits);
    if (ready.length > 0) start(pick(ready));
    else if (running.size > 0) await Promise.race(running.values());
    else break;
  }
  for (const { name } of tasks) if (!endings.has(name)) endings.set(name, { kind: 'not-started' });
  return endings;
}

const total = <T>(tasks: readonly T[], of: (task: T) => number): number =>
  tasks.reduce((sum, task) => sum + of(task), 0);

/** The tasks that have not started. A step costs what the tasks behind it do, and not what all of them would. */
function waitingTasks<T extends Task>(tasks: readonly T[]) {
  const order = new Map(tasks.map((task, index) => [task, index]));
  const unmet = new Map(tasks.map((task) => [task, new Set(task.after)]));
  const behind = new Map(tasks.map(({ name }) => [name, [] as T[]]));
  for (const task of tasks) for (const name of new Set(task.after)) behind.get(name)?.push(task);
  let ready = tasks.filter(({ after }) => after.length === 0);

  const remove = (task: T): boolean => {
    ready = ready.filter((other) => other !== task);
    return unmet.delete(task);
  };
  const skip = (name: string): T[] =>
    (behind.get(name) ?? []).flatMap((task) => (remove(task) ? [task, ...skip(task.name)] : []));
  return {
    /** Those that need nothing any more, in the order given. */
    ready: (): readonly T[] => ready,
    start: (task: T): void => void remove(task),
    /** The task of this name is done. */
    release(name: string): void {
      for (const task of behind.get(name) ?? []) {
        const names = unmet.get(task);
        if (names?.delete(name) === true && names.size === 0) ready.push(task);
      }
      ready.sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
    },
    /** Takes out all that need the task of this name, and gives them back. */
    skip,
  };
}
