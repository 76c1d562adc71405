import { internal } from '../core/assert.ts';
import { floatTensor, numElements } from '../core/tensor.ts';
import type { Shape } from '../core/tensor.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import type { ValueRef } from '../ops/define.ts';

/** The constants of every batch-norm layer: Keras's epsilon, and a momentum that a few epochs can warm up. */
export const batchNormDefaults = { epsilon: 1e-3, momentum: 0.9 } as const;

/**
 * Batch norm with a layer of its own to go into: a depthwise convolution of one pixel that multiplies by 1. Values of
 * other ranks are images of it for as long.
 *
 * @param name before the names of what is added
 * @param add the batch norm, behind that layer
 */
export function afterIdentity(
  builder: GraphBuilder,
  name: string,
  input: ValueRef,
  add: (same: ValueRef) => ValueRef,
): ValueRef {
  const { shape } = input.type;
  const channels = shape.at(-1) ?? 0;
  const isImage = shape.length === 4;
  const pixels = numElements(shape.slice(1, -1));
  const image = isImage ? input : reshaped(builder, `${name}/image`, input, [-1, 1, pixels, channels]);
  const filter = builder.constant(`${name}/ones`, floatTensor([1, 1, 1, channels], new Float32Array(channels).fill(1)));
  const [same = internal('a convolution has an output')] = builder.node(
    'depthwise_conv_2d',
    `${name}/depthwise_conv_2d`,
    [image, filter],
    { strides: [1, 1], dilations: [1, 1], padding: { kind: 'valid' }, activation: 'none' },
  );
  const normalized = add(same);
  return isImage ? normalized : reshaped(builder, `${name}/reshape`, normalized, [-1, ...shape.slice(1)]);
}

function reshaped(builder: GraphBuilder, name: string, input: ValueRef, shape: Shape): ValueRef {
  const [output = internal('a reshape has an output')] = builder.node('reshape', name, [input], { shape });
  return output;
}
