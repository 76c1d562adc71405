/** Layers without weights over pixels, steps and axes. */
import { createRandom } from '../../core/random.ts';
import type { Shape } from '../../core/tensor.ts';
import { numElements } from '../../core/tensor.ts';
import type { ValueRef } from '../../ops/define.ts';
import { Refusal } from '../refusal.ts';
import { ConfigError, flag, list, number, pairOf, whole, wholes, word } from './json.ts';
import type { LayerCall, LayerRow } from './layer.ts';
import { add, channelsOf, expectRank, requireChannelsLast, reshape, unary } from './layer.ts';

type Pair = readonly [before: number, after: number];

/** Of an image, or of a series as one row of pixels. */
const pool = (op: 'max_pool_2d' | 'average_pool_2d', rank: 1 | 2): LayerRow =>
  unary((call, input) => {
    requireChannelsLast(call);
    expectRank(input, rank + 2, 'its input');
    const image = rank === 2 ? input : reshape(call, input, [1, ...input.type.shape.slice(1)], 'row/');
    const { pool_size: size = 2, strides: given = null, padding = 'valid' } = call.config;
    const windowOf = (value: unknown, what: string): readonly [number, number] => {
      if (rank === 2) return pairOf(value, what);
      const [steps = 1] = wholes(value, 1, what);
      return [1, steps];
    };
    const window = windowOf(size, 'pool_size');
    const strides = given === null ? window : windowOf(given, 'strides');
    const kind = word(padding, ['same', 'valid'], 'padding');
    const output = add(call, op, [image], { window, strides, padding: { kind }, activation: 'none' });
    const [, , steps = 1, channels = 1] = output.type.shape;
    return rank === 2 ? output : reshape(call, output, [steps, channels], 'series/');
  });

/** The mean over all pixels or all steps. */
const globalMean = (rank: 1 | 2): LayerRow =>
  unary((call, input) => {
    requireChannelsLast(call);
    expectRank(input, rank + 2, 'its input');
    return add(call, 'mean', [input], {
      axes: rank === 2 ? [1, 2] : [1],
      keepDims: flag(call.config['keepdims'], false),
    });
  });

/** The largest of all pixels or all steps: a pool whose window is all of them. */
const globalMax = (rank: 1 | 2): LayerRow =>
  unary((call, input) => {
    requireChannelsLast(call);
    expectRank(input, rank + 2, 'its input');
    const { shape } = input.type;
    const channels = channelsOf(input);
    const image = rank === 2 ? input : reshape(call, input, [1, ...shape.slice(1)], 'row/');
    const [, height = 1, width = 1] = image.type.shape;
    const window: readonly [number, number] = [height, width];
    const padding = { kind: 'valid' } as const;
    const output = add(call, 'max_pool_2d', [image], { window, strides: window, padding, activation: 'none' });
    const kept = flag(call.config['keepdims'], false) ? shape.slice(1, -1).map(() => 1) : [];
    return reshape(call, output, [...kept, channels]);
  });

const flatten: LayerRow = unary((call, input) => {
  requireChannelsLast(call);
  return reshape(call, input, [numElements(input.type.shape.slice(1))]);
});

/** @param wanted without the batch; one dimension may be -1 */
export function reshaped(call: LayerCall, input: ValueRef, wanted: readonly unknown[]): ValueRef {
  const sizes = wanted.map((size) => number(size, 'target_shape'));
  const known = sizes.reduce((product, size) => (size === -1 ? product : product * size), 1);
  const values = numElements(input.type.shape.slice(1));
  const shape = sizes.map((size) => (size === -1 ? values / known : size));
  if (numElements(shape) !== values || !shape.every((size) => Number.isInteger(size) && size > 0)) {
    throw new ConfigError(`${values} values do not fit the shape [${sizes.join(', ')}]`);
  }
  return reshape(call, input, shape);
}

const permute: LayerRow = unary((call, input) => {
  const dims = list(call.config['dims'], 'dims').map((axis) => whole(axis, 'dims', 1));
  return add(call, 'transpose', [input], { permutation: [0, ...dims] });
});

/** `n`, `[a, b]` or `[[a, b], [c, d]]` around the axes of an image; `n` or `[a, b]` around the steps of a series. */
function margins(value: unknown, rank: 1 | 2, what: string): readonly Pair[] {
  if (rank === 1) return [pairOf(value, what, 0)];
  if (!Array.isArray(value)) return Array.from({ length: 2 }, () => pairOf(value, what, 0));
  return list(value, what).map((entry) => pairOf(entry, what, 0));
}

const zeroPadding = (rank: 1 | 2): LayerRow =>
  unary((call, input) => {
    requireChannelsLast(call);
    expectRank(input, rank + 2, 'its input');
    const none: Pair = [0, 0];
    const paddings = [none, ...margins(call.config['padding'] ?? 1, rank, 'padding'), none];
    return add(call, 'pad', [input], { paddings });
  });

