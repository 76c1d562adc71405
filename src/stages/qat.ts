import { Type } from '@sinclair/typebox';
import { choice, key } from '../core/schema.ts';
import { defineStage } from './define.ts';
import { trainingFields } from './training.ts';

export const qat = defineStage({
  kind: 'qat',
  revision: 1,
  description: 'Quantization-aware training, from a float model or from scratch',
  from: { accepts: ['FloatModel/1'], optional: true },
  produces: 'QatModel/1',
  uses: ['data', 'model', 'engine', 'seed'],
  fields: {
    ...trainingFields,
    delay: Type.Integer({
      ...key('Quantization is applied from this step on; ranges are observed from the first'),
      minimum: 0,
      default: 0,
    }),
    ema_decay: Type.Number({
      ...key('Decay of the moving averages that estimate the ranges of activations'),
      exclusiveMinimum: 0,
      exclusiveMaximum: 1,
      default: 0.999,
    }),
    merge_ranges: choice(['mean', 'min_max'], {
      ...key('How the ranges of several devices become one: their mean, or the widest'),
      default: 'mean',
    }),
  },
});
