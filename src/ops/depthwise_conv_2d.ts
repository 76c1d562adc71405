import { perTensor } from '../core/affine.ts';
import { multiplyByQuantizedMultiplier } from '../core/fixedpoint.ts';
import type { Shape, TensorType } from '../core/tensor.ts';
import {
  T_FLOAT,
  activationCode,
  activationField,
  activationRange,
  cutsCodes,
  decodeActivation,
  decodePadding,
  encodePadding,
  int32Vector,
  intList,
  numberOption,
  readPadding,
  readSpatialPair,
  writePadding,
} from './bindings.ts';
import type { Conv2dAttrs } from './conv_2d.ts';
import { convolutionMultipliers, expectBias, insideImage } from './conv_2d.ts';
import { ShapeError, defineOp, float32 } from './define.ts';
import { expectRank, expectSameShape, slidingWindow } from './geometry.ts';
import { sum } from './sum.ts';

type Shape4 = readonly [number, number, number, number];

/**
 * Input [batch, height, width, channels], filter [1, height, width, channels * multiplier]: output channel
 * c * multiplier + m is input channel c under a filter of its own.
 */
export const depthwiseConv2d = defineOp<'depthwise_conv_2d', Conv2dAttrs>({
  name: 'depthwise_conv_2d',
  operands: [
    { name: 'input', role: 'activation' },
    { name: 'filter', role: 'weight' },
    { name: 'bias', role: 'bias', optional: true },
  ],
  quant: { kind: 'affine', weight: 1, bias: 2, channelAxis: 3 },

  infer([input, filter, bias], attrs) {
    return [{ dtype: input!.dtype, shape: inferShape(input!.shape, filter!.shape, bias, attrs) }];
  },

  float([input, filter, bias], attrs, [output]) {
    const outputChannels = filter!.shape[3]!;
    for (let at = 0; at < output!.data.length; at++) output!.data[at] = bias?.data[at % outputChannels] ?? 0;
    forEachTap(input!.shape, filter!.shape, attrs, (inputAt, filterAt, outputAt) => {
      output!.data[outputAt]! += input!.data[inputAt]! * filter!.data[filterAt]!;
    });
  },

  vjp({ emit }, { inputs: [input, filter, bias], attrs }, gradient) {
    return [
      emit(depthwiseConv2dGradInput, [gradient, filter!], { ...attrs, inputShape: input!.type.shape }),
      emit(depthwiseConv2dGradFilter, [input!, gradient], { ...attrs, filterShape: filter!.type.shape }),
      ...(bias === undefined ? [] : [emit(sum, [gradient], { axes: [0, 1, 2], keepDims: false })]),
    ];
  },

  // LiteRT tflite/kernels/internal/reference/integer_ops/depthwise_conv.h and reference/depthwiseconv_uint8.h.
  int8({ inputs: [input, filter, bias], outputs: [output], attrs }) {
    const [batches, inputHeight, inputWidth, inputChannels] = input!.type.shape as Shape4;
    const [, filterHeight, filterWidth, outputChannels] = filter!.type.shape as Shape4;
    const multiplierOfChannels = outputChannels / inputChannels;
    const window = slidingWindow(input!.type.shape, [filterHeight, filterWidth], attrs, attrs.dilations);
    const inputZeroPoint = perTensor(input!.quant, 'the input').zeroPoint;
    const outputZeroPoint = perTensor(output!.quant, 'the output').zeroPoint;
    const filterZeroPoint = filter!.quant?.kind === 'per_tensor' ? filter!.quant.zeroPoint : 0;
    const multipliers = convolutionMultipliers(input!, filter!, output!, outputChannels);
    const { min, max } = activationRange(attrs.activation, output!);
    const [strideY, strideX] = attrs.strides;
    const [dilationY, dilationX] = attrs.dilations;

    return ([x, w, b], [y]) => {
      let at = 0;
      for (let batch = 0; batch < batches; batch++) {
        for (let outY = 0; outY < window.outputHeight; outY++) {
          const top = outY * strideY - window.padTop;
          const [firstY, endY] = insideImage(top, dilationY, filterHeight, inputHeight);
          for (let outX = 0; outX < window.outputWidth; outX++) {
            const left = outX * strideX - window.padLeft;
            const [firstX, endX] = insideImage(left, dilationX, filterWidth, inputWidth);
            for (let channel = 0; channel < outputChannels; channel++) {
              const inputChannel = Math.floor(channel / multiplierOfChannels);
              let accumulator = bias === undefined ? 0 : b![channel]! | 0;
              for (let filterY = firstY; filterY < endY; filterY++) {
                const row = (batch * inputHeight + top + filterY * dilationY) * inputWidth + left;
                for (let filterX = firstX; filterX < endX; filterX++) {
                  const value = x![(row + filterX * dilationX) * inputChannels + inputChannel]! - inputZeroPoint;
                  const weight = w![(filterY * filterWidth + filterX) * outputChannels + channel]! - filterZeroPoint;
                  accumulator = (accumulator + Math.imul(value, weight)) | 0;
                }
              }
              const { multiplier, shift } = multipliers[channel]!;
              const scaled = multiplyByQuantizedMultiplier(accumulator, multiplier, shift) + outputZeroPoint;
              y![at++] = scaled < min ? min : scaled > max ? max : scaled;
            }
          }
        }
      }
    };
  },

  tflite: {
    builtinCode: 4,
    optionsType: 2,
    fields: [
      { id: 0, name: 'padding', type: 'byte', default: 0 },
      { id: 1, name: 'stride_w', type: 'int32', default: 0 },
      { id: 2, name: 'stride_h', type: 'int32', default: 0 },
      { id: 3, name: 'depth_multiplier', type: 'int32', default: 0 },
      activationField(4),
      { id: 5, name: 'dilation_w_factor', type: 'int32', default: 1 },
      { id: 6, name: 'dilation_h_factor', type: 'int32', default: 1 },
    ],
    version: ({ inputs: [input], outputs: [output], attrs }) => {
      if (input!.type.dtype === 'int8') {
        // Older runtimes do not clamp.
        return { version: 3, minimumRuntime: cutsCodes(attrs.activation, output!) ? '2.3.0' : '1.14.0' };
      }
      const dilated = attrs.dilations.some((dilation) => dilation !== 1);
      return dilated ? { version: 2, minimumRuntime: '1.12.0' } : { version: 1, minimumRuntime: '1.5.0' };
    },
    parameterPositions: [],
    encode: ({ inputs: [input, filter], attrs }) => ({
      options: {
        padding: encodePadding(attrs.padding),
        stride_w: attrs.strides[1],
        stride_h: attrs.strides[0],
        depth_multiplier: filter!.type.shape[3]! / input!.type.shape[3]!,
        fused_activation_function: activationCode(attrs.activation),
        dilation_w_factor: attrs.dilations[1],
        dilation_h_factor: attrs.dilations[0],
      },
      parameters: [],
    }),
    // The multiplier follows from the shapes; old files leave it out.
    decode: ({ options }) => ({
      padding: decodePadding(options),
      strides: [numberOption(options, 'stride_h'), numberOption(options, 'stride_w')],
      dilations: [numberOption(options, 'dilation_h_factor'), numberOption(options, 'dilation_w_factor')],
      activation: decodeActivation(options),
    }),
  },

  /**
   * TensorFlow's filter is [height, width, channels, multiplier], whose last axis is not the output channel, and fake
   * quant per channel works on the last axis only. So the filter is stored and fake-quantized in our shape, where the
   * last axis is the output channel for any multiplier, and a Reshape before the convolution gives it TensorFlow's.
   * Graphs by others, whose filter has four axes from the start, are read too (src/graphdef/import.ts).
   */
  graphdef: {
    layouts: { 1: 'merged' },
    storedLayouts: {},
    write(writer, { name, inputs: [input, filter, bias], inputTypes, attrs }) {
      const [, height, width, outputChannels] = inputTypes[1]!.shape as Shape4;
      const channels = inputTypes[0]!.shape[3]!;
      const shape = int32Vector([height, width, channels, outputChannels / channels]);
      const reshaped = writer.node(
        'Reshape',
        `${name}/filter`,
        [filter!, writer.constant(`${name}/filter/shape`, shape)],
        { ...T_FLOAT, Tshape: { kind: 'type', value: 'int32' } },
      );
      const operands = [input!, reshaped];
      const convolution = writer.node(
        'DepthwiseConv2dNative',
        bias === undefined ? name : `${name}/DepthwiseConv2dNative`,
        operands,
        {
          ...T_FLOAT,
          ...writePadding(attrs.padding),
          strides: intList([1, ...attrs.strides, 1]),
          dilations: intList([1, ...attrs.dilations, 1]),
        },
      );
      return [bias === undefined ? convolution : writer.node('BiasAdd', name, [convolution, bias], T_FLOAT)];
    },
    reads: {
      DepthwiseConv2dNative: (node, { inputs }) => ({
        inputs,
        attrs: {
          padding: readPadding(node),
          strides: readSpatialPair(node, 'strides'),
          dilations: readSpatialPair(node, 'dilations'),
          activation: 'none',
        },
      }),
    },
  },
});

