/** Data of users from their files to the answers of the int8 model: a table of numbers, and recordings. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { toneWav, writeTree } from '../cli/example-folders.ts';
import type { Workspace } from './workspace.ts';
import { makeWorkspace, npyContent, npyFile } from './workspace.ts';

/** Numbers in 0 .. 1, the same every time: Park and Miller's generator. */
function uniform(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

const stages = (epochs: number): string => `stages:
  pretrain: { uses: float-pretrain, epochs: ${epochs}, batch: 16, optimizer: { kind: adam, learning_rate: 0.01, schedule: cosine } }
  qat: { uses: qat, from: pretrain, epochs: 6, batch: 16, delay: 10, optimizer: { kind: adam, learning_rate: 0.001 } }
  eval: { uses: save-eval-graph, from: qat }
  freeze: { uses: freeze, from: eval }
  convert: { uses: convert, from: freeze }
  test: { uses: test, from: convert, examples: 20 }
`;

/** The bytes of the model of a second run, from nothing that the first one stored. */
async function modelWithThreads(space: Workspace, pipeline: string, threads: number): Promise<string> {
  const folders = ['--runs', `runs ${threads}`, '--store', `store ${threads}`];
  const { code, stderr } = await space.qpipe('run', pipeline, '--threads', String(threads), ...folders);
  expect([code, stderr]).toEqual([0, '']);
  const model = readFileSync(space.file(`runs ${threads}`, 'latest/stages/convert/model.tflite'));
  return createHash('sha256').update(model).digest('hex');
}

describe('a table with target = 3 x - 2 y + 10', () => {
  const space = makeWorkspace();
  const random = uniform(1);
  const rows = Array.from({ length: 360 }, () => [100 * random(), 5 + 20 * random()] as const);
  const targets = rows.map(([x, y]) => 3 * x - 2 * y + 10);
  const [train, test] = [rows.slice(0, 300), rows.slice(300)];
  const table = (from: number, to: number): string =>
    ['target,x,y', ...rows.slice(from, to).map(([x, y], row) => `${targets[from + row]!},${x},${y}`)].join('\n');

  beforeAll(async () => {
    writeTree(space.file('table'), { 'train.csv': table(0, 300), 'test.csv': table(300, 360) });
    space.write(
      'table.yaml',
      `version: 1
name: table
data: { source: csv, path: table, columns: { targets: [target] } }
model:
  task: regress
  layers:
    - { kind: fully_connected, units: 16, activation: relu }
    - { kind: fully_connected, units: 1 }
${stages(40)}`,
    );
    const { code, stderr } = await space.qpipe('run', 'table.yaml', '--json');
    expect([code, stderr]).toEqual([0, '']);
  });

  interface Report {
    readonly tests: readonly {
      readonly metrics: {
        readonly meanAnswer: number;
        readonly error: { readonly int8: { readonly mean: number } };
        readonly examples: {
          readonly shown: readonly {
            readonly index: number;
            readonly name: string;
            readonly values: readonly { truth: number; int8: number; code: number }[];
          }[];
        };
      };
    }[];
  }
  const metrics = () => (space.json('runs/latest/report.json') as Report).tests[0]!.metrics;

  it('is learned: the error of int8 is far below that of always answering the mean', () => {
    const { error, meanAnswer } = metrics();
    const expected = targets.slice(300);
    const mean = expected.reduce((sum, target) => sum + target, 0) / 60;
    expect(meanAnswer).toBeCloseTo(expected.reduce((sum, target) => sum + Math.abs(target - mean), 0) / 60, 3);
    expect(error.int8.mean).toBeLessThan(meanAnswer / 20);
  });

  it('gets the answers of the report from `predict` for rows that are standardized by hand', async () => {
    const moments = (values: readonly number[]) => {
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return {
        mean,
        deviation: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length),
      };
    };
    const scales = [0, 1].map((column) => moments(train.map((row) => row[column]!)));
    const inputs = test.flatMap((row) => row.map((value, at) => (value - scales[at]!.mean) / scales[at]!.deviation));
    space.write('rows.npy', npyFile('<f4', [60, 1, 1, 2], Float32Array.from(inputs)));
    const predict = async (...more: string[]): Promise<Buffer> => {
      const model = 'runs/latest/stages/convert/model.tflite';
      const { code } = await space.qpipe('predict', model, '--input', 'rows.npy', '--output', 'y.npy', ...more);
      expect(code).toBe(0);
      return npyContent(space.file('y.npy')).body;
    };
    const { examples } = metrics();
    const codes = new Int8Array(await predict());
    const outputs = await predict('--dequantize');
    const { mean, deviation } = moments(targets.slice(0, 300));
    expect(examples.shown).toHaveLength(40);
    for (const { index: row, name, values } of examples.shown) {
      // Below the line with the names of the columns.
      expect(name).toBe(`line ${row + 2}`);
      const [{ truth, int8, code } = { truth: NaN, int8: NaN, code: NaN }] = values;
      expect(code).toBe(codes[row]);
      expect(truth).toBeCloseTo(targets[300 + row]!, 3);
      expect(int8).toBeCloseTo(mean + deviation * outputs.readFloatLE(4 * row), 3);
    }
  });

  it('is a page with a table of the targets', () => {
    const [, after = ''] = space.text('runs/latest/report.html').split('<h3>By target</h3>');
    const [body = ''] = after.split('</table>');
    expect(body).toContain('<th scope="row" class="">target</th>');
    expect(body).toContain(`>${metrics().error.int8.mean.toPrecision(4)}</td>`);
  });

  it('is refused by name where the network is to classify', async () => {
    space.write('classes.yaml', space.text('table.yaml').replace('  task: regress\n', ''));
    const classify = await space.qpipe('validate', 'classes.yaml');
    expect(classify.code).toBe(64);
    expect(classify.stderr).toMatch(/^classes\.yaml:3:1 error no-answers: the examples have no classes/);
    expect(classify.stderr).toContain('hint: set `model.task: regress`');
  });

  it('gives the same model with one thread and with two', async () => {
    expect(await modelWithThreads(space, 'table.yaml', 1)).toBe(await modelWithThreads(space, 'table.yaml', 2));
  });

  it('is tested again, and nothing else runs, when only the test examples change', async () => {
    writeTree(space.file('table'), { 'test.csv': table(301, 360) });
    const { code, stdout } = await space.qpipe('run', 'table.yaml', '--json');
    const events = stdout
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; stage: string; cached: boolean });
    const ran = events.filter(({ kind, cached }) => kind === 'stage-finished' && !cached);
    expect([code, ran.map(({ stage }) => stage)]).toEqual([0, ['test']]);
  });
});

