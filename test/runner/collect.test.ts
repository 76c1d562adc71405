import { cpSync, existsSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Collected, CollectOptions } from '../../src/runner/collect.ts';
import { collect } from '../../src/runner/collect.ts';
import type { StageKey } from '../../src/runner/fingerprint.ts';
import { enterStore } from '../../src/runner/live.ts';
import { thisOwner } from '../../src/runner/owner.ts';
import { pinRun, unpinRun } from '../../src/runner/pins.ts';
import { findResult, objectPath, readRecord } from '../../src/runner/store.ts';
import type { StoredWorld } from './stored.ts';
import { age, makeWorld } from './stored.ts';

const signal = new AbortController().signal;
const now = (): number => performance.now();
const day = 24 * 3_600_000;

function gc({ store, runs }: StoredWorld, changes: Partial<CollectOptions> = {}): Promise<Collected> {
  return collect(store, {
    ...{ runs, keepRuns: Infinity, olderThan: 30 * day, maxBytes: Infinity, checkpoints: 'old', mode: 'remove' },
    ...{ run: 'gc', signal, now, onWait: () => undefined },
    ...changes,
  });
}

const has = ({ store }: StoredWorld, { key }: StageKey): boolean => readRecord(store, key) !== null;
const removed = ({ removed: items }: Collected): string[] => items.map((item) => item.class);

describe('results', () => {
  it('go when nothing has used them for long, with their files; those that others share stay', async () => {
    const world = await makeWorld();
    const old = await world.result('old', 31, 'mine', 'shared');
    const young = await world.result('young', 29, 'shared');
    const result = await gc(world);
    expect([has(world, old), has(world, young)]).toEqual([false, true]);
    expect(removed(result)).toEqual(['actions', 'objects', 'preimage']);
    expect(world.files()).toHaveLength(3);
    // Of the object: printf mine | wc -c
    expect(result.removed.find((item) => item.class === 'objects')?.bytes).toBe(4);
    expect(result.kept.objects).toEqual({ count: 1, bytes: 6 });
  });

  it('stay as long as they are used', async () => {
    const world = await makeWorld();
    const key = await world.result('a', 31, 'a');
    expect((await findResult(world.store, key, {})).kind).toBe('hit');
    expect(removed(await gc(world))).toEqual([]);
  });

  it('stay while a kept run or a pin needs them', async () => {
    const world = await makeWorld();
    const [ofRun, ofPin, ofNobody] = [
      await world.result('a', 100, 'a'),
      await world.result('b', 100, 'b'),
      await world.result('c', 100, 'c'),
    ];
    world.run('20260101-000000-p-0000', [ofRun]);
    await pinRun(world.store, world.run('20260102-000000-p-0000', [ofPin]));
    rmSync(join(world.runs, '20260102-000000-p-0000'), { recursive: true });
    await gc(world);
    expect([has(world, ofRun), has(world, ofPin), has(world, ofNobody)]).toEqual([true, true, false]);
    expect(await unpinRun(world.store, '20260102-000000-p-0000')).toBe(true);
    expect(await unpinRun(world.store, '20260102-000000-p-0000')).toBe(false);
    await gc(world, { keepRuns: 0 });
    expect([has(world, ofRun), has(world, ofPin)]).toEqual([false, false]);
    expect(world.files()).toEqual([]);
  });

  it('go with the first of their files that is missing, even if a run needs them', async () => {
    const world = await makeWorld();
    const key = await world.result('a', 0, 'one', 'two');
    world.run('20260101-000000-p-0000', [key]);
    const record = readRecord(world.store, key.key);
    rmSync(objectPath(world.store, record!.outputs['o0']!.digest));
    await gc(world);
    expect(world.files()).toEqual([]);
  });

  it('go when their record is damaged; their files after a day', async () => {
    const world = await makeWorld();
    const { key } = await world.result('a', 2, 'one');
    const [action = ''] = world.files().filter((name) => name.startsWith('actions/'));
    writeFileSync(join(world.store.folder, action), '{}');
    expect(removed(await gc(world))).toEqual(['actions', 'objects', 'preimage']);
    expect(key).toHaveLength(64);
  });

  it('that a running run has used stay, whatever the options say', async () => {
    const world = await makeWorld();
    const [used, unused] = [await world.result('a', 31, 'a'), await world.result('b', 31, 'b')];
    const presence = await enterStore(world.store, { run: 'r', signal, now });
    await findResult(world.store, used, {});
    await gc(world, { olderThan: 0, maxBytes: 0 });
    expect([has(world, used), has(world, unused)]).toEqual([true, false]);
    await presence.leave();
    await gc(world, { olderThan: 0 });
    expect(world.files()).toEqual([]);
  });

  it('leave in the order of their last use until the store is small enough; kept runs hold theirs', async () => {
    const world = await makeWorld();
    const keys: StageKey[] = [];
    for (const [days, text] of [
      [3, 'x'],
      [2, 'y'],
      [1, 'z'],
      [4, 'w'],
    ] as const) {
      keys.push(await world.result(text, days, text.repeat(10_000)));
    }
    world.run('20260101-000000-p-0000', [keys[3]!]);
    const kept = (): boolean[] => keys.map((key) => has(world, key));
    expect((await gc(world, { maxBytes: 35_000 })).excess).toBe(0);
    expect(kept()).toEqual([false, true, true, true]);
    expect((await gc(world, { maxBytes: 25_000 })).excess).toBe(0);
    expect(kept()).toEqual([false, false, true, true]);
    const { excess } = await gc(world, { maxBytes: 5_000 });
    expect(kept()).toEqual([false, false, false, true]);
    expect([excess > 5_000, excess < 7_000]).toEqual([true, true]);
  });
});

