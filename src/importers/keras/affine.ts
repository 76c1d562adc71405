/** Layers with weights. */
import type { FloatTensor, Shape } from '../../core/tensor.ts';
import { numElements, transposeTensor } from '../../core/tensor.ts';
import type { ValueRef } from '../../ops/define.ts';
import type { Padding } from '../../ops/geometry.ts';
import { activate } from './activations.ts';
import { Refusal } from '../refusal.ts';
import { ConfigError, flag, pairOf, whole, wholes, word } from './json.ts';
import type { LayerCall, LayerRow } from './layer.ts';
import { add, channelsOf, expectRank, requireChannelsLast, reshape, unary } from './layer.ts';
import { expectShape } from './weights.ts';

const hasBias = ({ config }: LayerCall): boolean => flag(config['use_bias'], true);

/** The layer's variables: its filters and, behind them, its bias. */
function parameters(call: LayerCall, filters: readonly string[]): readonly FloatTensor[] {
  return call.read(hasBias(call) ? [...filters, 'bias'] : filters);
}

function bias(call: LayerCall, filters: readonly string[], channels: number, part = 'bias'): readonly ValueRef[] {
  if (!hasBias(call)) return [];
  const make = (): FloatTensor => expectShape(given(parameters(call, filters), filters.length), [channels], 'bias');
  return [call.variable(part, 'bias', make)];
}

function given(tensors: readonly FloatTensor[], index: number): FloatTensor {
  const found = tensors[index];
  if (found === undefined) throw new ConfigError('the file has too few weights for it');
  return found;
}

const shaped = (value: FloatTensor, shape: Shape): FloatTensor => ({ ...value, shape });

const plain = { activation: 'none' } as const;

const dense: LayerRow = unary((call, input) => {
  const units = whole(call.config['units'], 'units', 1);
  const inputs = channelsOf(input);
  // Keras multiplies along the last axis, whatever is before it.
  const filter = call.variable('filter', 'weight', () =>
    transposeTensor(expectShape(given(parameters(call, ['kernel']), 0), [inputs, units], 'kernel'), [1, 0]),
  );
  const keepNumDims = input.type.shape.length > 2;
  const output = add(call, 'fully_connected', [input, filter, ...bias(call, ['kernel'], units)], {
    ...plain,
    keepNumDims,
  });
  return activate(call, output, call.config['activation']);
});

interface WindowConfig {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly padding: Padding;
}

/** @param rank 1 for a window over the steps of a series, which is a row of pixels */
function windowOf({ config }: LayerCall, rank: 1 | 2): WindowConfig {
  const sizes = (field: string): readonly [number, number] => {
    const value = config[field] ?? 1;
    if (rank === 2) return pairOf(value, field);
    const [size = 1] = wholes(value, 1, field);
    return [1, size];
  };
  const [kernel, strides, dilations] = [sizes('kernel_size'), sizes('strides'), sizes('dilation_rate')];
  const kind = word(
    config['padding'] ?? 'valid',
    rank === 1 ? ['same', 'valid', 'causal'] : ['same', 'valid'],
    'padding',
  );
  const left = (kernel[1] - 1) * dilations[1];
  const padding: Padding = kind === 'causal' ? { kind: 'explicit', top: 0, bottom: 0, left, right: 0 } : { kind };
  return { kernel, strides, dilations, padding };
}

/** A layer over [height, width, channels], or over [steps, channels] as one row of pixels. */
function overPixels(
  rank: 1 | 2,
  build: (call: LayerCall, image: ValueRef, window: WindowConfig) => ValueRef,
): LayerRow {
  return unary((call, input) => {
    requireChannelsLast(call);
    expectRank(input, rank + 2, 'its input');
    const image = rank === 2 ? input : reshape(call, input, [1, ...input.type.shape.slice(1)], 'row/');
    const output = build(call, image, windowOf(call, rank));
    const [, , steps = 1, channels = 1] = output.type.shape;
    const series = rank === 2 ? output : reshape(call, output, [steps, channels], 'series/');
    return activate(call, series, call.config['activation']);
  });
}

const conv = (rank: 1 | 2): LayerRow =>
  overPixels(rank, (call, image, { kernel, ...window }) => {
    const filters = whole(call.config['filters'], 'filters', 1);
    const groups = whole(call.config['groups'] ?? 1, 'groups', 1);
    const inputs = channelsOf(image) / groups;
    const filter = call.variable('filter', 'weight', () => {
      const found = given(parameters(call, ['kernel']), 0);
      const wanted = [...kernel.slice(2 - rank), inputs, filters];
      return transposeTensor(shaped(expectShape(found, wanted, 'kernel'), [...kernel, inputs, filters]), [3, 0, 1, 2]);
    });
    return add(call, 'conv_2d', [image, filter, ...bias(call, ['kernel'], filters)], { ...window, ...plain });
  });