function inferShape(input: Shape, filter: Shape, bias: TensorType | undefined, attrs: Conv2dAttrs): Shape {
  expectRank(input, 4, 'the input');
  expectRank(filter, 4, 'the filter');
  const [one, filterHeight, filterWidth, outputChannels] = filter as Shape4;
  if (one !== 1 || outputChannels % input[3]! !== 0) {
    throw new ShapeError(
      `filter is [${filter.join(',')}] (1HWO) but input has ${input[3]!} channels; ` +
        `expected [1,${filterHeight},${filterWidth}, a multiple of ${input[3]!}]`,
    );
  }
  expectBias(bias, outputChannels);
  const window = slidingWindow(input, [filterHeight, filterWidth], attrs, attrs.dilations);
  return [input[0]!, window.outputHeight, window.outputWidth, outputChannels];
}

/** Inputs: output gradient, filter. Output: gradient with respect to the convolution's input. */
export const depthwiseConv2dGradInput = defineOp({
  name: 'depthwise_conv_2d_grad_input',
  operands: [
    { name: 'gradient', role: 'activation' },
    { name: 'filter', role: 'weight' },
  ],
  quant: { kind: 'float_only' },
  infer([gradient, filter], attrs: Conv2dAttrs & { readonly inputShape: Shape }) {
    expectSameShape(gradient!.shape, inferShape(attrs.inputShape, filter!.shape, undefined, attrs), 'the gradient');
    return [float32(attrs.inputShape)];
  },
  float([gradient, filter], attrs, [output]) {
    output!.data.fill(0);
    forEachTap(attrs.inputShape, filter!.shape, attrs, (inputAt, filterAt, gradientAt) => {
      output!.data[inputAt]! += gradient!.data[gradientAt]! * filter!.data[filterAt]!;
    });
  },
  vjp: null,
  int8: null,
  tflite: null,
  graphdef: null,
});

