/** Normalization of pixels by channel, where the input's one scale and zero point cannot hold it. */
import { internal } from '../core/assert.ts';
import { floatTensor, numElements } from '../core/tensor.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import type { ValueRef } from '../ops/define.ts';
import type { PixelNormalizer } from './layers/define.ts';
import { addNode } from './layers/define.ts';
import type { Layer } from './layers/index.ts';

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
  if (first?.kind === 'conv_2d' || first?.kind === 'depthwise_conv_2d' || first?.kind === 'fully_connected')
    return true;
  if (first?.kind !== 'flatten' || second?.kind !== 'fully_connected') return false;
  const names = (layer: Layer): boolean =>
    layer.input === first.name || ('with' in layer && [layer.with].flat().includes(first.name));
  return (second.input === undefined || second.input === first.name) && !others.some(names);
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
