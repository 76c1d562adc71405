import { describe, expect, it } from 'vitest';
import { diagnose, noiseShares } from '../../src/report/diagnosis.ts';
import type { TestMetrics } from '../../src/measurements/metrics.ts';
import { test } from './fixtures.ts';

type Layer = TestMetrics['layers'][number];

const base = test.layers[1]!;
/** Three layers; the second has no range of its own. The last has 20 dB of noise against float. */
const layers = (changes: Partial<Layer> = {}, last: Partial<Layer> = {}): Layer[] => [
  { ...base, name: 'a', outputNoise: 0.001, kernel: { sqnrDb: 50, withinOneStep: 1 } },
  { ...base, name: 'b', outputNoise: null, kernel: null },
  { ...base, name: 'c', outputNoise: 0.003, kernel: { sqnrDb: 40, withinOneStep: 1 }, ...changes, sqnrDb: 40, floatSqnrDb: 20, ...last },
]; // prettier-ignore
const amount = (change: number) => `${(100 * change).toFixed(2)} points`;
type Loss = 'none' | 'within_chance' | 'real';
const cost = (change: number, loss: Loss = change > 0 ? 'real' : 'none', isChance = loss !== 'real') => ({
  ...{ change, loss, isChance },
});
/** Accuracies lost in training, to the ranges and to the kernels. */
const lost = (training: number, ranges: number, kernels = 0, loss?: Loss) => ({
  whole: cost(training + ranges + kernels, loss),
  training: cost(training, loss),
  quantization: cost(ranges + kernels, loss),
  ranges,
  kernels,
});
const found = (given: Layer[], costs: Parameters<typeof diagnose>[1]) =>
  diagnose({ layers: given, compared: 64, learned: null, method: 'qat' }, costs, amount);
const sentence = (...given: Parameters<typeof found>) => found(...given)?.sentence.replaceAll('\u202f', ' ');

