import type { ValueRef } from '../../ops/define.ts';
import { batchNormDefaults } from '../batch-norm.ts';
import type { LayerContext } from './define.ts';
import { addNode, defineLayer, single } from './define.ts';
import { addVariable, ones, zeroed } from './variables.ts';

export const batchNorm = defineLayer('batch_norm', {
  fields: {},
  build: (context, { name }, input) => addBatchNorm(context, name, input),
});

export function addBatchNorm(context: LayerContext, name: string, input: ValueRef): ValueRef {
  const { builder, form } = context;
  const { epsilon, momentum } = batchNormDefaults;
  const shape = [input.type.shape.at(-1) ?? 0];
  const gamma = addVariable(context, `${name}/gamma`, shape, 'gamma', ones);
  const beta = addVariable(context, `${name}/beta`, shape, 'beta', zeroed);
  const mean = addVariable(context, `${name}/moving_mean`, shape, 'moving_mean', zeroed);
  const variance = addVariable(context, `${name}/moving_variance`, shape, 'moving_variance', ones);
  if (form === 'inference') {
    return addNode(builder, 'batch_norm', `${name}/batch_norm`, [input, gamma, beta, mean, variance], { epsilon });
  }
  const outputs = builder.node('batch_norm_train', `${name}/batch_norm`, [input, gamma, beta], { epsilon });
  for (const [moving, batchStatistic] of [
    [mean, outputs[1]],
    [variance, outputs[2]],
  ] as const) {
    const agreed = builder.node('cross_replica', `${moving.name}/batch`, [batchStatistic ?? moving], {
      reduce: 'mean',
    });
    const next = addNode(builder, 'moving_average', `${moving.name}/next`, [moving, ...agreed], { decay: momentum });
    builder.update(moving.name, next);
  }
  return single(outputs);
}
