/** Sound networks: the sentence of the report blames no layer, no label and no scale for what is nobody's fault. */
import { describe, expect, it } from 'vitest';
import { loadDataset } from '../../src/data/load.ts';
import { deadLayer, kernelFault } from '../../src/report/faults.ts';
import { presetNetwork, unitPresets } from '../models/unit-presets.ts';
import { adam, quantization, runLine, training } from '../stages/pipeline-line.ts';
import { lineReport } from './line-report.ts';

const classes = 3;
const dataset = await loadDataset(
  { kind: 'synthetic', classes, size: 24, trainCount: 600, testCount: 200, noise: 8, seed: 4 },
  { count: 100, seed: 1 },
);

/** Those with many layers need more steps until their batch norms have settled. */
const slow = { mobilenet_v1: { epochs: 20, rate: 0.01 }, mobilenet_v2: { epochs: 14, rate: 0.01 } };
const usual = { epochs: 8, rate: 0.004 };
const schedules: Readonly<Record<string, typeof usual>> = slow;

describe.each(unitPresets)('$preset', { timeout: 120_000 }, (preset) => {
  it('has learned, and nothing is blamed', async () => {
    const { epochs, rate } = schedules[preset.preset] ?? usual;
    const result = await runLine({
      ...{ spec: presetNetwork(preset, dataset.classNames), dataset },
      pretrain: { ...training, epochs, batch: 20, optimizer: { ...adam, learning_rate: rate } },
      qat: {
        ...{ ...quantization, batch: 20, optimizer: { ...adam, learning_rate: rate / 8 } },
        reestimate_batch_norm: 10,
      },
      convert: { scheme: 'int8', input: 'int8', output: 'int8', metadata: true },
    });
    result.remove();
    const [test] = lineReport(result).tests;
    if (test === undefined) throw new Error('no test');
    if ('accuracy' in test) expect(test.accuracy.float?.top1).toBeGreaterThan(1 / classes + 0.15);
    const { layers, compared } = test.metrics;
    expect([deadLayer(layers, compared), kernelFault(layers)]).toEqual([null, null]);
    // What rounding to 8 bits costs is nobody's fault.
    expect([null, 'rounding'], test.diagnosis?.sentence).toContain(test.diagnosis?.cause);
    expect(test.diagnosis?.sentence).not.toContain('Still');
  });
});
