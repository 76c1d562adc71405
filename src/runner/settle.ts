/** Runs whose process is gone without a word. */
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '../core/json.ts';
import { isRecord } from '../core/schema.ts';
import { hasCode } from './claim.ts';
import { eventReader } from './event-reader.ts';
import { namesIn } from './folder.ts';
import type { Liveness, Owner } from './owner.ts';
import { livenessOf } from './owner.ts';
import type { RunRecord, StageRecord } from './record.ts';
import { writeRunRecord } from './run-folder.ts';
import { readRunRecord } from './runs.ts';
import { dayMs, modifiedAt, tolerant } from './sweep.ts';
import { warningOf } from './warnings.ts';

/**
 * The record of a run as it is now: one that says `running`, and whose process is gone, was interrupted. What it had
 * finished is in its events. The folder then gets that record, and loses what is half-written, if it can be written.
 *
 * @param self the process that asks
 * @param now milliseconds since 1970
 */
export async function settleRun(folder: string, record: RunRecord, self: Owner, now: number): Promise<RunRecord> {
  if (record.status !== 'running' || record.owner === undefined) return record;
  if ((await livenessOfRun(folder, record.owner, self, now)) !== 'gone') return record;
  const settled: RunRecord = { ...record, status: 'interrupted', ...(await reachedBy(folder, record)) };
  await tolerant(async () => {
    for (const name of await namesIn(join(folder, 'stages'))) {
      if (/^\..*\.partial$/.test(name)) await rm(join(folder, 'stages', name), { recursive: true, force: true });
    }
    writeRunRecord({ path: folder }, settled);
  });
  return settled;
}

/** Settles all runs of a folder; quick, since only those that say `running` are read. */
export async function settleRuns(runs: string, self: Owner, now: number): Promise<void> {
  await tolerant(async () => {
    for (const name of await namesIn(runs)) {
      const folder = join(runs, name);
      if (name === 'latest' || !(await saysRunning(join(folder, 'run.json')))) continue;
      const record = await readRunRecord(folder);
      if (record !== null) await settleRun(folder, record, self, now);
    }
  });
}

/** How far it was when its process ended, as its events say. */
async function reachedBy(
  folder: string,
  { startedAt, warnings }: RunRecord,
): Promise<Pick<RunRecord, 'seconds' | 'warnings' | 'stages'>> {
  const events = await eventReader(folder)();
  const order = events.flatMap((event) => (event.kind === 'run-started' ? event.stages : []));
  const stages: StageRecord[] = [];
  for (const event of events) {
    if (event.kind !== 'stage-finished' || event.record === undefined) continue;
    const metrics = await metricsIn(join(folder, 'stages', event.stage));
    if (metrics !== null) stages.push({ ...event.record, metrics });
  }
  const since = Date.parse(events.at(-1)?.time ?? startedAt) - Date.parse(startedAt);
  return {
    // The clock may have been set.
    seconds: Math.max(0, since / 1000),
    warnings: [...warnings, ...events.flatMap((event) => warningOf(event) ?? [])],
    stages: stages.toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name)),
  };
}

/** Null where they cannot be read, as after a power failure. */
async function metricsIn(folder: string): Promise<JsonObject | null> {
  try {
    const metrics: unknown = JSON.parse(await readFile(join(folder, 'metrics.json'), 'utf8'));
    return isRecord(metrics) ? (metrics as JsonObject) : null; // it was JSON
  } catch {
    return null;
  }
}

/** A machine that was started again has none of its processes left; one elsewhere is believed for a day. */
async function livenessOfRun(folder: string, owner: Owner, self: Owner, now: number): Promise<Liveness> {
  const liveness = livenessOf(owner, self);
  if (liveness !== 'unknown') return liveness;
  if (owner.host === self.host && owner.boot !== self.boot) return 'gone';
  return now - (await modifiedAt(join(folder, 'events.ndjson'))) > dayMs ? 'gone' : 'unknown';
}

/** The status is among the first fields of the file, before anything long. */
const headBytes = 16 * 1024;

async function saysRunning(file: string): Promise<boolean> {
  try {
    const handle = await open(file, 'r');
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0);
      return buffer.toString('utf8', 0, bytesRead).includes('"status": "running"');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) return false;
    throw error;
  }
}
