import { Ajv } from 'ajv';
import { createColors } from 'picocolors';
import { describe, expect, it } from 'vitest';
import { summaryText } from '../../src/cli/summary.ts';
import { compareRuns } from '../../src/report/compare/index.ts';
import { renderReport } from '../../src/report/html.ts';
import { buildReport } from '../../src/report/build-report.ts';
import { Report } from '../../src/report/report.ts';
import { config, reconstructing, reconstruction, run } from './fixtures.ts';

const report = buildReport(reconstructing(), config);

describe('the report on a network that reconstructs', () => {
  it('is valid against the schema', () => {
    const validate = new Ajv({ strict: true, allErrors: true }).compile(Report);
    expect(validate(JSON.parse(JSON.stringify(report))), JSON.stringify(validate.errors)).toBe(true);
  });

  it('has the errors, their intervals and the rise over float', () => {
    expect(report).toMatchObject({ task: 'reconstruct', error: { float: { mean: 0.02, n: 10_000, rise: null } } });
    const { interval, rise } = report.task === 'reconstruct' ? report.error.int8! : { interval: null, rise: null };
    // 0.0206 +- 1.96 * 0.01 / 100
    expect(interval!.low).toBeCloseTo(0.020404, 6);
    expect(interval!.high).toBeCloseTo(0.020796, 6);
    expect(rise).toBeCloseTo(0.03, 12);
    expect(report.lints).toEqual([]);
  });

  it('says what quantization cost in one sentence', () => {
    expect(report.sentence.replaceAll('\u202f', ' ')).toBe(
      'int8 mean squared error is 0.0206 on a microcontroller, phone or browser, against 0.02 for float: 3.00 % more. The gate is met.',
    );
  });

  it('shows each image beside its reconstruction, and nothing of classes', () => {
    const html = renderReport(report);
    for (const title of ['input', 'float', 'int8']) {
      expect(html.match(new RegExp(`alt="${title} of example \\d+"`, 'g')), title).toHaveLength(2);
    }
    expect(html).toContain('Reconstruction error');
    expect(html).toContain('Last validation loss');
    expect(html).not.toMatch(/Top-1|Confusion|Accuracy/);
  });

  it('tells when LiteRT reconstructs otherwise', () => {
    const error = { ...reconstruction.error, int8_litert: { mean: 0.0208, deviation: 0.01 } };
    const { lints } = buildReport(reconstructing({ ...reconstruction, error }));
    expect(lints.map(({ code }) => code)).toEqual(['runtimes-disagree']);
  });

  it('is summed up in the terminal', () => {
    const text = summaryText(report, 'runs/x', 80, createColors(false));
    expect(text).toMatch(/int8 microcontroller \(TFLM\)\s+0\.0206\s+0\.0204 \.\. 0\.0208/);
  });
});

describe('comparing runs that reconstruct', () => {
  const with8 = (mean: number) => {
    const error = { ...reconstruction.error, int8: { mean, deviation: 0.01 } };
    return { record: reconstructing({ ...reconstruction, error }), config };
  };
  const int8Of = (b: ReturnType<typeof with8>) => {
    const [test] = compareRuns([with8(0.0206), b]).tests;
    return test?.models.find(({ runtime }) => runtime === 'int8')?.against[1];
  };
  const judged = (mean: number) => int8Of(with8(mean))?.judgement;

  it('judges less error as better, unless the interval of the difference holds zero', () => {
    expect(judged(0.0206)).toBe('same');
    expect(judged(0.0205)).toBe('chance');
    expect(judged(0.019)).toBe('better');
    expect(judged(0.022)).toBe('worse');
  });

  it('says that a network of another task has nothing to compare', () => {
    const { notes, tests } = compareRuns([{ record: run, config }, with8(0.02)]);
    expect(notes).toContain('The networks of `test` have different tasks, so their results cannot be compared.');
    expect(tests.flatMap(({ models }) => models.flatMap(({ against }) => against)).every((one) => one === null)).toBe(
      true,
    );
  });
});
