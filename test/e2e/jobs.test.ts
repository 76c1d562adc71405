/** Stages side by side in processes of their own, and runs of a part of a pipeline. */
import { setTimeout as sleep } from 'node:timers/promises';
import { readdirSync } from 'node:fs';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import type { RunRecord } from '../../src/runner/record.ts';
import type { Workspace } from './workspace.ts';
import { makeWorkspace, tinyWith } from './workspace.ts';

/** The tiny pipeline with a second branch, `b`, that differs in its delay. */
const branches = tinyWith([
  [', devices: [cpu:0, cpu:1]', ''],
  [
    '  eval: ',
    `  b:        { uses: qat, from: pretrain, epochs: 1, batch: 32, delay: 4 }
  eval-b:   { uses: save-eval-graph, from: b }
  freeze-b: { uses: freeze, from: eval-b }
  convert-b: { uses: convert, from: freeze-b }
  eval: `,
  ],
]);

const workspace = (): Workspace => {
  const space = makeWorkspace();
  space.write('branches.yaml', branches);
  return space;
};

const recordIn = (space: Workspace) => space.json('runs/latest/run.json') as RunRecord;
const digestsIn = (space: Workspace) => recordIn(space).stages.map(({ name, outputs }) => [name, outputs]);

/** Processes that a process has started. */
async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await execa('pgrep', ['-P', String(pid)], { reject: false });
  return stdout.split('\n').filter(Boolean).map(Number);
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** A run of both branches at once, which would take for ever, as soon as both train. */
async function endlessRun(space: Workspace) {
  const run = space.start(
    'run',
    'branches.yaml',
    '-j',
    '2',
    '--set',
    'stages.qat.epochs=100000',
    '--set',
    'stages.b.epochs=100000',
  );
  const seen = new Set<string>();
  await new Promise<void>((resolve) => {
    run.stdout.on('data', (text: Buffer) => {
      for (const [, stage] of text.toString().matchAll(/^(qat|b): epoch/gm)) seen.add(stage!);
      if (seen.size === 2) resolve();
    });
  });
  return { run, children: await childrenOf(run.pid!) };
}

describe('stages side by side', () => {
  it('write the bytes that they write one after another', async () => {
    const [serial, parallel] = [workspace(), workspace()];
    expect((await serial.qpipe('run', 'branches.yaml')).code).toBe(0);
    const { code, stderr } = await parallel.qpipe('run', 'branches.yaml', '-j', '2');
    expect([code, stderr]).toEqual([0, '']);
    expect(digestsIn(parallel)).toEqual(digestsIn(serial));
    expect(recordIn(parallel).stages).toHaveLength(10);
  });

  it('all end with Ctrl-C', async () => {
    const space = workspace();
    const { run, children } = await endlessRun(space);
    expect(children).toHaveLength(2);
    run.kill('SIGINT');
    expect((await run).exitCode).toBe(130);
    expect(children.filter(isAlive)).toEqual([]);
    expect(recordIn(space)).toMatchObject({ status: 'interrupted', stages: [{ name: 'pretrain' }] });
    expect(readdirSync(space.file('.qpipe/store/v1/work'))).toEqual([]);
  });

  it('end when the run that started them is killed', async () => {
    const { run, children } = await endlessRun(workspace());
    run.kill('SIGKILL');
    await run;
    for (let waited = 0; children.some(isAlive) && waited < 100; waited++) await sleep(100);
    expect(children.filter(isAlive)).toEqual([]);
  });

  it('say so when the process of one is killed', async () => {
    const space = workspace();
    const { run, children } = await endlessRun(space);
    for (const child of children) process.kill(child, 'SIGKILL');
    const { exitCode, stderr } = await run;
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /^stage (qat|b) error process-ended: its process ended without a result \(SIGKILL\)\n {2}hint: /,
    );
  });

  it.each(['1', '2'])(
    'go on with --keep-going where they do not need the one that failed, with -j %s',
    async (jobs) => {
      const space = workspace();
      const diverges = ['--set', 'stages.qat.optimizer={ kind: sgd, learning_rate: 1.0e+30 }'];
      const { code, stdout, stderr } = await space.qpipe(
        'run',
        'branches.yaml',
        '-j',
        jobs,
        '--keep-going',
        ...diverges,
      );
      expect(code).toBe(1);
      expect(stderr).toMatch(/ error training-diverged: /);
      expect(stdout).toMatch(/^eval: not run, since qat failed$/m);
      expect(stdout).toMatch(/^test: not run, since qat failed$/m);
      expect(recordIn(space)).toMatchObject({ status: 'error' });
      expect(recordIn(space).stages.map(({ name }) => name)).toEqual([
        'pretrain',
        'b',
        'eval-b',
        'freeze-b',
        'convert-b',
      ]);
    },
  );
});

describe('a part of a pipeline', () => {
  it('runs with what must be there before it, and with nothing else', async () => {
    const space = workspace();
    const ran = async (...options: string[]) => {
      const { code, stderr } = await space.qpipe('run', 'branches.yaml', ...options);
      const stages = code === 0 ? recordIn(space).stages : [];
      return { stderr, ran: stages.flatMap(({ name, cached }) => (cached ? [] : [name])) };
    };
    expect((await ran('--only', 'qat')).stderr).toMatch(
      /^stage pretrain error not-stored: it has no stored result for the settings as they are now/,
    );
    expect((await ran('--until', 'qat')).ran).toEqual(['pretrain', 'qat']);
    expect((await ran('--only', 'b')).ran).toEqual(['b']);
    expect((await ran('--from', 'b')).ran).toEqual(['eval-b', 'freeze-b', 'convert-b']);
    expect((await ran('--from', 'qat', '--until', 'freeze')).ran).toEqual(['eval', 'freeze']);
    expect((await ran()).ran).toEqual(['convert', 'test']);
  });

  it('must be named as the pipeline names it', async () => {
    const { code, stderr } = await workspace().qpipe('run', 'branches.yaml', '--from', 'qta', '--only', 'b,c');
    expect(code).toBe(64);
    expect(stderr).toContain('`--from` names `qta`, but the pipeline has no such stage\n  hint: did you mean `qat`?');
    expect(stderr).toContain('`--only` names `c`, but the pipeline has no such stage');
  });
});
