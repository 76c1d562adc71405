import { Type } from '@sinclair/typebox';
import { createRandom } from '../../core/random.ts';
import { key } from '../../core/schema.ts';
import { addNode, defineLayer } from './define.ts';

export const dropout = defineLayer('dropout', {
  fields: {
    rate: Type.Number({
      ...key('Fraction of the values set to 0 in each training step; the others are scaled up to compensate'),
      minimum: 0,
      exclusiveMaximum: 1,
    }),
  },
  description: 'Drops random values in training; does nothing at inference',
  build({ builder }, { name, rate }, input) {
    const stream = createRandom(0, 'dropout', name).uint32();
    return addNode(builder, 'dropout', `${name}/dropout`, [input], { rate, stream });
  },
});
