import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { Value } from '@sinclair/typebox/value';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { createRandom } from '../../src/core/random.ts';
import { runEventSchema } from '../../src/runner/event.ts';
import type { RunEvent } from '../../src/runner/event.ts';
import { execute, Interrupted } from '../../src/runner/execute.ts';
import type { ExecuteOptions } from '../../src/runner/execute.ts';
import type { Judgement, Plan, StageContext, StageOutcome, StagePlan, StageWork } from '../../src/runner/plan.ts';
import { runRecordSchema } from '../../src/runner/record.ts';
import type { RunRecord } from '../../src/runner/record.ts';
import { seal, unseal } from '../../src/runner/sealed.ts';
import { openStore, remembered } from '../../src/runner/store.ts';

let root: string;
let store: string;
let runs: string;
let events: RunEvent[];
/** Kinds of the stages that really ran, in order. */
let executed: string[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'qpipe-runner-'));
  store = join(root, 'store');
  runs = join(root, 'runs');
  events = [];
  executed = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function run(plan: Plan<FakeJob>, changes: Partial<ExecuteOptions<FakeJob>> = {}): Promise<RunRecord> {
  events = [];
  executed = [];
  return execute(plan, {
    store,
    runs,
    work,
    emit: (event) => events.push(event),
    signal: new AbortController().signal,
    clock: () => new Date(),
    now: () => performance.now(),
    randomHex: () => randomBytes(16).toString('hex'),
    provenance: { commandLine: ['run'], node: 'v20', platform: 'linux', arch: 'x64', cpus: 2, qpipeVersion: '0.1.0' },
    ...changes,
  });
}

/** Its job is closures, which is enough for one process. */
type Fake = StagePlan<FakeJob>;

interface FakeJob {
  readonly execute: (context: StageContext) => Promise<StageOutcome>;
  readonly check: (output: string, file: string) => Promise<void>;
  readonly judge: (metrics: JsonObject) => Judgement;
}

const work: StageWork<FakeJob> = {
  execute: ({ job }, context) => job.execute(context),
  check: ({ job }, output, file) => job.check(output, file),
  judge: ({ job }, metrics) => job.judge(metrics),
};

/** A stage that writes `text` of its input's text, or of '' when it has none. */
function fake(
  kind: string,
  text: (input: string) => string,
  { execute, check, judge, ...changes }: Partial<Fake & FakeJob> = {},
): Fake {
  return {
    name: kind,
    kind,
    implementation: { id: `test:${kind}`, revision: 1, code: `sha256:${'0'.repeat(64)}` },
    config: {},
    seeds: {},
    environment: {},
    replicas: 1,
    inputs: {},
    outputs: { model: { type: 'Text/1', file: 'model.txt' } },
    needs: { threads: 0 },
    job: {
      check: check ?? (() => Promise.resolve()),
      execute:
        execute ??
        (({ inputs, directory }) => {
          executed.push(kind);
          const input = inputs['model'] === undefined ? '' : readFileSync(inputs['model'], 'utf8');
          writeFileSync(join(directory, 'model.txt'), text(input));
          return Promise.resolve({ metrics: { length: input.length } });
        }),
      judge: judge ?? ((metrics) => ({ metrics, verdict: 'pass' })),
    },
    ...changes,
  };
}

const after = (stage: string): Pick<StagePlan, 'inputs'> => ({
  inputs: { model: { kind: 'output', stage, output: 'model', type: 'Text/1' } },
});

/** pretrain writes `abc`; qat appends its width; convert turns to upper case. */
function chain(
  width = 8,
  changes: { pretrain?: Partial<Fake & FakeJob>; qat?: Partial<Fake & FakeJob> } = {},
): Plan<FakeJob> {
  return planOf(
    fake('pretrain', () => 'abc', changes.pretrain),
    fake('qat', (input) => `${input}${width}`, { ...after('pretrain'), config: { width }, ...changes.qat }),
    fake('convert', (input) => input.toUpperCase(), after('qat')),
  );
}

const origin = { file: '/demo.yaml', set: [], data: null };

