import { randomBytes } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { evict, holderOf } from '../../src/runner/claim.ts';
import type { Lease, LeaseOptions, WaitedFor } from '../../src/runner/lease.ts';
import { acquireLease, waitingText } from '../../src/runner/lease.ts';
import type { Owner } from '../../src/runner/owner.ts';
import { livenessOf, livenessOfName, ownerName, thisOwner } from '../../src/runner/owner.ts';
import type { Store } from '../../src/runner/store.ts';
import { openStore, temporaryPath } from '../../src/runner/store.ts';
import { childProgram, ended, said } from './child.ts';

let root: string;
let store: Store;
let waits: WaitedFor[];

const startHolder = childProgram('lease-holder.ts');

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'qpipe-lease-'));
  store = await openStore(root, () => randomBytes(16).toString('hex'));
  waits = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const key = 'ab'.repeat(32);

function acquire(changes: Partial<LeaseOptions> = {}): Promise<Lease> {
  return acquireLease(store, key, {
    run: 'ours',
    signal: new AbortController().signal,
    now: () => performance.now(),
    onWait: (holder) => waits.push(holder),
    busy: 'wait',
    ...changes,
  });
}

async function untilWaiting(): Promise<void> {
  while (waits.length === 0) await sleep(10);
}

/** A lease of a process that cannot be looked at, last heard of so many seconds ago. */
function leaseElsewhere(secondsAgo: number, owner: Owner = { ...thisOwner(), host: 'far', boot: 'another' }): string {
  const folder = join(store.folder, 'leases', key);
  mkdirSync(folder);
  const file = join(folder, 'owner-0123.json');
  writeFileSync(file, JSON.stringify({ owner, run: 'theirs', token: '0123' }));
  const then = new Date(Date.now() - 1000 * secondsAgo);
  utimesSync(file, then, then);
  return file;
}

function expectNothingLeft(): void {
  expect(readdirSync(join(store.folder, 'leases'))).toEqual([]);
  expect(readdirSync(join(store.folder, 'tmp'))).toEqual([]);
}

describe('a lease', () => {
  it('is one process’s until it is given back, and leaves nothing behind', async () => {
    const lease = await acquire();
    expect(await lease.isHeld()).toBe(true);
    const [file = ''] = readdirSync(join(store.folder, 'leases', key));
    const text = readFileSync(join(store.folder, 'leases', key, file), 'utf8');
    expect(JSON.parse(text)).toMatchObject({ owner: { pid: process.pid, host: hostname() }, run: 'ours' });
    let order = '';
    const second = acquire().then(async (other) => {
      order += ' second';
      await other.release();
    });
    await untilWaiting();
    expect(waits).toEqual([{ pid: process.pid, host: null, run: 'ours', state: 'running' }]);
    order += 'released';
    await lease.release();
    await second;
    expect(order).toBe('released second');
    expect(await lease.isHeld()).toBe(false);
    expectNothingLeft();
  });

  it('goes to one of many who ask at once, and to each in turn', async () => {
    let [holders, most, taken] = [0, 0, 0];
    const one = async (): Promise<void> => {
      const lease = await acquire();
      most = Math.max(most, ++holders);
      taken++;
      await sleep(1);
      holders--;
      await lease.release();
    };
    await Promise.all(Array.from({ length: 20 }, one));
    expect([most, taken]).toEqual([1, 20]);
    expectNothingLeft();
  });

  it('of a process that is gone goes to one of many who ask at once', async () => {
    for (let round = 0; round < 5; round++) {
      leaseElsewhere(0, { ...thisOwner(), pid: 2 ** 22 + 1 });
      let [holders, most] = [0, 0];
      const one = async (): Promise<void> => {
        const lease = await acquire();
        most = Math.max(most, ++holders);
        await sleep(1);
        holders--;
        expect(await lease.isHeld()).toBe(true);
        await lease.release();
      };
      await Promise.all(Array.from({ length: 12 }, one));
      expect(most).toBe(1);
      expectNothingLeft();
    }
  });

  it('is not lost to one who saw the owner before', async () => {
    leaseElsewhere(61);
    const folder = join(store.folder, 'leases', key);
    const before = await holderOf(folder);
    const lease = await acquire();
    await evict(before!, () => temporaryPath(store));
    expect(await lease.isHeld()).toBe(true);
    await lease.release();
    expectNothingLeft();
  });

  it('is renewed by its owner every ten seconds, on the clock of the disk', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const lease = await acquire();
    const [name = ''] = readdirSync(join(store.folder, 'leases', key));
    const file = join(store.folder, 'leases', key, name);
    const text = readFileSync(file, 'utf8');
    utimesSync(file, 0, 0);
    vi.advanceTimersByTime(9_999);
    await sleep(50);
    expect(statSync(file).mtimeMs).toBe(0);
    vi.advanceTimersByTime(1);
    while (statSync(file).mtimeMs === 0) await sleep(10);
    expect(Math.abs(statSync(file).mtimeMs - Date.now())).toBeLessThan(60_000);
    expect(readFileSync(file, 'utf8')).toBe(text);
    vi.useRealTimers();
    await lease.release();
    expectNothingLeft();
  });

  it('of one key is no hindrance for another', async () => {
    const [one, other] = [await acquire(), await acquireLease(store, 'cd', { ...never(), run: 'x' })];
    expect([await one.isHeld(), await other.isHeld(), waits]).toEqual([true, true, []]);
    await Promise.all([one.release(), other.release()]);
  });

  it('is refused at once with `fail`, naming who has it', async () => {
    const lease = await acquire();
    await expect(acquire({ busy: 'fail' })).rejects.toMatchObject({
      diagnostics: [
        { code: 'result-in-use', message: expect.stringContaining(`pid ${process.pid} of run ours`) as string },
      ],
    });
    await lease.release();
    expectNothingLeft();
  });

  it('is waited for until the signal', async () => {
    const lease = await acquire();
    const controller = new AbortController();
    const waiting = acquire({ signal: controller.signal });
    await untilWaiting();
    controller.abort();
    await expect(waiting).rejects.toThrow(/abort/i);
    expect(await lease.isHeld()).toBe(true);
    await lease.release();
    expectNothingLeft();
  });

  const never = (): LeaseOptions => ({
    ...{ run: '', signal: new AbortController().signal, now: () => 0, busy: 'fail' },
    onWait: () => undefined,
  });
});

