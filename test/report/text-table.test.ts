import { createColors } from 'picocolors';
import { describe, expect, it } from 'vitest';
import { summaryText } from '../../src/cli/summary.ts';
import { compareRuns, renderComparisonText } from '../../src/report/compare/index.ts';
import { buildReport } from '../../src/report/build-report.ts';
import { textTable, wrap } from '../../src/report/text-table.ts';
import { config, reconstructing, run, stages, test } from './fixtures.ts';

const columns = [
  { head: 'model', kind: 'words' },
  { head: 'top-1', kind: 'numbers' },
  { head: 'images', kind: 'numbers' },
] as const;

describe('a table of text', () => {
  it('stands in columns where they fit', () => {
    expect(textTable(columns, [['int8 reference', '98.05 %', '10000']], 80)).toEqual([
      'model             top-1  images',
      'int8 reference  98.05 %   10000',
    ]);
  });

  it('breaks words where they do not, and keeps every word', () => {
    const words = 'its range reaches nine times as far as nearly all values';
    const lines = textTable(columns, [[words, '98.05 %', '10000']], 40);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40);
    expect(lines.slice(1).map((line) => line.slice(0, 24).trim())).toEqual(wrap(words, 23));
  });

  it('turns rows into paragraphs where the numbers alone do not fit', () => {
    expect(textTable(columns, [['int8 reference', '98.05 %', '10000']], 26)).toEqual([
      'int8 reference',
      '  top-1 98.05 %',
      '  images 10000',
    ]);
  });

  it('breaks a word that is longer than a line', () => {
    expect(wrap('see runs/a-long-name/report.html', 10)).toEqual(['see', 'runs/a-lon', 'g-name/rep', 'ort.html']);
  });
});

/** Numbers of a text, whole. */
const numbers = (text: string) => text.match(/\d[\d.]*/g) ?? [];

describe.each([40, 80])('in a terminal of %d columns', (width) => {
  const layers = test.layers.map((layer) => ({ ...layer, headroom: 9 }));
  const gates = [{ ...test.gates[0]!, name: 'fake_quant_top1_min', ok: false }];
  const odd = { ...run, stages: [...run.stages.slice(0, -1), { ...stages.test, metrics: { ...test, layers, gates } }] };

  it.each([
    ['classifies', odd],
    ['reconstructs', reconstructing()],
  ])('the summary of a network that %s fits and loses no number', (_does, record) => {
    const report = buildReport(record, config);
    const text = summaryText(report, 'runs/x', width, createColors(false));
    expect(text.split('\n').filter((line) => line.length > width)).toEqual([]);
    const whole = summaryText(report, 'runs/x', Infinity, createColors(false));
    expect(numbers(text).sort()).toEqual(expect.arrayContaining(numbers(whole).sort()));
  });

  it('a comparison fits and loses no number', () => {
    const comparison = compareRuns([
      { record: run, config },
      { record: { ...odd, id: 'other' }, config: {} },
    ]);
    const text = renderComparisonText(comparison, { color: 'plain', width });
    expect(text.split('\n').filter((line) => line.length > width)).toEqual([]);
    const values = comparison.tests.flatMap(({ models }) => models.flatMap((model) => model.values));
    for (const one of values) expect(text).toContain(`${(100 * one!.value).toFixed(2)} %`);
  });
});

describe('every lint of the report', () => {
  it('is named in the terminal too', () => {
    const warnings = Array.from({ length: 8 }, (_, index) => {
      return { code: 'odd', layer: null, message: `setting ${index} is odd`, hint: null };
    });
    const report = buildReport({ ...run, warnings }, config);
    const text = summaryText(report, 'runs/x', 80, createColors(false));
    for (const { found } of report.lints) expect(text).toContain(found);
    expect(report.lints).toHaveLength(8);
  });
});