function planOf(...stages: Fake[]): Plan<FakeJob> {
  return {
    name: 'demo',
    pipeline: '# a comment\nname: demo\n',
    resolved: { name: 'demo' },
    origin,
    warnings: [],
    stages,
  };
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const objectOf = (text: string) => join(store, 'v1/objects', sha256(text).slice(0, 2), sha256(text).slice(2));
const filesUnder = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
const kinds = () => events.map(({ kind }) => kind);
const onlyRun = () => join(runs, readlinkSync(join(runs, 'latest')));
const readJson = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as JsonObject;

function expectNothingCached(): void {
  for (const section of ['actions', 'preimage', 'objects', 'work', 'tmp']) {
    expect(filesUnder(join(store, 'v1', section))).toEqual([]);
  }
  expect(readdirSync(join(store, 'v1/work'))).toEqual([]);
}

describe('the cache', () => {
  it('serves a second run from the store alone, with the same files and records', async () => {
    const first = await run(chain());
    expect(executed).toEqual(['pretrain', 'qat', 'convert']);
    const second = await run(chain());
    expect(executed).toEqual([]);
    expect(second.stages.map(({ cached }) => cached)).toEqual([true, true, true]);
    expect(second.stages).toEqual(first.stages.map((stage) => ({ ...stage, cached: true })));
    expect(readFileSync(join(runs, second.id, 'stages/convert/model.txt'), 'utf8')).toBe('ABC8');
    expect(readJson(join(runs, second.id, 'stages/qat/metrics.json'))).toEqual({ length: 3 });
  });

  it('runs a stage whose configuration changed, and what follows it', async () => {
    await run(chain(8));
    await run(chain(4));
    expect(executed).toEqual(['qat', 'convert']);
    await run(chain(8));
    expect(executed).toEqual([]);
  });

  it('runs nothing after a stage that ran again to the same bytes', async () => {
    await run(chain());
    await run(chain(8, { pretrain: { config: { note: 'no effect' } } }));
    expect(executed).toEqual(['pretrain']);
  });

  it('runs nothing when stages, the pipeline or its comments are renamed or reworded', async () => {
    await run(chain());
    const [pretrain, qat, convert] = chain().stages;
    const renamed = await run({
      name: 'other',
      pipeline: '# another comment\n',
      origin: { file: '/other.yaml', set: [], data: null },
      resolved: { name: 'other', description: 'new' },
      warnings: [],
      stages: [
        { ...pretrain!, name: 'float' },
        { ...qat!, name: 'fine-tune', ...after('float') },
        { ...convert!, ...after('fine-tune') },
      ],
    });
    expect(executed).toEqual([]);
    expect(renamed.stages[1]?.outputs['model']?.path).toBe('stages/fine-tune/model.txt');
    expect(readFileSync(join(runs, renamed.id, 'stages/fine-tune/model.txt'), 'utf8')).toBe('abc8');
  });

  it('runs a stage again when an external input has other content', async () => {
    const withData = (byte: string) =>
      planOf(
        fake('pretrain', () => 'abc', {
          inputs: { data: { kind: 'external', type: 'Dataset/1', digest: `sha256:${byte.repeat(64)}` } },
        }),
      );
    await run(withData('1'));
    await run(withData('2'));
    expect(executed).toEqual(['pretrain']);
  });

  it('judges stored measurements on every run, with the limits that the run has', async () => {
    const withLimit = (limit: number) =>
      planOf(
        fake('test', () => 'report', {
          judge: (metrics) => ({ metrics: { ...metrics, limit }, verdict: limit > 0 ? 'fail' : 'pass' }),
        }),
        fake('convert', (input) => input, after('test')),
      );
    const met = await run(withLimit(0));
    const missed = await run(withLimit(1));
    expect(executed).toEqual([]);
    expect([met.status, missed.status]).toEqual(['pass', 'fail']);
    expect(missed.stages.map(({ cached, verdict }) => [cached, verdict])).toEqual([
      [true, 'fail'],
      [true, 'pass'],
    ]);
    expect(missed.stages[0]?.metrics).toEqual({ length: 0, limit: 1 });
    expect(readJson(join(runs, missed.id, 'stages/test/metrics.json'))).toEqual({ length: 0, limit: 1 });
    expect((await run(withLimit(0))).status).toBe('pass');
  });

  it('executes a forced stage, replaces its result and says when the bytes differ', async () => {
    let text = 'one';
    const plan = planOf(fake('pretrain', () => text));
    await run(plan);
    text = 'two';
    const second = await run(plan, { force: ['pretrain'] });
    expect(executed).toEqual(['pretrain']);
    expect(second.warnings).toMatchObject([{ code: 'nondeterminism', layer: null }]);
    expect(events).toContainEqual(
      expect.objectContaining({
        kind: 'nondeterminism',
        output: 'model',
        before: `sha256:${sha256('one')}`,
        now: `sha256:${sha256('two')}`,
      }),
    );
    const third = await run(plan);
    expect(third.stages[0]?.outputs['model']?.digest).toBe(`sha256:${sha256('two')}`);
  });

  it('keeps the warnings of the plan in run.json, whether stages run or not', async () => {
    const warning = {
      code: 'odd',
      place: { file: 'p.yaml', line: 3 },
      message: 'an odd setting',
      hint: 'leave it out',
    };
    const plan = { ...chain(), warnings: [warning, { ...warning, layer: 'conv1' }] };
    const kept = { code: 'odd', message: 'an odd setting', hint: 'leave it out' };
    for (const record of [await run(plan), await run(plan)]) {
      expect(record.warnings).toEqual([
        { ...kept, layer: null },
        { ...kept, layer: 'conv1' },
      ]);
    }
  });

  it('stores objects by sha256, read-only, and the text behind each key', async () => {
    const { stages } = await run(chain());
    const object = objectOf('abc8');
    expect(readFileSync(object, 'utf8')).toBe('abc8');
    expect(statSync(object).mode & 0o777).toBe(0o444);
    for (const { key } of stages) {
      const preimage = readFileSync(join(store, 'v1/preimage', key.slice(0, 2), `${key}.json`), 'utf8');
      expect(sha256(`qpipe-key-v1\n${preimage}`)).toBe(key);
    }
    expect(readFileSync(join(store, 'v1/VERSION'), 'utf8')).toBe('qpipe-store-v1\n');
    expect([...readdirSync(join(store, 'v1/work')), ...readdirSync(join(store, 'v1/tmp'))]).toEqual([]);
  });

  it('verifies stored results: all run once more, and what is stored stays and is used', async () => {
    const first = await run(chain());
    const again = await run(chain(), { results: 'verify' });
    expect(executed).toEqual(['pretrain', 'qat', 'convert']);
    expect(again.stages.map(({ cached }) => cached)).toEqual([true, true, true]);
    expect([again.warnings, again.stages.map(({ outputs }) => outputs)]).toEqual([
      [],
      first.stages.map(({ outputs }) => outputs),
    ]);

    let letter = 'a';
    const moody = planOf(fake('moody', () => letter));
    const [before] = (await run(moody)).stages;
    letter = 'b';
    const { stages, warnings } = await run(moody, { results: 'verify' });
    expect(warnings).toMatchObject([{ code: 'nondeterminism' }]);
    expect(stages[0]!.outputs).toEqual(before!.outputs);
  });

  it('refuses a store of another version', async () => {
    await run(chain());
    writeFileSync(join(store, 'v1/VERSION'), 'qpipe-store-v9\n');
    await expect(run(chain())).rejects.toThrow(/unknown-store-version/);
  });
});

describe('a damaged store', () => {
  it.each([
    ['longer', 'abc8 and more'],
    ['of the same length', 'abd8'],
  ])('notices an object that is %s, sets it aside and makes it again', async (_how, content) => {
    await run(chain());
    chmodSync(objectOf('abc8'), 0o644);
    rmSync(objectOf('abc8'));
    writeFileSync(objectOf('abc8'), content);
    const record = await run(chain());
    expect(executed).toEqual(['qat']);
    const repaired = events.find((event) => event.kind === 'cache-repaired');
    expect(record.warnings).toMatchObject([{ code: 'cache-repaired', layer: null }]);
    expect(repaired).toMatchObject({ stage: 'qat', found: expect.stringContaining('"model"') as string });
    expect(readFileSync(repaired?.movedTo ?? '', 'utf8')).toBe(content);
    expect(readFileSync(objectOf('abc8'), 'utf8')).toBe('abc8');
    expect(readFileSync(join(runs, record.id, 'stages/qat/model.txt'), 'utf8')).toBe('abc8');
    expect(kinds()).not.toContain('nondeterminism');
  });

  it('notices an object that is gone', async () => {
    await run(chain());
    rmSync(objectOf('abc'));
    await run(chain());
    expect(executed).toEqual(['pretrain']);
    expect(events).toContainEqual(expect.objectContaining({ kind: 'cache-repaired', movedTo: null }));
  });

  it('treats objects without their record, as a crash before the commit leaves them, as a miss', async () => {
    await run(chain());
    rmSync(join(store, 'v1/actions'), { recursive: true });
    await run(chain());
    expect(executed).toEqual(['pretrain', 'qat', 'convert']);
    expect(kinds()).not.toContain('cache-repaired');
  });

  it('writes an object again when the one in its place is damaged', async () => {
    await run(chain());
    rmSync(join(store, 'v1/actions'), { recursive: true });
    rmSync(objectOf('abc8'));
    writeFileSync(objectOf('abc8'), 'abd8');
    await run(chain());
    expect(readFileSync(objectOf('abc8'), 'utf8')).toBe('abc8');
  });

  it.each(['', '{"schema":"qpipe-action-v1"}', '[]'])('sets aside a record that reads %j', async (text) => {
    const { stages } = await run(chain());
    const key = stages[2]?.key ?? '';
    writeFileSync(join(store, 'v1/actions', key.slice(0, 2), `${key}.json`), text);
    await run(chain());
    expect(executed).toEqual(['convert']);
    expect(readdirSync(join(store, 'v1/corrupt'))).toHaveLength(1);
    await run(chain());
    expect(executed).toEqual([]);
  });
});

describe('a flipped bit in the store', () => {
  const random = createRandom(11, 'flipped bits');

  it('is never served, in whatever file it is', async () => {
    let before = await run(chain());
    const hit = new Map<string, number>();
    for (let trial = 0; trial < 300; trial++) {
      const files = storedFiles();
      const file = files[random.below(files.length)]!;
      const good = readFileSync(file);
      overwrite(file, flipped(good));
      const section = relative(join(store, 'v1'), file).split('/')[0]!;
      hit.set(section, (hit.get(section) ?? 0) + 1);
      const outcome = await run(chain()).catch((error: unknown) => error);
      if (section === 'VERSION') {
        expect(outcome, `trial ${trial}`).toMatchObject({ diagnostics: [{ place: { file } }] });
        overwrite(file, good);
        continue;
      }
      const after = outcome as RunRecord;
      for (const [index, stage] of after.stages.entries()) {
        const { seconds, ...same } = before.stages[index]!;
        expect(stage, `trial ${trial}, ${file}`).toMatchObject({ ...same, cached: stage.cached });
        if (stage.cached) expect(stage.seconds).toBe(seconds);
      }
      expect(kinds().filter((kind) => kind === 'cache-repaired')).toHaveLength(1);
      expect(executed).toHaveLength(section === 'preimage' ? 0 : 1);
      before = after;
    }
    expect([...hit.keys()].sort()).toEqual(['VERSION', 'actions', 'objects', 'preimage']);
    expect(filesUnder(join(store, 'v1/corrupt'))).toHaveLength(300 - hit.get('VERSION')!);
    await run(chain());
    expect([executed, kinds().includes('cache-repaired')]).toEqual([[], false]);
  }, 180_000);

  it('is never served from what the store remembers', async () => {
    const opened = await openStore(store, () => randomBytes(16).toString('hex'));
    const key = `sha256:${'ab'.repeat(32)}` as const;
    let made = 0;
    const value = () => remembered(opened, key, () => ({ made: ++made, text: 'abc' }));
    expect([await value(), await value()]).toEqual([
      { made: 1, text: 'abc' },
      { made: 1, text: 'abc' },
    ]);
    const [file] = filesUnder(join(store, 'v1/memory')).map(({ parentPath, name }) => join(parentPath, name));
    for (let trial = 0; trial < 100; trial++) {
      overwrite(file!, flipped(readFileSync(file!)));
      expect(await value()).toEqual({ made: trial + 2, text: 'abc' });
    }
  });

  function storedFiles(): string[] {
    return filesUnder(join(store, 'v1'))
      .map(({ parentPath, name }) => join(parentPath, name))
      .filter((file) => !file.includes('/corrupt/'))
      .sort();
  }

  function flipped(bytes: Buffer): Buffer {
    const bit = random.below(8 * bytes.length);
    const copy = Buffer.from(bytes);
    copy[bit >> 3]! ^= 1 << (bit & 7);
    return copy;
  }
});

describe('a file of the store that is cut short, empty or in the place of another', () => {
  const actionOf = ({ stages }: RunRecord, index: number) => {
    const key = stages[index]?.key ?? '';
    return join(store, 'v1/actions', key.slice(0, 2), `${key}.json`);
  };

  it.each<[string, (file: string, other: string) => string | Buffer]>([
    ['half a record', (file) => readFileSync(file).subarray(0, 300)],
    ['an empty record', () => ''],
    ['the record of another stage', (_file, other) => readFileSync(other)],
    ['a record with its seal but another key', (file, other) => seal(withKeyOf(file, other))],
  ])('%s is set aside, and the stage runs again', async (_what, content) => {
    const first = await run(chain());
    const [file, other] = [actionOf(first, 1), actionOf(first, 2)];
    overwrite(file, content(file, other));
    const second = await run(chain());
    expect(executed).toEqual(['qat']);
    expect(kinds()).toContain('cache-repaired');
    expect(second.stages.map(({ metrics }) => metrics)).toEqual(first.stages.map(({ metrics }) => metrics));
  });

  const withKeyOf = (file: string, other: string) => ({
    ...unseal(readFileSync(file, 'utf8')),
    key: basename(other, '.json'),
  });

  it('two objects that changed places are both found', async () => {
    await run(chain());
    const [one, two] = [objectOf('abc'), objectOf('abc8')];
    const [first, second] = [readFileSync(one), readFileSync(two)];
    overwrite(one, second);
    overwrite(two, first);
    await run(chain());
    expect(executed).toEqual(['pretrain', 'qat']);
  });
});

/** Objects are read-only, and shared with run folders where the disk can. */
function overwrite(file: string, content: string | Buffer): void {
  rmSync(file);
  writeFileSync(file, content);
}

describe('a failing stage', () => {
  it('is not recorded, leaves nothing behind, and runs again', async () => {
    const plan = planOf(
      fake('pretrain', () => {
        throw new Error('diverged at step 3');
      }),
    );
    await expect(run(plan)).rejects.toThrow('diverged at step 3');
    expectNothingCached();
    expect(kinds()).toEqual(['run-started', 'stage-started', 'stage-failed', 'run-finished']);
    expect(readJson(join(onlyRun(), 'run.json'))).toMatchObject({ status: 'error', stages: [] });
    expect(readdirSync(join(onlyRun(), 'stages'))).toEqual([]);
    await expect(run(plan)).rejects.toThrow('diverged at step 3');
    expect(executed).toEqual(['pretrain']);
  });

  it('keeps the results of the stages before it', async () => {
    const broken = { execute: () => Promise.reject(new Error('no')) };
    await expect(run(chain(8, { qat: broken }))).rejects.toThrow('no');
    expect(readJson(join(onlyRun(), 'run.json'))).toMatchObject({ status: 'error', stages: [{ name: 'pretrain' }] });
    await run(chain());
    expect(executed).toEqual(['qat', 'convert']);
  });

  it('is one whose output does not pass the check of its type', async () => {
    const check = (output: string, file: string) =>
      Promise.reject(new Error(`${output} in ${basename(file)} is not a model: ${readFileSync(file, 'utf8')}`));
    await expect(run(planOf(fake('pretrain', () => 'abc', { check })))).rejects.toThrow(
      'model in model.txt is not a model: abc',
    );
    expectNothingCached();
  });

  it('is one that did not write what it declared', async () => {
    const execute: FakeJob['execute'] = () => Promise.resolve({ metrics: {} });
    await expect(run(planOf(fake('pretrain', () => '', { execute })))).rejects.toThrow(
      'internal: stage "pretrain" did not write its output "model" (model.txt)',
    );
    expectNothingCached();
  });

  it('is one that meets a full disk: the error names the store and the remedy', async () => {
    const plan = planOf(
      fake('pretrain', () => {
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      }),
    );
    const error = await run(plan).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({
      exitCode: 1,
      diagnostics: [
        { code: 'disk-full', place: { file: join(store, 'v1') }, hint: expect.stringMatching(/free/) as string },
      ],
    });
    expectNothingCached();
  });

  it("keeps a stage's own trouble with other files apart from the store's", async () => {
    const elsewhere = Object.assign(new Error('EACCES'), { code: 'EACCES', path: '/data/images' });
    const plan = planOf(fake('pretrain', () => 'abc', { execute: () => Promise.reject(elsewhere) }));
    await expect(run(plan)).rejects.toBe(elsewhere);
  });
});

describe('an interrupted run', () => {
  it.each<[string, (abort: () => void) => Partial<FakeJob>]>([
    [
      'the stage gives up',
      (abort) => ({
        execute: ({ signal }) => {
          abort();
          signal.throwIfAborted();
          throw new Error('unreachable');
        },
      }),
    ],
    [
      'the stage returns half of its work',
      (abort) => ({
        execute: ({ directory }) => {
          abort();
          writeFileSync(join(directory, 'model.txt'), 'ab');
          return Promise.resolve({ metrics: {} });
        },
      }),
    ],
  ])('records nothing of the stage when %s', async (_how, changes) => {
    const controller = new AbortController();
    const plan = planOf(
      fake(
        'pretrain',
        () => 'abc',
        changes(() => controller.abort()),
      ),
    );
    await expect(run(plan, { signal: controller.signal })).rejects.toBeInstanceOf(Interrupted);
    expectNothingCached();
    expect(kinds()).toEqual(['run-started', 'stage-started', 'run-finished']);
    expect(readJson(join(onlyRun(), 'run.json'))).toMatchObject({ status: 'interrupted', stages: [] });
  });

  it('is recorded at the moment of the signal, before the stage gives up', async () => {
    const controller = new AbortController();
    let during: JsonObject = {};
    const plan = planOf(
      fake('pretrain', () => 'abc', {
        execute: ({ signal }) => {
          controller.abort();
          during = readJson(join(onlyRun(), 'run.json'));
          signal.throwIfAborted();
          throw new Error('unreachable');
        },
      }),
    );
    await expect(run(plan, { signal: controller.signal })).rejects.toBeInstanceOf(Interrupted);
    expect(during).toMatchObject({ status: 'interrupted' });
  });

  it('starts no further stage', async () => {
    const controller = new AbortController();
    const emit = (event: RunEvent) => {
      if (event.kind === 'stage-finished') controller.abort();
    };
    await expect(run(chain(), { signal: controller.signal, emit })).rejects.toBeInstanceOf(Interrupted);
    expect(executed).toEqual(['pretrain']);
  });
});

describe('durations', () => {
  it('come from the clock that only goes forward, even when the time of day is set back', async () => {
    let [day, steady] = [Date.UTC(2026, 0, 2), 1000];
    const later = fake('pretrain', () => {
      day -= 18_500;
      steady += 2500;
      return 'abc';
    });
    const record = await run(planOf(later), { clock: () => new Date(day), now: () => steady });
    expect([record.seconds, record.stages[0]?.seconds]).toEqual([2.5, 2.5]);
  });
});

describe('the run folder', () => {
  it('holds the record, the pipeline as written and resolved, the events and the outputs', async () => {
    const plan = chain();
    const record = await run(plan, { clock: () => new Date(Date.UTC(2026, 8, 7, 6, 5, 4)) });
    expect(record.id).toMatch(/^20260907-060504-demo-[0-9a-f]{4}$/);
    const folder = join(runs, record.id);
    expect(readdirSync(folder).sort()).toEqual([
      'events.ndjson',
      'pipeline.yaml',
      'resolved.json',
      'run.json',
      'stages',
    ]);
    expect(readFileSync(join(folder, 'pipeline.yaml'), 'utf8')).toBe(plan.pipeline);
    expect(readJson(join(folder, 'resolved.json'))).toEqual(plan.resolved);
    expect(unseal(readFileSync(join(folder, 'run.json'), 'utf8'))).toEqual(record);
    expect(Value.Check(runRecordSchema, record)).toBe(true);
    expect(readdirSync(join(folder, 'stages/qat')).sort()).toEqual(['metrics.json', 'model.txt']);
    expect(record.stages[1]).toMatchObject({
      name: 'qat',
      cached: false,
      verdict: 'pass',
      inputs: { model: { type: 'Text/1', digest: `sha256:${sha256('abc')}` } },
      outputs: {
        model: { type: 'Text/1', digest: `sha256:${sha256('abc8')}`, bytes: 4, path: 'stages/qat/model.txt' },
      },
      metrics: { length: 3 },
    });
  });

  it('says that it is running while it is', async () => {
    let during: JsonObject = {};
    await run(
      planOf(
        fake('pretrain', () => {
          during = readJson(join(onlyRun(), 'run.json'));
          return 'abc';
        }),
      ),
    );
    expect(during).toMatchObject({ status: 'running', stages: [], seconds: 0 });
  });

  it('has every event on a line, as it was emitted, with its time', async () => {
    const plan = planOf(
      fake('pretrain', () => 'abc', {
        execute: ({ directory, emit }) => {
          emit({ kind: 'progress', step: 1, totalSteps: 2, values: { loss: 0.5, accuracy: Number.NaN } });
          emit({ kind: 'log', message: 'half\nway' });
          writeFileSync(join(directory, 'model.txt'), 'abc');
          return Promise.resolve({ metrics: {} });
        },
      }),
    );
    const { id } = await run(plan);
    const lines = readFileSync(join(runs, id, 'events.ndjson'), 'utf8')
      .trimEnd()
      .split('\n');
    expect(lines.map((line) => JSON.parse(line) as RunEvent)).toEqual(events);
    expect(events.filter((event) => !Value.Check(runEventSchema, event))).toEqual([]);
    expect(kinds()).toEqual([
      'run-started',
      'stage-started',
      'stage-progress',
      'stage-log',
      'stage-finished',
      'run-finished',
    ]);
    expect(events[2]).toMatchObject({ stage: 'pretrain', step: 1, values: { loss: 0.5, accuracy: null } });
  });

  it('is a new one for every run, even within a second and with the same random digits; latest is the newest', async () => {
    const clock = () => new Date(Date.UTC(2026, 0, 1));
    let calls = 0;
    // Each run meets the same first digits, then others.
    const randomHex = () =>
      `${calls++ % 20 < 12 ? 'aaaa' : randomBytes(2).toString('hex')}${randomBytes(16).toString('hex')}`;
    const plan = planOf(fake('pretrain', () => 'abc'));
    const first = await run(plan, { clock, randomHex });
    const second = await run(plan, { clock, randomHex });
    expect(first.id).not.toBe(second.id);
    expect(readlinkSync(join(runs, 'latest'))).toBe(second.id);
    expect(readdirSync(runs).sort()).toEqual([first.id, second.id, 'latest'].sort());
  });

  it.each([
    ['runs', 'not-a-folder'],
    ['store', 'not-a-folder'],
  ] as const)('cannot be made when a file is in the place of %s: the error names it', async (option, code) => {
    const file = join(root, 'file');
    writeFileSync(file, '');
    for (const place of [file, join(file, 'deeper')]) {
      const error = await run(chain(), { [option]: place }).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(UserError);
      const [diagnostic] = (error as UserError).diagnostics;
      expect(diagnostic).toMatchObject({ code, hint: expect.stringMatching(/another folder/) as string });
      expect(diagnostic?.place.file.startsWith(place)).toBe(true);
    }
    expect(executed).toEqual([]);
    if (option === 'store') expect(existsSync(runs)).toBe(false);
  });

  it.each<[string, () => void]>([
    ['folder', () => mkdirSync(join(runs, 'latest'))],
    ['file', () => writeFileSync(join(runs, 'latest'), 'precious')],
  ])('leaves a %s named latest alone, and names it', async (what, make) => {
    mkdirSync(runs);
    make();
    await expect(run(chain())).rejects.toMatchObject({
      diagnostics: [
        {
          code: 'latest-in-use',
          place: { file: join(runs, 'latest') },
          message: expect.stringContaining(`is a ${what}`) as string,
        },
      ],
    });
    expect(readdirSync(runs)).toEqual(['latest']);
    if (what === 'file') expect(readFileSync(join(runs, 'latest'), 'utf8')).toBe('precious');
  });

  it('replaces a latest that points nowhere', async () => {
    mkdirSync(runs);
    symlinkSync('gone', join(runs, 'latest'));
    const { id } = await run(chain());
    expect(readlinkSync(join(runs, 'latest'))).toBe(id);
  });
});

describe.skipIf(!canMount())('a disk that is really full (needs the right to mount one)', () => {
  let disk: string;
  beforeEach(() => {
    disk = join(root, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk]);
  });
  afterEach(() => execFileSync('umount', [disk]));

  it('leaves no result when the store does not fit', async () => {
    store = join(disk, 'store');
    // It fits once, in the work folder, but not a second time as an object.
    const plan = planOf(fake('pretrain', () => 'x'.repeat(150_000)));
    await expect(run(plan)).rejects.toMatchObject({
      diagnostics: [{ code: 'disk-full', place: { file: join(store, 'v1') } }],
    });
    expectNothingCached();
    expect(readJson(join(onlyRun(), 'run.json'))).toMatchObject({ status: 'error' });
  });

  it('keeps the result, and no half of it in the run folder, when only the run folder does not fit', async () => {
    const plan = planOf(fake('pretrain', () => 'x'.repeat(400_000)));
    const small = join(disk, 'runs');
    await expect(run(plan, { runs: small })).rejects.toMatchObject({ diagnostics: [{ code: 'disk-full' }] });
    const [id] = readdirSync(small).filter((name) => name !== 'latest');
    expect(readdirSync(join(small, id ?? '', 'stages'))).toEqual([]);
    await run(plan);
    expect(executed).toEqual([]);
  });

  it('leaves no run folder when not even that fits', async () => {
    writeFileSync(join(disk, 'ballast'), 'x'.repeat(256 * 1024));
    await expect(run(chain(), { runs: disk })).rejects.toMatchObject({
      diagnostics: [{ code: 'disk-full', place: { file: disk } }],
    });
    expect(readdirSync(disk)).toEqual(['ballast']);
    expect(executed).toEqual([]);
  });

  it('goes on when an event does not fit, takes that line back, and says so at the end', async () => {
    const plan = planOf(
      fake('pretrain', () => 'abc', {
        execute: ({ directory, emit }) => {
          executed.push('pretrain');
          for (let index = 0; index < 100; index++) emit({ kind: 'log', message: 'x'.repeat(5000) });
          writeFileSync(join(directory, 'model.txt'), 'abc');
          return Promise.resolve({ metrics: {} });
        },
      }),
    );
    const error = await run(plan, { runs: disk }).catch((caught: unknown) => caught);
    const id = readlinkSync(join(disk, 'latest'));
    expect(error).toMatchObject({ diagnostics: [{ code: 'disk-full', place: { file: join(disk, id) } }] });
    const text = readFileSync(join(disk, id, 'events.ndjson'), 'utf8');
    expect(text.endsWith('\n')).toBe(true);
    for (const line of text.trimEnd().split('\n')) expect(() => JSON.parse(line) as unknown).not.toThrow();
    expect(readJson(join(disk, id, 'run.json'))).toMatchObject({ status: 'error' });
    await run(plan);
    expect(executed).toEqual([]);
  });
});

/** A small disk of our own needs root and the right to mount; elsewhere these tests are skipped. */
function canMount(): boolean {
  const place = mkdtempSync(join(tmpdir(), 'qpipe-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', place], { stdio: 'ignore' });
    execFileSync('umount', [place]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
