/**
 * Runs and collections in one store.
 *
 * A run leaves a mark, `live/<process>/`, as long as it uses the store: what it has used since it began is not
 * collected, however long it takes. Looking for a result and keeping one are moments in which nothing may vanish at
 * all; then the mark holds a file `busy-…`. A collection waits for these moments to end, and new ones wait for it.
 * Between them, while stages compute, collecting and running do not hinder each other. Looks that follow each other at
 * once share one file, but none for long: a run that finds a thousand results would otherwise make a thousand files.
 */
import { closeSync, openSync, rmSync } from 'node:fs';
import { rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Claim } from './claim.ts';
import { evict, hasCode, holderOf, tryClaim, watchHolders } from './claim.ts';
import { namesIn } from './folder.ts';
import type { LeaseOptions, WaitedFor } from './lease.ts';
import { acquireLease, waitedFor } from './lease.ts';
import type { Store } from './store.ts';
import { temporaryPath, writing } from './store.ts';

export interface Presence {
  /** Runs `body`, which looks for results or keeps one, while no collection is going on. */
  readonly undisturbed: <T>(body: () => Promise<T>) => Promise<T>;
  /** Lets a collection begin at once. For whoever computes for some time from now. */
  readonly rest: () => void;
  /** Never fails: what the disk does not let go ends with the process. */
  readonly leave: () => Promise<void>;
}

type PresenceOptions = Pick<LeaseOptions, 'run' | 'signal' | 'now' | 'silence'>;

const collection = 'collection';
const since = 'since';
const busyPrefix = 'busy-';

/** Marks this process as one that uses the store. Where the disk refuses the mark, nobody can collect either. */
export async function enterStore(store: Store, options: PresenceOptions): Promise<Presence> {
  const token = store.randomHex();
  const temporary = (): string => temporaryPath(store);
  const folder = join(store.folder, 'live', basename(temporary()));
  let claim: Claim | null = null;
  try {
    claim = await tryClaim(folder, { owner: store.owner, run: options.run, token, temporaryPath: temporary });
    await writeFile(join(folder, since), '');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    if (claim === null) return { undisturbed: (body) => body(), rest: () => undefined, leave: () => Promise.resolve() };
  }
  const moments = shareMoments(
    () => join(folder, `${busyPrefix}${store.randomHex()}`),
    async () => (await holderOf(join(store.folder, 'leases', collection))) === null,
  );
  return {
    async undisturbed(body) {
      for (;;) {
        const moment = moments.join();
        try {
          if (await moment.isFree) return await body();
          moments.end(moment);
        } finally {
          moments.part(moment);
        }
        await untilCollected(store, options);
      }
    },
    rest: () => moments.end(),
    async leave() {
      moments.end();
      await rm(join(folder, since), { force: true }).catch(() => undefined);
      await claim?.release();
    },
  };
}

/** A time in which nothing may vanish. */
interface Moment {
  readonly file: string;
  /** Whether no collection was there before it. */
  readonly isFree: Promise<boolean>;
  /** How many are in it. */
  users: number;
}

/** Milliseconds after which nobody joins a moment any more, so that a collection need not wait for long. */
const longestMoment = 50;

function shareMoments(unused: () => string, isFree: () => Promise<boolean>) {
  let open: Moment | null = null;
  const end = (moment = open): void => {
    if (moment === null) return;
    if (moment === open) open = null;
    if (moment.users === 0) unlessRefused(() => rmSync(moment.file, { force: true }));
  };
  const begin = (): Moment => {
    const file = unused();
    unlessRefused(() => closeSync(openSync(file, 'w')));
    // Whoever is first: a collection that begins now sees the file.
    const moment = { file, isFree: isFree(), users: 0 };
    setTimeout(() => end(moment), longestMoment).unref();
    return moment;
  };
  return {
    join(): Moment {
      open ??= begin();
      open.users++;
      return open;
    },
    /** Without one, the moment that is open. Those who are in it still have their time. */
    end,
    part(moment: Moment): void {
      moment.users--;
      if (moment !== open) end(moment);
    },
  };
}

/** A disk that refuses is a matter for what comes next; a mark that stays ends with its process. */
function unlessRefused(call: () => void): void {
  try {
    call();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
  }
}

async function untilCollected(store: Store, options: PresenceOptions): Promise<void> {
  const lease = await acquireLease(store, collection, { ...options, busy: 'wait', onWait: () => undefined });
  await lease.release();
}

export interface CollectionOptions extends PresenceOptions {
  /** Called when it must wait for another collection, or for a run to end a moment. */
  readonly onWait: (holder: WaitedFor) => void;
}

/**
 * Runs `body` while no run looks for a result or keeps one, and no other collection is going on.
 *
 * @param body is given the time when the oldest run began, on the clock of the disk: what was used since must stay.
 *   Infinity when nothing runs.
 */
export async function collecting<T>(
  store: Store,
  options: CollectionOptions,
  body: (runningSince: number) => Promise<T>,
): Promise<T> {
  const lease = await acquireLease(store, collection, { ...options, busy: 'wait' });
  try {
    return await body(await untilIdle(store, options));
  } finally {
    await lease.release();
  }
}

/** Removes the marks of processes that are gone. @returns when the oldest of the others began */
async function untilIdle(store: Store, options: CollectionOptions): Promise<number> {
  const watch = watchHolders(store.owner, () => temporaryPath(store), options.now, options.silence);
  let told = '';
  for (let wait = 20; ; wait = Math.min(1000, wait * 1.5)) {
    let [busy, oldest]: [WaitedFor | null, number] = [null, Infinity];
    for (const name of await namesIn(join(store.folder, 'live'))) {
      const folder = join(store.folder, 'live', name);
      const holder = await holderOf(folder);
      const state = holder === null ? 'gone' : await watch.look(holder);
      if (holder === null || state === 'gone') {
        await writing(store, async () => {
          if (holder !== null) await evict(holder, () => temporaryPath(store));
          await rm(folder, { recursive: true, force: true });
        });
        continue;
      }
      oldest = Math.min(oldest, await beganAt(folder));
      const names = await namesIn(folder);
      if (names.some((entry) => entry.startsWith(busyPrefix))) busy = waitedFor(holder, store, state);
    }
    if (busy === null) return oldest;
    const now = JSON.stringify(busy);
    if (now !== told) options.onWait(busy);
    told = now;
    await sleep(wait, undefined, { signal: options.signal });
  }
}

/** A mark that is just being made has used nothing so far. */
async function beganAt(folder: string): Promise<number> {
  try {
    return (await stat(join(folder, since))).mtimeMs;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return Infinity;
    throw error;
  }
}
