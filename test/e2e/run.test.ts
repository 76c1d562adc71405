/** `qpipe run` as a user meets it: exit codes, what is printed, and what a run leaves behind. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { findProgram } from '../../src/core/programs.ts';
import { expectDType } from '../../src/core/tensor.ts';
import { readSafetensors } from '../../src/formats/safetensors.ts';
import { tensorflowEngine } from '../engine/engines.ts';
import type { Outcome } from './workspace.ts';
import { makeWorkspace, program, stageNames, tinyWith } from './workspace.ts';

interface ReportFile {
  readonly accuracy: Readonly<Record<string, { readonly top1: number; readonly n: number }>>;
  readonly gates: readonly {
    readonly name: string;
    readonly limit: number;
    readonly value: number;
    readonly ok: boolean;
  }[];
  readonly model: { readonly path: string; readonly bytes: number; readonly sha256: string };
  readonly stages: readonly { readonly name: string; readonly cached: boolean; readonly seconds: number }[];
  readonly tests: readonly { readonly metrics: { readonly agreement: Readonly<Record<string, number | null>> } }[];
}

const events = ({ stdout }: Outcome): Record<string, unknown>[] =>
  stdout.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);

const cachedStages = (outcome: Outcome): unknown[] =>
  events(outcome)
    .filter(({ kind, cached }) => kind === 'stage-finished' && cached === true)
    .map(({ stage }) => stage);

const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

describe('a run of a whole pipeline', () => {
  const space = makeWorkspace();
  let first: Outcome;
  let report: ReportFile;
  beforeAll(async () => {
    first = await space.qpipe('run', 'tiny.yaml', '--json');
    report = space.json('runs/latest/report.json') as ReportFile;
  });

  it('ends with exit code 0 and, with --json, prints events and nothing else', () => {
    expect(first.code).toBe(0);
    expect(first.stderr).toBe('');
    const kinds = events(first).map(({ kind }) => kind);
    expect(kinds[0]).toBe('run-started');
    expect(kinds.at(-1)).toBe('run-finished');
    expect(kinds).toContain('stage-progress');
    expect(events(first)).toEqual(
      space
        .text('runs/latest/events.ndjson')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    );
  });

  it('leaves the folder that the documentation describes, and `latest` points at it', () => {
    expect(events(first)[0]?.['run']).toBe(readlinkSync(space.file('runs/latest')));
    expect(space.text('runs/latest/pipeline.yaml')).toBe(space.text('tiny.yaml'));
    expect(space.text('runs/latest/report.html')).toContain('<html');
    expect(space.json('runs/latest/resolved.json')).toMatchObject({ name: 'tiny', seed: 1 });
    expect(space.json('runs/latest/run.json')).toMatchObject({ pipeline: 'tiny', status: 'pass' });
    for (const file of [
      'pretrain/float_model.safetensors',
      'qat/qat_model.safetensors',
      'eval/eval_graph.pb',
      'eval/checkpoint.safetensors',
      'freeze/frozen.pb',
      'convert/model.tflite',
      'test/test.json',
    ]) {
      expect(statSync(space.file('runs/latest/stages', file)).size, file).toBeGreaterThan(0);
    }
  });

  it('reports four accuracies over all test images, the gates, the stages and the model file', () => {
    for (const runtime of ['float', 'fake_quant', 'int8', 'int8_litert']) {
      const { top1 = -1, n } = report.accuracy[runtime] ?? {};
      expect(n, runtime).toBe(64);
      // A share of 64 images.
      expect(top1 * 64, runtime).toBe(Math.round(top1 * 64));
      expect(top1 >= 0 && top1 <= 1, runtime).toBe(true);
    }
    const top1 = report.accuracy['int8']?.top1;
    expect(report.gates).toMatchObject([{ name: 'int8_top1_min', limit: 0.1, value: top1, ok: true }]);
    expect(report.stages.map(({ name, cached }) => [name, cached])).toEqual(stageNames.map((name) => [name, false]));
    // One after the other, and training takes its time.
    const { seconds: whole } = space.json('runs/latest/run.json') as { seconds: number };
    const sum = report.stages.reduce((total, { seconds }) => total + seconds, 0);
    expect(report.stages.filter(({ seconds }) => seconds < 0)).toEqual([]);
    expect(sum).toBeGreaterThan(0);
    expect(sum).toBeLessThanOrEqual(whole);
    const model = space.file('runs/latest', report.model.path);
    expect(report.model).toMatchObject({ bytes: statSync(model).size, sha256: sha256(model) });
  });

  it('makes a model without a float tensor, on whose labels LiteRT and the reference agree', async () => {
    const { stdout } = await space.qpipe('inspect', 'runs/latest/stages/convert/model.tflite', '--json');
    const { tensors } = JSON.parse(stdout) as { tensors: { dtype: string }[] };
    expect([...new Set(tensors.map(({ dtype }) => dtype))].sort()).toEqual(['int32', 'int8']);
    expect(report.tests[0]?.metrics.agreement['int8_vs_litert']).toBe(1);
  });

  it('takes every stage from the store the second time', async () => {
    const second = await space.qpipe('run', 'tiny.yaml', '--json');
    expect(second.code).toBe(0);
    expect(cachedStages(second)).toEqual([...stageNames]);
    expect((space.json('runs/latest/report.json') as ReportFile).model).toEqual(report.model);
  });

  it('runs nothing again for a comment, a description, another name of the pipeline or of a stage', async () => {
    space.write(
      'renamed.yaml',
      tinyWith([
        ['version: 1', '# a comment\nversion: 1\ndescription: the same numbers'],
        ['name: tiny', 'name: other'],
        ['  pretrain:', '  warmup:'],
        ['from: pretrain', 'from: warmup'],
      ]),
    );
    const renamed = await space.qpipe('run', 'renamed.yaml', '--json');
    expect(cachedStages(renamed)).toEqual(['warmup', ...stageNames.slice(1)]);
  });

  it('runs qat and what follows, but not pretrain, when the delay changes', async () => {
    const changed = await space.qpipe('run', 'tiny.yaml', '--json', '--set', 'stages.qat.delay=3');
    expect(changed.code).toBe(0);
    expect(cachedStages(changed)[0]).toBe('pretrain');
    expect(cachedStages(changed)).not.toContain('qat');
    expect(cachedStages(changed)).not.toContain('test');
  });

  it('ends with exit code 2 when a gate is not met, and measures nothing again for another limit', async () => {
    const gate = ['run', 'tiny.yaml', '--json', '--set', 'stages.test.gates.int8_top1_min=1'];
    const missed = await space.qpipe(...gate);
    expect(missed.code).toBe(2);
    expect(cachedStages(missed)).toEqual([...stageNames]);
    expect(space.json('runs/latest/run.json')).toMatchObject({ status: 'fail' });
    expect((space.json('runs/latest/report.json') as ReportFile).gates).toMatchObject([{ limit: 1, ok: false }]);
  });

  it('runs a stage again when forced, and only that one when it gives the same bytes', async () => {
    const forced = await space.qpipe('run', 'tiny.yaml', '--json', '--force', 'qat, eval');
    expect(cachedStages(forced)).toEqual(['pretrain', 'freeze', 'convert', 'test']);
    expect(events(forced).map(({ kind }) => kind)).not.toContain('nondeterminism');
  });

  it('compares two runs and says what differs', async () => {
    const [a, b] = ['runs/a', 'runs/b'];
    await space.qpipe('run', 'tiny.yaml', '--json', '--runs', a);
    await space.qpipe('run', 'tiny.yaml', '--json', '--runs', b, '--set', 'stages.qat.delay=3');
    const compared = await space.qpipe('compare', `${a}/latest`, `${b}/latest`, '--html', 'compare.html');
    expect(compared.code).toBe(0);
    expect(compared.stdout).toContain('stages.qat.delay');
    expect(compared.stdout).not.toContain('stages.pretrain.epochs');
    expect(space.text('compare.html')).toContain('<html');
    const { stdout } = await space.qpipe('compare', `${a}/latest`, `${b}/latest`, '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      schema: 'qpipe-comparison-2',
      settings: [{ path: 'stages.qat.delay', places: [expect.stringMatching(/^tiny\.yaml:\d+$/), '--set'] }],
    });
    const folders = await space.qpipe('compare', 'runs/nosuch', `${a}/latest`, 'runs/none', '--md');
    expect(folders.stderr.match(/error not-a-run/g)).toHaveLength(2);
  });

  it('writes a report again', async () => {
    const before = space.text('runs/latest/report.json');
    space.write('runs/latest/report.json', '');
    const again = await space.qpipe('report', 'runs/latest');
    expect(again.code).toBe(0);
    expect(again.stdout).toContain('int8 top-1 is');
    expect(space.text('runs/latest/report.json')).toBe(before);
  });

  it('validates without running, and prints a graph at every level', async () => {
    const valid = await space.qpipe('validate', 'tiny.yaml', '--json');
    expect(valid.code).toBe(0);
    expect(JSON.parse(valid.stdout)).toMatchObject({ name: 'tiny', warnings: [] });
    const ops = { qat: 'fake_quant', eval: 'fake_quant', int8: 'int8[4,3,3,1]' };
    for (const level of ['qat', 'eval', 'int8'] as const) {
      const graph = await space.qpipe('graph', 'tiny.yaml', '--level', level);
      expect(graph.code).toBe(0);
      expect(graph.stdout).toContain(ops[level]);
    }
  });
});

describe('the model file', () => {
  it('has the same bytes from two empty stores, with one thread and with two, and elsewhere', async () => {
    const space = makeWorkspace();
    const digests: string[] = [];
    for (const threads of ['1', '2']) {
      const folders = ['--runs', `results ${threads}`, '--store', `store ${threads}`];
      const outcome = await space.qpipe('run', 'tiny.yaml', '--threads', threads, ...folders);
      expect(outcome.code).toBe(0);
      // Without a terminal: lines of text, nothing drawn over.
      expect(outcome.stdout).toMatch(/^pretrain: epoch 2\/2: loss /m);
      expect(outcome.stdout).not.toContain('\u001b');
      digests.push(sha256(space.file(`results ${threads}`, 'latest/stages/convert/model.tflite')));
    }
    expect(digests[0]).toBe(digests[1]);
    expect(existsSync(space.file('runs'))).toBe(false);
    expect(existsSync(space.file('.qpipe'))).toBe(false);
  });
});

describe.skipIf(findProgram('script') === null)('a terminal', () => {
  it('that does not say how wide it is shows a stage on one line', async () => {
    const space = makeWorkspace();
    const command = `'${process.execPath}' '${program}' run tiny.yaml`;
    const { exitCode, stdout } = await execa('script', ['-qec', command, '/dev/null'], { cwd: space.folder });
    expect(exitCode).toBe(0);
    for (const stage of stageNames)
      expect(stripVTControlCharacters(stdout)).toMatch(new RegExp(`✔ ${stage} +[0-9.]+ s( · .*)?\\r?$`, 'm'));
  });
});

describe('the command line', () => {
  const space = makeWorkspace();

  it.each([
    [['run', 'nosuch.yaml'], 'nosuch.yaml error unreadable-pipeline'],
    [['run', 'tiny.yaml', '--force', 'qta'], 'did you mean `qat`?'],
    [['run', 'tiny.yaml', '--threads', '0'], 'expected a whole number above 0'],
    [['run', 'tiny.yaml', '--threads', 'many'], 'expected a whole number above 0'],
    [['run', 'tiny.yaml', '--set', 'stages'], 'is not of the form path=value'],
    [['run', 'tiny.yaml', '--jsn'], 'Did you mean --json?'],
    [['rnu', 'tiny.yaml'], 'Did you mean run?'],
    [['graph', 'tiny.yaml', '--level', 'int4'], 'float, qat, eval, int8'],
    [['predict', 'model.tflite'], '--input'],
  ])('answers %j with exit code 64 and a word on how to go on', async (args, words) => {
    const { code, stdout, stderr } = await space.qpipe(...args);
    expect(code).toBe(64);
    expect(stdout).toBe('');
    expect(stderr).toContain(words);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(existsSync(space.file('runs'))).toBe(false);
  });

  it('prints a mistake as JSON too when asked for JSON', async () => {
    const { code, stdout } = await space.qpipe('run', 'nosuch.yaml', '--json');
    expect(code).toBe(64);
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'error', diagnostics: [{ code: 'unreadable-pipeline' }] });
  });

  it('names its version', async () => {
    const { code, stdout } = await space.qpipe('--version');
    expect([code, stdout]).toEqual([0, '0.1.0']);
  });
});

describe('a stage with an engine of its own', () => {
  const space = makeWorkspace();
  const others = tensorflowEngine === null ? ['reference'] : ['reference', 'tensorflow'];

  it.each(others)(
    'trains on %s from what another engine trained, and from nothing else is repeated',
    async (engine) => {
      expect((await space.qpipe('run', 'tiny.yaml', '--json')).code).toBe(0);
      const mixed = await space.qpipe('run', 'tiny.yaml', '--json', '--set', `stages.qat.engine=${engine}`);
      expect(mixed.code).toBe(0);
      expect(cachedStages(mixed)).toEqual(['pretrain']);
      const tensors = (name: string) =>
        readSafetensors(readFileSync(space.file(`runs/latest/stages/${name}`)), name).tensors;
      const trained = tensors('qat/qat_model.safetensors');
      // The same names in our layout whatever trained it; one epoch at a small rate stays near its start.
      for (const [name, before] of tensors('pretrain/float_model.safetensors')) {
        const after = expectDType(trained.get(name)!, 'float32');
        expect(after.shape, name).toEqual(before.shape);
        const distances = expectDType(before, 'float32').data.map((value, at) => Math.abs(value - after.data[at]!));
        expect(Math.max(...distances), name).toBeLessThan(0.1);
      }
    },
  );
});
