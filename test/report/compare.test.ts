import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { compareRuns, Comparison, renderComparisonHtml, renderComparisonText } from '../../src/report/compare.ts';
import type { RunRecord } from '../../src/runner/record.ts';
import type { ClassifyTest } from '../../src/measurements/metrics.ts';
import { config, run, stages, test } from './fixtures.ts';

const a = { record: run, config };
const changed = (accuracy: Partial<ClassifyTest['accuracy']>): RunRecord => ({
  ...run,
  id: '20261104T101500Z-mnist-lenet-91bc',
  provenance: { ...run.provenance, node: 'v22.12.0' },
  stages: [
    ...run.stages.slice(0, -2),
    {
      ...stages.convert,
      outputs: { model: { ...stages.convert.outputs['model']!, digest: `sha256:${'ab'.repeat(32)}` } },
    },
    {
      ...stages.test,
      metrics: {
        ...test,
        accuracy: { ...test.accuracy, ...accuracy },
        model: { ...test.model, bytes: 66_300, sha256: 'ab'.repeat(32) },
        layers: test.layers.map((layer) => (layer.name === 'conv2/relu' ? { ...layer, floatSqnrDb: 30.2 } : layer)),
      },
    },
  ],
});
const b = {
  record: changed({ int8: { top1: 0.98, correct: 9800, n: 10_000 } }),
  config: { name: 'mnist-lenet', model: { preset: 'lenet5' }, stages: { pretrain: { uses: 'float-pretrain', epochs: 8, learning_rate: 0.002 }, qat: { uses: 'qat', epochs: 4, delay: 100, freeze: true } } },
}; // prettier-ignore

describe('compareRuns', () => {
  const comparison = compareRuns(a, b);

  it('is valid against its own schema', () => {
    const validate = new Ajv({ strict: true }).compile(Comparison);
    expect(validate(JSON.parse(JSON.stringify(comparison))), JSON.stringify(validate.errors)).toBe(true);
  });

  it('lists differing settings alone unless all are wanted', () => {
    expect(comparison.config).toEqual([
      { path: 'stages.qat.delay', a: '600', b: '100' },
      { path: 'stages.qat.freeze', a: null, b: 'true' },
      { path: 'stages.qat.learning_rate', a: '0.0004', b: null },
    ]);
    expect(compareRuns(a, b, 'all').config.map(({ path }) => path)).toContain('model.preset');
    expect(comparison.environment).toEqual([{ path: 'node', a: '"v20.20.2"', b: '"v22.12.0"' }]);
  });

  it('calls a change noise where the Wilson intervals overlap', () => {
    const judge = (correct: number) =>
      compareRuns(a, {
        record: changed({ int8: { top1: correct / 10_000, correct, n: 10_000 } }),
        config,
      }).metrics.find(({ name }) => name === 'top-1 int8 microcontroller (TFLM)')?.judgement;
    // 9,904 has [98.83, 99.21]; 9,860 has [98.35, 98.81]; 9,880 has [98.57, 98.99]; 9,950 has [99.34, 99.62].
    expect([judge(9904), judge(9880), judge(9860), judge(9950)]).toEqual(['same', 'noise', 'worse', 'better']);
  });

  it('tells identical bytes from others', () => {
    const identical = Object.fromEntries(comparison.artifacts.map((artifact) => [artifact.name, artifact.identical]));
    expect(identical).toMatchObject({ 'qat/model': true, 'convert/model': false });
    expect(compareRuns(a, a).notes).toEqual(['Both runs made the same model file, byte for byte.']);
  });

  it('puts the layer that changed most first', () => {
    expect(comparison.layers[0]).toEqual({ name: 'conv2/relu', a: 35.2, b: 30.2 });
  });

  it('lists the lints that came and those that went, whatever their numbers', () => {
    const clip = (layers: readonly string[], above: number): RunRecord => ({
      ...run,
      stages: [
        ...run.stages.slice(0, -1),
        {
          ...stages.test,
          metrics: {
            ...test,
            layers: test.layers.map((layer) =>
              layers.includes(layer.name) ? { ...layer, clipped: { below: 0, above, noiseShare: 0.5 } } : layer,
            ),
          },
        },
      ],
    });
    const lints = compareRuns(
      { record: clip(['conv1/relu', 'conv2/relu'], 0.02), config },
      { record: clip(['conv2/relu', 'logits'], 0.03), config },
    );
    expect(lints.lints.map(({ change, lint }) => [change, lint.code, lint.layer])).toEqual([
      ['came', 'clipped-share', 'logits'],
      ['went', 'clipped-share', 'conv1/relu'],
    ]);
    const text = renderComparisonText(lints, { color: 'plain', width: 140 });
    expect(text).toMatch(/clipped-share +test, logits +0\.00 % .*3\.00 % above +came/);
    expect(renderComparisonHtml(lints)).toContain('<span class="worse">came</span>');
  });

  it('warns when the test data differ', () => {
    const inputs = { ...stages.test.inputs, data: { type: 'Dataset/1', digest: `sha256:${'cd'.repeat(32)}` as const } };
    const record = { ...run, stages: [...run.stages.slice(0, -1), { ...stages.test, inputs }] };
    expect(compareRuns(a, { record, config }).notes[0]).toContain('different data');
  });
});

describe('renderComparisonText', () => {
  const comparison = compareRuns(a, b);

  it('fits the width and has no colour codes unless asked', () => {
    for (const width of [60, 80, 140]) {
      const text = renderComparisonText(comparison, { color: 'plain', width });
      expect(
        Math.max(
          ...text
            .split('\n')
            .slice(2)
            .map((line) => line.length),
        ),
      ).toBeLessThanOrEqual(width);
      expect(text).not.toContain('\u001b');
    }
    expect(renderComparisonText(comparison, { color: 'color', width: 80 })).toContain('\u001b[');
  });

  it('shows values, difference and judgement in one line', () => {
    const text = renderComparisonText(comparison, { color: 'plain', width: 120 });
    expect(text).toMatch(/top-1 int8 microcontroller \(TFLM\) +99\.04 % +98\.00 % +\u22121\.04 pp +worse/);
    expect(text).toMatch(/model file +65\.2 KiB +64\.7 KiB +\u2212508 B +better/);
    expect(text).toMatch(/stages\.qat\.delay +600 +100/);
  });

  it('says that the settings are equal rather than nothing', () => {
    expect(renderComparisonText(compareRuns(a, a), { color: 'plain', width: 80 })).toContain('The settings are equal.');
  });
});

describe('renderComparisonHtml', () => {
  it('is one self-contained, escaped page', () => {
    const hostile = { ...b, record: { ...b.record, pipeline: '<img src=x>' } };
    const html = renderComparisonHtml(compareRuns(a, hostile));
    expect(html).toContain('&lt;img src=x&gt;');
    expect(html).not.toMatch(/https?:|<link|<img/);
    expect(html).toContain('conv2/relu');
  });
});
