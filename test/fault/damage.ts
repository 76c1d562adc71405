/** Bytes of a store that are not as they were written. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { StageKey } from '../../src/runner/fingerprint.ts';
import { acquireLease } from '../../src/runner/lease.ts';
import { pinRun } from '../../src/runner/pins.ts';
import type { Lookup } from '../../src/runner/store.ts';
import { findResult, recall, remembered } from '../../src/runner/store.ts';
import { verifyStore } from '../../src/runner/verify.ts';
import type { StoredWorld } from '../runner/stored.ts';
import { makeWorld } from '../runner/stored.ts';

const signal = new AbortController().signal;
const valueKey = `sha256:${'ab'.repeat(32)}` as const;

interface FullWorld extends StoredWorld {
  readonly keys: readonly StageKey[];
  readonly hits: readonly Lookup[];
}

/** A store with a file of each kind. */
async function fullWorld(): Promise<FullWorld> {
  const world = await makeWorld();
  const { store } = world;
  const keys = [await world.result('a', 1, 'the first output', 'the second'), await world.result('b', 1, 'another')];
  await remembered(store, valueKey, () => ({ some: 'value' }));
  await pinRun(store, world.run('20260101-000000-p-0000', keys));
  mkdirSync(join(store.folder, 'ckpt/c0de'), { recursive: true });
  const digest = createHash('sha256').update('weights').digest('hex');
  writeFileSync(join(store.folder, `ckpt/c0de/00000001-30-${digest}`), 'weights');
  return { ...world, keys, hits: await Promise.all(keys.map((key) => findResult(store, key, {}))) };
}

/** @param stride every how many bytes one is changed */
export function describeDamage(stride: number): void {
  describe(`a store in which one byte of any file is changed (every ${stride === 1 ? '' : `${stride}th `}byte)`, () => {
    it('gives the results that were put in, or none; and what it does not notice, verify does', async () => {
      const world = await fullWorld();
      const { store, keys, hits } = world;
      let changed = 0;
      for (const name of world.files()) {
        const path = join(store.folder, name);
        const good = readFileSync(path);
        for (let at = changed % stride; at < good.length; at += stride) {
          const bad = Buffer.from(good);
          // Another letter or digit, mostly, so that what is parsed still parses.
          bad[at]! ^= 1 + (at % 3);
          const where = `${name}, byte ${at}`;
          put(path, bad);
          const { faults } = await verifyStore(store, [], () => undefined, signal);
          expect(
            faults.map(({ file }) => file),
            where,
          ).toContain(name);
          for (const { file, movedTo } of faults) put(join(store.folder, file), readFileSync(movedTo ?? ''));

          put(path, bad);
          for (const [index, key] of keys.entries()) {
            const found = await findResult(store, key, {});
            if (found.kind === 'hit') expect({ ...found, damage: [] }, where).toEqual(hits[index]);
            else expect(found.damage.length, where).toBeGreaterThan(0);
          }
          expect([{ some: 'value' }, null], where).toContainEqual(recall(store, valueKey));
          put(path, good);
          changed++;
        }
      }
      rmSync(join(store.folder, 'corrupt'), { recursive: true });
      expect((await verifyStore(store, [], () => undefined, signal)).faults).toEqual([]);
      expect(changed).toBeGreaterThan(50);
    }, 1_800_000);

    it('hands out a lease all the same, whatever is in the file of a lease', async () => {
      const { store } = await makeWorld();
      const take = (now: () => number) =>
        acquireLease(store, 'k', { run: 'r', signal, now, onWait: () => undefined, busy: 'wait' });
      const folder = join(store.folder, 'leases/k');
      const lease = await take(() => performance.now());
      const [name = ''] = readdirSync(folder);
      const text = readFileSync(join(folder, name), 'utf8');
      // Of a process that is gone: Linux has no pid above 2^22.
      const good = Buffer.from(text.replace(`"pid":${process.pid}`, '"pid":4194305'));
      await lease.release();
      for (let at = 0; at < good.length; at += stride) {
        const bad = Buffer.from(good);
        bad[at]! ^= 1 + (at % 3);
        mkdirSync(folder);
        writeFileSync(join(folder, name.replace(`-${process.pid}-`, '-4194305-')), bad);
        let clock = 0;
        const next = await take(() => (clock += 25_000));
        expect(await next.isHeld(), `byte ${at}`).toBe(true);
        await next.release();
      }
    }, 1_800_000);
  });
}

/** Objects are read-only. */
function put(path: string, content: Uint8Array): void {
  rmSync(path, { force: true });
  writeFileSync(path, content);
}
