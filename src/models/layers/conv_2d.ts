import { affineOperands, finishAffine, windowFields } from './affine.ts';
import { addNode, defineLayer } from './define.ts';
import { filters } from './fields.ts';

export const conv2d = defineLayer('conv_2d', {
  fields: { filters, ...windowFields },
  build(context, layer, input) {
    const channels = input.type.shape.at(-1) ?? 0;
    const operands = affineOperands(context, layer, [layer.filters, ...layer.kernel, channels], 0, input);
    const output = addNode(context.builder, 'conv_2d', `${layer.name}/conv_2d`, operands, {
      strides: layer.stride,
      dilations: layer.dilation,
      padding: { kind: layer.padding },
      activation: 'none',
    });
    return finishAffine(context, layer, output);
  },
});
