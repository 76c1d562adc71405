/** Runs a job in a process of its own, so that several use the machine at once. */
import { execa } from 'execa';
import { internal } from '../core/assert.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { UserError, userError } from '../core/diagnostic.ts';
import type { FailureExitCode } from '../core/diagnostic.ts';
import type { UntimedEvent } from './event.ts';
import type { StageExecutor } from './execute.ts';
import type { Job, StageHost, StageResult } from './stage.ts';

/** What the other process is given, as JSON. */
export interface JobFile<J extends object = object> {
  readonly job: Job<J>;
  /** Folder of the store. */
  readonly store: string;
  readonly busy: StageHost['busy'];
}

/** What it answers, one message after another; the last is a result or a failure. */
export type JobMessage =
  | { readonly kind: 'event'; readonly event: UntimedEvent }
  | { readonly kind: 'result'; readonly result: StageResult }
  | { readonly kind: 'mistake'; readonly diagnostics: readonly Diagnostic[]; readonly exitCode: FailureExitCode }
  | { readonly kind: 'failure'; readonly message: string };

export interface ChildOptions {
  /** Program and arguments that read a job from standard input and send messages to their parent. */
  readonly command: readonly [program: string, ...args: string[]];
  /** Folder of the store. */
  readonly store: string;
}

/** An executor that starts the command for each job, and hands `signal` on to it. */
export function childExecutor<J extends object>({ command, store }: ChildOptions): StageExecutor<J> {
  const [program, ...args] = command;
  return async (job, { emit, signal, busy }) => {
    signal.throwIfAborted();
    const file: JobFile<J> = { job, store, busy };
    const child = execa(program, args, {
      input: JSON.stringify(file),
      ipc: true,
      buffer: false,
      reject: false,
      stdout: 'ignore',
      stderr: 'inherit',
      // A stage that is told to stop may finish a long step, to save what it has reached.
      forceKillAfterDelay: 60_000,
    });
    const stop = (): void => void child.kill('SIGTERM');
    signal.addEventListener('abort', stop);
    try {
      let last: Exclude<JobMessage, { kind: 'event' }> | null = null;
      // The type of messages is ours: the other end is `exec-stage`.
      for await (const message of child.getEachMessage() as AsyncIterable<JobMessage>) {
        if (message.kind === 'event') emit(message.event);
        else last = message;
      }
      const { exitCode, signal: endedBy } = await child;
      signal.throwIfAborted();
      switch (last?.kind) {
        case 'result':
          return last.result;
        case 'mistake':
          throw new UserError(last.diagnostics, last.exitCode);
        case 'failure':
          throw new Error(last.message);
        case undefined:
          throw endedEarly(job.stage.name, endedBy ?? `exit code ${exitCode ?? 'unknown'}`);
        default:
          return internal(`no such message: ${JSON.stringify(last)}`);
      }
    } finally {
      signal.removeEventListener('abort', stop);
    }
  };
}

const endedEarly = (stage: string, how: string): UserError =>
  userError(
    `stage ${stage}`,
    'process-ended',
    `its process ended without a result (${how})`,
    'if the machine ran out of memory, run fewer stages at once with `-j`, or give `data` less memory',
  );
