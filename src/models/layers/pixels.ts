/** Normalization of pixels by channel, where the input's one scale and zero point cannot hold it. */
import { internal } from '../../core/assert.ts';
import { floatTensor, numElements } from '../../core/tensor.ts';
import type { GraphBuilder } from '../../graph/builder.ts';
import type { ValueRef } from '../../ops/define.ts';
import { addNode } from './define.ts';
import type { Layer } from './index.ts';

/** normalized = factor * (raw + offset) by channel, of the input's real values. */
export interface PixelNormalizer {
  readonly factors: readonly number[];
  readonly offsets: readonly number[];
  /** The values that are raw pixels with the channel as the last axis: the input, and its rows. */
  readonly raw: Set<string>;
}

/**
 * From statistics in pixels to those of the input.
 *
 * @param grid real = scale * (pixel - mean), of the input
 */
export function pixelNormalizer(
  channels: readonly { readonly mean: number; readonly deviation: number }[],
  grid: { readonly scale: number; readonly mean: number },
  input: string,
): PixelNormalizer {
  return {
    factors: channels.map(({ deviation }) => 1 / (grid.scale * deviation)),
    offsets: channels.map(({ mean }) => grid.scale * (grid.mean - mean)),
    raw: new Set([input]),
  };
}

/** Whether the layer that reads the pixels can take their normalization into its weights. */
export function takesNormalization([first, second, ...others]: readonly Layer[]): boolean {
  if (first?.kind === 'conv_2d' || first?.kind === 'depthwise_conv_2d' || first?.kind === 'fully_connected') return true;
  if (first?.kind !== 'flatten' || second?.kind !== 'fully_connected') return false;
  const names = (layer: Layer): boolean =>
    layer.input === first.name || ('with' in layer && [layer.with].flat().includes(first.name));
  return (second.input === undefined || second.input === first.name) && !others.some(names);
}

/**
 * What a layer multiplies raw pixels with in place of the filter that it learns for normalized ones, and what it adds:
 * filter * (factor * (raw + offset)) = (filter * factor) * raw + sum((filter * factor) * offset). Where the layer pads,
 * it pads with the raw value 0, as integer kernels do: with the one pixel that is the input's zero point.
 *
 * @param channelAxis of the output channels
 * @param shifts whether anything is added: batch norm would subtract it again
 */
export function ofRawPixels(
  builder: GraphBuilder,
  { factors, offsets }: PixelNormalizer,
  name: string,
  filter: ValueRef,
  channelAxis: number,
  shifts: boolean,
): { readonly filter: ValueRef; readonly shift: ValueRef | null } {
  const { shape } = filter.type;
  const last = shape.length - 1;
  // By the last axis: rows hold the channels in turn, and depthwise filters have several outputs for each channel.
  const size = shape[last] ?? internal(`the filter of "${name}" has no axis`);
  const perChannel = channelAxis === last ? size / factors.length : 1;
  const spread = (values: readonly number[]) =>
    floatTensor(
      shape.map((_, axis) => (axis === last ? size : 1)),
      Array.from({ length: size }, (_, at) => values[Math.floor(at / perChannel) % values.length]!),
    );
  const scaled = addNode(
    builder,
    'mul',
    `${name}/pixel_filter`,
    [filter, builder.constant(`${name}/pixel_factor`, spread(factors))],
    { activation: 'none' },
  );
  if (!shifts) return { filter: scaled, shift: null };
  const offset = builder.constant(`${name}/pixel_offset`, spread(offsets));
  const parts = addNode(builder, 'mul', `${name}/pixel_shifts`, [scaled, offset], { activation: 'none' });
  const axes = shape.flatMap((_, axis) => (axis === channelAxis ? [] : [axis]));
  return { filter: scaled, shift: addNode(builder, 'sum', `${name}/pixel_shift`, [parts], { axes, keepDims: false }) };
}

/** Normalizes by an op of its own: a depthwise convolution of one pixel. */
export function addPixelNormalization(
  builder: GraphBuilder,
  { factors, offsets }: PixelNormalizer,
  input: ValueRef,
): ValueRef {
  const name = `${input.name}/normalize`;
  const filter = floatTensor([1, 1, 1, factors.length], factors);
  const bias = floatTensor(
    [factors.length],
    factors.map((factor, channel) => factor * offsets[channel]!),
  );
  if (numElements(filter.shape) !== input.type.shape.at(-1)) internal('as many channels as the pixels have');
  const operands = [input, builder.constant(`${name}/filter`, filter), builder.constant(`${name}/bias`, bias)];
  return addNode(builder, 'depthwise_conv_2d', `${name}/depthwise_conv_2d`, operands, {
    strides: [1, 1],
    dilations: [1, 1],
    padding: { kind: 'valid' },
    activation: 'none',
  });
}
