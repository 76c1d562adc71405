/** What killed processes have left behind. Only what belongs to a process that is gone for certain is touched. */
import { rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../core/diagnostic.ts';
import { diskTime, evict, hasCode, holderOf, livenessOfHolder } from './claim.ts';
import { namesIn } from './folder.ts';
import type { Owner } from './owner.ts';
import { livenessOfName, ownerName } from './owner.ts';
import type { Store } from './store.ts';
import { temporaryPath } from './store.ts';

export const dayMs = 24 * 60 * 60 * 1000;

/**
 * Empties `work/`, `tmp/`, `leases/` and `live/` of what belongs to processes that are gone. What belongs to a process
 * that cannot be looked at goes after a day, unless that process still says that it uses the store. Does nothing in a
 * store that cannot be written.
 */
export async function sweepStore(store: Store): Promise<void> {
  await tolerant(async () => {
    const inStore = (...names: string[]): string => join(store.folder, ...names);
    for (const name of await namesIn(inStore('live'))) await sweepClaim(store, inStore('live', name));
    for (const name of await namesIn(inStore('leases'))) await sweepClaim(store, inStore('leases', name));
    const users = new Set((await namesIn(inStore('live'))).map(processOf));
    const isLeft = leftovers(store, users);
    for (const name of await namesIn(inStore('tmp'))) {
      if (await isLeft(inStore('tmp', name), name)) await rm(inStore('tmp', name), { recursive: true, force: true });
    }
    for (const key of await namesIn(inStore('work'))) {
      for (const name of await namesIn(inStore('work', key))) {
        const attempt = inStore('work', key, name);
        if (await isLeft(attempt, name)) await rm(attempt, { recursive: true, force: true });
      }
      await rmdir(inStore('work', key)).catch(() => undefined);
    }
  });
}

async function sweepClaim(store: Store, folder: string): Promise<void> {
  const holder = await holderOf(folder);
  if (holder !== null) {
    if (livenessOfHolder(holder, store.owner) !== 'gone') return;
    await evict(holder, () => temporaryPath(store));
  }
  // What else a mark holds says something of its process only; a lease that somebody else takes now has an owner.
  for (const name of await namesIn(folder)) {
    if (name === 'since' || name.startsWith('busy-')) await rm(join(folder, name), { force: true });
  }
  await rmdir(folder).catch(() => undefined);
}

/** `<machine>-<pid>-<start>` of a name that begins so. */
const processOf = (name: string): string => name.split('-').slice(0, 3).join('-');

/** Tells of files, by their names, whether nobody can need them. */
function leftovers(store: Store, users: ReadonlySet<string>): (path: string, name: string) => Promise<boolean> {
  let time: Promise<number> | null = null;
  return async (path, name) => {
    const liveness = livenessOfName(name, store.owner);
    if (liveness !== 'unknown' || users.has(processOf(name))) return liveness === 'gone';
    time ??= diskTime(temporaryPath(store));
    return (await time) - (await modifiedAt(path)) > dayMs;
  };
}

const temporaryPrefix = '.tmp-';

/** Where a process writes a file of a run's folder before it gets its name. */
export function temporaryIn(folder: string, name: string, self: Owner): string {
  return join(folder, `${temporaryPrefix}${ownerName(self)}-${name}`);
}

/** Removes those of processes that are gone. */
export async function sweepTemporaries(folder: string, self: Owner): Promise<void> {
  await tolerant(async () => {
    for (const name of await namesIn(folder)) {
      if (!name.startsWith(temporaryPrefix)) continue;
      const liveness = livenessOfName(name.slice(temporaryPrefix.length), self);
      if (liveness === 'gone') await rm(join(folder, name), { force: true });
    }
  });
}

/** Milliseconds since 1970; now for what has just vanished. */
export async function modifiedAt(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return Infinity;
    throw error;
  }
}

/** Tidying up is no reason to fail: whoever needs the disk next says what is wrong with it. */
export async function tolerant(body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof Error && ('code' in error || error instanceof UserError))) throw error;
  }
}