const cropping = (rank: 1 | 2): LayerRow =>
  unary((call, input) => {
    requireChannelsLast(call);
    expectRank(input, rank + 2, 'its input');
    const { shape } = input.type;
    const cut = [
      [0, 0] as Pair,
      ...margins(call.config['cropping'] ?? (rank === 1 ? 1 : 0), rank, 'cropping'),
      [0, 0] as Pair,
    ];
    const begin = cut.map(([before]) => before);
    const end = cut.map(([, after], axis) => (shape[axis] ?? 0) - after);
    if (begin.some((first, axis) => first >= (end[axis] ?? 0)))
      throw new ConfigError(`cropping leaves nothing of [${shape.slice(1).join(', ')}]`);
    return sliced(call, input, begin, end);
  });

/** All of the batch, and of the other axes from `begin` to before `end`. */
export function sliced(call: LayerCall, input: ValueRef, begin: Shape, end: Shape): ValueRef {
  const strides = begin.map(() => 1);
  return add(call, 'strided_slice', [input], { begin, end, strides, beginMask: 1, endMask: 1, shrinkAxisMask: 0 });
}

const upSampling2D: LayerRow = unary((call, input) => {
  requireChannelsLast(call);
  expectRank(input, 4, 'its input');
  const [, height = 0, width = 0] = input.type.shape;
  const [rows, columns] = pairOf(call.config['size'] ?? 2, 'size');
  const kind = word(call.config['interpolation'] ?? 'nearest', ['nearest', 'bilinear'], 'interpolation');
  const op = kind === 'nearest' ? 'resize_nearest_neighbor' : 'resize_bilinear';
  return add(call, op, [input], {
    size: [height * rows, width * columns],
    alignCorners: false,
    halfPixelCenters: true,
  });
});

const upSampling1D: LayerRow = unary((call, input) => {
  expectRank(input, 3, 'its input');
  const [, steps = 0, channels = 0] = input.type.shape;
  const factor = whole(call.config['size'] ?? 2, 'size', 1);
  const image = reshape(call, input, [1, steps, channels], 'row/');
  const larger = add(call, 'resize_nearest_neighbor', [image], {
    size: [1, steps * factor],
    alignCorners: false,
    halfPixelCenters: true,
  });
  return reshape(call, larger, [steps * factor, channels], 'series/');
});

const repeatVector: LayerRow = unary((call, input) => {
  expectRank(input, 2, 'its input');
  const times = whole(call.config['n'], 'n', 1);
  const row = reshape(call, input, [1, input.type.shape[1] ?? 0]);
  const copies = Array.from({ length: times }, () => row);
  return times === 1 ? row : add(call, 'concatenation', copies, { axis: 1 });
});

const dropout: LayerRow = unary((call, input) => {
  const rate = number(call.config['rate'] ?? 0, 'rate');
  if (rate < 0 || rate >= 1) throw new ConfigError(`rate is ${rate}; expected 0 or more, and below 1`);
  if (call.config['noise_shape'] !== undefined && call.config['noise_shape'] !== null) {
    throw new Refusal('Dropout has a noise_shape', 'leave noise_shape out');
  }
  return rate === 0
    ? input
    : add(call, 'dropout', [input], { rate, stream: createRandom(0, 'dropout', call.name).uint32() });
});

/** What does something in training only, and not here: the value as it is. */
const identity: LayerRow = unary((_call, input) => input);

export const shapeLayers: Readonly<Record<string, LayerRow>> = {
  MaxPooling1D: pool('max_pool_2d', 1),
  MaxPooling2D: pool('max_pool_2d', 2),
  AveragePooling1D: pool('average_pool_2d', 1),
  AveragePooling2D: pool('average_pool_2d', 2),
  GlobalAveragePooling1D: globalMean(1),
  GlobalAveragePooling2D: globalMean(2),
  GlobalMaxPooling1D: globalMax(1),
  GlobalMaxPooling2D: globalMax(2),
  Flatten: flatten,
  Reshape: unary((call, input) => reshaped(call, input, list(call.config['target_shape'], 'target_shape'))),
  Permute: permute,
  RepeatVector: repeatVector,
  ZeroPadding1D: zeroPadding(1),
  ZeroPadding2D: zeroPadding(2),
  Cropping1D: cropping(1),
  Cropping2D: cropping(2),
  UpSampling1D: upSampling1D,
  UpSampling2D: upSampling2D,
  Dropout: dropout,
  SpatialDropout1D: identity,
  SpatialDropout2D: identity,
  GaussianDropout: identity,
  GaussianNoise: identity,
  AlphaDropout: identity,
  ActivityRegularization: identity,
  Identity: identity,
};
