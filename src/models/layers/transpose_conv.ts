import { choice, key } from '../../core/schema.ts';
import { numElements } from '../../core/tensor.ts';
import { affineFields, affineOperands, finishAffine, kernel } from './affine.ts';
import { addNode, defineLayer, spatialSize } from './define.ts';
import { filters, pair } from './fields.ts';

export const transposeConv = defineLayer('transpose_conv', {
  fields: {
    filters,
    kernel,
    stride: pair('Stride: factor by which the output is larger', { default: 2 }),
    padding: choice(['same', 'valid'], {
      ...key(
        '`same`: the output size is input size * stride; `valid`: the output also keeps what the filter reaches beyond that',
      ),
      default: 'same',
    }),
    ...affineFields,
  },
  build(context, layer, input) {
    const [height, width] = spatialSize(layer, input);
    const { kernel: taps, stride, padding } = layer;
    const beyond = (axis: 0 | 1): number => (padding === 'same' ? 0 : Math.max(taps[axis] - stride[axis], 0));
    const filterShape = [layer.filters, ...taps, input.type.shape.at(-1) ?? 0];
    // Each output pixel is reached by one in every stride x stride taps.
    const fanIn = numElements(filterShape.slice(1)) / (stride[0] * stride[1]);
    const operands = affineOperands(context, layer, filterShape, 0, input, fanIn);
    const output = addNode(context.builder, 'transpose_conv', `${layer.name}/transpose_conv`, operands, {
      strides: stride,
      padding: { kind: padding },
      outputSize: [height * stride[0] + beyond(0), width * stride[1] + beyond(1)],
      activation: 'none',
    });
    return finishAffine(context, layer, output);
  },
});
