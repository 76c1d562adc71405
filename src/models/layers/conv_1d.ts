import { affineOperands, finishAffine } from './affine.ts';
import { addNode, defineLayer } from './define.ts';
import { filters } from './fields.ts';
import { along, paddedSeries, seriesWindowFields } from './series.ts';

export const conv1d = defineLayer('conv_1d', {
  fields: { filters, ...seriesWindowFields },
  description:
    'Convolution over the steps of a series: [1, steps, channels], [steps, 1, channels], or a spectrogram [steps, bins, 1], whose bins are the channels. In the file it is a conv_2d',
  build(context, layer, input) {
    const { builder } = context;
    const reach = (layer.kernel - 1) * layer.dilation + 1;
    const series = paddedSeries(builder, layer, input, reach);
    const filterShape = [layer.filters, ...along(series, layer.kernel), series.channels];
    const operands = affineOperands(context, layer, filterShape, 0, series.image);
    const output = addNode(builder, 'conv_2d', `${layer.name}/conv_2d`, operands, {
      strides: along(series, layer.stride),
      dilations: along(series, layer.dilation),
      padding: series.padding,
      activation: 'none',
    });
    return finishAffine(context, layer, output);
  },
});
