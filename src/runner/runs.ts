/** The runs of a folder. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Value } from '@sinclair/typebox/value';
import type { RunRecord } from './record.ts';
import { runRecordSchema } from './record.ts';
import { unseal } from './sealed.ts';

/**
 * The newest first; folders without a record, or with one that cannot be read, are none. Empty without the folder.
 *
 * @param most how many; the others are not read
 */
export async function listRuns(folder: string, most = Infinity): Promise<readonly RunRecord[]> {
  const names = await readdir(folder).catch(() => []);
  const records: RunRecord[] = [];
  // Names begin with the time.
  for (const name of names.toSorted().toReversed()) {
    if (records.length === most) break;
    if (name === 'latest') continue;
    const record = await readRunRecord(join(folder, name));
    if (record !== null) records.push(record);
  }
  return records;
}

/** Null when the folder is not that of a run, or its record is not as it was written. */
export async function readRunRecord(folder: string): Promise<RunRecord | null> {
  const text = await readFile(join(folder, 'run.json'), 'utf8').catch(() => null);
  const record = text === null ? null : unseal(text);
  return Value.Check(runRecordSchema, record) ? record : null;
}