describe('recordings of two tones', () => {
  const space = makeWorkspace();

  beforeAll(() => {
    const random = uniform(2);
    const files: Record<string, Uint8Array> = {};
    for (let index = 0; index < 60; index++) {
      files[`low/${index}.wav`] = toneWav(250 + 200 * random(), 8000, 0.2 + 0.1 * random());
      files[`high/${index}.wav`] = toneWav(650 + 400 * random(), 8000, 0.2 + 0.1 * random());
    }
    writeTree(space.file('tones'), files);
    space.write(
      'tones.yaml',
      `version: 1
name: tones
data:
  source: audio_folder
  path: tones
  audio: { rate: 8000, seconds: 0.25 }
  features: { kind: log_mel, num_mel_bins: 20 }
  augment: { shift: 1, jitter: 0.1 }
  split: { test: 0.3 }
model:
  layers:
    - { kind: conv_2d, filters: 6, kernel: 3, stride: 2, activation: relu }
    - { kind: flatten }
    - { kind: fully_connected, units: 2 }
${stages(10)}`,
    );
  });

  it('are refused by name where the network is to regress', async () => {
    space.write('targets.yaml', space.text('tones.yaml').replace('model:\n', 'model:\n  task: regress\n'));
    const { code, stderr } = await space.qpipe('validate', 'targets.yaml');
    expect(code).toBe(64);
    expect(stderr).toMatch(/^targets\.yaml:3:1 error no-answers: the examples have no targets/);
  });

  it('are told apart by int8, which is the same with one thread and with two', async () => {
    const digest = await modelWithThreads(space, 'tones.yaml', 1);
    const { tests } = space.json('runs 1/latest/report.json') as {
      tests: readonly { metrics: { n: number; accuracy: { int8: { top1: number } } } }[];
    };
    const [result] = tests;
    // Three in ten of 120.
    expect(result?.metrics.n).toBe(36);
    expect(result?.metrics.accuracy.int8.top1).toBeGreaterThan(0.9);
    expect(await modelWithThreads(space, 'tones.yaml', 2)).toBe(digest);
  });
});
