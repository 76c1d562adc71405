import { Type } from '@sinclair/typebox';
import { key } from '../../core/schema.ts';
import { affineOperands, finishAffine, windowFields } from './affine.ts';
import { addNode, defineLayer } from './define.ts';

export const multiplier = Type.Integer({
  ...key('Number of output channels for each input channel'),
  minimum: 1,
  default: 1,
});

export const depthwiseConv2d = defineLayer('depthwise_conv_2d', {
  fields: { multiplier, ...windowFields },
  build(context, layer, input) {
    const channels = (input.type.shape.at(-1) ?? 0) * layer.multiplier;
    const operands = affineOperands(context, layer, [1, ...layer.kernel, channels], 3, input);
    const output = addNode(context.builder, 'depthwise_conv_2d', `${layer.name}/depthwise_conv_2d`, operands, {
      strides: layer.stride,
      dilations: layer.dilation,
      padding: { kind: layer.padding },
      activation: 'none',
    });
    return finishAffine(context, layer, output);
  },
});
