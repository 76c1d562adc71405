import { Ajv } from 'ajv';
import { lexer, parse } from 'marked';
import type { Tokens } from 'marked';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/core/json.ts';
import type { ClassifyTest, TestMetrics } from '../../src/measurements/metrics.ts';
import type { ComparedRun } from '../../src/report/compare/index.ts';
import {
  compareRuns,
  Comparison,
  renderComparisonHtml,
  renderComparisonMarkdown,
  renderComparisonText,
} from '../../src/report/compare/index.ts';
import type { RunRecord } from '../../src/runner/record.ts';
import { config, conversion, qatTraining, reconstruction, run, stages, test } from './fixtures.ts';

const n = 10_000;

/** 1 for each example but those that are named, as a test stage keeps them. */
function rightBut(wrong: readonly number[]): string {
  const values = new Float32Array(n).fill(1);
  for (const index of wrong) values[index] = 0;
  return Buffer.from(values.buffer).toString('base64');
}

const from = (first: number, count: number): number[] => Array.from({ length: count }, (_, index) => first + index);

/** A run whose int8 model got everything right but some examples. */
function withWrong(wrong: readonly number[], change: Partial<ClassifyTest> = {}): RunRecord {
  const correct = n - wrong.length;
  const accuracy = { ...test.accuracy, int8: { top1: correct / n, correct, n } };
  return withTest({ ...test, accuracy, outcomes: rightBut(wrong), ...change });
}

function withTest(metrics: TestMetrics): RunRecord {
  const model = { ...stages.convert.outputs['model']!, digest: `sha256:${metrics.model.sha256}` as const };
  return {
    ...run,
    stages: [...run.stages.slice(0, -2), { ...stages.convert, outputs: { model } }, { ...stages.test, metrics }],
  };
}

const place = (path: readonly string[]) => (path.at(-1) === 'learning_rate' ? null : `mnist.yaml:${path.length}`);
const compared = (record: RunRecord, settings: Json = config): ComparedRun => ({
  record,
  config: settings,
  findPlace: place,
});
const otherModel = { model: { ...test.model, bytes: 66_300, sha256: 'ab'.repeat(32) } };
const delayed: Json = { name: 'mnist-lenet', model: { preset: 'lenet5' }, stages: { pretrain: { uses: 'float-pretrain', epochs: 8, learning_rate: 0.002 }, qat: { uses: 'qat', epochs: 4, learning_rate: 0.0004, delay: 100 } } }; // prettier-ignore

const a = compared(withWrong(from(0, 100)));
/** Of the 100 that A gets wrong it gets 15 right, and 9 others wrong. */
const b = compared(withWrong([...from(15, 85), ...from(200, 9)], otherModel), delayed);

const int8Of = (comparison: Comparison) =>
  comparison.tests.flatMap(({ models }) => models.filter(({ runtime }) => runtime === 'int8'))[0];

