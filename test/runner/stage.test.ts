/** Two executions of one stage that know nothing of each other until they meet at the store. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { UntimedEvent } from '../../src/runner/event.ts';
import type { StagePlan, StageWork } from '../../src/runner/plan.ts';
import type { Job, StageHost, StageResult } from '../../src/runner/stage.ts';
import { executeStage } from '../../src/runner/stage.ts';
import type { Store } from '../../src/runner/store.ts';
import { openStore } from '../../src/runner/store.ts';

let root: string;
let store: Store;
let events: UntimedEvent[];

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'qpipe-stage-'));
  store = await openStore(root, () => randomBytes(16).toString('hex'));
  events = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const stage: StagePlan = {
  ...{ name: 'qat', kind: 'qat', config: {}, seeds: {}, environment: {}, replicas: 1, inputs: {}, job: {} },
  implementation: { id: 'test:qat', revision: 1, code: `sha256:${'0'.repeat(64)}` },
  outputs: { model: { type: 'Text/1', file: 'model.txt' } },
  needs: { threads: 1 },
};
const provenance = { commandLine: [], node: '', platform: '', arch: '', cpus: 2, qpipeVersion: '' };

/** A stage that writes `text` when `before` has ended. */
function run(text: string, before: () => unknown = () => null, changes: Partial<StageHost> = {}): Promise<StageResult> {
  const work: StageWork = {
    async execute(_, { directory }) {
      await before();
      writeFileSync(join(directory, 'model.txt'), text);
      return { metrics: {} };
    },
    check: () => Promise.resolve(),
    judge: (_, metrics) => ({ metrics, verdict: 'pass' }),
  };
  const job: Job = { stage, inputs: {}, run: text, provenance, existing: 'use' };
  const presence = {
    undisturbed: <T>(body: () => Promise<T>) => body(),
    rest: () => undefined,
    leave: () => Promise.resolve(),
  };
  return executeStage(job, {
    ...{ store, work, presence, busy: 'wait', clock: () => new Date(), now: () => performance.now() },
    emit: (event) => events.push(event),
    signal: new AbortController().signal,
    ...changes,
  });
}

/** As if the owner had been silent for a minute on another machine. */
function takeLeaseAway(): void {
  const leases = join(store.folder, 'leases');
  for (const key of readdirSync(leases)) rmSync(join(leases, key), { recursive: true });
}

const kinds = (): string[] => events.map(({ kind }) => kind);

describe('a stage that another process makes', () => {
  it('is waited for, and its result used', async () => {
    const second: Promise<StageResult>[] = [];
    const first = await run('a', async () => {
      second.push(run('b'));
      while (!kinds().includes('stage-waiting')) await new Promise((resolve) => setTimeout(resolve, 5));
    });
    expect(await second[0]).toEqual({ record: first.record, cached: true });
    expect(events).toMatchObject([
      { kind: 'stage-started', cached: false },
      { kind: 'stage-waiting', stage: 'qat', pid: process.pid, run: 'a', host: null, state: 'running' },
      { kind: 'stage-started', cached: true },
    ]);
  });

  it('ends the run at once where it must not wait', async () => {
    await run('a', () =>
      expect(run('b', undefined, { busy: 'fail' })).rejects.toMatchObject({ diagnostics: [{ code: 'result-in-use' }] }),
    );
    expect(kinds()).toEqual(['stage-started']);
  });

  it('is made by the one who waits when the first fails', async () => {
    const second: Promise<StageResult>[] = [];
    const first = run('a', async () => {
      second.push(run('b'));
      while (!kinds().includes('stage-waiting')) await new Promise((resolve) => setTimeout(resolve, 5));
      throw new Error('diverged');
    });
    await expect(first).rejects.toThrow('diverged');
    expect(await second[0]).toMatchObject({ cached: false, record: { run: 'b' } });
  });
});

describe('a stage whose lease was taken away while it ran', () => {
  it('keeps the result of whoever was faster, and says nothing when it is the same', async () => {
    const result = await run('a', async () => {
      takeLeaseAway();
      await run('a');
    });
    expect(result.record.outputs).toEqual((await run('')).record.outputs);
    expect(kinds()).not.toContain('nondeterminism');
  });

  it('says so when the results differ, with both digests', async () => {
    let theirs: StageResult | null = null;
    const result = await run('a', async () => {
      takeLeaseAway();
      theirs = await run('b');
    });
    expect(result.record).toEqual(theirs!.record);
    // printf b | sha256sum, printf a | sha256sum
    expect(events.at(-1)).toEqual({
      ...{ kind: 'nondeterminism', stage: 'qat', output: 'model' },
      before: 'sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d',
      now: 'sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',
    });
  });

  it('waits for whoever has it now, and leaves the commit to them', async () => {
    const theirs: Promise<StageResult>[] = [];
    const ours = await run('a', () => {
      takeLeaseAway();
      theirs.push(run('a', () => new Promise((resolve) => setTimeout(resolve, 200))));
    });
    expect(ours.record).toEqual((await theirs[0])?.record);
    expect(kinds()).toContain('stage-waiting');
    expect(readdirSync(join(store.folder, 'leases'))).toEqual([]);
  });
});
