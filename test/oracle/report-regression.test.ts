/** A report on a network that gives numbers: errors, intervals, and what a device has to compute, by NumPy and TensorFlow. */
import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { present } from '../../src/core/assert.ts';
import { createRandom } from '../../src/core/random.ts';
import { runtimeTitles } from '../../src/measurements/runtime-titles.ts';
import { makeWorkspace, npyFile } from '../e2e/workspace.ts';
import type { Oracle } from './oracle.ts';
import { hasOracle, openOracle } from './oracle.ts';
import { numberOf, tableOf, textOf } from './page-reading.ts';

const features = 5;

const pipeline = `version: 1
name: numbers
data: { source: npz, path: arrays, columns: { targets: y_train } }
model:
  task: regress
  layers:
    - { kind: fully_connected, units: 16, activation: relu }
    - { kind: fully_connected, units: 2 }
stages:
  pretrain: { uses: float-pretrain, epochs: 12, batch: 32, optimizer: { kind: adam, learning_rate: 0.01 } }
  qat: { uses: qat, from: pretrain, epochs: 2, batch: 32, delay: 5, optimizer: { kind: adam, learning_rate: 0.001 } }
  eval: { uses: save-eval-graph, from: qat }
  freeze: { uses: freeze, from: eval }
  convert: { uses: convert, from: freeze }
  test: { uses: test, from: convert, examples: 4 }
`;

/** Features in units of their own, and two targets that follow from them but for noise: [count, features], [count, 2]. */
function examples(part: string, count: number) {
  const random = createRandom(7, 'regression', part);
  const inputs = new Float32Array(count * features);
  const targets = new Float32Array(count * 2);
  for (let at = 0; at < count; at++) {
    const raw = Array.from({ length: features }, () => random.float());
    inputs.set(
      raw.map((value, feature) => 100 * feature + 10 ** (feature - 2) * value),
      at * features,
    );
    const [a = 0, b = 0, c = 0, d = 0] = raw;
    targets.set([50 + 30 * (a * b + c) + 3 * random.float(), 0.2 * (a - d) ** 2 + 0.02 * random.float()], at * 2);
  }
  return { inputs, targets };
}

type Model = 'float' | 'qat_float' | 'fake_quant' | 'int8';
const models: readonly Model[] = ['float', 'qat_float', 'fake_quant', 'int8'];

/** As report_regression.py says. */
interface Found {
  readonly errors: Readonly<Record<Model, { readonly mean: number; readonly interval: readonly [number, number] }>>;
  readonly byTarget: Readonly<Record<Model, readonly number[]>>;
  readonly meanAnswer: number;
  readonly meanAnswers: readonly number[];
  readonly inputs: { readonly mean: readonly number[]; readonly deviation: readonly number[] };
  readonly targets: { readonly mean: readonly number[]; readonly deviation: readonly number[] };
  readonly ports: Readonly<Record<'input' | 'output', readonly [scale: number, zeroPoint: number]>>;
  readonly furthest: readonly number[];
}

describe.skipIf(!hasOracle)('numbers of a network that gives numbers', { timeout: 120_000 }, () => {
  const space = makeWorkspace();
  let oracle: Oracle | undefined;
  let found: Found | undefined;
  let html = '';

  beforeAll(async () => {
    oracle = openOracle();
    mkdirSync(space.file('arrays'));
    for (const [part, count] of [
      ['train', 600],
      ['test', 250],
    ] as const) {
      const { inputs, targets } = examples(part, count);
      space.write(`arrays/x_${part}.npy`, npyFile('<f4', [count, features], inputs));
      space.write(`arrays/y_${part}.npy`, npyFile('<f4', [count, 2], targets));
    }
    space.write('numbers.yaml', pipeline);
    const { code, stdout, stderr } = await space.qpipe('run', 'numbers.yaml');
    if (code !== 0) throw new Error(stdout + stderr);
    html = space.text('runs/latest/report.html');
    const folders = { run: space.file('runs/latest'), data: space.file('arrays') };
    found = (await oracle.evaluate('report_regression.numbers(run, data)', folders)) as unknown as Found;
  });
  afterAll(() => oracle?.close());

  it('errors of every model with their intervals, and of always answering the mean', () => {
    const { errors, meanAnswer } = present(found, 'the numbers');
    const rows = tableOf(html, 'Mean absolute error');
    for (const model of models) {
      const row = present(
        rows.find(({ Model }) => Model === runtimeTitles[model]),
        model,
      );
      const { mean, interval } = errors[model];
      expectNear(row['Mean absolute error'], mean);
      for (const [at, end] of (row['95 % interval'] ?? '').split(' – ').entries()) expectNear(end, interval[at]);
      const rise = row['Against float'] ?? '';
      if (model === 'float') expect(rise).toBe('–');
      else expect(Math.abs(numberOf(rise) - (mean / errors.float.mean - 1)), rise).toBeLessThan(2e-3);
    }
    const [, ignorant] = /has an error of ([\d.]+)\. /.exec(textOf(html, 'error-test')) ?? [];
    expectNear(ignorant, meanAnswer);
  });

  it('errors by target, in the unit of each, and its scaling', () => {
    const { byTarget, meanAnswers, targets } = present(found, 'the numbers');
    const rows = tableOf(html, 'Mean answer');
    expect(rows).toHaveLength(2);
    for (const [at, row] of rows.entries()) {
      expectNear(row['Mean'], targets.mean[at]);
      expectNear(row['Deviation'], targets.deviation[at]);
      expectNear(row['Mean answer'], meanAnswers[at]);
      for (const model of models) expectNear(row[runtimeTitles[model]], byTarget[model][at]);
    }
  });

  it('examples furthest from float come first', () => {
    const shown = [...html.matchAll(/<article class="card"><header>#(\d+)/g)].map(([, index]) => Number(index));
    expect(shown.slice(0, 4)).toEqual(present(found, 'the numbers').furthest);
  });

  it('what a device computes: scales, zero points, means and deviations', () => {
    const { inputs, ports } = present(found, 'the numbers');
    const rows = tableOf(html, 'Zero point');
    for (const [at, port] of (['input', 'output'] as const).entries()) {
      const [scale, zeroPoint] = ports[port];
      expect(Math.fround(numberOf(rows[at]?.['Scale'] ?? ''))).toBe(Math.fround(scale));
      expect(numberOf(rows[at]?.['Zero point'] ?? '')).toBe(zeroPoint);
    }
    const channels = tableOf(html, 'Channel');
    expect(channels).toHaveLength(features);
    for (const [at, row] of channels.entries()) {
      // Nine digits are those of float32.
      expect(numberOf(row['Mean'] ?? '') / (inputs.mean[at] ?? NaN)).toBeCloseTo(1, 6);
      expect(numberOf(row['Deviation'] ?? '') / (inputs.deviation[at] ?? NaN)).toBeCloseTo(1, 6);
    }
    const text = textOf(html, 'ports');
    expect(text).not.toContain('Pixels are');
    const [scale, zeroPoint] = ports.input;
    const code = `round(input / ${Number(scale.toPrecision(9))}) ${zeroPoint < 0 ? '\u2212' : '+'} ${Math.abs(zeroPoint)}`;
    expect(text).toContain(`The int8 file then takes ${code}, clamped to int8.`);
  });
});

/** Printed with four digits; TensorFlow puts a few inputs at the edge of two codes into the other one. */
function expectNear(printed: string | undefined, value: number | undefined): void {
  expect(Math.abs(numberOf(printed ?? '') / (value ?? NaN) - 1), `${printed} for ${value}`).toBeLessThan(2e-3);
}
