/** What a user asks about stages: what a run would do, why one ran again, and whether it would write the same. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DryStage, Why } from 'qpipe';
import type { RunRecord } from '../../src/runner/record.ts';
import { seal, unseal } from '../../src/runner/sealed.ts';
import type { Workspace } from './workspace.ts';
import { makeWorkspace, tinyText, tinyWith } from './workspace.ts';

const lineOf = (text: string, part: string): number => text.slice(0, text.indexOf(part)).split('\n').length;

const qatLine = lineOf(tinyText, '  qat: ');

/** Every file of a folder with its time and content. */
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => `${file} ${statSync(file).mtimeMs} ${readFileSync(file, 'latin1')}`)
    .toSorted();

describe('qpipe run --dry-run', () => {
  const statesIn = async (space: Workspace, ...options: string[]) => {
    const { code, stdout, stderr } = await space.qpipe('run', 'tiny.yaml', '--dry-run', '--json', ...options);
    expect([code === 0 || code === 3, stderr]).toEqual([true, '']);
    const stages = JSON.parse(stdout) as readonly DryStage[];
    return { code, stages, states: stages.map(({ name, state }) => `${name} ${state}`) };
  };

  it('says what a run then does, and touches nothing', async () => {
    const space = makeWorkspace();
    const before = filesIn(space.folder);
    expect((await statesIn(space)).states).toEqual([
      'pretrain run',
      'qat unknown',
      'eval unknown',
      'freeze unknown',
      'convert unknown',
      'test unknown',
    ]);
    expect(filesIn(space.folder)).toEqual(before);
    await space.qpipe('run', 'tiny.yaml', '--until', 'freeze');
    const after = filesIn(space.folder);

    const { code, stages } = await statesIn(space, '--check');
    const stored = (space.json('runs/latest/run.json') as RunRecord).stages;
    expect(stages.slice(0, 4).map(({ name, state, key }) => ({ name, state, key }))).toEqual(
      stored.map(({ name, key }) => ({ name, state: 'stored', key })),
    );
    expect(stages.slice(4).map(({ name, state }) => `${name} ${state}`)).toEqual(['convert run', 'test unknown']);
    expect(code).toBe(3);
    expect((await statesIn(space, '--check', '--until', 'qat')).code).toBe(0);

    const changed = await statesIn(space, '--set', 'stages.qat.delay=3');
    expect(changed.states.slice(0, 3)).toEqual(['pretrain stored', 'qat run', 'eval unknown']);
    expect(changed.stages[1]?.changes).toMatchObject([{ what: 'stages.qat.delay', before: '2', now: '3' }]);
    expect((await statesIn(space, '--only', 'convert', '--set', 'seed=2')).states).toEqual([
      'pretrain required',
      'qat required',
      'eval required',
      'freeze required',
      'convert unknown',
    ]);
    expect((await statesIn(space, '--until', 'qat', '--force', 'qat')).states).toEqual([
      'pretrain stored',
      'qat forced',
    ]);
    expect(filesIn(space.folder)).toEqual(after);
  });
});

