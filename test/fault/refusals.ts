/** A disk that refuses any one of the calls of a run: a result, a run that says so, never a wrong result. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import { machineError } from '../../src/runner/disk-error.ts';
import { execute } from '../../src/runner/execute.ts';
import type { Plan, StageWork } from '../../src/runner/plan.ts';
import type { RunRecord } from '../../src/runner/record.ts';
import { openStore } from '../../src/runner/store.ts';
import { verifyStore } from '../../src/runner/verify.ts';
import { plainOptions, textStage } from '../runner/plain.ts';
import type { Errno, Refusal, RefusingDisk } from './refusing-disk.ts';
import { refusingDisk } from './refusing-disk.ts';

/** The second stage counts to three, and keeps how far it is. */
const work: StageWork = {
  async execute({ name }, { inputs, directory, checkpoints }) {
    const before = Object.values(inputs).map((file) => readFileSync(file, 'utf8'));
    const found = await checkpoints?.latest((bytes) => ({ count: Number(Buffer.from(bytes).toString()) }));
    let count = found?.count ?? 0;
    while (checkpoints !== undefined && count < 3) await checkpoints.save(Buffer.from(String(++count)), count);
    writeFileSync(join(directory, 'text'), `${name}(${before.join()})`);
    return { metrics: { inputs: before.length } };
  },
  check: () => Promise.resolve(),
  judge: (_, metrics) => ({ metrics, verdict: 'pass' }),
};

const plan: Plan = {
  ...{ name: 'refused', pipeline: 'version: 1\n', resolved: {}, warnings: [] },
  origin: { file: '/refused.yaml', set: [], data: null },
  stages: [textStage('a'), { ...textStage('b', 'a'), trajectory: {} }],
};

const run = (root: string): Promise<RunRecord> => execute(plan, { ...plainOptions(root), work });

/** A disk of its own that is quick, so that there is time for many runs. */
const memory = '/dev/shm';

/** What the stages write, by hand. */
const digests = ['a()', 'b(a())'].map((text) => `sha256:${createHash('sha256').update(text).digest('hex')}`);

function expectRight(root: string, { id, status, stages }: RunRecord, where: string): void {
  const found = stages.map(({ outputs }) => outputs['text']?.digest);
  expect([status, found], where).toEqual(['pass', digests]);
  const shown = ['a', 'b'].map((name) => readFileSync(join(root, 'runs', id, 'stages', name, 'text'), 'utf8'));
  expect(shown, where).toEqual(['a()', 'b(a())']);
}

/** What the command line makes of it is one diagnostic with a remedy. */
function expectExplained(error: unknown, where: string): void {
  const shown = machineError(error) ?? error;
  expect(shown, `${where}: ${String((error as Error).stack)}`).toBeInstanceOf(UserError);
  expect(String(shown), where).toContain('hint: ');
}

function emptyFolder(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
}

/** @param stride 1 refuses each call, 2 every other one, and so on */
export function describeRefusals(stride: number, errnos: readonly Errno[]): void {
  describe.each(errnos)('a disk that refuses a call with %s', (errno) => {
    let root: string;
    let disk: RefusingDisk;
    beforeAll(() => {
      root = mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), 'qpipe-refusal-'));
      disk = refusingDisk(root);
    });
    afterAll(() => {
      disk.restore();
      rmSync(root, { recursive: true, force: true });
    });
    const fresh = (): void => {
      for (const name of ['store', 'runs']) rmSync(join(root, name), { recursive: true, force: true });
    };

    it.each([
      ['once', 'when nothing is stored', fresh],
      ['for good', 'when nothing is stored', fresh],
      ['once', 'when all is stored', () => run(root)],
      ['for good', 'when all is stored', () => run(root)],
    ] as const)(
      '%s, %s: the right result, or one error with its remedy; the next run is right',
      async (lasts, _when, prepare) => {
        const ends = { right: 0, explained: 0 };
        for (let at = 1; ; at += stride) {
          fresh();
          await prepare();
          const refusal: Refusal = { at, errno, lasts };
          let outcome: RunRecord | { readonly error: unknown } = { error: null };
          const { refused } = await disk.during(refusal, async () => {
            outcome = await run(root).catch((error: unknown) => ({ error }));
          });
          if (refused.length === 0) break;
          const where = `call ${at} (${refused[0]})`;
          ends['error' in outcome ? 'explained' : 'right']++;
          if ('error' in outcome) expectExplained(outcome.error, where);
          else expectRight(root, outcome, where);

          // The process ends, and with it what it could not give back.
          for (const name of ['leases', 'live']) emptyFolder(join(root, 'store/v1', name));
          expectRight(root, await run(root), `after ${where}`);
          const store = await openStore(join(root, 'store'), () => randomBytes(16).toString('hex'));
          const { faults } = await verifyStore(store, [], () => undefined, new AbortController().signal);
          expect(faults, where).toEqual([]);
        }
        console.info(`${errno} ${lasts}: ${ends.right} runs were right, ${ends.explained} said what was wrong`);
        expect(ends.explained).toBeGreaterThan(0);
      },
      1_800_000,
    );
  });
}
