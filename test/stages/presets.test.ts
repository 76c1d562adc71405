// Every preset at unit size through all six stages, in both schemes.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { present } from '../../src/core/assert.ts';
import { loadDataset } from '../../src/data/load.ts';
import type { Scheme } from '../../src/passes/index.ts';
import { presetNetwork, unitPresets } from '../models/unit-presets.ts';
import type { LineResult } from './pipeline-line.ts';
import { quantization, runLine, training } from './pipeline-line.ts';

const dataset = await loadDataset(
  { kind: 'synthetic', classes: 10, size: 24, trainCount: 320, testCount: 64, noise: 8, seed: 4 },
  { count: 0, seed: 1 },
);

describe.each(unitPresets)('$preset through all six stages', { timeout: 120_000 }, (preset) => {
  const spec = presetNetwork(preset, dataset.classNames);

  describe.each(['int8', 'uint8'] as const)('%s', (scheme: Scheme) => {
    let result: LineResult;
    beforeAll(async () => {
      const batchNorm = scheme === 'int8' ? 'kept' : 'folded';
      result = await runLine({
        ...{ spec, dataset, pretrain: training, convert: { scheme, input: scheme, output: scheme, metadata: true } },
        qat: { ...quantization, scheme, batch_norm: batchNorm, reestimate_batch_norm: 10 },
      });
    }, 120_000);
    afterAll(() => result.remove());

    it('agrees, layer by layer, with fake quantization within a step on 99.5 % of the values', () => {
      for (const { name, kernel } of result.test.layers) {
        expect(present(kernel, name).withinOneStep, name).toBeGreaterThanOrEqual(0.995);
      }
    });

    it('has no layer whose range or multiplier the kernels cannot use', () => {
      for (const { name, scale, zeroPoint, filter } of result.test.layers) {
        expect(scale, name).toBeGreaterThan(0);
        expect(zeroPoint, name).toBe(Math.trunc(zeroPoint));
        if (filter?.multipliers != null) expect(filter.multipliers.max, name).toBeLessThan(256);
      }
    });
  });
});