describe('qpipe why', () => {
  it('shows the old and the new value with their place, of the stage and of those before it', async () => {
    const space = makeWorkspace();
    expect((await space.qpipe('why', 'qat')).stderr).toMatch(/^runs error no-runs: there is no run to ask about/);
    await space.qpipe('run', 'tiny.yaml');
    const { id } = space.json('runs/latest/run.json') as RunRecord;
    expect((await space.qpipe('why', 'qat')).stdout).toBe(`qat is stored: nothing has changed since run ${id}`);

    space.write(
      'tiny.yaml',
      tinyWith([
        ['delay: 2', 'delay: 3'],
        ['learning_rate: 0.05', 'learning_rate: 0.04'],
      ]),
    );
    const { stdout } = await space.qpipe('why', 'convert');
    const file = space.file('tiny.yaml');
    expect(stdout.split('\n')).toEqual([
      `convert may run again; changed since run ${id}:`,
      '  pretrain',
      `    stages.pretrain.optimizer.learning_rate: 0.05 → 0.04  (${file}:${qatLine - 1})`,
      '  qat',
      `    stages.qat.delay: 2 → 3  (${file}:${qatLine})`,
    ]);
    const { stdout: json } = await space.qpipe('why', 'eval', '--json');
    expect((JSON.parse(json) as Why).changes?.map(({ stage }) => stage)).toEqual(['pretrain', 'qat']);

    // Afterwards it says why the stage ran.
    await space.qpipe('run', 'tiny.yaml');
    const { id: next } = space.json('runs/latest/run.json') as RunRecord;
    expect((await space.qpipe('why', 'qat')).stdout.split('\n')[0]).toBe(
      `qat is stored, from run ${next}, in which it ran; changed since run ${id}:`,
    );
  });

  it('names changed examples, a changed seed, and code of ours that changed', async () => {
    const space = makeWorkspace();
    await space.qpipe('run', 'tiny.yaml', '--until', 'qat');
    const { stdout } = await space.qpipe('why', 'qat', '--pipeline', 'tiny.yaml', '--set', 'seed=2');
    expect(stdout).toMatch(/^ {4}the examples: [0-9a-f]{12} → [0-9a-f]{12}$/m);
    expect(stdout).toMatch(/^ {4}seed: 1 → 2 {2}\(command line\)$/m);

    // As an earlier build would have left it: another digest of the code in the text of the key.
    const record = space.json('runs/latest/run.json') as RunRecord;
    const [key] = record.stages.flatMap(({ name, key: of }) => (name === 'qat' ? [of] : []));
    const preimage = space.text('.qpipe/store/v1/preimage', key!.slice(0, 2), `${key}.json`);
    const older = preimage.replace(/"code":"sha256:[0-9a-f]{8}/, '"code":"sha256:00000000');
    const oldKey = createHash('sha256').update(`qpipe-key-v1\n${older}`).digest('hex');
    const folder = space.file('.qpipe/store/v1/preimage', oldKey.slice(0, 2));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${oldKey}.json`), older);
    const text = space.text('runs/latest/run.json').replaceAll(key!, oldKey);
    const { digest: _digest, ...content } = JSON.parse(text) as Record<string, unknown>;
    expect(unseal(text)).toBeNull();
    writeFileSync(space.file('runs/latest/run.json'), seal(content));
    expect((await space.qpipe('why', 'qat')).stdout).toMatch(
      /^ {4}qpipe's code of this stage: 00000000[0-9a-f]{4} → [0-9a-f]{12}$/m,
    );
  });

  it('knows the stages of the pipeline', async () => {
    const space = makeWorkspace();
    await space.qpipe('run', 'tiny.yaml', '--until', 'pretrain');
    const { code, stderr } = await space.qpipe('why', 'qta');
    expect(code).toBe(64);
    expect(stderr).toBe(
      'command line error unknown-stage: the pipeline has no stage `qta`\n  hint: did you mean `qat`?',
    );
  });
});

describe('qpipe verify', () => {
  it('runs stages again, compares, and keeps what is stored', async () => {
    const space = makeWorkspace();
    await space.qpipe('run', 'tiny.yaml', '--until', 'convert');
    const actions = filesIn(space.file('.qpipe/store/v1/actions'));
    const { code, stdout } = await space.qpipe('verify', '--rebuild', 'convert,qat');
    expect(code).toBe(0);
    expect(stdout.split('\n')).toEqual(['qat: model has the same bytes', 'convert: model has the same bytes']);
    expect(filesIn(space.file('.qpipe/store/v1/actions'))).toEqual(actions);
    expect((await space.qpipe('verify', '--rebuild', 'test')).stderr).toMatch(/^stage test error not-stored: /m);
  });

  it('finds a result that is not what the stage writes', async () => {
    const space = makeWorkspace();
    await space.qpipe('run', 'tiny.yaml', '--until', 'pretrain');
    await space.qpipe(
      'run',
      'tiny.yaml',
      '--until',
      'pretrain',
      '--set',
      'stages.pretrain.epochs=1',
      '--runs',
      'other',
    );
    // The record says that the stage wrote what it wrote with another setting.
    const recordOf = (runs: string) => {
      const { key } = (space.json(runs, 'latest/run.json') as RunRecord).stages[0]!;
      return space.file('.qpipe/store/v1/actions', key.slice(0, 2), `${key}.json`);
    };
    const [right, wrong] = [recordOf('runs'), recordOf('other')].map((file) => unseal(readFileSync(file, 'utf8'))!);
    writeFileSync(recordOf('runs'), seal({ ...right, outputs: wrong!['outputs'] }));
    const { code, stdout } = await space.qpipe('verify');
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^pretrain: model DIFFERS: sha256:[0-9a-f]{64} is stored, sha256:[0-9a-f]{64} was written now$/,
    );
  });
});

describe('qpipe run --resume', () => {
  it('uses the pipeline of a run as it was, and says how the file differs', async () => {
    const space = makeWorkspace();
    await space.qpipe('run', 'tiny.yaml', '--until', 'pretrain', '--set', 'stages.qat.delay=3');
    const { id } = space.json('runs/latest/run.json') as RunRecord;
    space.write('tiny.yaml', tinyWith([['epochs: 2', 'epochs: 1']]));
    const { code, stdout, stderr } = await space.qpipe('run', '--resume', `runs/${id}`, '--until', 'qat');
    expect([code, stderr.split('\n')[0]]).toEqual([
      0,
      `${space.file('tiny.yaml')} warning pipeline-changed: the file is not what run ${id} had: stages.pretrain.epochs was 2, is 1`,
    ]);
    expect(stdout).toMatch(/^pretrain: cached/m);
    expect(space.json('runs/latest/resolved.json')).toMatchObject({
      stages: { pretrain: { epochs: 2 }, qat: { delay: 3 } },
    });
  });

  it.each([
    [[], /^command line error bad-arguments: no pipeline was named\n/],
    [
      ['tiny.yaml', '--resume', 'runs/latest'],
      /^command line error bad-arguments: `--resume` uses the pipeline of a run/,
    ],
    [['--resume', 'runs/latest', '--set', 'seed=2'], /^command line error bad-arguments: `--resume` uses/],
    [['--resume', 'runs/latest', '--data', '.'], /^command line error bad-arguments: `--resume` uses/],
    [['--resume', 'nowhere'], /^nowhere error not-a-run: there is no such folder\n/],
  ])('is not taken with %j', async (args, message) => {
    const { stderr } = await makeWorkspace().qpipe('run', ...args);
    expect(stderr).toMatch(message);
  });
});

describe('qpipe run --no-cache', () => {
  it('neither takes results from the store nor keeps them there', async () => {
    const space = makeWorkspace();
    await space.qpipe('run', 'tiny.yaml', '--until', 'qat');
    const first = (space.json('runs/latest/run.json') as RunRecord).stages;
    const before = filesIn(space.file('.qpipe'));
    const { code, stdout } = await space.qpipe('run', 'tiny.yaml', '--no-cache', '--until', 'eval');
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/cached/);
    const again = (space.json('runs/latest/run.json') as RunRecord).stages;
    expect(again.slice(0, 2).map(({ outputs }) => outputs)).toEqual(first.map(({ outputs }) => outputs));
    expect(filesIn(space.file('.qpipe'))).toEqual(before);
    expect(readdirSync(space.file('.qpipe/store/v1/tmp'))).toEqual([]);
  });
});
