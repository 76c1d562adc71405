import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { choice, discriminated, key, object } from '../core/schema.ts';

const learningRate = (initial: number) =>
  Type.Number({ ...key('Step size at the start of the schedule'), exclusiveMinimum: 0, default: initial });

const decayRate = (description: string, initial: number) =>
  Type.Number({ ...key(description), minimum: 0, exclusiveMaximum: 1, default: initial });

const common = {
  weight_decay: Type.Number({
    ...key('Share of each filter that is taken away per unit of learning rate and step'),
    minimum: 0,
    default: 0,
  }),
  schedule: choice(['constant', 'cosine'], {
    ...key('The learning rate over the steps: as it is, or down to 0 along half a cosine'),
    default: 'cosine',
  }),
  warmup: Type.Number({
    ...key('Share of the steps in which the learning rate rises from 0'),
    minimum: 0,
    maximum: 1,
    default: 0,
  }),
};

export const optimizerSchema = discriminated(
  'kind',
  [
    object({
      kind: Type.Literal('sgd', key('The rule by which gradients change the weights')),
      learning_rate: learningRate(0.01),
      momentum: decayRate('Share of the last step that is taken again', 0.9),
      nesterov: Type.Boolean({ ...key('Look ahead along the momentum'), default: false }),
      ...common,
    }),
    object({
      kind: Type.Literal('adam', key('The rule by which gradients change the weights')),
      learning_rate: learningRate(0.001),
      beta1: decayRate('Decay of the average of the gradients', 0.9),
      beta2: decayRate('Decay of the average of their squares', 0.999),
      epsilon: Type.Number({ ...key('Added to the root of the squares'), exclusiveMinimum: 0, default: 1e-7 }),
      ...common,
    }),
  ],
  { ...key('How gradients change the weights'), default: { kind: 'sgd' } },
);

export type OptimizerConfig = Static<typeof optimizerSchema>;
