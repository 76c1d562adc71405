import { affineOperands, finishAffine } from './affine.ts';
import { addNode, defineLayer } from './define.ts';
import { multiplier } from './depthwise_conv_2d.ts';
import { along, paddedSeries, seriesWindowFields } from './series.ts';

export const depthwiseConv1d = defineLayer('depthwise_conv_1d', {
  fields: { multiplier, ...seriesWindowFields },
  description:
    'Convolution of each channel alone over the steps of a series (see conv_1d). In the file it is a depthwise_conv_2d',
  build(context, layer, input) {
    const { builder } = context;
    const reach = (layer.kernel - 1) * layer.dilation + 1;
    const series = paddedSeries(builder, layer, input, reach);
    const filterShape = [1, ...along(series, layer.kernel), series.channels * layer.multiplier];
    const operands = affineOperands(context, layer, filterShape, 3, series.image);
    const output = addNode(builder, 'depthwise_conv_2d', `${layer.name}/depthwise_conv_2d`, operands, {
      // TensorFlow has no kernel for unequal strides. Across the steps there is one pixel, which any stride reaches.
      strides: [layer.stride, layer.stride],
      dilations: along(series, layer.dilation),
      padding: series.padding,
      activation: 'none',
    });
    return finishAffine(context, layer, output);
  },
});
