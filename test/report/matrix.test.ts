// The cells of a matrix side by side. Means, deviations and p-values are computed by hand beside each test.
import { Ajv } from 'ajv';
import { createColors } from 'picocolors';
import { describe, expect, it } from 'vitest';
import { summaryText } from '../../src/cli/summary.ts';
import { renderReport } from '../../src/report/html.ts';
import { buildReport } from '../../src/report/build-report.ts';
import { Report } from '../../src/report/report.ts';
import { nextStep } from '../../src/report/next-step.ts';
import { holm, pairedT, spreadOf, studentTail } from '../../src/report/statistics.ts';
import type { MatrixRecord, RunRecord, StageRecord } from '../../src/runner/record.ts';
import { hex, run, stages, test } from './fixtures.ts';

type Choice = readonly [label: string, label: string];

interface Tested {
  readonly int8: number;
  readonly float?: number;
  /** Right or wrong, by test example. */
  readonly outcomes?: string;
  readonly gateMet?: boolean;
}

const share = (top1: number) => ({ top1, correct: Math.round(top1 * 10_000), n: 10_000 });

/** A test stage of its own for a cell. */
function tested(name: string, { int8, float = 0.99, outcomes, gateMet = true }: Tested): StageRecord {
  const values = Float32Array.from(outcomes ?? '', Number);
  const [gate] = test.gates;
  const metrics = {
    ...test,
    accuracy: { ...test.accuracy, float: share(float), int8: share(int8) },
    gates: [{ ...gate!, ok: gateMet }],
    model: { ...test.model, sha256: hex(Buffer.from(name).toString('hex').slice(0, 40)) },
    ...(outcomes === undefined ? {} : { outcomes: Buffer.from(values.buffer).toString('base64') }),
  };
  return { ...stages.test, name, verdict: gateMet ? 'pass' : 'fail', metrics };
}

/** A matrix over `axis` and the scheme; a cell without numbers has no result. */
function matrixRun(axis: string, cells: readonly (readonly [...Choice, Tested | null])[]): RunRecord {
  const axes = [axis, 'stages.qat.scheme'].map((setting, index) => {
    const labels = [...new Set(cells.map(([first, second]) => (index === 0 ? first : second)))];
    return { setting, name: setting.split('.').at(-1)!, values: labels, labels };
  });
  const named = cells.map(([first, scheme, result]) => ({
    name: `${axes[0]!.name}=${first}, scheme=${scheme}`,
    choices: [axes[0]!.labels.indexOf(first), axes[1]!.labels.indexOf(scheme)],
    stage: `test@${axes[0]!.name}=${first}@scheme=${scheme}`,
    result,
  }));
  const matrix: MatrixRecord = {
    axes,
    cells: named.map(({ name, choices, stage }) => ({
      ...{ name, choices },
      stages: { pretrain: 'pretrain', convert: 'convert', test: stage },
    })),
  };
  const tests = named.flatMap(({ stage, result }) => (result === null ? [] : [tested(stage, result)]));
  return { ...run, matrix, stages: [...run.stages.slice(0, -1), ...tests] };
}

/** Differences by seed: 0.1, 0.2 and 0.3 points. */
const seeds = matrixRun('seed', [
  ['1', 'int8', { int8: 0.98 }],
  ['1', 'uint8', { int8: 0.979 }],
  ['2', 'int8', { int8: 0.984 }],
  ['2', 'uint8', { int8: 0.982 }],
  ['3', 'int8', { int8: 0.982 }],
  ['3', 'uint8', { int8: 0.979, gateMet: false }],
]);

/** The first is right on 18 of 20, the second on 8 (all of them among the 18), the third on 17. */
const delays = matrixRun('stages.qat.delay', [
  ['0', 'int8', { int8: 0.9, outcomes: '11111111111111111100' }],
  ['100', 'int8', { int8: 0.4, outcomes: '11111111000000000000' }],
  ['200', 'int8', { int8: 0.85, outcomes: '11111111111111111000' }],
]);