describe('compareRuns', () => {
  const comparison = compareRuns([a, b]);

  it('is valid against its own schema', () => {
    const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(Comparison);
    for (const one of [comparison, compareRuns([a, b, a], 'all')]) {
      expect(validate(JSON.parse(JSON.stringify(one))), JSON.stringify(validate.errors)).toBe(true);
    }
  });

  it('begins with what was changed and whether it made a difference', () => {
    // McNemar, exact: 2 * P(X <= 9), X of 24 fair coins, by scipy.stats.binomtest(9, 24).pvalue.
    expect(comparison.sentence).toBe(
      'delay 600 to 100: no difference beyond chance in int8 top-1 (99.00\u202f% to 99.06\u202f%, p = 0.307).',
    );
  });

  it('pairs the same examples, and counts which are right in one run only', () => {
    expect(int8Of(comparison)?.against[1]).toMatchObject({
      method: 'mcnemar',
      unpairedBecause: null,
      judgement: 'chance',
    });
    expect(comparison.tests[0]?.flips).toEqual([
      { run: 'B', onlyFirst: 9, onlyThis: 15, firstExamples: from(200, 9), thisExamples: from(0, 15) },
    ]);
  });

  it.each([
    [
      'other examples',
      { inputs: { ...stages.test.inputs, data: { type: 'Dataset/1', digest: `sha256:${'cd'.repeat(32)}` as const } } },
      'different examples',
    ],
    ['outcomes that were not kept', { metrics: { ...test, ...otherModel, outcomes: '' } }, 'did not keep'],
  ])('refuses to pair %s, and says why', (_what, change, reason) => {
    const record = {
      ...b.record,
      stages: [...b.record.stages.slice(0, -1), { ...b.record.stages.at(-1)!, ...change }],
    };
    const apart = compareRuns([a, { ...b, record }]);
    expect(int8Of(apart)?.against[1]).toMatchObject({ method: 'unpaired', p: null });
    expect(int8Of(apart)?.against[1]?.unpairedBecause).toContain(reason);
    expect(apart.notes.join('\n')).toContain(reason);
    expect(apart.tests[0]?.flips).toEqual([]);
    expect(apart.sentence).toContain('not paired');
  });

  it('judges by the paired test: nine of nine are no noise, however small the difference', () => {
    const better = compareRuns([a, compared(withWrong(from(9, 91), otherModel))]);
    // 2 / 2^9
    expect(int8Of(better)?.against[1]?.p).toBeCloseTo(2 / 512, 12);
    expect(better.sentence).toBe(
      'Same settings: int8 top-1 is better by 0.09\u202fpp (99.00\u202f% to 99.09\u202f%, p = 0.004).',
    );
    const worse = compareRuns([compared(withWrong(from(9, 91), otherModel)), a]);
    expect(worse.sentence).toContain('int8 top-1 is worse by 0.09\u202fpp');
  });

  it('corrects for the number of runs, after Holm', () => {
    const records = [from(9, 91), [...from(6, 94), 300], from(0, 100)].map((wrong, index) =>
      compared(withWrong(wrong, { model: { ...test.model, sha256: `${index}c`.repeat(32) } })),
    );
    const several = compareRuns([a, ...records]);
    // Uncorrected 2/512, 2 * (1 + 7)/128 and 1; times 3, 2 and 1.
    const [, first, second, third] = int8Of(several)?.against ?? [];
    expect([first?.p, second?.p, third?.p]).toEqual([expect.closeTo(6 / 512, 12), expect.closeTo(2 / 8, 12), 1]);
    expect([first, second, third].map((one) => one?.judgement)).toEqual(['better', 'chance', 'same']);
    expect(several.sentence).toBe(
      'Same settings: int8 top-1 of A is 99.00\u202f%; better is B (by 0.09\u202fpp, p = 0.012); within chance is C; equal is D.',
    );
  });

  it('pairs errors by their differences, where less is better', () => {
    const errors = (shift: number): TestMetrics => {
      const values = Float32Array.from(from(0, 50), (index) => 1 + (index % 5) + shift * (1 + (index % 2)));
      const mean = values.reduce((sum, value) => sum + value, 0) / 50;
      return {
        ...reconstruction,
        n: 50,
        error: { ...reconstruction.error, int8: { mean, deviation: 1 } },
        outcomes: Buffer.from(values.buffer).toString('base64'),
        model: { ...test.model, sha256: (shift === 0 ? 'aa' : 'bb').repeat(32) },
      };
    };
    const comparison = compareRuns([compared(withTest(errors(0))), compared(withTest(errors(-0.1)))]);
    const contrast = int8Of(comparison)?.against[1];
    // Differences are -0.1 and -0.2, 25 times each: mean -0.15, deviation 0.05 * sqrt(50 / 49).
    expect(contrast?.difference).toBeCloseTo(-0.15, 5);
    const half = (1.959964 * 0.05 * Math.sqrt(50 / 49)) / Math.sqrt(50);
    expect([contrast?.low, contrast?.high]).toEqual([expect.closeTo(-0.15 - half, 4), expect.closeTo(-0.15 + half, 4)]);
    expect(contrast).toMatchObject({ method: 'paired', judgement: 'better' });
    expect(comparison.sentence).toMatch(/int8 mean squared error is better by 0\.15 \(3 to 2\.85, p < 0\.001\)/);
    expect(comparison.tests[0]?.flips[0]).toMatchObject({ onlyFirst: 0, onlyThis: 50 });
  });

  it('lists differing settings with their places, and all if wanted', () => {
    expect(comparison.settings).toEqual([
      { path: 'stages.qat.delay', values: ['600', '100'], places: ['mnist.yaml:3', 'mnist.yaml:3'] },
    ]);
    expect(compareRuns([a, b], 'all').settings.map(({ path }) => path)).toContain('model.preset');
    const elsewhere = {
      ...b,
      record: { ...b.record, provenance: { ...run.provenance, node: 'v22.12.0', commandLine: ['x'] } },
    };
    expect(compareRuns([a, elsewhere]).environment).toEqual([{ path: 'node', values: ['"v20.20.2"', '"v22.12.0"'] }]);
  });

  it('names what was written, not what followed from it', () => {
    const settings = (qat: Json): Json => ({ stages: { qat } });
    const sentence = (x: Json, y: Json) =>
      compareRuns([compared(a.record, settings(x)), compared(b.record, settings(y))]).sentence;
    expect(sentence({ scheme: 'int8', learning_rate: 1 }, { scheme: 'uint8', learning_rate: 2 })).toMatch(
      /^scheme int8 to uint8: /,
    );
    expect(sentence({ delay: 1 }, { delay: 1, freeze: true })).toMatch(/^freeze set to true: /);
    expect(sentence({ delay: 1, a: 1, b: 2 }, { delay: 2, a: 2, b: 1 })).toMatch(/^3 settings changed: /);
    expect(sentence({ delay: 1 }, {})).toMatch(/^delay left out, which was 1: /);
  });

  it('says where both runs made the same bytes', () => {
    expect(compareRuns([a, a]).sentence).toBe(
      'Same settings: no difference, both made the same model file, byte for byte.',
    );
    expect(compareRuns([a, a]).artifacts.every(({ identical }) => identical)).toBe(true);
    const identical = Object.fromEntries(comparison.artifacts.map((one) => [one.name, one.identical]));
    expect(identical).toMatchObject({ 'qat/model': true, 'convert/model': false });
    expect(comparison.training.map(({ identical: same }) => same)).toEqual([true, true]);
  });

  it('puts the layer that changed most first, and leaves out those that did not', () => {
    const layers = test.layers.map((layer) => (layer.name === 'conv2/relu' ? { ...layer, floatSqnrDb: 30.2 } : layer));
    const changed = compareRuns([a, compared(withWrong(from(0, 100), { layers }))]);
    expect(changed.tests[0]?.layers).toEqual([{ name: 'conv2/relu', values: [35.2, 30.2] }]);
  });

  it('lists the lints that not all have, whatever their numbers', () => {
    const clip = (layers: readonly string[], above: number): ComparedRun =>
      compared(
        withWrong(from(0, 100), {
          layers: test.layers.map((layer) =>
            layers.includes(layer.name) ? { ...layer, clipped: { below: 0, above, noiseShare: 0.5 } } : layer,
          ),
        }),
      );
    const { lints } = compareRuns([clip(['conv1/relu', 'conv2/relu'], 0.02), clip(['conv2/relu', 'logits'], 0.03)]);
    expect(lints.map(({ code, place, values }) => [code, place, values.map((found) => found !== null)])).toEqual([
      ['clipped-share', 'test, conv1/relu', [true, false]],
      ['clipped-share', 'test, logits', [false, true]],
    ]);
  });

  it('matches tests by name, and names those that only one run has', () => {
    const renamed = (...names: readonly string[]): ComparedRun =>
      compared({ ...run, stages: [...run.stages.slice(0, -1), ...names.map((name) => ({ ...stages.test, name }))] });
    const matched = compareRuns([renamed('test-x', 'test-y'), renamed('test-y', 'test-z')]);
    expect(matched.tests.map((one) => one.test)).toEqual(['test-y']);
    expect(matched.unmatched).toEqual([
      { run: 'A', tests: ['test-x'] },
      { run: 'B', tests: ['test-z'] },
    ]);
    const only = compareRuns([renamed('test-x'), renamed('test-z')]);
    expect(only.tests).toHaveLength(1);
    expect(only.notes.join()).toContain('named differently: test-x and test-z');
  });

  it('does not compare different tasks, or a run without a test', () => {
    const other = compareRuns([a, compared(withTest(reconstruction))]);
    expect(other.sentence).toContain('they measure different things');
    const without = compareRuns([a, compared({ ...run, status: 'interrupted', stages: run.stages.slice(0, 2) })]);
    expect(without.sentence).toContain('nothing measured can be compared');
    expect(without.notes[0]).toContain('B was interrupted');
    for (const one of [other, without]) {
      expect(renderComparisonText(one, { color: 'plain', width: 80 })).not.toMatch(/NaN|undefined|null/);
      expect(renderComparisonHtml(one).replace(/<script>[\s\S]*/, '')).not.toMatch(/NaN|undefined/);
    }
  });

  it('marks the models that none surpasses at their size', () => {
    const point = (wrong: number, bytes: number): ComparedRun =>
      compared(withWrong(from(0, wrong), { model: { ...test.model, bytes } }));
    const { tradeoff } = compareRuns([point(100, 5000), point(90, 6000), point(95, 7000), point(200, 4000)]);
    expect(tradeoff?.points.map(({ run: name, best }) => [name, best])).toEqual([
      ['A', true],
      ['B', true],
      ['C', false],
      ['D', true],
    ]);
    expect(compareRuns([a, b]).tradeoff).toBeNull();
  });

  it('judges sizes, arenas and best epochs', () => {
    const memory = (arena: number) => ({
      ...conversion,
      bytes: arena * 3,
      memory: { ...conversion.memory, arena, macs: 1000 },
    });
    const convert = (arena: number): RunRecord => ({
      ...run,
      stages: run.stages.map((one) => (one.name === 'convert' ? { ...one, metrics: memory(arena) } : one)),
    });
    const { measures } = compareRuns([compared(convert(1000)), compared(convert(900))]);
    expect(measures.filter(({ unit }) => unit === 'bytes')).toEqual([
      { name: 'model file', unit: 'bytes', values: [3000, 2700], judgements: ['same', 'better'] },
      { name: 'tensor arena', unit: 'bytes', values: [1000, 900], judgements: ['same', 'better'] },
    ]);
  });
});

