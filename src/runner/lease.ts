/**
 * Who may run the stage of a key. Two runs that need one result make it once: the second waits, and finds it.
 *
 * A lease ends with its process: the next to ask sees that the process is gone and takes the lease at once. A process
 * that lives keeps it, also while it is stopped, for it may go on at any moment; whoever waits is told of it. Where the
 * process cannot be looked at, on another machine, a minute without a heartbeat ends the lease.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { userError } from '../core/diagnostic.ts';
import type { Claim, Holder } from './claim.ts';
import { evict, holderOf, tryClaim, watchHolders } from './claim.ts';
import type { Store } from './store.ts';
import { temporaryPath, writing } from './store.ts';

/** A lease that is not held any more must not be followed by a commit. */
export type Lease = Claim;

export interface LeaseOptions {
  /** The run that asks, for those who wait for it. */
  readonly run: string;
  readonly signal: AbortSignal;
  /** Milliseconds on a clock that only goes forward. */
  readonly now: () => number;
  /** Called when waiting begins, and again when the holder or its state changes. */
  readonly onWait: (holder: WaitedFor) => void;
  /** What to do when another process has the lease. */
  readonly busy: 'wait' | 'fail';
  /** Milliseconds without a heartbeat after which a holder that cannot be looked at has lost the lease. */
  readonly silence?: number;
}

export interface WaitedFor {
  readonly pid: number | null;
  /** The machine, null when it is this one. */
  readonly host: string | null;
  readonly run: string | null;
  readonly state: 'running' | 'stopped';
}

/** Milliseconds from one look to the next, at first and at last. */
const [shortestWait, longestWait] = [50, 1000];

/**
 * @param name of the lease: a key, or a word
 * @throws UserError when `busy` is `fail` and another process has it; the reason of `signal` when that is raised
 */
export async function acquireLease(store: Store, name: string, options: LeaseOptions): Promise<Lease> {
  const folder = join(store.folder, 'leases', name);
  const temporary = (): string => temporaryPath(store);
  const watch = watchHolders(store.owner, temporary, options.now, options.silence);
  let told = '';
  for (let wait = shortestWait; ;) {
    options.signal.throwIfAborted();
    const { owner, randomHex } = store;
    const claim = await writing(store, () =>
      tryClaim(folder, { owner, run: options.run, token: randomHex(), temporaryPath: temporary }),
    );
    if (claim !== null) return claim;
    const holder = await holderOf(folder);
    if (holder === null) continue;
    const state = await watch.look(holder);
    if (state === 'gone') {
      await writing(store, () => evict(holder, temporary));
      continue;
    }
    const who = waitedFor(holder, store, state);
    if (options.busy === 'fail') {
      const found = `another process makes this result: ${waitingText(who)}`;
      throw userError(folder, 'result-in-use', found, 'run again when it is done, or leave out `--no-wait`');
    }
    const now = JSON.stringify(who);
    if (now !== told) options.onWait(who);
    told = now;
    await sleep(wait, undefined, { signal: options.signal });
    wait = Math.min(longestWait, wait * 1.5);
  }
}

/** What to tell whoever waits for it. */
export function waitedFor({ record }: Holder, { owner: self }: Store, liveness: 'alive' | 'stopped'): WaitedFor {
  const state = liveness === 'stopped' ? 'stopped' : 'running';
  if (record === null) return { pid: null, host: null, run: null, state };
  const { owner, run } = record;
  return { pid: owner.pid, host: owner.host === self.host ? null : owner.host, run, state };
}

/** `pid 4711 of run X`, with the machine if it is another one, and what to do if the process does not run. */
export function waitingText({ pid, host, run, state }: WaitedFor): string {
  const who = pid === null ? 'a process that cannot be named' : `pid ${pid} of run ${run ?? 'unknown'}`;
  const where = host === null ? '' : ` on ${host}`;
  return `${who}${where}${state === 'stopped' ? `, which is stopped; \`kill -CONT ${pid ?? ''}\` lets it go on` : ''}`;
}
