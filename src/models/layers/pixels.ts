/** Layers that read raw pixels and learn as from normalized ones. */
import { internal } from '../../core/assert.ts';
import { floatTensor } from '../../core/tensor.ts';
import type { GraphBuilder } from '../../graph/builder.ts';
import type { ValueRef } from '../../ops/define.ts';
import type { PixelNormalizer } from './define.ts';
import { addNode } from './define.ts';

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
