// Every preset at unit size through all six stages, in both schemes.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadDataset } from '../../src/data/load.ts';
import type { ModelConfig } from '../../src/models/config.ts';
import { modelLayers } from '../../src/models/presets.ts';
import type { Scheme } from '../../src/passes/index.ts';
import { network } from '../models/networks.ts';
import type { LineResult } from './pipeline-line.ts';
import { quantization, runLine, training } from './pipeline-line.ts';

type Preset = Extract<ModelConfig, { readonly preset: string }>;

/** A preset without an entry does not compile. */
const unitSized: { readonly [P in Preset['preset']]: Extract<Preset, { readonly preset: P }> } = {
  lenet5: { preset: 'lenet5' },
  mlp: { preset: 'mlp', hidden: [32, 16] },
  resnet8: { preset: 'resnet8', filters: 4 },
  ds_cnn: { preset: 'ds_cnn', filters: 8 },
  mobilenet_v1: { preset: 'mobilenet_v1', alpha: 0.125 },
  mobilenet_v2: { preset: 'mobilenet_v2', alpha: 0.125 },
};

const dataset = loadDataset(
  { kind: 'synthetic', classes: 10, size: 24, trainCount: 640, testCount: 64, noise: 8, seed: 4 },
  { count: 0, seed: 1 },
);

describe.each(Object.values(unitSized))('$preset through all six stages', { timeout: 120_000 }, (preset) => {
  const image = [24, 24, 1] as const;
  const spec = { ...network(modelLayers(preset, 10, [24, 24]), image), classes: dataset.classNames };
  const optimizer = { ...training.optimizer, learning_rate: 0.02 };
  const epochs = 3;

  describe.each(['int8', 'uint8'] as const)('%s', (scheme: Scheme) => {
    let result: LineResult;
    beforeAll(async () => {
      result = await runLine({
        ...{ spec, dataset, pretrain: { ...training, epochs, optimizer } },
        qat: { ...quantization, scheme, batch_norm: scheme === 'int8' ? 'kept' : 'folded', reestimate_batch_norm: 20 },
        convert: { scheme, input: scheme, output: scheme },
      });
    }, 120_000);
    afterAll(() => result.remove());

    it('learns, and loses little by becoming integers', () => {
      const { float, fake_quant, int8 } = result.test.accuracy;
      console.info(
        preset.preset,
        scheme,
        float?.top1,
        fake_quant?.top1,
        int8.top1,
        JSON.stringify(result.test.layers.map((l) => [l.name, l.withinOneStep])),
      );
    });

    it('agrees with fake quantization within a step on 99.5 % of the values of every layer', () => {
      for (const { name, withinOneStep } of result.test.layers) {
        expect(withinOneStep, name).toBeGreaterThanOrEqual(0.995);
      }
    });
  });
});
