/** Where stages that take long keep how far they are, and what becomes of it on a bad disk. */
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { userError } from '../../src/core/diagnostic.ts';
import { openCheckpoints } from '../../src/runner/checkpoints.ts';
import type { UntimedEvent } from '../../src/runner/event.ts';
import { trajectoryKey } from '../../src/runner/fingerprint.ts';
import type { Checkpoints, StagePlan, StageWork } from '../../src/runner/plan.ts';
import { executeStage } from '../../src/runner/stage.ts';
import type { Store } from '../../src/runner/store.ts';
import { openStore } from '../../src/runner/store.ts';

const { failing } = vi.hoisted(() => ({ failing: { code: '' } }));

vi.mock('node:fs/promises', async (original) => {
  const fs = await original<typeof import('node:fs/promises')>();
  return {
    ...fs,
    writeFile: (...args: Parameters<typeof fs.writeFile>) =>
      failing.code === ''
        ? fs.writeFile(...args)
        : Promise.reject(Object.assign(new Error(`${failing.code}: no, write`), { code: failing.code })),
  };
});

const trajectory = 'c'.repeat(64);
let root: string;
let store: Store;
let events: UntimedEvent[];

beforeEach(async () => {
  failing.code = '';
  root = mkdtempSync(join(tmpdir(), 'qpipe-checkpoints-'));
  store = await openStore(root, () => randomBytes(16).toString('hex'));
  events = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const open = (existing: 'use' | 'ignore' = 'use'): Checkpoints =>
  openCheckpoints({ store, trajectory, name: 'qat', emit: (event) => events.push(event), existing });
const folder = (): string => join(store.folder, 'ckpt', trajectory);
const names = (): string[] => readdirSync(folder()).toSorted();
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): { text: string } => ({ text: new TextDecoder().decode(bytes) });
const latest = async (checkpoints = open()): Promise<string | null> => (await checkpoints.latest(textOf))?.text ?? null;

async function saveThree(): Promise<void> {
  const checkpoints = open();
  for (const [index, text] of ['one', 'two', 'three'].entries())
    await checkpoints.save(bytesOf(text), 10 * (index + 1));
}

describe('checkpoints', () => {
  it('are none at first', async () => {
    expect(await latest()).toBeNull();
    expect(events).toEqual([]);
  });

  it('are the newest two, named by number, step and digest', async () => {
    await saveThree();
    const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
    expect(names()).toEqual([`00000002-20-${digest('two')}`, `00000003-30-${digest('three')}`]);
    expect(await latest()).toBe('three');
    expect(readdirSync(join(store.folder, 'tmp'))).toEqual([]);
  });

  it('are counted on by the next process, also back to an earlier step', async () => {
    await saveThree();
    await open().save(bytesOf('again'), 5);
    expect(names().map((name) => name.slice(0, 11))).toEqual(['00000003-30', '00000004-5-']);
    expect(await latest()).toBe('again');
  });

  it('may be refused by the stage, which then sees the one before', async () => {
    await saveThree();
    const seen: string[] = [];
    const used = await open().latest((bytes) => {
      seen.push(textOf(bytes).text);
      return null;
    });
    expect({ used, seen }).toEqual({ used: null, seen: ['three', 'two'] });
    expect(names()).toHaveLength(2);
  });

  it('are not looked at where the stage is to run again', async () => {
    await saveThree();
    expect(await latest(open('ignore'))).toBeNull();
  });

  it('share their folder with what people put there', async () => {
    await saveThree();
    writeFileSync(join(folder(), 'notes.txt'), 'mine');
    mkdirSync(join(folder(), '00000009-9-x'));
    await open().save(bytesOf('four'), 40);
    expect(await latest()).toBe('four');
    expect(names()).toContain('notes.txt');
  });
});

describe('a damaged checkpoint', () => {
  it.each<[string, (file: string) => void]>([
    ['is cut short', (file) => truncateSync(file, 2)],
    ['is empty', (file) => truncateSync(file, 0)],
    ['has other bytes', (file) => writeFileSync(file, 'thref')],
  ])('that %s is set aside with an event, and the one before is used', async (_what, damage) => {
    await saveThree();
    const file = join(folder(), names()[1]!);
    chmodSync(file, 0o644);
    damage(file);
    const broken = readFileSync(file);
    expect(await latest()).toBe('two');
    expect(events).toMatchObject([
      { kind: 'checkpoint-damaged', stage: 'qat', found: 'the checkpoint of step 30 is damaged' },
    ]);
    const [event] = events;
    const movedTo = event?.kind === 'checkpoint-damaged' ? event.movedTo : null;
    expect(readFileSync(movedTo!)).toEqual(broken);
    expect(names()).toHaveLength(1);
    // Once it is said.
    expect(await latest()).toBe('two');
    expect(events).toHaveLength(1);
  });

  it('that is missing is passed over, and where both are bad there is none', async () => {
    await saveThree();
    const [before, last] = names().map((name) => join(folder(), name));
    rmSync(last!);
    expect(await latest()).toBe('two');
    expect(events).toEqual([]);
    chmodSync(before!, 0o644);
    writeFileSync(before!, '');
    expect(await latest()).toBeNull();
    expect(events).toHaveLength(1);
  });

  it('that is a folder, or that the stage cannot read, is set aside', async () => {
    await saveThree();
    const last = join(folder(), names()[1]!);
    rmSync(last);
    mkdirSync(last);
    expect(await latest()).toBe('two');
    expect(events).toMatchObject([{ found: 'the checkpoint of step 30 cannot be read (EISDIR)' }]);
    const use = (): never => {
      throw userError('file', 'not-this-training', 'it has no weights');
    };
    expect(await open().latest(use)).toBeNull();
    expect(events.at(-1)).toMatchObject({ found: 'the checkpoint of step 20 is of no use: it has no weights' });
  });

  it('is not what a mistake of ours is taken for', async () => {
    await saveThree();
    const use = (): never => {
      throw new Error('internal: no such thing');
    };
    await expect(open().latest(use)).rejects.toThrow('internal: no such thing');
    expect(names()).toHaveLength(2);
  });
});

describe('a disk that refuses a checkpoint', () => {
  it.each(['ENOSPC', 'EIO', 'EDQUOT'])('with %s is an event, once, and the one before stays', async (code) => {
    const checkpoints = open();
    await checkpoints.save(bytesOf('one'), 10);
    failing.code = code;
    await checkpoints.save(bytesOf('two'), 20);
    await checkpoints.save(bytesOf('three'), 30);
    expect(events).toMatchObject([{ kind: 'checkpoint-refused', stage: 'qat' }]);
    expect(JSON.stringify(events)).toMatch(/no space is left|input\/output error|quota is used up/);
    expect(readdirSync(join(store.folder, 'tmp'))).toEqual([]);
    expect(await latest()).toBe('one');
    failing.code = '';
    await checkpoints.save(bytesOf('four'), 40);
    expect(await latest()).toBe('four');
  });

  it('since a file is in the way is an event too', async () => {
    writeFileSync(join(store.folder, 'ckpt'), '');
    expect(await latest()).toBeNull();
    await open().save(bytesOf('one'), 10);
    expect(events).toMatchObject([
      { kind: 'checkpoint-refused', hint: expect.stringContaining('move it away') as unknown },
    ]);
  });
});

const plan: StagePlan = {
  ...{ name: 'qat', kind: 'qat', seeds: {}, environment: {}, replicas: 1, inputs: {}, job: {} },
  ...{ config: { epochs: 3, rate: 1 }, trajectory: { rate: 1 } },
  implementation: { id: 'test:qat', revision: 1, code: `sha256:${'0'.repeat(64)}` },
  outputs: { model: { type: 'Text/1', file: 'model.txt' } },
  needs: { threads: 1 },
};

describe('the trajectory of a stage', () => {
  const named = (changes: Partial<StagePlan>): string | null => trajectoryKey({ ...plan, ...changes }, {});

  it('does not depend on what says where it ends, and on all else that the key holds', () => {
    expect(named({ config: { epochs: 9, rate: 1 } })).toBe(named({}));
    const others: Partial<StagePlan>[] = [
      { trajectory: { rate: 2 } },
      { seeds: { seed: 2 } },
      { environment: { engine: 'other' } },
      { replicas: 2 },
      { implementation: { ...plan.implementation, revision: 2 } },
    ];
    expect(new Set([{}, ...others].map(named)).size).toBe(6);
  });

  it('is none for a stage that has none', () => {
    const { trajectory: _trajectory, ...without } = plan;
    expect(trajectoryKey(without, {})).toBeNull();
  });
});

describe('a stage with checkpoints', () => {
  const provenance = { commandLine: [], node: '', platform: '', arch: '', cpus: 2, qpipeVersion: '' };

  /** Counts to the number of its epochs, and may be killed on the way. */
  async function count(epochs: number, changes: { until?: number; existing?: 'use' | 'replace' } = {}) {
    const stage = { ...plan, config: { epochs, rate: 1 } };
    const steps: number[] = [];
    const work: StageWork = {
      async execute(_, { directory, checkpoints, emit }) {
        const found = await checkpoints?.latest((bytes) => ({ step: Number(textOf(bytes).text) }));
        let step = found?.step ?? 0;
        if (step > 0) emit({ kind: 'resumed', step, totalSteps: epochs, epoch: step, resumedAt: [step] });
        while (step < epochs) {
          steps.push(++step);
          await checkpoints?.save(bytesOf(String(step)), step);
          if (step === changes.until) throw new Error('killed');
        }
        writeFileSync(join(directory, 'model.txt'), String(step));
        return { metrics: {} };
      },
      check: () => Promise.resolve(),
      judge: (_, metrics) => ({ metrics, verdict: 'pass' }),
    };
    const job = { stage, inputs: {}, run: 'a', provenance, existing: changes.existing ?? 'use' } as const;
    const result = await executeStage(job, {
      ...{ store, work, busy: 'wait', clock: () => new Date(), now: () => performance.now() },
      emit: (event) => events.push(event),
      presence: { undisturbed: (body) => body(), rest: () => undefined, leave: () => Promise.resolve() },
      signal: new AbortController().signal,
    }).catch(() => null);
    return { steps, record: result?.record ?? null };
  }

  it('goes on, says so in an event, and in the record of its result', async () => {
    expect((await count(3, { until: 2 })).record).toBeNull();
    const { steps, record } = await count(3);
    expect(steps).toEqual([3]);
    expect(record).toMatchObject({ resumedAt: [2] });
    expect(events).toContainEqual({
      kind: 'stage-resumed',
      stage: 'qat',
      step: 2,
      totalSteps: 3,
      epoch: 2,
      resumedAt: [2],
    });
  });

  it('goes on from the last step of a shorter one, and has no word of it where it did not', async () => {
    expect((await count(3)).record).not.toHaveProperty('resumedAt');
    expect((await count(5)).steps).toEqual([4, 5]);
  });

  it('begins again where it is forced to', async () => {
    await count(3);
    expect((await count(3, { existing: 'replace' })).steps).toEqual([1, 2, 3]);
  });
});
