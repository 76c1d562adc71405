/** Reads `events.ndjson`, also of a run that is still writing it. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Value } from '@sinclair/typebox/value';
import { hasCode } from './claim.ts';
import type { RunEvent } from './event.ts';
import { runEventSchema } from './event.ts';
import type { Owner } from './owner.ts';
import { livenessOf } from './owner.ts';
import type { RunStatus } from './record.ts';
import { readRunRecord } from './runs.ts';
import { settleRun } from './sweep.ts';

const newline = 0x0a;

/**
 * @param folder of the run
 * @returns a function that gives the events since its last call. A last line that is not whole yet is left for the next
 *   call; lines that are no events of this version are left out. A missing file has none.
 */
export function eventReader(folder: string): () => Promise<readonly RunEvent[]> {
  const file = join(folder, 'events.ndjson');
  let position = 0;
  return async () => {
    const bytes = await readFrom(file, position);
    const end = bytes.lastIndexOf(newline) + 1;
    position += end;
    return bytes.toString('utf8', 0, end).split('\n').flatMap(eventOf);
  };
}

async function readFrom(file: string, position: number): Promise<Buffer> {
  try {
    const handle = await open(file, 'r');
    try {
      const { size } = await handle.stat();
      const bytes = Buffer.alloc(Math.max(0, size - position));
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, position);
      return bytes.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return Buffer.alloc(0);
    throw error;
  }
}

function eventOf(line: string): RunEvent[] {
  try {
    const event: unknown = JSON.parse(line);
    return Value.Check(runEventSchema, event) ? [event] : [];
  } catch {
    return [];
  }
}

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
