/** Which folders of runs can go, and how they go. */
import { lstat, readlink, rename, rm, stat, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Found } from './collected.ts';
import { filesAt } from './collected.ts';
import { namesIn } from './folder.ts';
import { writingTo } from './disk-error.ts';
import type { Owner } from './owner.ts';
import { livenessOf } from './owner.ts';
import type { RunRecord } from './record.ts';
import { readRunRecord } from './runs.ts';
import { settleRun } from './settle.ts';

export interface SortedRuns {
  readonly old: readonly Found[];
  readonly kept: readonly Found[];
  /** Keys of the results that kept runs used. */
  readonly needed: readonly string[];
}

/**
 * A folder can go when it is as a run left it: with a readable record, and under its own name. What was renamed or
 * copied, is damaged, is pinned, or is still written to stays.
 *
 * @param keep how many of the newest to keep
 */
export async function sortRuns(
  runs: string,
  keep: number,
  pinned: ReadonlySet<string>,
  self: Owner,
): Promise<SortedRuns> {
  const [old, kept, needed]: [Found[], Found[], string[]] = [[], [], []];
  let newer = 0;
  // Names begin with the time, so that the last is the newest.
  for (const name of (await namesIn(runs)).toSorted().toReversed()) {
    const path = join(runs, name);
    // Hidden ones are links and folders on their way. Another collection may be as far as this one.
    const status = name.startsWith('.') ? null : await lstat(path).catch(() => null);
    if (status?.isDirectory() !== true) continue;
    const record = await readRun(path, self);
    const bytes = (await filesAt(path)).reduce((sum, file) => sum + file.bytes, 0);
    const item: Found = { class: 'runs', name, path, time: 0, bytes };
    const canGo = record?.id === name && !pinned.has(name) && !(await mayBeWritten(path, record, self));
    if (record?.id === name) newer++;
    if (canGo && newer > keep) old.push(item);
    else {
      kept.push(item);
      needed.push(...(record?.stages ?? []).map(({ key }) => key));
    }
  }
  return { old, kept, needed };
}

/** A run writes its report when it has ended. */
const reportTime = 60 * 60 * 1000;

async function mayBeWritten(folder: string, { status, owner }: RunRecord, self: Owner): Promise<boolean> {
  if (status === 'running') return true;
  if (owner === undefined || livenessOf(owner, self) === 'gone') return false;
  const file = await stat(join(folder, 'run.json')).catch(() => null);
  return file !== null && Date.now() - file.mtimeMs < reportTime;
}

async function readRun(folder: string, self: Owner): Promise<RunRecord | null> {
  const record = await readRunRecord(folder);
  return record && settleRun(folder, record, self, Date.now());
}

const removedPrefix = '.removed-';

/** Each vanishes at once and is then emptied; `latest` points at the newest that is left. */
export async function removeRuns(runs: string, old: readonly Found[]): Promise<void> {
  await writingTo(runs, 'the folder for runs', async () => {
    for (const { name, path } of old) {
      await rename(path, join(runs, `${removedPrefix}${name}`));
      await pointLatestAtNewest(runs, name);
    }
    // Also what an earlier collection did not get done.
    for (const name of await namesIn(runs)) {
      if (name.startsWith(removedPrefix)) await rm(join(runs, name), { recursive: true, force: true });
    }
  });
}

async function pointLatestAtNewest(runs: string, removed: string): Promise<void> {
  const latest = join(runs, 'latest');
  const target = await readlink(latest).catch(() => null);
  if (target === null || basename(target) !== removed) return;
  await rm(latest);
  const newest = (await namesIn(runs))
    .filter((name) => /^\d{8}-\d{6}-/.test(name))
    .toSorted()
    .at(-1);
  if (newest !== undefined) await symlink(newest, latest);
}
