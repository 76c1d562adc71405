// A network with several outputs: a comparison, the tiles, the terminal and a matrix name each of them.
import { createColors } from 'picocolors';
import { describe, expect, it } from 'vitest';
import { summaryText } from '../../src/cli/summary.ts';
import type { ReconstructTest, TestMetrics } from '../../src/measurements/metrics.ts';
import { compareRuns, renderComparisonText } from '../../src/report/compare/index.ts';
import { renderReport } from '../../src/report/html.ts';
import { buildReport } from '../../src/report/build-report.ts';
import type { RunRecord } from '../../src/runner/record.ts';
import { config, reconstruction, run, stages, test } from './fixtures.ts';

const tests = (name: string, back: Partial<ReconstructTest> = {}): RunRecord['stages'][number] => {
  const outputs: { name: string; test: TestMetrics }[] = [
    { name: 'digit', test },
    { name: 'picture', test: { ...reconstruction, ...back, model: test.model } },
  ];
  return { ...stages.test, name, metrics: { kind: 'tests', outputs } };
};
const several = (back: Partial<ReconstructTest> = {}): RunRecord => ({
  ...run,
  stages: [...run.stages.slice(0, -1), tests('test', back)],
});
const better = { ...reconstruction.error, int8: { ...reconstruction.error.int8, mean: 0.001 } };
const plain = (text: string): string => text.replaceAll('\u202f', ' ');

describe('several outputs', () => {
  it('are compared each by itself, and their layers once', () => {
    const comparison = compareRuns([
      { record: several(), config },
      { record: several({ error: better }), config },
    ]);
    expect(comparison.tests.map((one) => [one.test, one.measure])).toEqual([
      ['test, digit', 'top-1'],
      ['test, picture', 'mean squared error'],
    ]);
    const int8 = comparison.tests.map(({ models }) => models.find(({ runtime }) => runtime === 'int8'));
    expect(int8.map((one) => one?.values.map((value) => value?.value))).toEqual([
      [test.accuracy.int8.top1, test.accuracy.int8.top1],
      [reconstruction.error.int8.mean, 0.001],
    ]);
    expect(comparison.tests[1]?.layers).toEqual([]);
    const text = renderComparisonText(comparison, { width: 200, color: 'plain' });
    expect(text).toContain('Results of test, picture');
  });

  it('belong together by their names where the test stages are called differently', () => {
    const renamed = { ...run, stages: [...run.stages.slice(0, -1), tests('check')] };
    const {
      tests: matched,
      unmatched,
      notes,
    } = compareRuns([
      { record: several(), config },
      { record: renamed, config },
    ]);
    expect(matched.map((one) => one.test)).toEqual(['test, digit', 'test, picture']);
    expect(unmatched).toEqual([]);
    expect(notes.join(' ')).toContain('named differently');
  });

  it('have a tile each, and a row for each model in the terminal', () => {
    const report = buildReport(several(), config);
    const facts = plain(/<dl class="facts">.*?<\/dl>/su.exec(renderReport(report))?.[0] ?? '');
    expect(facts).toContain('<dt>digit: top-1</dt><dd>99.04 %');
    expect(facts).toContain('<dt>picture: mean squared error</dt>');
    const verdict = /<p class="diagnosis">.*?<\/p>/u.exec(renderReport(report))?.[0];
    expect(verdict).toMatch(/>digit: The loss .* picture: /u);
    const lines = summaryText(report, 'runs/x', 200, createColors(false)).split('\n');
    for (const start of ['digit, top-1', 'picture, mean squared error']) {
      expect(lines.filter((line) => line.startsWith(start)).length).toBeGreaterThan(2);
    }
  });

  it('leave the tiles of a single output as they are', () => {
    expect(renderReport(buildReport(run, config))).toContain('<dt>On a microcontroller</dt>');
  });

  it('have columns each in a matrix, whose gates are those of all', () => {
    const gate = { name: 'error_max', ok: false, value: 1, rule: 'at_most', limit: 0, unit: 'error' } as const;
    const cells = [1, 2].map((cell) => tests(`test@${cell}`, { gates: [gate] }));
    const record: RunRecord = {
      ...run,
      stages: [...run.stages.slice(0, -1), ...cells],
      matrix: {
        axes: [{ setting: 'stages.qat.delay', name: 'delay', labels: ['1', '2'], values: [1, 2] }],
        cells: [0, 1].map((at) => ({ name: `delay=${at + 1}`, choices: [at], stages: { test: `test@${at + 1}` } })),
      },
    };
    const report = buildReport(record, config);
    const [row] = report.matrix?.rows ?? [];
    expect(row).toMatchObject({ measure: 'digit top-1', int8: test.accuracy.int8.top1 });
    expect(row?.others).toMatchObject([{ measure: 'picture error', int8: reconstruction.error.int8.mean }]);
    expect(row?.gates.unmet).toContain('picture: error_max');
    expect(report.matrix?.sentence).toContain('int8 digit top-1');
    expect(renderReport(report)).toContain('Float picture error');
    expect(summaryText(report, 'runs/x', 200, createColors(false))).toContain('int8 picture error');
  });
});
