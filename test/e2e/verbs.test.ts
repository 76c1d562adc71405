/** What a user asks about runs: which there are, how far one is, what it printed. */
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ListedRun, RunState } from 'qpipe';
import type { Outcome, Workspace } from './workspace.ts';
import { makeWorkspace, program, stageNames, tinyText, tinyWith } from './workspace.ts';

/** Trains until it is stopped. */
const endless = tinyWith([['epochs: 2, batch', 'epochs: 100000, batch']]).replace('name: tiny', 'name: endless');

interface RunFile {
  readonly id: string;
  readonly status: string;
  readonly seconds: number;
  readonly startedAt: string;
  readonly stages: readonly { readonly name: string; readonly metrics: { readonly accuracy?: Accuracy } }[];
}
interface Accuracy {
  readonly int8: { readonly correct: number };
}

type Event = Readonly<Record<string, unknown>>;

const runFile = (space: Workspace, run = 'latest') => space.json('runs', run, 'run.json') as RunFile;

const eventsOf = (space: Workspace, run = 'latest'): readonly Event[] =>
  space
    .text('runs', run, 'events.ndjson')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Event);

/** Until its training has told of a step. */
async function untilItTrains(space: Workspace): Promise<void> {
  for (;;) {
    const text = await readFile(space.file('runs/latest/events.ndjson'), 'utf8').catch(() => '');
    if (text.includes('"stage-progress"')) return;
    await sleep(50);
  }
}

const linesOf = ({ stdout }: Pick<Outcome, 'stdout'>): string[] => stdout.split('\n');

describe('a run that has ended', () => {
  const space = makeWorkspace();
  let printed: readonly string[] = [];

  it('is listed with what its own files say', async () => {
    expect(linesOf(await space.qpipe('ls'))).toEqual(['no runs yet; `qpipe run` makes one']);
    printed = linesOf(await space.qpipe('run', 'tiny.yaml'));
    await space.qpipe('run', 'tiny.yaml', '--set', 'stages.test.gates.int8_top1_min=0.999', '--set', 'seed=5');
    await space.qpipe('run', 'tiny.yaml', '--until', 'qat');
    const ids = readdirSync(space.file('runs'))
      .filter((name) => name !== 'latest')
      .toSorted()
      .toReversed();
    const listed = JSON.parse((await space.qpipe('ls', '--json')).stdout) as readonly ListedRun[];
    expect(listed.map(({ id, status, seconds, startedAt }) => ({ id, status, seconds, startedAt }))).toEqual(
      ids.map((id) => {
        const { status, seconds, startedAt } = runFile(space, id);
        return { id, status, seconds, startedAt };
      }),
    );
    // 64 images to test on.
    const shares = ids.map((id) =>
      runFile(space, id).stages.flatMap(({ metrics: { accuracy } }) => accuracy?.int8.correct ?? []),
    );
    expect(shares.map((counts) => counts.length)).toEqual([0, 1, 1]);
    expect(listed.map(({ measured }) => measured?.values ?? [])).toEqual(
      shares.map((counts) => counts.map((count) => count / 64)),
    );

    const { stdout } = await space.qpipe('ls', '--limit', '2');
    const [head, ...rows] = stdout.split('\n');
    expect(head).toMatch(/^run +status +started +took +int8$/);
    expect(rows.map((row) => row.slice(0, row.indexOf(' ')))).toEqual(ids.slice(0, 2));
    const [, share] = shares;
    expect(rows[1]).toContain(`top-1 ${((100 * (share?.[0] ?? NaN)) / 64).toFixed(2)} %`);
    expect(stdout).not.toContain('\u001b');
  });

  it('is printed again by `logs`, whole or a stage of it', async () => {
    const [first] = readdirSync(space.file('runs')).toSorted();
    const { stdout, code } = await space.qpipe('logs', first ?? '');
    expect(code).toBe(0);
    const lines = linesOf({ stdout });
    expect(lines.length).toBeGreaterThan(12);
    expect(lines).toEqual(printed.slice(0, lines.length));
    // Then comes the summary of the run.
    expect(printed[lines.length]).toBe('');
    const ofQat = linesOf(await space.qpipe('logs', first ?? '', 'qat'));
    expect(ofQat).toEqual(lines.filter((line) => line.startsWith('qat: ')));
    expect(ofQat.length).toBeGreaterThan(1);
    expect(linesOf(await space.qpipe('logs', 'pretrain'))).toEqual(
      linesOf(await space.qpipe('logs', 'runs/latest', 'pretrain')),
    );
    expect((await space.qpipe('logs', 'qta')).stderr).toBe(
      'command line error unknown-stage: the run has no stage `qta`\n  hint: did you mean `qat`?',
    );
    expect((await space.qpipe('logs', 'no/such')).stderr).toMatch(/^no\/such error not-a-run/);
    expect((await space.qpipe('logs', '-f', join('runs', first ?? ''))).code).toBe(0);
  });

  it('is told by `status`, with what has changed since', async () => {
    const stateOf = async (...args: string[]) =>
      JSON.parse((await space.qpipe('status', ...args, '--json')).stdout) as RunState;
    const [first] = readdirSync(space.file('runs')).toSorted();
    const whole = await stateOf(first ?? '');
    expect(whole.stages.map(({ name, state, since }) => [name, state, since])).toEqual(
      stageNames.map((name) => [name, 'done', 'same']),
    );
    // The newest was told to end with qat.
    expect((await stateOf()).stages.map(({ name }) => name)).toEqual(['pretrain', 'qat']);
    // Its settings are those of its own command line.
    const second = readdirSync(space.file('runs')).toSorted()[1] ?? '';
    expect((await stateOf(second)).stages.map(({ since }) => since)).toEqual(stageNames.map(() => 'same'));

    space.write('tiny.yaml', tinyWith([['delay: 2', 'delay: 3']]));
    const edited = await stateOf(first ?? '');
    expect(edited.stages.map(({ since }) => since)).toEqual([
      ...['same', 'changed', 'unknown', 'unknown', 'unknown', 'unknown'],
    ]);
    const { stdout } = await space.qpipe('status', first ?? '');
    expect(stdout).toMatch(/^qat +done, \d+\.\d s · val \d+\.\d\d % +changed$/m);
    expect(stdout).toContain('1 stage changed since; `qpipe why STAGE` says how');
    space.write('tiny.yaml', 'nonsense: true');
    const { stdout: unknown, code } = await space.qpipe('status', first ?? '');
    expect(code).toBe(0);
    expect(unknown).toContain('what has changed since is not known');
    space.write('tiny.yaml', tinyText);
  });
});