describe('the statistics of a matrix', () => {
  it('are those of a sample', () => {
    // 2, 4, 4, 4, 5, 5, 7, 9: mean 5, squares 32, by n - 1 = 7.
    const { mean, deviation, low, high } = spreadOf([2, 4, 4, 4, 5, 5, 7, 9]);
    expect([mean, low, high]).toEqual([5, 2, 9]);
    expect(deviation).toBeCloseTo(Math.sqrt(32 / 7), 12);
    expect(spreadOf([3]).deviation).toBeNull();
  });

  it('have the quantiles of printed tables of the t distribution', () => {
    const table = [
      [1, 12.7062], [2, 4.30265], [3, 3.18245], [4, 2.77645], [5, 2.57058], [9, 2.26216], [10, 2.22814], [30, 2.04227],
      [100, 1.98397],
    ] as const; // prettier-ignore
    for (const [freedom, quantile] of table) expect(studentTail(quantile, freedom)).toBeCloseTo(0.05, 5);
    expect(studentTail(63.6567, 1)).toBeCloseTo(0.01, 6);
    expect(studentTail(0, 7)).toBe(1);
    // The normal distribution, for thousands of examples.
    expect(studentTail(1.959964, 9999)).toBeCloseTo(0.05, 3);
  });

  it('pair by differences', () => {
    // 1, 2, 3: t = 2 / (1 / sqrt(3)) with 2 degrees of freedom, whose tail is 1 - t / sqrt(2 + t^2).
    const t = 2 * Math.sqrt(3);
    expect(pairedT([1, 2, 3])).toBeCloseTo(1 - t / Math.sqrt(2 + t * t), 12);
    expect([pairedT([0, 0, 0]), pairedT([4])]).toEqual([1, null]);
  });

  it('are corrected for being several', () => {
    expect(holm([0.01, 0.04, 0.03]).map((p) => Math.round(p * 1e6) / 1e6)).toEqual([0.03, 0.06, 0.06]);
    expect(holm([0.6, 0.9])).toEqual([1, 1]);
  });
});

