/** The events of a run while it goes on, from whatever process. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunEvent } from './event.ts';
import { eventReader } from './event-reader.ts';
import type { Owner } from './owner.ts';
import { livenessOf } from './owner.ts';
import type { RunStatus } from './record.ts';
import { readRunRecord } from './runs.ts';
import { settleRun } from './settle.ts';

export interface FollowOptions {
  /** Ends the waiting; what it gives is thrown. */
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
  /** The process that asks. */
  readonly self: Owner;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const pollMs = 150;

/**
 * Gives the events of a run, those of now and those to come, until it has ended.
 *
 * @returns how it ended; `interrupted` when its process is gone without a word
 */
export async function followEvents(folder: string, options: FollowOptions): Promise<Exclude<RunStatus, 'running'>> {
  const read = eventReader(folder);
  for (;;) {
    options.signal.throwIfAborted();
    // Before the events, so that what the run wrote at its end is among them.
    const ended = await endOf(folder, options);
    let last: RunEvent | undefined;
    for (const event of await read()) {
      options.onEvent(event);
      last = event;
    }
    if (last?.kind === 'run-finished' && last.status !== 'running') return last.status;
    if (ended !== null) return ended;
    await sleep(pollMs, undefined, { signal: options.signal });
  }
}

/** Null while something may still come: a run that was interrupted says so at once and then stops its stages. */
async function endOf(folder: string, { self, now }: FollowOptions): Promise<Exclude<RunStatus, 'running'> | null> {
  const record = await readRunRecord(folder);
  if (record === null) return null;
  const { status, owner } = await settleRun(folder, record, self, now());
  if (status === 'running') return null;
  return status === 'interrupted' && owner !== undefined && livenessOf(owner, self) !== 'gone' ? null : status;
}
