import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Owner } from '../../src/runner/owner.ts';
import { ownerName, thisOwner } from '../../src/runner/owner.ts';
import type { RunRecord } from '../../src/runner/record.ts';
import { seal, unseal } from '../../src/runner/sealed.ts';
import type { Store } from '../../src/runner/store.ts';
import { openStore } from '../../src/runner/store.ts';
import { settleRun, settleRuns } from '../../src/runner/settle.ts';
import { sweepStore } from '../../src/runner/sweep.ts';

let root: string;
let store: Store;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'qpipe-sweep-'));
  store = await openStore(join(root, 'store'), () => randomBytes(16).toString('hex'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const self = thisOwner();
// Linux has no pid above 2^22.
const killed: Owner = { ...self, pid: 2 ** 22 + 1 };
const far: Owner = { ...self, host: 'far', boot: 'another' };

const inStore = (...names: string[]): string => join(store.folder, ...names);
const hoursAgo = (hours: number): Date => new Date(Date.now() - hours * 3_600_000);

function put(time: Date | null, ...names: string[]): void {
  mkdirSync(inStore(...names.slice(0, -1)), { recursive: true });
  writeFileSync(inStore(...names), 'x');
  if (time !== null) utimesSync(inStore(...names), time, time);
}

function claim(owner: Owner, ...names: string[]): void {
  mkdirSync(inStore(...names));
  writeFileSync(inStore(...names, 'owner-0.json'), JSON.stringify({ owner, run: 'r', token: '0' }));
}

describe('the leftovers in a store', () => {
  it('of killed processes are removed, those of others stay', async () => {
    for (const owner of [self, killed, far]) {
      put(null, 'tmp', `${ownerName(owner)}-00`);
      put(null, 'work', 'k1', `${ownerName(owner)}-00`, 'out', 'model');
      claim(owner, 'leases', `of-${owner.pid}-${owner.host}`);
      claim(owner, 'live', `${ownerName(owner)}-00`);
    }
    put(null, 'work', 'k2', `${ownerName(killed)}-00`, 'out', 'model');
    put(null, 'live', `${ownerName(killed)}-00`, 'since');
    mkdirSync(inStore('leases', 'given back by half'));
    await sweepStore(store);
    const names = [ownerName(self), ownerName(far)].map((name) => `${name}-00`).sort();
    expect(readdirSync(inStore('tmp')).sort()).toEqual(names);
    expect(readdirSync(inStore('work'))).toEqual(['k1']);
    expect(readdirSync(inStore('work/k1')).sort()).toEqual(names);
    expect(readdirSync(inStore('live')).sort()).toEqual(names);
    expect(readdirSync(inStore('leases')).sort()).toEqual(
      [self, far].map(({ pid, host }) => `of-${pid}-${host}`).sort(),
    );
  });

  it('of processes that cannot be looked at are removed after a day, unless they still use the store', async () => {
    const other = { ...far, pid: 7 };
    put(hoursAgo(25), 'tmp', `${ownerName(far)}-00`);
    put(hoursAgo(25), 'tmp', 'no name of ours');
    put(hoursAgo(23), 'tmp', `${ownerName(far)}-11`);
    put(hoursAgo(25), 'tmp', `${ownerName(other)}-00`);
    claim(other, 'live', `${ownerName(other)}-00`);
    await sweepStore(store);
    expect(readdirSync(inStore('tmp')).sort()).toEqual([`${ownerName(far)}-11`, `${ownerName(other)}-00`].sort());
  });
});

describe('a run that says `running`', () => {
  const record: RunRecord = {
    ...{ schema: 'qpipe-run-v2', id: 'r', pipeline: 'p', status: 'running', seconds: 0, warnings: [], stages: [] },
    startedAt: '2026-01-01T00:00:00.000Z',
    origin: { file: '/p.yaml', set: [], data: null },
    provenance: { commandLine: [], node: '', platform: '', arch: '', cpus: 2, qpipeVersion: '' },
    resolved: `sha256:${'0'.repeat(64)}`,
    owner: self,
  };
  function write(name: string, changes: Partial<RunRecord>): RunRecord {
    const folder = join(root, 'runs', name);
    mkdirSync(join(folder, 'stages/.qat.partial'), { recursive: true });
    mkdirSync(join(folder, 'stages/pretrain'), { recursive: true });
    writeFileSync(join(folder, 'events.ndjson'), '');
    // As a process leaves it that is killed between writing and renaming.
    writeFileSync(join(folder, '.run.json.tmp'), '{');
    writeFileSync(join(folder, 'run.json'), seal({ ...record, ...changes }));
    return { ...record, ...changes };
  }
  const read = (name: string) => unseal(readFileSync(join(root, 'runs', name, 'run.json'), 'utf8'));

  it.each<[string, Partial<RunRecord>, string]>([
    ['killed', { owner: killed }, 'interrupted'],
    ['on a machine that was started again', { owner: { ...self, boot: 'before' } }, 'interrupted'],
    ['alive', { owner: self }, 'running'],
    ['on another machine', { owner: far }, 'running'],
    ['finished', { owner: killed, status: 'pass' }, 'pass'],
  ])('and is %s', async (name, changes, status) => {
    const before = write(name, changes);
    const settled = await settleRun(join(root, 'runs', name), before, self, Date.now());
    expect(settled).toEqual({ ...before, status });
    expect(read(name)).toEqual(settled);
    const left = status === 'interrupted' ? ['pretrain'] : ['.qat.partial', 'pretrain'];
    expect(readdirSync(join(root, 'runs', name, 'stages'))).toEqual(left);
    if (status === 'interrupted') expect(existsSync(join(root, 'runs', name, '.run.json.tmp'))).toBe(false);
  });

  it('and is on another machine that has written nothing for a day', async () => {
    const before = write('silent', { owner: far });
    const now = Date.now() + 25 * 3_600_000;
    expect(await settleRun(join(root, 'runs/silent'), before, self, now)).toMatchObject({ status: 'interrupted' });
  });

  it('is found among all runs of a folder; damaged and foreign ones are left alone', async () => {
    write('a', { owner: killed });
    write('b', { owner: self });
    mkdirSync(join(root, 'runs/empty'));
    mkdirSync(join(root, 'runs/damaged'));
    writeFileSync(join(root, 'runs/damaged/run.json'), '{"status": "running"');
    writeFileSync(join(root, 'runs/a file'), '');
    await settleRuns(join(root, 'runs'), self, Date.now());
    expect([read('a')?.['status'], read('b')?.['status']]).toEqual(['interrupted', 'running']);
    expect(readFileSync(join(root, 'runs/damaged/run.json'), 'utf8')).toBe('{"status": "running"');
    await settleRuns(join(root, 'nosuch'), self, Date.now());
  });
});
