import { addNode, defineLayer } from './define.ts';

export const softmax = defineLayer('softmax', {
  fields: {},
  description: 'Turns scores into probabilities; only as the last layer',
  build: ({ builder }, { name }, input) => addNode(builder, 'softmax', `${name}/softmax`, [input], { beta: 1 }),
});
