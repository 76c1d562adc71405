import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { choice, discriminated, key, object } from '../core/schema.ts';

const learningRate = (initial: number) =>
  Type.Number({ ...key('Learning rate at the start of the schedule'), exclusiveMinimum: 0, default: initial });

const decayRate = (description: string, initial: number) =>
  Type.Number({ ...key(description), minimum: 0, exclusiveMaximum: 1, default: initial });

const common = {
  weight_decay: Type.Number({
    ...key('L2 penalty on filters: each step adds weight_decay * weight to the gradient'),
    minimum: 0,
    default: 0,
  }),
  schedule: choice(['constant', 'cosine'], {
    ...key('Learning rate schedule: constant, or cosine decay to 0'),
    default: 'cosine',
  }),
  warmup: Type.Number({
    ...key('Fraction of all steps over which the learning rate rises from 0 to its full value'),
    minimum: 0,
    maximum: 1,
    default: 0,
  }),
};

export const optimizerSchema = discriminated(
  'kind',
  [
    object({
      kind: Type.Literal('sgd', key('Kind of optimizer')),
      learning_rate: learningRate(0.01),
      momentum: decayRate('Momentum', 0.9),
      nesterov: Type.Boolean({ ...key('Whether to use Nesterov momentum'), default: false }),
      ...common,
    }),
    object({
      kind: Type.Literal('adam', key('Kind of optimizer')),
      learning_rate: learningRate(0.001),
      beta1: decayRate('Decay of the moving average of the gradients', 0.9),
      beta2: decayRate('Decay of the moving average of the squared gradients', 0.999),
      epsilon: Type.Number({
        ...key('Added to the denominator for numerical stability'),
        exclusiveMinimum: 0,
        default: 1e-7,
      }),
      ...common,
    }),
  ],
  { ...key('Optimizer that updates the weights'), default: { kind: 'sgd' } },
);

export type OptimizerConfig = Static<typeof optimizerSchema>;