describe('other files of the store', () => {
  it('that no record names stay for a day: somebody may be about to', async () => {
    const world = await makeWorld();
    for (const section of ['objects', 'preimage']) {
      world.file(0.9, section, 'ab', 'young');
      world.file(1.1, section, 'ab', 'old');
    }
    await gc(world);
    expect(world.files()).toEqual(['objects/ab/young', 'preimage/ab/young']);
  });

  it('that are made again when they are missing go after the same time as results', async () => {
    const world = await makeWorld();
    for (const days of [29, 31]) {
      world.file(days, 'memory', 'ab', `m${days}.json`);
      world.file(days, 'digests', `d${days}.json`);
      world.file(days, 'examples', 'ab', `e${days}`, 'set');
      world.file(31, 'examples', 'ab', `e${days}`, 'inputs-0');
      world.file(days, 'ckpt', `c${days}`, 'step');
      world.file(days, 'corrupt', `x${days}`);
    }
    const before = world.files();
    const shown = await gc(world, { mode: 'show' });
    expect(world.files()).toEqual(before);
    const result = await gc(world);
    expect(shown).toEqual(result);
    expect(result.removed.map(({ name }) => name).sort()).toEqual([
      ...['ckpt/c31', 'corrupt/x31', 'digests/d31.json', 'examples/ab/e31', 'memory/ab/m31.json'],
    ]);
    expect(result.removed.find((item) => item.class === 'examples')?.bytes).toBe(2);
    expect(world.files()).toHaveLength(6);
    expect(removed(await gc(world, { checkpoints: 'all' }))).toEqual(['ckpt']);
  });
});

describe('the folders of runs', () => {
  const ids = [1, 2, 3, 4].map((index) => `2026010${index}-000000-p-0000`);
  const left = ({ runs }: StoredWorld): string[] => readdirSync(runs).sort();

  async function fourRuns(): Promise<StoredWorld> {
    const world = await makeWorld();
    for (const id of ids) world.run(id, []);
    symlinkSync(ids[3]!, join(world.runs, 'latest'));
    return world;
  }

  it('stay unless a number is given; then the newest do', async () => {
    const world = await fourRuns();
    await gc(world, { olderThan: 0 });
    expect(left(world)).toEqual([...ids, 'latest']);
    const shown = await gc(world, { keepRuns: 1, mode: 'show' });
    expect(left(world)).toEqual([...ids, 'latest']);
    expect(shown.removed.map(({ name }) => name)).toEqual([ids[2], ids[1], ids[0]]);
    expect((await gc(world, { keepRuns: 1 })).removed).toEqual(shown.removed);
    expect(left(world)).toEqual([ids[3], 'latest']);
    await gc(world, { keepRuns: 0 });
    expect(left(world)).toEqual([]);
  });

  it('stay when they are pinned, run, are damaged, or were given another name', async () => {
    const world = await fourRuns();
    await pinRun(world.store, world.run(ids[0]!, []));
    world.run(ids[1]!, [], { status: 'running', owner: thisOwner() });
    writeFileSync(join(world.runs, ids[2]!, 'run.json'), '{}');
    cpSync(join(world.runs, ids[3]!), join(world.runs, 'best'), { recursive: true });
    await gc(world, { keepRuns: 0 });
    expect(left(world)).toEqual([...ids.slice(0, 3), 'best', 'latest'].sort());
    expect(readlinkSync(join(world.runs, 'latest'))).toBe(ids[2]);
  });

  it('stay for a while after they have ended, as long as their process lives: it may write the report', async () => {
    const world = await fourRuns();
    world.run(ids[0]!, [], { owner: thisOwner() });
    world.run(ids[1]!, [], { owner: thisOwner() });
    age(join(world.runs, ids[1]!, 'run.json'), 0.1);
    world.run(ids[2]!, [], { owner: { ...thisOwner(), pid: 2 ** 22 + 1 } });
    await gc(world, { keepRuns: 1 });
    expect(left(world)).toEqual([ids[0], ids[3], 'latest']);
  });

  it('stay where `latest` is a real folder, which is no link to change', async () => {
    const world = await fourRuns();
    rmSync(join(world.runs, 'latest'));
    mkdirSync(join(world.runs, 'latest'));
    await gc(world, { keepRuns: 1 });
    expect(left(world)).toEqual([ids[3], 'latest']);
  });

  it('of a killed process count as interrupted', async () => {
    const world = await fourRuns();
    world.run(ids[0]!, [], { status: 'running', owner: { ...thisOwner(), pid: 2 ** 22 + 1 } });
    await gc(world, { keepRuns: 3 });
    expect(left(world)).toEqual([...ids.slice(1), 'latest']);
  });

  it('that a collection was removing when it was killed are gone after the next', async () => {
    const world = await fourRuns();
    mkdirSync(join(world.runs, '.removed-x/stages'), { recursive: true });
    await gc(world);
    expect(existsSync(join(world.runs, '.removed-x'))).toBe(false);
  });
});

describe('a damaged pin', () => {
  it('ends the collection before anything is removed, and says how to go on', async () => {
    const world = await makeWorld();
    await world.result('a', 100, 'a');
    await pinRun(world.store, world.run('20260101-000000-p-0000', []));
    writeFileSync(join(world.store.folder, 'pins/20260101-000000-p-0000.json'), '{}');
    const before = world.files();
    await expect(gc(world)).rejects.toMatchObject({ diagnostics: [{ code: 'damaged-pin' }] });
    expect(world.files()).toEqual(before);
  });
});
