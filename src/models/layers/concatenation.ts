import { Type } from '@sinclair/typebox';
import { key } from '../../core/schema.ts';
import { addNode, defineLayer, misfit, outputOf } from './define.ts';
import { list } from './fields.ts';

/** There is no split: a layer has one output, and strided_slice takes a part. */
export const concatenation = defineLayer('concatenation', {
  fields: {
    with: list(Type.String({ minLength: 1 }), {
      ...key('Names of the layers to append to the input, in this order'),
      minItems: 1,
    }),
    axis: Type.Integer({
      ...key('Axis to concatenate along. Axis 0 is the batch; -1 is the last axis (channels)'),
      default: -1,
    }),
  },
  build(context, layer, input) {
    const rank = input.type.shape.length;
    const axis = layer.axis < 0 ? layer.axis + rank : layer.axis;
    if (axis < 1 || axis >= rank) throw misfit(layer, `axis ${layer.axis} of`, input, `an axis 1 to ${rank - 1}`);
    const others = layer.with.map((other) => outputOf(context, layer, other));
    return addNode(context.builder, 'concatenation', `${layer.name}/concatenation`, [input, ...others], { axis });
  },
});
