import { addNode, defineLayer } from './define.ts';

export const l2Normalization = defineLayer('l2_normalization', {
  fields: {},
  description: 'Divides each pixel (the vector of its channels) by its L2 norm',
  build: ({ builder }, { name }, input) =>
    addNode(builder, 'l2_normalization', `${name}/l2_normalization`, [input], {}),
});