describe('the report of a matrix', () => {
  it('fits its schema, and that of a run without one says nothing of it', () => {
    const validate = new Ajv({ strict: true, allErrors: true }).compile(Report);
    const onDisk: unknown = JSON.parse(JSON.stringify(buildReport(seeds)));
    expect(validate(onDisk), JSON.stringify(validate.errors)).toBe(true);
    expect(buildReport(run)).not.toHaveProperty('matrix');
  });

  it('has a row for each cell', () => {
    const { matrix } = buildReport(seeds);
    expect(matrix?.axes.map(({ name, isSeed }) => [name, isSeed])).toEqual([
      ['seed', true],
      ['scheme', false],
    ]);
    expect(matrix?.rows).toHaveLength(6);
    expect(matrix?.rows[5]).toMatchObject({
      ...{ cell: 'seed=3, scheme=uint8', labels: ['3', 'uint8'], called: 'test', measure: 'top-1' },
      ...{ float: 0.99, fake_quant: 0.9906, int8: 0.979, bytes: 66_808 },
      gates: { met: 0, all: 1, unmet: ['int8_top1'] },
    });
    expect(matrix?.rows[5]?.loss).toBeCloseTo(0.011, 12);
  });

  it('has mean and spread of the cells that differ only in their seeds', () => {
    const [int8, uint8] = buildReport(seeds).matrix!.groups;
    // 98.0, 98.4, 98.2: mean 98.2, deviation 0.2. 97.9, 98.2, 97.9: mean 98.0, deviation sqrt(0.06 / 2).
    expect(int8).toMatchObject({ name: 'scheme=int8', labels: ['int8'], int8: { n: 3, low: 0.98, high: 0.984 } });
    expect(int8?.int8.mean).toBeCloseTo(0.982, 12);
    expect(int8?.int8.deviation).toBeCloseTo(0.002, 12);
    expect(uint8?.int8.mean).toBeCloseTo(0.98, 12);
    expect(uint8?.int8.deviation).toBeCloseTo(Math.sqrt(0.06 / 2) / 100, 12);
    expect(uint8?.loss?.mean).toBeCloseTo(0.01, 12);
  });

  it('compares by seed, so that what all cells of a seed share is no noise', () => {
    const report = buildReport(seeds);
    // As in the test above: 0.1, 0.2, 0.3 points have p = 0.0742.
    expect(report.matrix?.best).toMatchObject({
      name: 'scheme=int8',
      pairedBy: 'seeds',
      test: 'test@seed=2@scheme=int8',
    });
    const [lead] = report.matrix!.best!.leads;
    expect(lead).toMatchObject({ over: 'scheme=uint8', beyondChance: false });
    expect(lead?.difference).toBeCloseTo(0.002, 12);
    expect(lead?.p).toBeCloseTo(0.0742, 4);
    expect(report.sentence.replaceAll('\u202f', ' ')).toBe(
      'Best of 2 settings: scheme=int8, int8 top-1 98.20 % ± 0.20 pp, mean and standard deviation of 3 seeds. Its lead over the other may be chance (paired by seed, p = 0.074). Gates (int8_top1 at least 98.50 %) are met by 5 of 6 models.',
    );
  });

  it('pairs cells of one seed on the test examples', () => {
    const { matrix, sentence, task, ...others } = buildReport(delays);
    expect(matrix?.groups).toEqual([]);
    expect(matrix?.best).toMatchObject({ name: 'delay=0, scheme=int8', pairedBy: 'examples' });
    // Ten differ, all one way: 2 / 2^10, twice by Holm. One differs: p = 1.
    expect(matrix?.best?.leads.map(({ p, beyondChance }) => [p, beyondChance])).toEqual([
      [2 * (2 / 1024), true],
      [1, false],
    ]);
    expect(sentence).toContain('more than chance over 1 of the 2 others (paired on the same test examples');
    expect(task === 'classify' && 'accuracy' in others && others.accuracy.int8?.top1).toBe(0.9);
  });

  it('pairs nothing that was tested on other examples', () => {
    const [last, ...before] = delays.stages.toReversed();
    const data = { type: 'Dataset/1', digest: `sha256:${hex('0ther')}` } as const;
    const other = { ...last!, inputs: { ...last!.inputs, data } };
    const { leads } = buildReport({ ...delays, stages: [...before.toReversed(), other] }).matrix!.best!;
    expect(leads.map(({ p }) => p)).toEqual([2 / 1024, null]);
  });

  it('names the cells that have no result', () => {
    const part = matrixRun('seed', [
      ['1', 'int8', { int8: 0.98 }],
      ['1', 'uint8', { int8: 0.97 }],
      ['2', 'int8', null],
      ['2', 'uint8', { int8: 0.99 }],
    ]);
    const { matrix, sentence } = buildReport(part);
    expect(matrix?.untested).toEqual(['seed=2, scheme=int8']);
    expect(sentence).toContain('1 cell of 4 has no result');
    // Only seed 1 has both, and one pair says nothing of noise.
    expect(matrix?.best?.leads[0]?.p).toBeNull();
  });

  it('says what many cells have in common once', () => {
    const agreement = { ...test.agreement, int8_vs_litert: 0.9 };
    const disagreeing = seeds.stages.map((one) =>
      one.kind === 'test' ? { ...one, metrics: { ...one.metrics, agreement } } : one,
    );
    const report = buildReport({ ...seeds, stages: disagreeing });
    expect(report.lints).toHaveLength(6);
    const html = renderReport(report);
    const [first, ...others] = [
      ...html.slice(0, html.indexOf('<nav>')).matchAll(/<li class="warning">[\s\S]*?<\/li>/g),
    ];
    expect(others).toEqual([]);
    expect(first?.[0]).toContain('test (seed=2, scheme=int8) and 5 other cells: ');
  });
});

describe('the page of a matrix', () => {
  const html = renderReport(buildReport(seeds));

  it('leads from each row to the details of its cell', () => {
    const links = [...html.matchAll(/href="#(cell-\d+)"/g)].map(([, id]) => id);
    expect(links).toEqual(['cell-1', 'cell-2', 'cell-3', 'cell-4', 'cell-5', 'cell-6']);
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const link of links) expect(ids).toContain(link);
    // A link opens the details around its target.
    expect(html).toMatch(
      /<details class="cell"><summary>1\. seed=1, scheme=int8: int8 top-1 98\.00.*?<\/summary><div id="cell-1">/,
    );
  });

  it('shows no numbers of one cell outside of its details', () => {
    const outside = html.replace(/<details[\s\S]*<\/details>/, '');
    expect(outside).not.toContain('Predicted class');
    expect(outside).not.toContain('class="confusion"');
    expect(html).toContain('class="confusion"');
  });
});