/** Inputs: convolution input, output gradient. Output: gradient with respect to the filter. */
export const depthwiseConv2dGradFilter = defineOp({
  name: 'depthwise_conv_2d_grad_filter',
  operands: [
    { name: 'input', role: 'activation' },
    { name: 'gradient', role: 'activation' },
  ],
  quant: { kind: 'float_only' },
  infer([input, gradient], attrs: Conv2dAttrs & { readonly filterShape: Shape }) {
    expectSameShape(gradient!.shape, inferShape(input!.shape, attrs.filterShape, undefined, attrs), 'the gradient');
    return [float32(attrs.filterShape)];
  },
  float([input, gradient], attrs, [output]) {
    output!.data.fill(0);
    forEachTap(input!.shape, attrs.filterShape, attrs, (inputAt, filterAt, gradientAt) => {
      output!.data[filterAt]! += gradient!.data[gradientAt]! * input!.data[inputAt]!;
    });
  },
  vjp: null,
  int8: null,
  tflite: null,
  graphdef: null,
});

/** Visits every (input element, filter element, output element) whose product or gradient counts. */
function forEachTap(
  inputShape: Shape,
  filterShape: Shape,
  attrs: Conv2dAttrs,
  visit: (inputAt: number, filterAt: number, outputAt: number) => void,
): void {
  const [batches, inputHeight, inputWidth, inputChannels] = inputShape as Shape4;
  const [, filterHeight, filterWidth, outputChannels] = filterShape as Shape4;
  const multiplier = outputChannels / inputChannels;
  const window = slidingWindow(inputShape, [filterHeight, filterWidth], attrs, attrs.dilations);
  for (let batch = 0; batch < batches; batch++) {
    for (let outY = 0; outY < window.outputHeight; outY++) {
      const top = outY * attrs.strides[0] - window.padTop;
      const [firstY, endY] = insideImage(top, attrs.dilations[0], filterHeight, inputHeight);
      for (let outX = 0; outX < window.outputWidth; outX++) {
        const left = outX * attrs.strides[1] - window.padLeft;
        const [firstX, endX] = insideImage(left, attrs.dilations[1], filterWidth, inputWidth);
        const outputAt = ((batch * window.outputHeight + outY) * window.outputWidth + outX) * outputChannels;
        for (let filterY = firstY; filterY < endY; filterY++) {
          const row = (batch * inputHeight + top + filterY * attrs.dilations[0]) * inputWidth + left;
          for (let filterX = firstX; filterX < endX; filterX++) {
            const inputAt = (row + filterX * attrs.dilations[1]) * inputChannels;
            const filterAt = (filterY * filterWidth + filterX) * outputChannels;
            for (let channel = 0; channel < outputChannels; channel++) {
              visit(inputAt + Math.floor(channel / multiplier), filterAt + channel, outputAt + channel);
            }
          }
        }
      }
    }
  }
}
