import { Type } from '@sinclair/typebox';
import { key } from '../../core/schema.ts';
import { numElements } from '../../core/tensor.ts';
import { addNode, defineLayer, misfit } from './define.ts';
import { list } from './fields.ts';

export const reshape = defineLayer('reshape', {
  fields: {
    shape: list(Type.Integer({ minimum: -1 }), {
      ...key('Output shape without the batch. One size may be -1; it is computed from the others'),
      minItems: 1,
    }),
  },
  build({ builder }, layer, input) {
    const features = numElements(input.type.shape.slice(1));
    const known = numElements(layer.shape.filter((size) => size !== -1));
    const shape = layer.shape.map((size) => (size === -1 ? features / known : size));
    if (numElements(shape) !== features || !shape.every(Number.isInteger)) {
      throw misfit(layer, `[${layer.shape.join(',')}] out of`, input, `${features} values`);
    }
    return addNode(builder, 'reshape', `${layer.name}/reshape`, [input], { shape: [-1, ...shape] });
  },
});
