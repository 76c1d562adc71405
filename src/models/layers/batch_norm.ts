import type { ValueRef } from '../../ops/define.ts';
import { afterIdentity, batchNormDefaults } from '../batch-norm.ts';
import type { LayerContext } from './define.ts';
import { addNode, defineLayer } from './define.ts';
import { addVariable, ones, zeroed } from './variables.ts';

export const batchNorm = defineLayer('batch_norm', {
  fields: {},
  description:
    'Normalizes each channel. In the file it is part of the layer before it, where that has weights, no activation and no other reader; else it is a depthwise_conv_2d of one pixel',
  build: (context, { name }, input) =>
    context.batchNormsAlone.has(name)
      ? afterIdentity(context.builder, name, input, (same) => addBatchNorm(context, name, same))
      : addBatchNorm(context, name, input),
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
