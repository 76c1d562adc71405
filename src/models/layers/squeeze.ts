import { addNode, defineLayer, misfit } from './define.ts';
import { axes } from './fields.ts';

export const squeeze = defineLayer('squeeze', {
  fields: { axes: axes('Axes of size 1 to remove; default: all of them', { default: [] }) },
  build({ builder }, layer, input) {
    const ones = input.type.shape.flatMap((size, axis) => (axis > 0 && size === 1 ? [axis] : []));
    const removed = layer.axes.length > 0 ? layer.axes : ones;
    if (removed.length === 0) throw misfit(layer, 'the input', input, 'an axis of size 1');
    return addNode(builder, 'squeeze', `${layer.name}/squeeze`, [input], { axes: removed });
  },
});