describe('a lease of another process', () => {
  it('is taken at once when the process was killed', async () => {
    const child = startHolder(root, key, 'theirs');
    expect(await said(child)).toBe('held');
    const waiting = acquire();
    await untilWaiting();
    expect(waits).toEqual([{ pid: child.pid, host: null, run: 'theirs', state: 'running' }]);
    child.kill('SIGKILL');
    const lease = await waiting;
    await lease.release();
    expectNothingLeft();
  });

  it('stays with a process that is stopped, and whoever waits is told', async () => {
    const child = startHolder(root, key, 'theirs');
    await said(child);
    child.kill('SIGSTOP');
    const waiting = acquire();
    while (waits.at(-1)?.state !== 'stopped') await sleep(10);
    expect(waitingText(waits.at(-1)!)).toBe(
      `pid ${child.pid} of run theirs, which is stopped; \`kill -CONT ${child.pid}\` lets it go on`,
    );
    child.kill('SIGKILL');
    await ended(child);
    await (await waiting).release();
    expectNothingLeft();
  });

  it('is taken when a later process has its pid', async () => {
    const self = thisOwner();
    leaseElsewhere(0, { ...self, started: (self.started ?? 0) - 1 });
    await (await acquire({ busy: 'fail' })).release();
    expectNothingLeft();
  });

  it('on another machine is taken after a minute without a heartbeat', async () => {
    leaseElsewhere(61);
    await (await acquire({ busy: 'fail' })).release();
    leaseElsewhere(50);
    await expect(acquire({ busy: 'fail' })).rejects.toThrow('pid');
  });

  it.each([
    ['set back an hour since', -3600],
    ['right', 0],
  ])('on another machine is taken even when the clock was %s: silence is also counted by ours', async (_, ago) => {
    leaseElsewhere(ago);
    let clock = 0;
    const lease = await acquire({ now: () => (clock += 25_000), onWait: (holder) => waits.push(holder) });
    expect(waits).toEqual([{ pid: process.pid, host: 'far', run: 'theirs', state: 'running' }]);
    await lease.release();
    expectNothingLeft();
  });

  it('on another machine is kept as long as it is renewed, whatever the clocks say', async () => {
    const file = leaseElsewhere(-3600);
    let clock = 0;
    const controller = new AbortController();
    let looks = 0;
    // Each look finds another heartbeat.
    const now = (): number => {
      utimesSync(file, new Date(), new Date(Date.now() - ++looks));
      if (looks === 8) controller.abort();
      return (clock += 25_000);
    };
    await expect(acquire({ now, signal: controller.signal })).rejects.toThrow(/abort/i);
    expect(readdirSync(join(store.folder, 'leases', key))).toEqual(['owner-0123.json']);
  });

  it('whose file is damaged is one that cannot be looked at', async () => {
    const file = leaseElsewhere(61);
    writeFileSync(file, '{"owner":');
    const then = new Date(Date.now() - 61_000);
    utimesSync(file, then, then);
    await (await acquire({ busy: 'fail' })).release();
    expectNothingLeft();
  });

  it('that was taken is not held any more, and its release does not touch the new one', async () => {
    const first = await acquire();
    const [name = ''] = readdirSync(join(store.folder, 'leases', key));
    rmSync(join(store.folder, 'leases', key, name));
    const second = await acquire();
    expect([await first.isHeld(), await second.isHeld()]).toEqual([false, true]);
    await first.release();
    expect(await second.isHeld()).toBe(true);
    await second.release();
    expectNothingLeft();
  });
});

describe('an owner', () => {
  it('is alive, gone, or of another table of processes', () => {
    const self = thisOwner();
    expect(livenessOf(self, self)).toBe('alive');
    expect(livenessOf({ ...self, started: (self.started ?? 0) + 1 }, self)).toBe('gone');
    // Linux has no pid above 2^22.
    expect(livenessOf({ ...self, pid: 2 ** 22 + 1 }, self)).toBe('gone');
    expect(livenessOf({ ...self, boot: 'another' }, self)).toBe('unknown');
    expect(livenessOf({ ...self, pids: 'pid:[1]' }, self)).toBe('unknown');
    // Without /proc, a pid that is in use proves nothing.
    expect(livenessOf({ ...self, started: null }, self)).toBe('unknown');
  });

  it('is read from the name of a file', () => {
    const self = thisOwner();
    expect(ownerName(self)).toMatch(new RegExp(`^[0-9a-f]{8}-${process.pid}-${self.started}$`));
    expect(livenessOfName(`${ownerName(self)}-0123`, self)).toBe('alive');
    expect(livenessOfName(`${ownerName({ ...self, pid: 2 ** 22 + 1 })}-0123`, self)).toBe('gone');
    expect(livenessOfName(`${ownerName({ ...self, boot: 'another' })}-0123`, self)).toBe('unknown');
    expect(livenessOfName('0123456789abcdef', self)).toBe('unknown');
  });
});
