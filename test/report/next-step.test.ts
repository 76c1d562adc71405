// What to change next, on records in which one thing is wrong at a time. Intervals are those of the tests of statistics.
import { describe, expect, it } from 'vitest';
import type { ClassifyTest, TrainMetrics } from '../../src/measurements/metrics.ts';
import { renderReport } from '../../src/report/html.ts';
import { nextStep } from '../../src/report/next-step.ts';
import { buildReport } from '../../src/report/build-report.ts';
import type { RunRecord, StageRecord } from '../../src/runner/record.ts';
import { config, floatTraining, qatTraining, run, stages, test } from './fixtures.ts';

const gate = {
  name: 'drop_max',
  ok: false,
  value: 0.05,
  rule: 'at_most',
  limit: 0.01,
  unit: 'share_difference',
} as const;
/** A run whose test, and perhaps training, differs. */
const withTest = (change: Partial<ClassifyTest>, pretrain: TrainMetrics = settled): RunRecord => ({
  ...run,
  stages: run.stages.map((stage): StageRecord => {
    if (stage.name === 'pretrain') return { ...stage, metrics: pretrain };
    return stage.name === 'test' ? { ...stage, metrics: { ...test, ...change } } : stage;
  }),
});
/** Whose validation loss stands still in the end. */
const settled: TrainMetrics = {
  ...floatTraining,
  epochs: floatTraining.epochs.map((epoch) => ({ ...epoch, validationLoss: 0.04 })),
} as TrainMetrics;
const said = (record: RunRecord): string => nextStep(buildReport(record, config)).replaceAll('\u202f', ' ');
const accuracyOf = (right: number, float = 9912): ClassifyTest['accuracy'] => ({
  ...test.accuracy,
  float: { top1: float / 10_000, correct: float, n: 10_000 },
  fake_quant: { top1: right / 10_000, correct: right, n: 10_000 },
  int8: { top1: right / 10_000, correct: right, n: 10_000 },
});
const realLoss: Partial<ClassifyTest> = {
  accuracy: accuracyOf(9412),
  flips: { rightToWrong: 520, wrongToRight: 20 },
};
const costs = (training: number, quantization: number): ClassifyTest['costs'] => ({
  training: { rightToWrong: training, wrongToRight: 0 },
  quantization: { rightToWrong: quantization, wrongToRight: 0 },
});

