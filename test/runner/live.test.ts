import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { WaitedFor } from '../../src/runner/lease.ts';
import { collecting, enterStore } from '../../src/runner/live.ts';
import { thisOwner } from '../../src/runner/owner.ts';
import type { Store } from '../../src/runner/store.ts';
import { openStore } from '../../src/runner/store.ts';

let root: string;
let store: Store;
let waits: WaitedFor[];
const signal = new AbortController().signal;
const now = (): number => performance.now();

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'qpipe-live-'));
  store = await openStore(root, () => randomBytes(16).toString('hex'));
  waits = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const enter = (run = 'a run') => enterStore(store, { run, signal, now });
const collect = <T>(body: (since: number) => Promise<T>) =>
  collecting(store, { run: 'gc', signal, now, onWait: (who) => waits.push(who) }, body);
const live = (): string[] => readdirSync(join(store.folder, 'live'));

describe('a run and a collection', () => {
  it('do not meet while the run looks for a result: the collection waits, and says for whom', async () => {
    const presence = await enter();
    let order = '';
    const looking = presence.undisturbed(async () => {
      while (waits.length === 0) await sleep(5);
      order += 'looked ';
    });
    await collect(() => Promise.resolve((order += 'collected')));
    await looking;
    expect(order).toBe('looked collected');
    expect(waits).toEqual([{ pid: process.pid, host: null, run: 'a run', state: 'running' }]);
    await presence.leave();
    expect(live()).toEqual([]);
  });

  it('do not meet while the collection goes on: the run waits', async () => {
    const presence = await enter();
    let order = '';
    let looking = Promise.resolve('');
    await collect(async () => {
      looking = presence.undisturbed(() => Promise.resolve((order += 'looked')));
      await sleep(100);
      order += 'collected ';
    });
    await looking;
    expect(order).toBe('collected looked');
    await presence.leave();
    expect([live(), readdirSync(join(store.folder, 'leases'))]).toEqual([[], []]);
  });

  it('go side by side while stages compute; the collection knows since when the oldest run goes on', async () => {
    const first = await enter();
    const [name = ''] = live();
    const began = new Date(1_600_000_000_000);
    utimesSync(join(store.folder, 'live', name, 'since'), began, began);
    const second = await enter('another run');
    expect(await collect((since) => Promise.resolve(since))).toBe(began.getTime());
    expect(waits).toEqual([]);
    await first.leave();
    expect(await collect((since) => Promise.resolve(since))).toBeGreaterThan(began.getTime());
    await second.leave();
    expect(await collect((since) => Promise.resolve(since))).toBe(Infinity);
  });

  it('of a killed process is no hindrance, and its mark is removed', async () => {
    const folder = join(store.folder, 'live', 'killed');
    mkdirSync(folder);
    const owner = { ...thisOwner(), pid: 2 ** 22 + 1 };
    writeFileSync(join(folder, 'owner-0.json'), JSON.stringify({ owner, run: 'killed', token: '0' }));
    for (const name of ['since', 'busy-1']) writeFileSync(join(folder, name), '');
    expect(await collect((since) => Promise.resolve(since))).toBe(Infinity);
    expect([live(), waits]).toEqual([[], []]);
  });

  it('never exclude each other for good: many of both come to an end, and no look meets a collection', async () => {
    let [looking, collected, met] = [0, 0, 0];
    const run = async (): Promise<void> => {
      const presence = await enter();
      for (let look = 0; look < 10; look++) {
        await presence.undisturbed(async () => {
          looking++;
          await sleep(2);
          looking--;
        });
        await sleep(1);
      }
      await presence.leave();
    };
    const gc = async (): Promise<void> => {
      await collect(async () => {
        met += looking;
        await sleep(5);
        met += looking;
        collected++;
      });
    };
    await Promise.all([run(), run(), run(), gc(), gc(), gc()]);
    expect([collected, met, live()]).toEqual([3, 0, []]);
  });

  it('share a mark while looks follow each other, but no longer than a collection may wait', async () => {
    const presence = await enter();
    const [name = ''] = live();
    const marks = (): string[] =>
      readdirSync(join(store.folder, 'live', name)).filter((file) => file.startsWith('busy-'));
    const seen = new Set<string>();
    for (let look = 0; look < 5; look++) {
      await presence.undisturbed(() => Promise.resolve(marks().forEach((mark) => seen.add(mark))));
    }
    expect(seen.size).toBe(1);
    presence.rest();
    expect(marks()).toEqual([]);

    // One of them is always going on.
    const end = new AbortController();
    const looks = async (): Promise<void> => {
      while (!end.signal.aborted) await presence.undisturbed(() => sleep(7));
    };
    const looking = [looks(), sleep(3).then(looks)];
    expect(await collect(() => Promise.resolve('collected'))).toBe('collected');
    end.abort();
    await Promise.all(looking);
    await presence.leave();
    expect(live()).toEqual([]);
  });

  it('leave a mark that is empty where the disk is full: its name says whose it is', async () => {
    const presence = await enter();
    const [name = ''] = live();
    const owner = readdirSync(join(store.folder, 'live', name)).find((file) => file.startsWith('owner-')) ?? '';
    writeFileSync(join(store.folder, 'live', name, owner), '');
    writeFileSync(join(store.folder, 'live', name, 'busy-1'), '');
    const collection = collect(() => Promise.resolve('collected'));
    while (waits.length === 0) await sleep(5);
    expect(statSync(join(store.folder, 'live', name, owner)).size).toBe(0);
    rmSync(join(store.folder, 'live', name, 'busy-1'));
    expect(await collection).toBe('collected');
    await presence.leave();
  });
});
