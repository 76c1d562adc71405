import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { pinRun } from '../../src/runner/pins.ts';
import { findResult, objectPath, readRecord, remembered } from '../../src/runner/store.ts';
import type { Fault, Verification } from '../../src/runner/verify.ts';
import { verifyStore } from '../../src/runner/verify.ts';
import type { StoredWorld } from './stored.ts';
import { makeWorld } from './stored.ts';

let world: StoredWorld;
let told: Fault[];
beforeEach(async () => {
  world = await makeWorld();
  told = [];
  const first = await world.result('a', 1, 'the first output', 'the second');
  await world.result('b', 1, 'another output');
  await remembered(world.store, `sha256:${'ab'.repeat(32)}`, () => ({ some: 'value' }));
  await pinRun(world.store, world.run('20260101-000000-p-0000', [first]));
  const checkpoint = 'weights and slots';
  mkdirSync(join(world.store.folder, 'ckpt/c0de'), { recursive: true });
  const digest = createHash('sha256').update(checkpoint).digest('hex');
  writeFileSync(join(world.store.folder, `ckpt/c0de/00000001-30-${digest}`), checkpoint);
});

const verify = (): Promise<Verification> =>
  verifyStore(world.store, [], (fault) => told.push(fault), new AbortController().signal);

function overwrite(name: string, content: string | Uint8Array): void {
  const path = join(world.store.folder, name);
  rmSync(path);
  writeFileSync(path, content);
}

describe('a store', () => {
  it('that is as it was written has no fault', async () => {
    expect(await verify()).toEqual({ checked: world.files().length, faults: [] });
    // 3 outputs, 2 records with their 2 texts, a value, a pin, a checkpoint
    expect(world.files()).toHaveLength(10);
  });

  it('with one changed bit in any file has that fault, and the file is set aside', async () => {
    const random = createRandom(3, 'bits');
    for (const name of world.files()) {
      const path = join(world.store.folder, name);
      const good = readFileSync(path);
      for (let trial = 0; trial < 4; trial++) {
        const bad = Buffer.from(good);
        const bit = random.below(8 * good.length);
        bad[bit >> 3]! ^= 1 << (bit & 7);
        overwrite(name, bad);
        const { faults } = await verify();
        expect(faults[0]?.file, `${name}, bit ${bit}`).toBe(name);
        expect(existsSync(path)).toBe(false);
        expect(readFileSync(faults[0]?.movedTo ?? '')).toEqual(bad);
        // A record that lacks its file is of no use.
        const more = name.startsWith('objects/') ? faults.slice(1) : [];
        expect(faults).toHaveLength(1 + more.length);
        for (const { file, found, movedTo } of more) {
          expect([file.startsWith('actions/'), found.endsWith('is missing')]).toEqual([true, true]);
          writeFileSync(join(world.store.folder, file), readFileSync(movedTo ?? ''));
        }
        writeFileSync(path, good);
      }
    }
    expect(told.length).toBeGreaterThan(40);
    expect((await verify()).faults).toEqual([]);
  });

  it('with files that are cut, empty or in the place of another has those faults', async () => {
    const [one = '', other = ''] = world.files().filter((name) => name.startsWith('objects/'));
    const [action = '', second = ''] = world.files().filter((name) => name.startsWith('actions/'));
    const text = (name: string): Buffer => readFileSync(join(world.store.folder, name));
    const [content, record] = [text(other), text(second)];
    overwrite(one, content);
    overwrite(action, record);
    overwrite(second, '');
    expect((await verify()).faults.map(({ file }) => file).sort()).toEqual([action, one, second].sort());
  });

  it('is as before for runs: what was set aside is a miss', async () => {
    const key = await world.result('c', 1, 'third');
    const digest = readRecord(world.store, key.key)!.outputs['o0']!.digest;
    chmodSync(objectPath(world.store, digest), 0o644);
    writeFileSync(objectPath(world.store, digest), 'x');
    expect((await verify()).faults).toHaveLength(2);
    expect(await findResult(world.store, key, {})).toEqual({ kind: 'miss', previous: null, damage: [] });
  });
});
