/** Of a network whose answers are close: what a report says of microcontrollers and of phones, and of examples that turn. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { present } from '../../src/core/assert.ts';
import { runtimeTitles } from '../../src/measurements/runtime-titles.ts';
import { makeWorkspace } from '../e2e/workspace.ts';
import { textOf } from './page-reading.ts';
import type { Oracle } from './oracle.ts';
import { expectTensor, hasOracle, hasRuntimes, openOracle } from './oracle.ts';
import type { NumbersRun } from './report-run.ts';
import { classes, runOnStripes } from './report-run.ts';

const TESTED = 3000;

/** Sums, averages and many layers that have learned little: many examples lie between two classes. */
const pipeline = `version: 1
name: close
data: { source: npz, path: arrays, normalize: { scale: 1/255 } }
model:
  layers:
    - { kind: conv_2d, name: first, filters: 8, kernel: 3, activation: relu }
    - { kind: conv_2d, name: second, filters: 8, kernel: 3, activation: relu }
    - { kind: conv_2d, name: third, filters: 8, kernel: 3 }
    - { kind: add, name: sum, with: first, activation: relu }
    - { kind: average_pool_2d, name: halves, window: 2 }
    - { kind: conv_2d, name: fourth, filters: 12, kernel: 3, activation: relu }
    - { kind: conv_2d, name: fifth, filters: 12, kernel: 3 }
    - { kind: add, name: total, with: fourth, activation: relu }
    - { kind: average_pool_2d, name: quarters, window: 2 }
    - { kind: flatten }
    - { kind: fully_connected, name: last, units: ${classes} }
stages:
  pretrain: { uses: float-pretrain, epochs: 1, batch: 32, optimizer: { kind: adam, learning_rate: 0.004 } }
  qat: { uses: qat, from: pretrain, epochs: 1, batch: 32, optimizer: { kind: sgd, learning_rate: 0.001 } }
  eval: { uses: save-eval-graph, from: qat }
  freeze: { uses: freeze, from: eval }
  convert: { uses: convert, from: freeze }
  test: { uses: test, from: convert, litert: required, examples: 6 }
`;

describe.skipIf(!hasOracle || !hasRuntimes)('close answers in a report', { timeout: 120_000 }, () => {
  const space = makeWorkspace();
  let [oracle, runtimes]: (Oracle | undefined)[] = [];
  let run: NumbersRun | undefined;

  beforeAll(async () => {
    oracle = openOracle();
    runtimes = openOracle('runtimes');
    run = await runOnStripes(space, pipeline, TESTED);
  });
  afterAll(() => {
    oracle?.close();
    runtimes?.close();
  });

  it('accuracy of both, and on how many examples they differ', async () => {
    const one = present(run, 'the run');
    const [test] = one.report.tests;
    if (test === undefined || !('accuracy' in test)) throw new Error('no test counts right answers');
    const tensorflow = present(oracle, 'TensorFlow');
    const folders = { run: one.run, data: one.data };
    const inputs = expectTensor(await tensorflow.evaluate('report_numbers.input_codes(run, data)', folders));
    const truth = (await tensorflow.evaluate('report_numbers.labels(data, "test").tolist()', folders)) as number[];
    const model = readFileSync(join(one.run, 'stages/convert/model.tflite'));
    const guesses = async (codes: string): Promise<number[]> => {
      const asked = present(runtimes, 'the runtimes');
      return (await asked.evaluate(`targets.${codes}(model, inputs).argmax(axis=1).tolist()`, {
        model,
        inputs,
      })) as number[];
    };
    const micro = await guesses('tflm_codes');
    const phone = await guesses('litert_codes');
    const right = (of: readonly number[]): number => of.filter((guess, at) => guess === truth[at]).length;
    const differ = micro.filter((guess, at) => guess !== phone[at]).length;
    expect(differ, 'examples that tell the runtimes apart').toBeGreaterThan(10);
    expect(right(micro)).not.toBe(right(phone));

    const { accuracy, metrics } = test;
    expect(metrics.litertNote).toBeNull();
    expect(accuracy.int8).toMatchObject({ correct: right(micro), n: TESTED });
    expect(accuracy.int8_litert).toMatchObject({ correct: right(phone), n: TESTED });
    expect(metrics.agreement.int8_vs_litert).toBeCloseTo(1 - differ / TESTED, 12);
    expect(metrics.confusion).toEqual(confusionOf(truth, micro));

    const percent = (count: number): string => `${((100 * count) / TESTED).toFixed(2)} %`;
    const { int8, int8_litert } = runtimeTitles;
    const agreement = textOf(one.html, 'agreement-test');
    expect(agreement).toContain(`${int8_litert} ${int8} ${percent(TESTED - differ)} ${differ} `);
    const rows = textOf(one.html, 'accuracy-test');
    expect(rows).toContain(`${int8} ${percent(right(micro))} `);
    expect(rows).toContain(`${int8_litert} ${percent(right(phone))} `);
  });

  it('examples that turn: the order in which they are shown', async () => {
    const one = present(run, 'the run');
    const [test] = one.report.tests;
    if (test === undefined || !('accuracy' in test)) throw new Error('no test counts right answers');
    const folders = { run: one.run, data: one.data };
    const theirs = (await present(oracle, 'TensorFlow').evaluate(
      'report_numbers.kinds_of_examples(run, data)',
      folders,
    )) as number[][];
    const { groups, shown } = test.metrics.examples;
    expect(groups.slice(0, 3).map(({ found }) => found)).toEqual(theirs.map(({ length }) => length));
    for (const [group, order] of theirs.entries()) {
      const ours = shown.filter((example) => example.group === group).map(({ index }) => index);
      expect(ours.length, `group ${group}`).toBeGreaterThan(5);
      expect(ours, `group ${group}`).toEqual(order.slice(0, ours.length));
    }
  });
});

function confusionOf(truth: readonly number[], guesses: readonly number[]): number[][] {
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (const [at, label] of truth.entries()) {
    const row = present(counts[label], 'a class');
    const guess = guesses[at] ?? NaN;
    row[guess] = (row[guess] ?? NaN) + 1;
  }
  return counts;
}