/** Keras 3 calls the filter of a depthwise convolution `kernel`, Keras 2 `depthwise_kernel`. */
const depthwiseName = ({ version }: LayerCall): string => (version < 3 ? 'depthwise_kernel' : 'kernel');

const depthwise = (rank: 1 | 2): LayerRow =>
  overPixels(rank, (call, image, window) => {
    const names = [depthwiseName(call)];
    const { output, channels } = depthwiseFilter(call, image, window, rank, names);
    return output(bias(call, names, channels));
  });

function depthwiseFilter(
  call: LayerCall,
  image: ValueRef,
  { kernel, ...window }: WindowConfig,
  rank: 1 | 2,
  names: readonly string[],
): { readonly output: (bias: readonly ValueRef[]) => ValueRef; readonly channels: number } {
  const inputs = channelsOf(image);
  const multiplier = whole(call.config['depth_multiplier'] ?? 1, 'depth_multiplier', 1);
  const channels = inputs * multiplier;
  const filter = call.variable(names.length > 1 ? 'depthwise/filter' : 'filter', 'weight', () => {
    const wanted = [...kernel.slice(2 - rank), inputs, multiplier];
    return shaped(expectShape(given(parameters(call, names), 0), wanted, 'the depthwise kernel'), [
      1,
      ...kernel,
      channels,
    ]);
  });
  return {
    channels,
    output: (own) => add(call, 'depthwise_conv_2d', [image, filter, ...own], { ...window, ...plain }),
  };
}

const separable = (rank: 1 | 2): LayerRow =>
  overPixels(rank, (call, image, window) => {
    const names = ['depthwise_kernel', 'pointwise_kernel'];
    const filters = whole(call.config['filters'], 'filters', 1);
    const { output, channels } = depthwiseFilter(call, image, window, rank, names);
    const pointwise = call.variable('pointwise/filter', 'weight', () => {
      const wanted = [...Array.from({ length: rank }, () => 1), channels, filters];
      const found = expectShape(given(parameters(call, names), 1), wanted, 'the pointwise kernel');
      return shaped(transposeTensor(shaped(found, [channels, filters]), [1, 0]), [filters, 1, 1, channels]);
    });
    const operands = [output([]), pointwise, ...bias(call, names, filters)];
    const one = { strides: [1, 1], dilations: [1, 1], padding: { kind: 'valid' } } as const;
    return add(call, 'conv_2d', operands, { ...one, ...plain });
  });

const transposed: LayerRow = overPixels(2, (call, image, { kernel, strides, dilations, padding }) => {
  if (numElements(dilations) !== 1) throw new Refusal('it is dilated', 'dilation_rate must be 1');
  const { output_padding: extra = null } = call.config;
  if (extra !== null) throw new Refusal('it has an output_padding', 'leave output_padding out');
  const filters = whole(call.config['filters'], 'filters', 1);
  const [, height = 0, width = 0, inputs = 0] = image.type.shape;
  const filter = call.variable('filter', 'weight', () =>
    transposeTensor(
      expectShape(given(parameters(call, ['kernel']), 0), [...kernel, filters, inputs], 'kernel'),
      [2, 0, 1, 3],
    ),
  );
  const beyond = (axis: 0 | 1): number => (padding.kind === 'same' ? 0 : Math.max(kernel[axis] - strides[axis], 0));
  const outputSize = [height * strides[0] + beyond(0), width * strides[1] + beyond(1)] as const;
  const operands = [image, filter, ...bias(call, ['kernel'], filters)];
  return add(call, 'transpose_conv', operands, { strides, padding, outputSize, ...plain });
});

export const affineLayers: Readonly<Record<string, LayerRow>> = {
  Dense: dense,
  Conv1D: conv(1),
  Conv2D: conv(2),
  DepthwiseConv1D: depthwise(1),
  DepthwiseConv2D: depthwise(2),
  SeparableConv1D: separable(1),
  SeparableConv2D: separable(2),
  Conv2DTranspose: transposed,
  // Older names.
  Convolution1D: conv(1),
  Convolution2D: conv(2),
  SeparableConvolution1D: separable(1),
  SeparableConvolution2D: separable(2),
  Convolution2DTranspose: transposed,
};
