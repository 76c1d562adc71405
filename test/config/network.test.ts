import { describe, expect, it } from 'vitest';
import { networkDiagnostics } from '../../src/config/network.ts';
import type { Layer } from '../../src/models/layers.ts';
import { conv, dense, network } from '../models/networks.ts';

const place = (path: readonly string[]) => ({ file: 'p.yaml', path: path.join('.') });

/** What is said about a network of a convolution ([6, 6, 4]), the layer, and 3 scores. */
function found(...layers: readonly Layer[]) {
  const spec = network([conv('first', 4, 3), ...layers, dense('logits', 3)]);
  return networkDiagnostics(spec, place, true).map((diagnostic) => {
    const { code, message } = diagnostic;
    const { path } = diagnostic.place as ReturnType<typeof place>;
    return { code, path, message };
  });
}

const resize = { kind: 'resize_bilinear', name: 'layer' } as const;
const crop = { kind: 'strided_slice', name: 'layer', strides: [1] } as const;

describe('a layer that does not fit the images', () => {
  const flat: Layer = { kind: 'flatten', name: 'flat' };
  const pooled: Layer = { kind: 'mean', name: 'pooled', keep_dims: true };
  const cases: readonly (readonly [title: string, layers: readonly Layer[], message: string])[] = [
    [
      'a product of an image and a row',
      [flat, { kind: 'mul', name: 'layer', with: 'first', activation: 'none' }],
      '"first" has shape [batch,6,6,4]; expected 2 dimensions',
    ],
    [
      'a difference of other sizes',
      [conv('smaller', 4, 3, { padding: 'valid' }), { kind: 'sub', name: 'layer', with: 'first', activation: 'none' }],
      '[1,4,4,4] and [1,6,6,4] do not broadcast',
    ],
    [
      'a concatenation of other sizes',
      [conv('smaller', 4, 3, { padding: 'valid' }), { kind: 'concatenation', name: 'layer', with: ['first'], axis: 3 }],
      '[1,6,6,4]',
    ],
    [
      'a concatenation of batches',
      [{ kind: 'concatenation', name: 'layer', with: ['first'], axis: 0 }],
      'axis 0 of [batch,6,6,4]; expected an axis 1 to 3',
    ],
    [
      'three numbers for four channels',
      [{ kind: 'add', name: 'layer', with: [1, 2, 3], activation: 'none' }],
      '3 numbers for [batch,6,6,4]; expected 4, one for each channel, or one for all',
    ],
    [
      'a number beyond float32',
      [{ kind: 'mul', name: 'layer', with: 1e39, activation: 'none' }],
      '1e+39 for [batch,6,6,4]; expected numbers that float32 can hold',
    ],
    ['a frame around rows', [flat, { kind: 'pad', name: 'layer', top: 1, bottom: 1, left: 1, right: 1 }], '[1,144]'],
    ['a larger row', [flat, { ...resize, factor: [2, 2] }], 'the input is [batch,144]; expected 4 dimensions'],
    [
      'a transposed convolution of rows',
      [
        flat,
        {
          kind: 'transpose_conv',
          name: 'layer',
          ...{ filters: 2, kernel: [3, 3], stride: [2, 2], padding: 'same' },
          ...{ bias: true, batch_norm: false, activation: 'none' },
        },
      ],
      'the input is [batch,144]; expected 4 dimensions',
    ],
    [
      'another number of values',
      [{ kind: 'reshape', name: 'layer', shape: [5, -1] }],
      '[5,-1] out of [batch,6,6,4]; expected 144 values',
    ],
    ['too few axes', [{ kind: 'transpose', name: 'layer', permutation: [2, 1] }], '[1,6,6,4]'],
    ['nothing to squeeze', [{ kind: 'squeeze', name: 'layer', axes: [] }], 'expected an axis of size 1'],
    ['an axis that is no 1', [pooled, { kind: 'squeeze', name: 'layer', axes: [3] }], 'not all of size 1'],
    ['a crop outside', [{ ...crop, begin: [7], end: [9] }], 'takes nothing of the input [1,6,6,4]'],
    ['a crop without an end', [{ ...crop, begin: [1, 1], end: [3], strides: [1, 1] }], 'does not slice'],
  ];

  it.each(cases)('is shown in its place: %s', (_, layers, message) => {
    const [diagnostic, ...others] = found(...layers);
    expect(others).toEqual([]);
    expect(diagnostic).toMatchObject({ code: 'layer-does-not-fit', path: `model.layers.${layers.length}` });
    expect(diagnostic!.message).toContain(message);
  });

  const series = { kernel: 3, stride: 1, dilation: 1, bias: true, batch_norm: false, activation: 'none' } as const;
  const row: Layer = { kind: 'reshape', name: 'row', shape: [1, 9, 16] };

  it('speaks of steps where the layer does: a window that does not fit into a series', () => {
    const whole = found(row, { ...series, kind: 'conv_1d', name: 'layer', filters: 2, dilation: 5, padding: 'valid' });
    expect(whole).toMatchObject([
      {
        path: 'model.layers.2',
        message:
          'layer `layer` receives 9 steps with 16 channels: conv_1d "layer/conv_1d": a window of 11 steps does not fit into 9',
      },
    ]);
    const pooled = found(row, { kind: 'max_pool_1d', name: 'layer', window: 10, stride: 1, padding: 'valid' });
    expect(pooled[0]?.message).toContain('max_pool_1d "layer/max_pool_1d": a window of 10 steps does not fit into 9');
  });

  it('says what a series is, of an image and of a row of values', () => {
    const expected =
      'expected a series: [1,steps,channels], [steps,1,channels], [steps,channels] or [steps,channels,1]';
    for (const before of [[], [flat]]) {
      const [diagnostic] = found(...before, {
        ...{ ...series, kind: 'depthwise_conv_1d', name: 'layer' },
        ...{ multiplier: 1, padding: 'same' },
      });
      expect(diagnostic?.message).toContain(`[batch,${before.length === 0 ? '6,6,4' : '144'}]; ${expected}`);
    }
  });

  it('is none where all fit', () => {
    expect(found(pooled, { kind: 'mul', name: 'layer', with: 'first', activation: 'none' })).toEqual([]);
    expect(found({ ...crop, begin: [-2], end: [99] })).toEqual([]);
  });
});
