import { describe, expect, it } from 'vitest';
import { diagnose, noiseShares } from '../../src/report/diagnosis.ts';
import type { TestMetrics } from '../../src/stages/metrics.ts';
import { test } from './fixtures.ts';

type Layer = TestMetrics['layers'][number];

const base = test.layers[1]!;
/** Three layers; the second has no range of its own. The last has 20 dB of noise against float. */
const layers = (changes: Partial<Layer> = {}, last: Partial<Layer> = {}): Layer[] => [
  { ...base, name: 'a', outputNoise: 0.001, kernel: { sqnrDb: 50, withinOneStep: 1 } },
  { ...base, name: 'b', outputNoise: null, kernel: null },
  { ...base, name: 'c', outputNoise: 0.003, kernel: { sqnrDb: 40, withinOneStep: 1 }, ...changes, sqnrDb: 40, floatSqnrDb: 20, ...last },
]; // prettier-ignore
const sentence = (...given: Parameters<typeof diagnose>) => diagnose(...given)?.sentence.replaceAll('\u202f', ' ');

describe('the diagnosis', () => {
  it('blames the ranges where fake-quant has most of the noise, and the layer that puts most of it into the output', () => {
    // 40 dB of kernels in 20 dB: 10^-4 of 10^-2 is 1 %. Of 0.001 + 0.003, c has three quarters.
    const found = diagnose(layers(), 'real');
    expect(found).toMatchObject({ blame: 'ranges', layer: 'c', sqnrDb: 20, layerShare: 0.75 });
    expect(found?.kernelShare).toBeCloseTo(0.01, 12);
    expect(sentence(layers(), 'real')).toBe(
      'The loss against float is real, and the ranges are to blame. Noise at the output is 20.0 dB below the signal, 1 % of it from ' +
        "the integer kernels; of the ranges' part, c puts in most (75 %): its range fits, so this is what rounding to " +
        '8 bits costs.',
    );
  });

  it('blames the kernels where int8 differs from fake-quant by most of the noise, and the noisiest of them', () => {
    // 20.1 dB of kernels in 20 dB: 10^-0.01 = 97.7 %. Alone, a has 10^-5 and c 10^-4: c has 10 of 11 parts.
    const found = diagnose(layers({}, { sqnrDb: 20.1 }), 'real');
    expect(found).toMatchObject({ blame: 'integer_kernel', layer: 'c' });
    expect(found?.kernelShare).toBeCloseTo(0.977, 3);
    expect(found?.layerShare).toBeCloseTo(10 / 11, 9);
    expect(sentence(layers({}, { sqnrDb: 20.1 }), 'real')).toContain('the integer kernels are to blame');
  });

  it('says whether the range is too narrow or too wide', () => {
    const narrow = { clipped: { below: 0.001, above: 0.005, noiseShare: 0.92 } };
    expect(sentence(layers(narrow), 'real')).toContain(
      'its range is too narrow, and the 0.60 % of its values that are clipped make 92 % of its noise',
    );
    expect(sentence(layers({ headroom: 8 }), 'real')).toContain('its range is 8.0 times as wide as 99.9 %');
  });

  it('blames nobody where nothing is lost', () => {
    expect(diagnose(layers({}, { floatSqnrDb: null, sqnrDb: null }), 'none')).toMatchObject({
      blame: 'nothing',
      layer: null,
    });
    expect(sentence(layers(), 'none')).toMatch(/^Nothing is lost against float\./);
    expect(sentence(layers(), 'within_chance')).toMatch(/^The loss against float is within chance\./);
    expect(sentence(layers(), 'not_measured')).toMatch(/^The loss against float was not measured\./);
    expect(diagnose([], 'real')).toBeNull();
  });

  it('blames training where accuracy is lost though the integers are as near to float as 8 bits get', () => {
    expect(diagnose(layers({}, { floatSqnrDb: 45, sqnrDb: 60 }), 'real')?.blame).toBe('training');
    expect(diagnose(layers({}, { floatSqnrDb: 45, sqnrDb: 60 }), 'none')?.blame).toBe('ranges');
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