describe('what to change next', () => {
  it('is nothing where all is well, with the most that int8 may lose', () => {
    const report = buildReport(withTest({}), config);
    const most = report.tests[0]?.lossInterval?.high ?? NaN;
    expect(said(withTest({}))).toBe(
      `Nothing needs to change: with 10 000 test examples, int8 loses at most ${(100 * most).toFixed(2)} pp (95 % confidence).`,
    );
  });

  it('is more examples where a gate is met that may not hold', () => {
    const most = buildReport(withTest({}), config).tests[0]?.lossInterval?.high ?? NaN;
    const allowing = (limit: number) => said(withTest({ gates: [{ ...gate, ok: true, value: 0.0008, limit }] }));
    const [limit, found] = [(100 * (most - 1e-6)).toFixed(2), (100 * most).toFixed(2)];
    expect(allowing(most - 1e-6)).toBe(
      `Nothing needs to change, but to be sure of the gate drop_max, test on about 11 000 examples: it allows ${limit} pp, and with 10 000 test examples int8 may lose as much as ${found} pp (95 % confidence).`,
    );
    // 0.080 points were lost, and 0.092 is half of the interval: 10,000 (0.092 / 0.04)^2 examples tell 0.12.
    const [, told = ''] = /on about ([\d ]+) examples/.exec(allowing(0.0012)) ?? [];
    expect(Number(told.replace(/ /g, ''))).toBeGreaterThan(50_000);
    expect(Number(told.replace(/ /g, ''))).toBeLessThan(60_000);
    // No number of examples shows that a loss is smaller than it is.
    expect(allowing(0.0007)).toContain('test on more examples');
    expect(allowing(most + 1e-6)).toMatch(/^Nothing needs to change: /);
  });

  it('is where the next improvement would begin, if one layer has most of the noise and a remedy', () => {
    const layers = test.layers.map((layer, index) =>
      index === 1
        ? {
            ...layer,
            op: 'average_pool_2d',
            shape: [1, 1, 1, 8],
            range: 'shared' as const,
            headroom: 9,
            outputNoise: 1,
          }
        : layer,
    );
    expect(said(withTest({ layers }))).toMatch(
      /^Nothing needs to change: .* If less noise is wanted all the same: use a layer of `kind: mean`/,
    );
    expect(said(withTest({}))).not.toContain('If less noise');
  });

  it('names what stopped a run', () => {
    expect(said({ ...run, status: 'error', stages: [stages.pretrain] })).toContain('qpipe logs');
    expect(said({ ...run, status: 'interrupted', stages: [] })).toMatch(/^Run the pipeline again/);
    expect(said({ ...run, stages: [stages.pretrain] })).toContain('`test`');
  });

  it('is the learning rate of qat where training costs, and more training where quantization does', () => {
    expect(said(withTest({ ...realLoss, costs: costs(500, 0) }))).toContain('Lower the learning rate of `qat`');
    const quantized = said(withTest({ ...realLoss, costs: costs(0, 500) }));
    expect(quantized).toMatch(/train longer with quantization|range of/iu);
    expect(quantized).not.toContain('learning rate of `qat`');
  });

  it('is said by the gate that is not met, if the loss is chance by more examples', () => {
    expect(said(withTest({ gates: [gate] }))).toMatch(/^To meet drop_max .*, test on more examples first/);
    expect(said(withTest({ ...realLoss, costs: costs(500, 0), gates: [gate] }))).toMatch(
      /^To meet drop_max .*, lower the learning rate of `qat`/,
    );
    const size = { ...gate, name: 'model_bytes_max', unit: 'bytes', value: 2000, limit: 1000 } as const;
    expect(said(withTest({ gates: [size] }))).toContain('fewer filters');
  });

  it('says that float misses a gate too', () => {
    const least = {
      ...gate,
      name: 'int8_top1_min',
      rule: 'at_least',
      limit: 0.995,
      value: 0.9904,
      unit: 'share',
    } as const;
    expect(said(withTest({ gates: [least] }))).toContain('float misses it too');
    expect(said(withTest({ gates: [{ ...least, limit: 0.991 }] }))).not.toContain('float misses it too');
  });

  it('is more training where the validation loss still falls', () => {
    const epochs = floatTraining.epochs.map((epoch, at) => ({ ...epoch, validationLoss: 0.8 ** at }));
    expect(said(withTest({}, { ...floatTraining, epochs } as TrainMetrics))).toMatch(/^Give `pretrain` more epochs/);
  });

  it('is more training where that of training falls a lot, and validation does not say otherwise', () => {
    const after = (validation: number | null, training: number) => {
      const epochs = floatTraining.epochs.map((epoch, at) => ({
        ...epoch,
        trainLoss: training ** at,
        validationLoss: validation === null ? null : validation ** at,
      }));
      return said(withTest({}, { ...floatTraining, epochs } as TrainMetrics));
    };
    expect(floatTraining.epochs.length).toBeGreaterThan(1);
    for (const [validation, training] of [
      [0.98, 0.85],
      [null, 0.85],
    ] as const) {
      expect(after(validation, training)).toMatch(/^Give `pretrain` more epochs/);
    }
    for (const [validation, training] of [
      [1, 0.85],
      [0.98, 0.95],
      [null, 0.95],
    ] as const) {
      expect(after(validation, training)).not.toMatch(/^Give `pretrain` more epochs/);
    }
  });

  it('is more data where the network knows its training examples only', () => {
    const epochs = floatTraining.epochs.map((epoch) => ({ ...epoch, trainAccuracy: 0.999, validationLoss: 0.5 }));
    const accuracy = accuracyOf(9000, 9010);
    const flips = { rightToWrong: 12, wrongToRight: 8 };
    const sentence = said(withTest({ accuracy, flips }, { ...floatTraining, epochs } as TrainMetrics));
    expect(sentence).toMatch(/^Add data, augmentation or dropout: .*99\.90 % .*90\.10 %/);
  });

  it('is training with quantization where only `ptq` was used', () => {
    const { qat: _qat, ...others } = stages;
    const record = withTest({ ...realLoss, costs: costs(0, 500) });
    const without = { ...record, stages: record.stages.filter(({ name }) => name !== 'qat') };
    expect(Object.keys(others)).not.toContain('qat');
    expect(qatTraining.level).toBe('qat');
    expect(said(without)).toBe('Train with quantization: `qat` may start from this `ptq`.');
  });

  it('stands in the verdict of the page', () => {
    const head = renderReport(buildReport(withTest({}), config)).split('<nav>')[0] ?? '';
    expect(head).toContain('<p class="next"><strong>Next</strong>Nothing needs to change');
  });
});
