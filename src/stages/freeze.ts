import { defineStage } from './define.ts';

export const freeze = defineStage({
  kind: 'freeze',
  revision: 1,
  description: 'Makes constants of the variables and removes what inference does not need',
  from: { accepts: ['EvalGraph/1'], optional: false },
  produces: 'FrozenGraph/1',
  uses: [],
  fields: {},
});