describe('the summary of a matrix', () => {
  const lines = (record: RunRecord, columns: number) =>
    summaryText(buildReport(record), 'runs/x', columns, createColors(false)).split('\n');

  it('has a row a cell, and the spread below', () => {
    const text = lines(seeds, 100).join('\n');
    expect(text).toMatch(/^seed +scheme +int8 top-1 +float +fake-quant +against float +size +gates$/m);
    expect(text).toMatch(/^3 +uint8 +97\.90 % +99\.00 % +99\.06 % +−1\.10 pp +65\.2 KiB +not met: int8_top1$/m);
    expect(text).toMatch(/^int8 +3 +98\.20 % ± 0\.20 pp +98\.00 % \.\. 98\.40 % +99\.00 % ± 0\.00 pp$/m);
  });

  it('fits the screen', () => {
    for (const columns of [60, 80]) {
      for (const line of lines(seeds, columns)) expect(line.length).toBeLessThanOrEqual(columns);
    }
  });

  it('shows the best of many cells', () => {
    const many = matrixRun(
      'stages.qat.delay',
      Array.from({ length: 40 }, (_, index) => [String(index), 'int8', { int8: 0.9 + index / 1000 }] as const),
    );
    const text = lines(many, 100);
    expect(text.filter((line) => /^\d+ +9\d\.\d+ %/.test(line))).toHaveLength(16);
    expect(text).toContain('the best 16 of 40 cells; report.html has all');
  });
});

describe('what a matrix says to do', () => {
  /** Cells that differ in one number, and how many of 40 test examples each has right. */
  const over = (axis: string, cells: readonly (readonly [value: string, right: number])[]): string =>
    nextStep(
      buildReport(
        matrixRun(
          axis,
          cells.map(([value, right]) => [
            ...([value, 'int8'] as const),
            { int8: right / 40, outcomes: '1'.repeat(right).padEnd(40, '0') },
          ]),
        ),
      ),
    );

  it('is to go on where the best value is the outermost', () => {
    const larger = over('stages.qat.epochs', [['2', 8], ['4', 20], ['8', 38]]); // prettier-ignore
    expect(larger).toMatch(
      /^Take epochs=8, scheme=int8: .* Try larger values of epochs too: 8 is the largest so far\./,
    );
    expect(over('stages.qat.rate', [['0.1', 38], ['0.2', 20], ['0.4', 8]])).toContain('Try smaller values of rate too: 0.1'); // prettier-ignore
  });

  it('is not to go on from the middle, below 0, from two values, or where the lead may be chance', () => {
    for (const cells of [
      [['2', 8], ['4', 38], ['8', 20]],
      [['0', 38], ['100', 20], ['200', 8]],
      [['2', 8], ['4', 38]],
      [['2', 36], ['4', 37], ['8', 38]],
    ] as const) expect(over('stages.qat.delay', cells)).not.toMatch(/Try (larger|smaller)/); // prettier-ignore
  });
});

describe('the top of the page of a matrix', () => {
  const head = (renderReport(buildReport(seeds)).split('<nav>')[0] ?? '').replaceAll('\u202f', ' ');

  it('has the mean of the seeds before the model that is shown, and the file of that model', () => {
    // 98.0, 98.4 and 98.2; of them the second is shown.
    expect(head).toMatch(/<dt>Mean of 3 seeds<\/dt><dd>98\.20 %<small>± 0\.20 pp/);
    expect(head).toMatch(/those of <strong>seed=2, scheme=int8<\/strong>, the best of 3 seeds/);
    expect(head.indexOf('Mean of 3 seeds')).toBeLessThan(head.indexOf('On a microcontroller'));
  });

  it('says which combinations there are', () => {
    expect(head).toContain('A matrix of 6 cells, one model for each combination of seed (1, 2 and 3) and scheme');
  });
});
