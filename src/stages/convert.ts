import { choice, key } from '../core/schema.ts';
import { defineStage } from './define.ts';

export const convert = defineStage({
  kind: 'convert',
  revision: 1,
  description: 'Writes the integer model as a .tflite file',
  from: { accepts: ['FrozenGraph/1'], optional: false },
  produces: 'Tflite/1',
  uses: [],
  fields: {
    scheme: choice(['int8'], {
      ...key('int8: activations per tensor, filters per channel and symmetric'),
      default: 'int8',
    }),
  },
});