describe('renderComparisonText', () => {
  const comparison = compareRuns([a, b]);

  it.each([40, 60, 80, 140])('fits %d columns and has no colour codes unless asked', (width) => {
    for (const one of [comparison, compareRuns([a, b, a])]) {
      const text = renderComparisonText(one, { color: 'plain', width });
      expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(width);
      expect(text).not.toContain('\u001b');
      expect(renderComparisonText(one, { color: 'color', width })).toContain('\u001b[');
    }
  });

  it('shows values, difference, interval and judgement in one line', () => {
    const text = renderComparisonText(comparison, { color: 'plain', width: 80 });
    expect(text).toMatch(/int8, TFLM +99\.00 % +99\.06 % +\+0\.06 \[−0\.0\d, \+0\.1\d\] pp +undecided, p = 0\.307/);
    expect(text).toMatch(/stages\.qat\.delay +600 +100 +mnist\.yaml:3/);
  });

  it('says that the settings are equal rather than nothing', () => {
    expect(renderComparisonText(compareRuns([a, a]), { color: 'plain', width: 80 })).toContain(
      'The settings are equal.',
    );
  });
});

describe('renderComparisonMarkdown', () => {
  const tablesOf = (markdown: string): Tokens.Table[] =>
    lexer(markdown, { gfm: true }).flatMap((token) => (token.type === 'table' ? [token as Tokens.Table] : [])); // by its type

  it('is a sentence, a short table, and the rest folded', () => {
    const markdown = renderComparisonMarkdown(compareRuns([a, b]));
    const [summary, ...detail] = tablesOf(markdown);
    expect(summary?.rows.map((row) => row[0]?.text)).toEqual(['top-1 int8, TFLM', 'top-1 int8, LiteRT']);
    expect(summary?.rows[0]?.map(({ text }) => text.replaceAll('\u00a0', ' ')).slice(1, 3)).toEqual([
      '99.00 %',
      '99.06 %',
    ]);
    expect(detail.length).toBeGreaterThan(3);
    const html = parse(markdown, { gfm: true, async: false });
    expect(html).toMatch(/^<p><strong>qpipe compare<\/strong> – delay 600 to 100: no difference beyond chance/);
    const folded = /<details>([\s\S]*)<\/details>/.exec(html)?.[1] ?? '';
    expect(folded.match(/<table>/g)?.length).toBe(detail.length);
    expect(html.indexOf('<table>')).toBeLessThan(html.indexOf('<details>'));
  });

  it('shows whatever names contain as text, in its cell', () => {
    const hostile = '<img src=x onerror=alert(1)> | `code` *bold* [x](https://example.com) @octocat\nline';
    const settings = (value: string): Json => ({ stages: { qat: { [hostile]: value } } });
    const markdown = renderComparisonMarkdown(
      compareRuns([compared(a.record, settings('1')), compared(b.record, settings(hostile))]),
    );
    const html = parse(markdown, { gfm: true, async: false });
    expect(html).not.toMatch(/<img|<a |<em>|<code>|@octocat/);
    for (const { header, rows } of tablesOf(markdown)) {
      for (const row of rows) expect(row).toHaveLength(header.length);
    }
    expect(html).toContain('onerror=alert(1)&gt; | `code` *bold*');
  });
});

