/** Worker threads over one shared memory: one wake-up a turn; inside a turn they meet in that memory only. */
import { Worker } from 'node:worker_threads';
import { present } from '../core/assert.ts';

export type WorkerMessage = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly reason: string };

/** What the wake word is set to when a thread is to leave its memory, and wait for another task. */
export const endOfTurns = -1;

export interface ThreadPool {
  /**
   * Wakes all threads for one turn, and waits until it is done; one turn at a time.
   *
   * @param prepare writes what the threads are to find, once none of them runs
   * @throws Error `internal:` when a thread failed, now or before
   */
  run(prepare?: (words: Int32Array) => void): Promise<void>;
  /** Frees the threads; a turn under way is rejected, and its threads end. */
  close(): Promise<void>;
}

interface ThreadTask {
  readonly memory: WebAssembly.Memory;
}

export interface ThreadOptions<Task extends ThreadTask> {
  /**
   * What each thread runs. It gets its tasks as messages. In each it sleeps on the wake word, of which each new value is
   * a turn, until the value is `endOfTurns`.
   */
  readonly file: URL;
  /** Everything that one thread is told, once. */
  readonly tasks: readonly Task[];
  /** Its index in the memory as int32. */
  readonly wakeWord: number;
  /** What the threads belong to, in errors: `a compute thread`, `the session`. */
  readonly thread: string;
  readonly owner: string;
}

interface Owner {
  hear(message: WorkerMessage): void;
  fail(reason: string, cause?: unknown): void;
}

/** A thread that may serve one pool after another: starting one takes longer than a small network takes for a test. */
interface Member {
  readonly worker: Worker;
  /** Who hears of it; null while it is idle. */
  owner: Owner | null;
  /** Of the memories that it has had: some may still be waiting for the garbage collector of the thread. */
  bytes: number;
}

/** Threads that no pool has, by what they run. */
const idle = new Map<string, Member[]>();
const mostIdle = 16;
/** A thread that has seen more ends with its pool, so that its memory is free at once. */
const mostBytes = 64 * 2 ** 20;

/** Takes or starts one worker for each task. They keep the process alive only during a turn. */
export function startThreads<Task extends ThreadTask>(options: ThreadOptions<Task>): ThreadPool {
  const { file, tasks } = options;
  const { memory } = present(tasks[0], 'a thread');
  const members = tasks.map(() => idle.get(file.href)?.pop() ?? startMember(file));
  const pool = new Pool(options, new Int32Array(memory.buffer), members);
  for (const [index, member] of members.entries()) {
    member.owner = pool;
    member.bytes += memory.buffer.byteLength;
    member.worker.postMessage(tasks[index]);
  }
  return { run: (prepare) => pool.run(prepare), close: () => pool.close() };
}

/** The threads of one memory, and the turn under way. */
class Pool implements Owner {
  private readonly names: Pick<ThreadOptions<ThreadTask>, 'file' | 'wakeWord' | 'thread' | 'owner'>;
  private readonly words: Int32Array;
  private readonly members: readonly Member[];
  private turn = 0;
  private current: { readonly resolve: () => void; readonly reject: (reason: Error) => void } | null = null;
  /** Why there are no more turns. */
  private failure: Error | null = null;

  constructor(
    names: Pick<ThreadOptions<ThreadTask>, 'file' | 'wakeWord' | 'thread' | 'owner'>,
    words: Int32Array,
    members: readonly Member[],
  ) {
    this.names = names;
    this.words = words;
    this.members = members;
  }

  run(prepare?: (words: Int32Array) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.failure !== null) {
        reject(this.failure);
        return;
      }
      this.current = { resolve, reject };
      this.members[0]?.worker.ref();
      prepare?.(this.words);
      this.turn = (this.turn + 1) & 0x3fffffff;
      this.wake(this.turn);
    });
  }

  async close(): Promise<void> {
    const areWell = this.failure === null && this.current === null;
    const error = (this.failure ??= new Error(`internal: ${this.names.owner} is closed`));
    this.settle((run) => run.reject(error));
    if (areWell) this.wake(endOfTurns);
    const { file } = this.names;
    await Promise.all(this.members.map((member) => (areWell ? release(file, member) : member.worker.terminate())));
  }

  hear(message: WorkerMessage): void {
    if (message.kind === 'done') this.settle((run) => run.resolve());
    else this.fail(message.reason);
  }

  fail(reason: string, cause?: unknown): void {
    const error = (this.failure ??= new Error(`internal: ${this.names.thread} ended: ${reason}`, { cause }));
    this.settle((run) => run.reject(error));
    // The others may be waiting for the thread that ended.
    for (const { worker } of this.members) void worker.terminate();
  }

  private settle(action: (run: NonNullable<Pool['current']>) => void): void {
    const run = this.current;
    // A thread that reports while it is being ended must not stop the process from waiting for its end.
    if (run === null) return;
    this.current = null;
    this.members[0]?.worker.unref();
    action(run);
  }

  private wake(value: number): void {
    Atomics.store(this.words, this.names.wakeWord, value);
    Atomics.notify(this.words, this.names.wakeWord);
  }
}

function startMember(file: URL): Member {
  // Flags of the process may be for its main script only, like --input-type.
  const worker = new Worker(file, { execArgv: [] });
  const member: Member = { worker, owner: null, bytes: 0 };
  const end = (reason: string, cause?: unknown): void => {
    idle.set(
      file.href,
      (idle.get(file.href) ?? []).filter((other) => other !== member),
    );
    member.owner?.fail(reason, cause);
  };
  worker.on('message', (message: WorkerMessage) => member.owner?.hear(message));
  worker.on('error', (error) => end(String(error), error));
  worker.on('exit', () => end('it exited'));
  // Last, because listening for messages makes a worker keep the process alive again.
  worker.unref();
  return member;
}

async function release(file: URL, member: Member): Promise<void> {
  member.owner = null;
  const others = idle.get(file.href) ?? [];
  if (member.bytes > mostBytes || others.length >= mostIdle) await member.worker.terminate();
  else idle.set(file.href, [...others, member]);
}
