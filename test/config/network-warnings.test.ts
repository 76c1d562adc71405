/** Layers on which TensorFlow Lite disagrees with itself, and kernels that are larger than their image. */
import { describe, expect, it } from 'vitest';
import { networkDiagnostics, networkWarnings } from '../../src/config/network.ts';
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

describe('a kernel larger than its image', () => {
  /** Moves every kernel over every pixel, as the loops of a convolution do. Returns the unused positions of one axis. */
  function unusedOf(pixels: number, taps: number, stride: number, dilation: number): number {
    const outputs = Math.ceil(pixels / stride);
    // TensorFlow's documentation of SAME: the odd pixel of padding goes after.
    const before = Math.floor(Math.max((outputs - 1) * stride + (taps - 1) * dilation + 1 - pixels, 0) / 2);
    const met = new Set<number>();
    for (let output = 0; output < outputs; output++) {
      for (let tap = 0; tap < taps; tap++) {
        const pixel = output * stride + tap * dilation - before;
        if (pixel >= 0 && pixel < pixels) met.add(tap);
      }
    }
    return taps - met.size;
  }

  it('is warned of if some of its weights do nothing, whatever stride and dilation', () => {
    let warnings = 0;
    for (const pixels of [1, 2, 3, 4, 5, 8]) {
      for (const taps of [1, 2, 3, 4, 5, 7, 11]) {
        for (const [stride, dilation] of [
          [1, 1],
          [2, 1],
          [3, 1],
          [1, 2],
          [1, 5],
        ] as const) {
          const layer = convolution('conv_2d', [taps, taps], [stride, stride], 'same');
          const found = warned([{ ...layer, dilation: [dilation, dilation] } as Layer], pixels);
          const isUnused = unusedOf(pixels, taps, stride, dilation) > 0;
          expect(
            found.includes('kernel-past-image conv model.layers.0.kernel'),
            `${taps} taps over ${pixels}, stride ${stride}, dilation ${dilation}`,
          ).toBe(isUnused);
          warnings += isUnused ? 1 : 0;
        }
      }
    }
    expect(warnings).toBeGreaterThan(40);
  });

  it('counts them: of 3 x 3 over one pixel the middle is used; of 5 x 3 over 2 x 8 all but two rows', () => {
    const messages = (size: Pair, kernel: Pair) =>
      networkWarnings(
        {
          ...{ name: 'n', task: 'classify', image: [...size, 4], classes: ['a', 'b'] },
          layers: [convolution('depthwise_conv_2d', kernel, [1, 1], 'same')],
          normalize: { scale: 1 / 255, mean: 0 },
        },
        ['int8'],
        locate,
        true,
      ).map(({ message }) => message);
    expect(messages([1, 1], [3, 3])).toEqual([
      'layer `conv` has a kernel of 3 x 3 for 1 x 1 pixels: 8 of its 9 positions only ever meet padding, so their ' +
        'weights do nothing',
    ]);
    expect(messages([2, 8], [5, 3])[0]).toContain('a kernel of 5 x 3 for 2 x 8 pixels: 6 of its 15 positions');
    expect(messages([3, 8], [5, 3])).toEqual([]);
  });

  it('counts steps in a layer over a series, along a row and along a column', () => {
    for (const image of [
      [1, 2, 4],
      [2, 1, 4],
    ] as const) {
      const layer: Layer = {
        ...{ kind: 'conv_1d', name: 'conv', filters: 8, kernel: 5, stride: 1, padding: 'same', dilation: 1 },
        ...{ bias: true, batch_norm: false, activation: 'none' },
      };
      const normalize = { scale: 1 / 255, mean: 0 };
      const spec: ModelSpec = { name: 'n', task: 'classify', image, classes: ['a', 'b'], layers: [layer], normalize };
      expect(networkWarnings(spec, ['int8'], locate, true).map(({ message }) => message)).toEqual([
        'layer `conv` has a kernel of 5 for 2 steps: 2 of its 5 positions only ever meet padding, so their weights do nothing',
      ]);
    }
  });

  it('is an error with `padding: valid`, where it fits nowhere', () => {
    const spec: ModelSpec = {
      ...{ name: 'n', task: 'classify', image: [4, 8, 1], classes: ['a', 'b'] },
      layers: [convolution('conv_2d', [5, 3], [1, 1], 'valid')],
      normalize: { scale: 1 / 255, mean: 0 },
    };
    expect(networkDiagnostics(spec, locate, true)).toMatchObject([
      {
        code: 'layer-does-not-fit',
        message: expect.stringContaining('a window of 5 pixels does not fit into 4') as string,
      },
    ]);
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