describe('the diagnosis', () => {
  it('reads the noise at the layer of its own output, not at that of another', () => {
    const both = [{ ...base, name: 'a', sqnrDb: 50, floatSqnrDb: 35 }, ...layers()];
    const at = (name: string) =>
      diagnose(
        { layers: both, compared: 64, learned: null, method: 'qat', model: { output: { name } } },
        lost(0, 0),
        amount,
      )?.sqnrDb;
    expect([at('a'), at('c'), at('renamed')]).toEqual([35, 20, 20]);
  });

  it('blames the ranges where fake-quant costs more than the kernels, and the layer that puts most noise into the output', () => {
    // 40 dB of kernels in 20 dB: 10^-4 of 10^-2 is 1 %. Of 0.001 + 0.003, c has three quarters.
    const real = found(layers(), lost(0, 0.03));
    expect(real).toMatchObject({ blame: 'ranges', layer: 'c', sqnrDb: 20, layerShare: 0.75 });
    expect(real?.kernelShare).toBeCloseTo(0.01, 12);
    expect(sentence(layers(), lost(0, 0.03))).toBe(
      'The loss against float is real: retraining (`qat`) costs nothing, quantization costs 3.00 points. Most rounding ' +
        `noise (75 %) is from c: its range fits, so this is the cost of outputs in steps of ${base.scale.toPrecision(4)}.`,
    );
    expect(real?.noise?.replaceAll('\u202f', ' ')).toBe(
      'At the output, noise is 10.00 % of the signal (signal-to-quantization-noise ratio 20.0 dB): 99 % of it is from ' +
        'rounding to 8 bits, 1 % from integer kernels.',
    );
    expect(real?.remedy).toBe('Train longer with quantization.');
  });

  it('blames the kernels where int8 costs more than fake-quant, and the noisiest of them', () => {
    // 20.1 dB of kernels in 20 dB: 10^-0.01 = 97.7 %. Alone, a has 10^-5 and c 10^-4: c has 10 of 11 parts.
    const real = found(layers({}, { sqnrDb: 20.1 }), lost(0, 0.01, 0.02));
    expect(real).toMatchObject({ blame: 'integer_kernel', layer: 'c' });
    expect(real?.kernelShare).toBeCloseTo(0.977, 3);
    expect(real?.layerShare).toBeCloseTo(10 / 11, 9);
    expect(sentence(layers({}, { sqnrDb: 20.1 }), lost(0, 0.01, 0.02))).toContain(
      'The noisiest kernel is that of c (91 % of the noise of kernels): its integers are within one step of what training simulated.',
    );
  });

  it('blames training where the same weights are as bad without quantizers, however large the noise is', () => {
    const costs = lost(0.814, 0.024);
    expect(found(layers(), costs)?.blame).toBe('training');
    expect(sentence(layers(), costs)).toMatch(
      /^The loss comes from retraining \(`qat`\): retraining \(`qat`\) costs 81\.40 points, quantization costs 2\.40 points\. The same weights/,
    );
  });

  it('blames quantization where training gained, however small the noise is', () => {
    const costs = lost(-0.02, 0.015);
    expect(found(layers({}, { floatSqnrDb: 45, sqnrDb: 60 }), costs)?.blame).toBe('ranges');
    expect(sentence(layers(), { ...costs, whole: cost(-0.005) })).toContain('only because retraining (`qat`) gained');
  });

  it('says whether the range is too narrow or too wide, or whose it is', () => {
    const narrow = { clipped: { below: 0.001, above: 0.005, noiseShare: 0.92 } };
    expect(sentence(layers(narrow), lost(0, 0.03))).toContain(
      'its range is too narrow, and the 0.60 % of its values that are clipped cause 92 % of its noise',
    );
    expect(sentence(layers({ headroom: 8 }), lost(0, 0.03))).toContain('its range is 8.0 times as wide as 99.9 %');
    const shared = { sharedRange: { by: 'joined', neededBy: 'i3' } };
    expect(sentence(layers(shared), lost(0, 0.03))).toContain('it shares the range of joined, which i3 needs');
  });

  it('blames nothing, and names no layer, where nothing is lost or chance explains it', () => {
    for (const costs of [lost(0, 0), lost(0, 0.001, 0, 'within_chance'), lost(-0.01, -0.01)]) {
      expect(found(layers(), costs)).toMatchObject({ blame: 'nothing', layer: null, layerShare: null });
    }
    expect(found(layers({}, { floatSqnrDb: null, sqnrDb: null }), lost(0, 0))?.layer).toBeNull();
    expect(sentence(layers(), lost(0, 0))).toMatch(
      /^There is no loss against float\. Most rounding noise \(75 %\) is from c: its range fits/,
    );
    expect(sentence(layers(), lost(-0.01, -0.01))).toMatch(
      /^There is no loss against float, and the gain may be chance: retraining \(`qat`\) gains 1\.00 points, quantization gains 1\.00 points\./,
    );
    expect(found(layers(), lost(0, 0))?.remedy).toBeNull();
    expect(sentence(layers(), lost(0, 0.001, 0, 'within_chance'))).toMatch(
      /^The loss against float is within chance: retraining \(`qat`\) costs nothing, quantization costs 0\.10 points\./,
    );
    expect(found([], lost(0, 0.1))).toBeNull();
  });

  it('knows the cost of quantization also without a float model', () => {
    const costs = { ...lost(0, 0.03), whole: null, training: null };
    expect(found(layers(), costs)?.blame).toBe('ranges');
    expect(sentence(layers(), costs)).toMatch(/^Float was not measured.* quantization costs 3\.00 points\./);
  });
});

describe('what to do', () => {
  const remedy = (given: Layer[], costs: Parameters<typeof diagnose>[1], method: 'qat' | 'ptq' = 'qat') =>
    diagnose({ layers: given, compared: 64, learned: null, method }, costs, amount)?.remedy;

  it('is about training where that costs most, and about the layer where rounding does', () => {
    expect(remedy(layers({ headroom: 8 }), lost(0.5, 0.02))).toContain('learning rate of `qat`');
    expect(remedy(layers({ headroom: 8 }), lost(0.02, 0.5))).toContain('Narrow the range of c');
    const bug = { kernel: { sqnrDb: 10, withinOneStep: 0.5 } };
    expect(remedy(layers(bug), lost(0.5, 0))).toContain('multipliers');
  });

  it('is training where a model that fits was only calibrated', () => {
    expect(remedy(layers(), lost(0, 0.03), 'ptq')).toBe('Train with quantization: `qat` may start from this `ptq`.');
    expect(remedy(layers({ headroom: 8 }), lost(0, 0.03), 'ptq')).toContain('Narrow the range of c');
    expect(sentence(layers(), lost(0, 0.03))).toContain('retraining (`qat`) costs nothing');
  });
});

describe('shares of the noise at the output', () => {
  it('add up to one over the layers that have quantizers', () => {
    expect(noiseShares(layers())).toEqual(
      new Map([
        ['a', 0.25],
        ['c', 0.75],
      ]),
    );
    expect(noiseShares(layers().slice(1, 2))).toEqual(new Map());
  });
});
