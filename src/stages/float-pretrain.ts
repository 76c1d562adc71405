import { defineStage } from './define.ts';
import { trainingFields } from './training.ts';

export const floatPretrain = defineStage({
  kind: 'float-pretrain',
  revision: 1,
  description: 'Trains the float model from scratch',
  from: null,
  produces: 'FloatModel/1',
  uses: ['data', 'model', 'engine', 'seed'],
  fields: trainingFields,
});
