import { addNode, defineLayer } from './define.ts';
import { axes } from './fields.ts';

export const transpose = defineLayer('transpose', {
  fields: { permutation: axes('New order of the axes', { minItems: 1 }) },
  build: ({ builder }, { name, permutation }, input) =>
    addNode(builder, 'transpose', `${name}/transpose`, [input], { permutation: [0, ...permutation] }),
});