describe('renderComparisonHtml', () => {
  it('is one self-contained, escaped page', () => {
    const hostile = { ...b, record: { ...b.record, pipeline: '<img src=x>' } };
    const html = renderComparisonHtml(compareRuns([a, hostile]));
    expect(html).toContain('&lt;img src=x&gt;');
    expect(html).not.toMatch(/https?:|<link|<img/);
    expect(html).toContain('stages.qat.delay');
  });

  it('draws the losses of both runs where quantization begins, and says by how much one was moved', () => {
    const trained = (delay: number, digest: string): ComparedRun =>
      compared({
        ...a.record,
        stages: a.record.stages.map((one) =>
          one.name === 'qat'
            ? {
                ...one,
                metrics: { ...qatTraining, delay },
                outputs: { model: { ...stages.qat.outputs['model']!, digest: `sha256:${digest.repeat(32)}` as const } },
              }
            : one,
        ),
      });
    const comparison = compareRuns([trained(600, 'aa'), trained(100, 'bb')]);
    expect(comparison.training.map(({ stage, identical }) => [stage, identical])).toEqual([
      ['pretrain', true],
      ['qat', false],
    ]);
    const html = renderComparisonHtml(comparison);
    expect(html).toContain('Loss of qat');
    expect(html).not.toContain('Loss of pretrain');
    expect(html).toContain('Moved to the right: B by 500 steps.');
  });
});

describe('the three forms', () => {
  it('say the same facts', () => {
    const comparison = compareRuns([a, b]);
    const tidy = (text: string): string => text.replaceAll(/[\u202f\u00a0]/g, ' ').replaceAll('\\', '');
    const forms = [
      renderComparisonText(comparison, { color: 'plain', width: Infinity, rows: 'all' }),
      renderComparisonMarkdown(comparison),
      renderComparisonHtml(comparison),
    ].map(tidy);
    const facts = [
      'stages.qat.delay',
      'mnist.yaml:3',
      '99.00 %',
      '99.06 %',
      'p = 0.307',
      '200, 201, 202',
      'convert/model',
      'abababababab',
    ];
    for (const fact of facts) for (const form of forms) expect(form).toContain(fact);
  });
});
