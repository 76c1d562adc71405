/** How the process ends on a signal, and when its output can no longer be read. */
import { writeSync } from 'node:fs';
import os from 'node:os';
import type { Diagnostic } from '../core/diagnostic.ts';
import { UserError } from '../core/diagnostic.ts';
import { explainWriteError } from '../runner/disk-error.ts';
import { exitCodes } from './exit-codes.ts';
import { note } from './terminal.ts';

/** Ctrl-C, `kill`, a terminal or ssh session that was closed, Ctrl-\, a cluster's warning that time is nearly over. */
const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1'] as const;

export interface Interruption {
  readonly signal: AbortSignal;
  /**
   * 128 and the number of the first signal, as shells count; 130 when the reader has left; after SIGUSR1 the code that
   * asks a cluster to start the job again.
   */
  readonly exitCode: () => number;
  readonly end: () => void;
}

/**
 * Until `end`, signals raise `signal` instead of ending the process, so that what is under way can stop in order. A
 * second one ends it at once, also after `end`.
 */
export function onInterrupt(): Interruption {
  const abort = new AbortController();
  let first: NodeJS.Signals | null = null;
  const exitCode = (): number =>
    first === 'SIGUSR1' ? exitCodes.tryAgain : 128 + os.constants.signals[first ?? 'SIGINT'];
  const stop = (signal: NodeJS.Signals): void => {
    if (first !== null) process.exit(exitCode());
    first = signal;
    abort.abort();
  };
  // A reader that leaves is no first Ctrl-C.
  const leave = (): void => abort.abort();
  for (const signal of stopSignals) process.on(signal, stop);
  process.on('SIGPIPE', leave);
  if (process.stdout.isTTY) process.once('exit', showCursor);
  return {
    signal: abort.signal,
    exitCode,
    end: () => {
      // The reader may leave until the very end, and another key may follow the first until the cursor is back.
      if (first !== null) return;
      for (const signal of stopSignals) process.off(signal, stop);
    },
  };
}

/**
 * Runs a command until it ends or a signal ends it in order.
 *
 * @param words how things are after a signal
 */
export async function untilInterrupted(
  words: string,
  finish: (code: number) => void,
  body: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const interruption = onInterrupt();
  try {
    await body(interruption.signal);
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    note(words);
    finish(interruption.exitCode());
  } finally {
    interruption.end();
  }
}

/**
 * As `onInterrupt`, for the process of a single stage. The keyboard's signals go to it and to the run that started it; the run
 * decides and passes the decision on, and when the run is gone, the stage stops too.
 */
export function onStop(): Pick<Interruption, 'signal' | 'exitCode'> {
  if (process.send === undefined) return onInterrupt();
  const abort = new AbortController();
  const exitCode = (): number => 128 + os.constants.signals.SIGTERM;
  const stop = (): void => {
    if (abort.signal.aborted) process.exit(exitCode());
    abort.abort();
  };
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1'] as const) process.on(signal, () => undefined);
  process.on('SIGTERM', stop);
  process.on('disconnect', stop);
  return { signal: abort.signal, exitCode };
}

/** A live list hides the cursor; whatever ends the process, the terminal gets it back. */
function showCursor(): void {
  try {
    writeSync(process.stdout.fd, '\u001b[?25h');
  } catch {
    // The terminal was closed.
  }
}

/**
 * The reader of our output has closed it, as `head` does, or its disk is full. A run has its own answer to a reader
 * that leaves; nothing else has anything to lose. A full disk does not end a run, whose results are elsewhere, but the
 * process then says that output is missing and fails.
 */
export function watchOutput(report: (diagnostic: Diagnostic) => void): void {
  let lost: NodeJS.ErrnoException | null = null;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') lost ??= error;
    else if (process.listenerCount('SIGPIPE') === 0) process.exit(0);
  });
  // There is nowhere left to say it.
  process.stderr.on('error', () => undefined);
  process.once('exit', () => {
    if (lost === null) return;
    const explained = explainWriteError(lost, 'standard output', 'the output');
    for (const diagnostic of explained instanceof UserError ? explained.diagnostics : []) report(diagnostic);
    process.exitCode = 1;
  });
}
