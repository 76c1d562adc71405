/** Layers on which TensorFlow Lite disagrees with itself. */
import { describe, expect, it } from 'vitest';
import { networkWarnings } from '../../src/config/network.ts';
import type { Layer, ModelSpec } from '../../src/models/layers.ts';
import { modelLayers } from '../../src/models/presets.ts';
import type { Scheme } from '../../src/passes/index.ts';

const locate = (path: readonly string[]) => ({ file: path.join('.') });

function warned(layers: readonly Layer[], size: number, schemes: readonly Scheme[] = ['int8']): string[] {
  const normalize = { scale: 1 / 255, mean: 0 };
  const spec: ModelSpec = {
    name: 'n',
    task: 'classify',
    layers,
    image: [size, size, 4],
    classes: ['a', 'b'],
    normalize,
  };
  return networkWarnings(spec, schemes, locate, true).map(({ code, layer, place }) => `${code} ${layer} ${place.file}`);
}

type Pair = readonly [number, number];

function convolution(
  kind: 'conv_2d' | 'depthwise_conv_2d',
  kernel: Pair,
  stride: Pair,
  padding: 'same' | 'valid',
): Layer {
  const common = { name: 'conv', kernel, stride, padding, dilation: [1, 1], bias: true, batch_norm: false } as const;
  return kind === 'conv_2d'
    ? { ...common, kind, filters: 8, activation: 'none' }
    : { ...common, kind, multiplier: 1, activation: 'none' };
}

const found = ['stride-larger-than-kernel conv model.layers.0.stride'];

describe('a stride larger than the kernel', () => {
  // What TensorFlow 2.15.1 gave: int8 models of its own converter, XNNPACK beside BUILTIN_REF, more than one step apart.
  it.each<[Pair, Pair, number, 'same' | 'wrong']>([
    [[3, 3], [4, 4], 16, 'wrong'],
    [[3, 3], [4, 4], 15, 'same'],
    [[3, 3], [5, 5], 16, 'same'],
    [[3, 3], [5, 5], 15, 'wrong'],
    [[3, 3], [5, 5], 9, 'wrong'],
    [[3, 3], [4, 4], 9, 'same'],
    [[2, 2], [4, 4], 16, 'wrong'],
    [[2, 2], [4, 4], 9, 'same'],
    [[2, 2], [3, 3], 16, 'same'],
    [[2, 2], [3, 3], 15, 'wrong'],
    [[3, 3], [3, 3], 16, 'same'],
    [[3, 3], [1, 4], 16, 'wrong'],
    [[3, 3], [4, 1], 16, 'wrong'],
    [[1, 3], [4, 1], 16, 'wrong'],
    [[1, 3], [2, 1], 16, 'wrong'],
    [[1, 3], [1, 2], 16, 'same'],
    [[1, 3], [2, 2], 15, 'same'],
    [[3, 1], [1, 4], 15, 'wrong'],
    [[1, 1], [2, 2], 16, 'same'],
    [[1, 1], [4, 4], 16, 'same'],
    [[1, 1], [3, 3], 15, 'same'],
  ])('warns where XNNPACK differs: kernel %j, stride %j, %d pixels: %s', (kernel, stride, size, outcome) => {
    const expected = outcome === 'wrong' ? found : [];
    expect(warned([convolution('conv_2d', kernel, stride, 'same')], size)).toEqual(expected);
    if (stride[0] === stride[1]) {
      expect(warned([convolution('depthwise_conv_2d', kernel, stride, 'same')], size)).toEqual(expected);
    }
    expect(warned([convolution('conv_2d', kernel, stride, 'valid')], size)).toEqual([]);
  });

  it('is nothing to warn of in pools, which agree', () => {
    const pool = { kind: 'max_pool_2d', name: 'pool', window: [3, 3], stride: [4, 4], padding: 'same' } as const;
    expect(warned([pool, { ...pool, kind: 'average_pool_2d', name: 'other' }], 16)).toEqual([]);
  });

  it('is in no preset: the shortcuts of a ResNet have kernels of 1 x 1', () => {
    const layers = modelLayers({ preset: 'resnet8', filters: 8 }, 2, [32, 32, 4]);
    expect(warned(layers, 32)).toEqual([]);
  });
});

describe('a sum', () => {
  const sum: Layer = { kind: 'sum', name: 'total' };

  it('is warned of in int8, whose reference kernel limits it to 0 .. 255', () => {
    expect(warned([sum], 8)).toEqual(['sum-differs total model.layers.0.kind']);
    expect(warned([sum], 8, ['uint8'])).toEqual([]);
    expect(warned([{ kind: 'mean', name: 'mean' }], 8)).toEqual([]);
  });
});
