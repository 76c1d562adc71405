/** Runs the programs that an install is made of. */
import { rm, writeFile } from 'node:fs/promises';
import { execa } from 'execa';
import { userError } from '../core/diagnostic.ts';

/** How the programs run that steps are made of. */
export interface Surroundings {
  /** Where the output of a program that failed is kept. */
  readonly log: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

interface ProgramCall {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Completes "could not …". */
  readonly purpose: string;
  readonly hint: string;
}

/** @throws UserError with the program's own message */
export async function runProgram(
  { env, signal, log }: Surroundings,
  say: (line: string) => void,
  call: ProgramCall,
): Promise<void> {
  signal.throwIfAborted();
  const lines: string[] = [];
  const child = execa(call.file, call.args, {
    cwd: call.cwd,
    env: { ...env, ...call.env },
    extendEnv: false,
    stdin: 'ignore',
    all: true,
    buffer: false,
    // A group of its own, so that the compilers under npm and make can be ended with it.
    detached: true,
  });
  const stop = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM');
  };
  signal.addEventListener('abort', stop);
  try {
    for await (const line of child.iterable({ from: 'all' })) {
      lines.push(line);
      if (line.trim() !== '' && !signal.aborted) say(line.trim());
    }
    await rm(log, { force: true });
  } catch (error) {
    signal.throwIfAborted();
    await writeFile(log, `${lines.join('\n')}\n`);
    const reason =
      lines.find((line) => /\b(error|ERR!)[: ]/i.test(line)) ??
      lines.at(-1) ??
      (error instanceof Error ? error.message : String(error));
    throw userError(log, 'install-failed', `could not ${call.purpose}: ${reason.trim()}`, call.hint);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
