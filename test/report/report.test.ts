import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { buildReport } from '../../src/report/build-report.ts';
import { Report } from '../../src/report/report.ts';
import type { RunRecord } from '../../src/runner/record.ts';
import type { ClassifyTest } from '../../src/measurements/metrics.ts';
import { config, hex, qatTraining, run, stages, test } from './fixtures.ts';

const validate = new Ajv({ strict: true, allErrors: true }).compile(Report);
/** As it is written to disk and read back. */
const accuracyOf = (report: Report) => (report.task === 'classify' ? report.accuracy : null);
const onDisk = (record: RunRecord) => JSON.parse(JSON.stringify(buildReport(record, config))) as Report;
const codes = (record: RunRecord) => buildReport(record).lints.map(({ code }) => code);
const withTest = (changes: Partial<ClassifyTest>): RunRecord => ({
  ...run,
  stages: [...run.stages.slice(0, -1), { ...stages.test, metrics: { ...test, ...changes } }],
});
const withQat = (changes: object): RunRecord => ({
  ...run,
  stages: [{ ...stages.qat, metrics: { ...qatTraining, ...changes } }],
});

describe('report.json', () => {
  it('is valid against its own schema', () => {
    expect(validate(onDisk(run)), JSON.stringify(validate.errors)).toBe(true);
  });

  it('holds the fields that scripts read', () => {
    const report = onDisk(run);
    expect(accuracyOf(report)?.float).toMatchObject({ top1: 0.9912, n: 10_000 });
    expect(accuracyOf(report)?.fake_quant).toMatchObject({ top1: 0.9906, n: 10_000 });
    expect(accuracyOf(report)?.int8).toMatchObject({ top1: 0.9904, n: 10_000 });
    expect(accuracyOf(report)?.int8_litert).toMatchObject({ top1: 0.9905, n: 10_000 });
    expect(report.gates[1]).toMatchObject({ name: 'int8_drop', limit: 0.003, value: 0.0008, ok: true });
    expect(report.model).toMatchObject({ path: 'stages/convert/model.tflite', bytes: 66_808, sha256: hex('c0ffee') });
    expect(report.stages[0]).toMatchObject({ name: 'pretrain', cached: true, seconds: 51.8 });
  });

  it('says the drop to float and the interval of each model', () => {
    const { float, int8 } = accuracyOf(buildReport(run))!;
    expect(float?.drop).toBeNull();
    expect(int8?.drop).toBeCloseTo(0.0008, 10);
    // Wilson by hand for 9,904 of 10,000.
    expect(int8?.interval.low).toBeCloseTo(0.9883, 4);
    expect(int8?.interval.high).toBeCloseTo(0.9921, 4);
  });

  it('says in one sentence what quantization cost', () => {
    expect(buildReport(run).sentence.replaceAll('\u202f', ' ')).toBe(
      'int8 top-1 is 99.04 % on a microcontroller and 99.05 % on a phone or browser, against 99.12 % for float: a drop of 0.08 pp and 0.07 pp. All 3 gates are met.',
    );
  });

  it('names the gate that is not met', () => {
    const gates = test.gates.map((gate) => (gate.name === 'int8_top1' ? { ...gate, limit: 0.995, ok: false } : gate));
    expect(buildReport({ ...withTest({ gates }), status: 'fail' }).sentence.replaceAll('\u202f', ' ')).toContain(
      'Gate int8_top1 is not met: 99.04 % on a microcontroller (TFLM), at least 99.50 % wanted.',
    );
  });

  it('finds which stage read from which by the digests', () => {
    const reads = Object.fromEntries(buildReport(run).stages.map((stage) => [stage.name, stage.reads]));
    expect(reads).toEqual({
      pretrain: [],
      qat: ['pretrain'],
      'eval-graph': ['qat'],
      freeze: ['eval-graph'],
      convert: ['freeze'],
      test: ['pretrain', 'eval-graph', 'convert'],
    });
  });

  it('continues the steps of a training that starts from another', () => {
    expect(buildReport(run).training.map(({ stage, stepsBefore }) => [stage, stepsBefore])).toEqual([
      ['pretrain', 0],
      ['qat', 3440],
    ]);
  });
});

describe('a run without all of its stages', () => {
  it('that failed reports what exists, valid against the schema', () => {
    const failed: RunRecord = { ...run, status: 'error', stages: [stages.pretrain, stages.qat] };
    const report = onDisk(failed);
    expect(validate(report), JSON.stringify(validate.errors)).toBe(true);
    expect(report.sentence).toBe('The run failed after stage qat.');
    expect(accuracyOf(report)).toEqual({
      float: null,
      qat_float: null,
      fake_quant: null,
      int8: null,
      int8_litert: null,
    });
    expect(report.model).toBeNull();
    expect(report.training).toHaveLength(2);
  });
  it('that has nothing at all still says so', () => {
    expect(buildReport({ ...run, status: 'interrupted', stages: [] }).sentence).toBe(
      'The run was interrupted before any stage had a result; run it again to go on.',
    );
  });
  it('leaves out metrics that it cannot read, and says so', () => {
    const old = { ...stages.test, metrics: { kind: 'test', top1: 0.99 } };
    expect(buildReport({ ...run, stages: [old] }).tests).toEqual([]);
    expect(codes({ ...run, stages: [old] })).toEqual(['metrics-unreadable']);
    // A diverged training: NaN is null in JSON.
    const history = [{ step: 1, loss: null, accuracy: 0.1, learningRate: 0.1 }];
    expect(codes(withQat({ history }))).toEqual(['metrics-unreadable']);
  });
});
