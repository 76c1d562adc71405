/** Runs whose process was killed: what they had finished is in their events. */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { execute } from '../../src/runner/execute.ts';
import { thisOwner } from '../../src/runner/owner.ts';
import type { Plan, StageWork } from '../../src/runner/plan.ts';
import type { RunRecord } from '../../src/runner/record.ts';
import { readRunRecord } from '../../src/runner/runs.ts';
import { seal } from '../../src/runner/sealed.ts';
import { settleRun } from '../../src/runner/settle.ts';
import { plainOptions, textStage } from './plain.ts';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'qpipe-settle-'))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** `b` says that it goes on behind two steps. */
const work: StageWork = {
  execute({ name }, { directory, emit }) {
    if (name === 'b') emit({ kind: 'resumed', step: 30, totalSteps: 40, epoch: 2, resumedAt: [12, 30] });
    writeFileSync(join(directory, 'text'), name);
    return Promise.resolve({ metrics: { letters: name.length } });
  },
  check: () => Promise.resolve(),
  judge: (_, metrics) => ({ metrics: { ...metrics, judged: true }, verdict: 'pass' }),
};

const plan: Plan = {
  ...{ name: 'letters', pipeline: '', origin: { file: '/letters.yaml', set: [], data: null } },
  ...{ resolved: {}, warnings: [], stages: [textStage('a'), textStage('b', 'a'), textStage('c', 'a')] },
};

const run = (): Promise<RunRecord> => execute(plan, { ...plainOptions(root), work });

/** Linux has no such process. */
const gone = { ...thisOwner(), pid: 2 ** 22 + 1 };

/** As the run's own record was while it went on. */
function killed(record: RunRecord): string {
  const folder = join(root, 'runs', record.id);
  const before: RunRecord = { ...record, status: 'running', seconds: 0, stages: [], warnings: [], owner: gone };
  writeFileSync(join(folder, 'run.json'), seal(before));
  return folder;
}

const settle = async (folder: string): Promise<RunRecord> =>
  settleRun(folder, (await readRunRecord(folder))!, thisOwner(), Date.now());

describe('the record of a run that was killed', () => {
  it('has the stages that had finished, as the run would have written them', async () => {
    const record = await run();
    expect(record.stages.map(({ name, resumedAt }) => [name, resumedAt])).toEqual([
      ['a', undefined],
      ['b', [12, 30]],
      ['c', undefined],
    ]);
    const folder = killed(record);
    const settled = await settle(folder);
    expect([settled.status, settled.stages]).toEqual(['interrupted', record.stages]);
    expect(await readRunRecord(folder)).toEqual(settled);
    // A result that is stored says the same of its making.
    expect((await run()).stages[1]).toMatchObject({ cached: true, resumedAt: [12, 30] });
  });

  it('leaves out a stage whose measurements are lost, and has what the events warn of, and when the last was', async () => {
    const folder = killed(await run());
    writeFileSync(join(folder, 'stages/b/metrics.json'), '');
    const { startedAt } = (await readRunRecord(folder))!;
    const time = new Date(Date.parse(startedAt) + 90_000).toISOString();
    const event = { kind: 'cache-repaired', time, stage: 'c', found: 'an object is damaged', movedTo: null };
    appendFileSync(join(folder, 'events.ndjson'), `${JSON.stringify(event)}\n{"kind":"stage-fin`);
    const { stages, seconds, warnings } = await settle(folder);
    expect(stages.map(({ name }) => name)).toEqual(['a', 'c']);
    expect(seconds).toBe(90);
    expect(warnings).toMatchObject([{ code: 'cache-repaired', message: expect.stringContaining('stage c') as string }]);
  });
});