describe('a stage that fails', () => {
  it('is told by both, with its message', async () => {
    const space = makeWorkspace();
    space.write('tiny.yaml', tinyWith([['learning_rate: 0.05', 'learning_rate: 1e30']]));
    expect((await space.qpipe('run', 'tiny.yaml')).code).toBe(1);
    const message = eventsOf(space).find(({ kind }) => kind === 'stage-failed')?.['message'];
    expect(message).toEqual(expect.any(String));
    const { stdout, code } = await space.qpipe('logs', '-f');
    expect(stdout).toContain(`pretrain: failed\npretrain: ${String(message)}`);
    expect(code).toBe(1);
    const { stdout: status } = await space.qpipe('status', '--json');
    expect((JSON.parse(status) as RunState).stages.map(({ state }) => state)).toEqual([
      'failed',
      ...stageNames.slice(1).map(() => 'skipped'),
    ]);
    expect((await space.qpipe('ls')).stdout).toMatch(/ error /);
  });
});

describe('a run of another process', () => {
  it('is followed to its end, with its lines and its exit code', async () => {
    const space = makeWorkspace();
    space.write('tiny.yaml', tinyWith([['int8_top1_min: 0.1', 'int8_top1_min: 0.999']]));
    const run = space.start('run', 'tiny.yaml', '--set', 'stages.pretrain.epochs=20');
    await untilItTrains(space);
    const followed = await space.qpipe('logs', '-f');
    const { stdout, exitCode } = await run;
    expect(exitCode).toBe(2);
    expect(followed.code).toBe(2);
    const lines = linesOf(followed);
    expect(lines).toEqual(stdout.split('\n').slice(0, lines.length));
    expect(lines.at(-1)).toMatch(/^test: .* gate not met$/);
  });

  it('goes on when its follower is stopped; after kill -9 it was interrupted', async () => {
    const space = makeWorkspace();
    space.write('endless.yaml', endless);
    const run = space.start('run', 'endless.yaml');
    try {
      await untilItTrains(space);
      const follower = space.start('logs', '-f');
      for await (const line of follower) if (line.startsWith('pretrain: started')) follower.kill('SIGINT');
      const stopped = await follower;
      expect([stopped.exitCode, stopped.stderr]).toEqual([130, 'interrupted; the run itself goes on']);

      const state = JSON.parse((await space.qpipe('status', '--json')).stdout) as RunState;
      expect(state.status).toBe('running');
      expect(state.stages.map(({ state: of }) => of)).toEqual([
        'running',
        ...stageNames.slice(1).map(() => 'not-reached'),
      ]);
      const step = state.stages[0]?.progress?.step;
      expect(eventsOf(space).some((event) => event['kind'] === 'stage-progress' && event['step'] === step)).toBe(true);
      expect((await space.qpipe('status')).stdout).toMatch(/^pretrain +running {2}.*loss \d/m);
      expect((await space.qpipe('ls')).stdout).toMatch(/-endless-[0-9a-f]{4} +running /);
    } finally {
      run.kill('SIGKILL');
      await run;
    }
    expect((await space.qpipe('logs', '-f')).code).toBe(130);
    expect((await space.qpipe('ls')).stdout).toMatch(/-endless-[0-9a-f]{4} +interrupted /);
    const { stdout } = await space.qpipe('status');
    expect(stdout).toMatch(/^run \S+: interrupted$/m);
    expect(stdout).toMatch(/^pretrain +stopped /m);
    // It is not its record alone that says so: without a run there, nothing is running.
    expect(runFile(space).status).toBe('interrupted');
  });
});

describe('qpipe schema', () => {
  it('prints the files of schemas/', async () => {
    const space = makeWorkspace();
    const folder = join(program, '../../schemas');
    const names = readdirSync(folder).map((file) => file.replace('.schema.json', ''));
    expect(linesOf(await space.qpipe('schema', '--list')).toSorted()).toEqual(names.toSorted());
    for (const name of names) {
      const { stdout } = await space.qpipe('schema', name);
      expect(`${stdout}\n`).toBe(await readFile(join(folder, `${name}.schema.json`), 'utf8'));
    }
    expect((await space.qpipe('schema')).stdout).toBe((await space.qpipe('schema', 'pipeline')).stdout);
    expect((await space.qpipe('schema', 'pipelin')).stderr).toContain('did you mean `pipeline`?');
  });
});
