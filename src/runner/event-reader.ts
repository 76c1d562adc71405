/** Reads `events.ndjson`, also of a run that is still writing it. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Value } from '@sinclair/typebox/value';
import { hasCode } from './claim.ts';
import type { RunEvent } from './event.ts';
import { runEventSchema } from './event.ts';

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
