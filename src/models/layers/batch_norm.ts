import { floatTensor, numElements } from '../../core/tensor.ts';
import type { ValueRef } from '../../ops/define.ts';
import { batchNormDefaults } from '../batch-norm.ts';
import type { LayerContext } from './define.ts';
import { addNode, defineLayer } from './define.ts';
import { addVariable, ones, zeroed } from './variables.ts';

export const batchNorm = defineLayer('batch_norm', {
  fields: {},
  description:
    'Normalizes each channel. In the file it is part of the layer before it, where that has weights, no activation and no other reader; else it is a depthwise_conv_2d of one pixel',
  build: (context, { name }, input) =>
    context.batchNormsAlone.has(name) ? addAlone(context, name, input) : addBatchNorm(context, name, input),
});

export function addBatchNorm(context: LayerContext, name: string, input: ValueRef): ValueRef {
  const { epsilon } = batchNormDefaults;
  const shape = [input.type.shape.at(-1) ?? 0];
  const gamma = addVariable(context, `${name}/gamma`, shape, 'gamma', ones);
  const beta = addVariable(context, `${name}/beta`, shape, 'beta', zeroed);
  const mean = addVariable(context, `${name}/moving_mean`, shape, 'moving_mean', zeroed);
  const variance = addVariable(context, `${name}/moving_variance`, shape, 'moving_variance', ones);
  const operands = [input, gamma, beta, mean, variance];
  return addNode(context.builder, 'batch_norm', `${name}/batch_norm`, operands, { epsilon });
}

/**
 * Batch norm with a layer of its own to go into: a depthwise convolution of one pixel that multiplies by 1. Values of
 * other ranks are images of it for as long.
 */
function addAlone(context: LayerContext, name: string, input: ValueRef): ValueRef {
  const { builder } = context;
  const { shape } = input.type;
  const channels = shape.at(-1) ?? 0;
  const isImage = shape.length === 4;
  const pixels = numElements(shape.slice(1, -1));
  const image = isImage
    ? input
    : addNode(builder, 'reshape', `${name}/image`, [input], { shape: [-1, 1, pixels, channels] });
  const filter = builder.constant(`${name}/ones`, floatTensor([1, 1, 1, channels], new Float32Array(channels).fill(1)));
  const same = addNode(builder, 'depthwise_conv_2d', `${name}/depthwise_conv_2d`, [image, filter], {
    strides: [1, 1],
    dilations: [1, 1],
    padding: { kind: 'valid' },
    activation: 'none',
  });
  const normalized = addBatchNorm(context, name, same);
  return isImage
    ? normalized
    : addNode(builder, 'reshape', `${name}/reshape`, [normalized], { shape: [-1, ...shape.slice(1)] });
}
