import { channelScales, perTensor } from '../core/affine.ts';
import { multiplyByQuantizedMultiplier, quantizeMultiplier } from '../core/fixedpoint.ts';
import type { QuantizedMultiplier } from '../core/fixedpoint.ts';
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
  intList,
  numberOption,
  readPadding,
  readSpatialPair,
  writePadding,
} from './bindings.ts';
import type { FusedActivation, IntegerData, IntegerOperand } from './define.ts';
import { ShapeError, defineOp, float32 } from './define.ts';
import type { WindowAttrs } from './geometry.ts';
import { expectRank, expectSameShape, slidingWindow } from './geometry.ts';
import { sum } from './sum.ts';

export interface Conv2dAttrs extends WindowAttrs {
  /** [vertical, horizontal] */
  readonly dilations: readonly [number, number];
  /** `none` in float graphs; conversion fuses the activation that follows. */
  readonly activation: FusedActivation;
}

/** Input [batch, height, width, inputChannels], filter [outputChannels, height, width, inputChannels] (OHWI). */
export const conv2d = defineOp<'conv_2d', Conv2dAttrs>({
  name: 'conv_2d',
  operands: [
    { name: 'input', role: 'activation' },
    { name: 'filter', role: 'weight' },
    { name: 'bias', role: 'bias', optional: true },
  ],
  quant: { kind: 'affine', weight: 1, bias: 2, channelAxis: 0 },

  infer([input, filter, bias], attrs: Conv2dAttrs) {
    return [{ dtype: input!.dtype, shape: inferShape(input!.shape, filter!.shape, bias, attrs) }];
  },

  float([input, filter, bias], attrs, [output]) {
    const [batches, inputHeight, inputWidth, inputChannels] = input!.shape as [number, number, number, number];
    const [outputChannels, filterHeight, filterWidth, filterChannels] = filter!.shape as [
      number,
      number,
      number,
      number,
    ];
    const window = slidingWindow(input!.shape, [filterHeight, filterWidth], attrs, attrs.dilations);
    const { outputHeight, outputWidth } = window;
    const groupOutputs = outputChannels / (inputChannels / filterChannels);
    for (let batch = 0; batch < batches; batch++) {
      for (let outY = 0; outY < outputHeight; outY++) {
        for (let outX = 0; outX < outputWidth; outX++) {
          for (let outChannel = 0; outChannel < outputChannels; outChannel++) {
            const firstChannel = Math.floor(outChannel / groupOutputs) * filterChannels;
            let accumulator = bias === undefined ? 0 : bias.data[outChannel]!;
            for (let filterY = 0; filterY < filterHeight; filterY++) {
              const inY = outY * attrs.strides[0] - window.padTop + filterY * attrs.dilations[0];
              if (inY < 0 || inY >= inputHeight) continue;
              for (let filterX = 0; filterX < filterWidth; filterX++) {
                const inX = outX * attrs.strides[1] - window.padLeft + filterX * attrs.dilations[1];
                if (inX < 0 || inX >= inputWidth) continue;
                const inputBase = ((batch * inputHeight + inY) * inputWidth + inX) * inputChannels + firstChannel;
                const filterBase = ((outChannel * filterHeight + filterY) * filterWidth + filterX) * filterChannels;
                for (let channel = 0; channel < filterChannels; channel++) {
                  accumulator += input!.data[inputBase + channel]! * filter!.data[filterBase + channel]!;
                }
              }
            }
            const at = ((batch * outputHeight + outY) * outputWidth + outX) * outputChannels + outChannel;
            output!.data[at] = accumulator;
          }
        }
      }
    }
  },

  vjp({ emit }, { inputs: [input, filter, bias], attrs }, gradient) {
    return [
      emit(conv2dGradInput, [gradient, filter!], { ...attrs, inputShape: input!.type.shape }),
      emit(conv2dGradFilter, [input!, gradient], { ...attrs, filterShape: filter!.type.shape }),
      ...(bias === undefined ? [] : [emit(sum, [gradient], { axes: [0, 1, 2], keepDims: false })]),
    ];
  },

  int8({ inputs: [input, filter, bias], outputs: [output], attrs }) {
    const [batches, inputHeight, inputWidth, inputChannels] = input!.type.shape as [number, number, number, number];
    const [outputChannels, filterHeight, filterWidth, filterChannels] = filter!.type.shape as [
      number,
      number,
      number,
      number,
    ];
    const window = slidingWindow(input!.type.shape, [filterHeight, filterWidth], attrs, attrs.dilations);
    const { outputHeight, outputWidth } = window;
    const inputQuant = perTensor(input!.quant, 'the input');
    const outputQuant = perTensor(output!.quant, 'the output');
    const filterZeroPoint = filter!.quant?.kind === 'per_tensor' ? filter!.quant.zeroPoint : 0;
    const multipliers = convolutionMultipliers(input!, filter!, output!, outputChannels);
    const { min, max } = activationRange(attrs.activation, output!);
    const groupOutputs = outputChannels / (inputChannels / filterChannels);

    const [strideY, strideX] = attrs.strides;
    const [dilationY, dilationX] = attrs.dilations;
    const runTaps = dilationX === 1 && filterChannels === inputChannels ? filterWidth : 1;
    const { padTop, padLeft } = window;
    const { zeroPoint: inputZeroPoint } = inputQuant;
    const { zeroPoint: outputZeroPoint } = outputQuant;

    return ([x, w, b], [y]) => {
      for (let batch = 0; batch < batches; batch++) {
        for (let outY = 0; outY < outputHeight; outY++) {
          // The rows and columns of the filter that lie inside the image: padding is skipped, as if it were zero.
          const top = outY * strideY - padTop;
          const [firstY, endY] = insideImage(top, dilationY, filterHeight, inputHeight);
          for (let outX = 0; outX < outputWidth; outX++) {
            const left = outX * strideX - padLeft;
            const [firstX, endX] = insideImage(left, dilationX, filterWidth, inputWidth);
            for (let outChannel = 0; outChannel < outputChannels; outChannel++) {
              const firstChannel = Math.floor(outChannel / groupOutputs) * filterChannels;
              // |accumulator| <= 127 * 255 * taps + |bias|: fits int32 while taps <= 66,311.
              let accumulator = bias === undefined ? 0 : b![outChannel]! | 0;
              for (let filterY = firstY; filterY < endY; filterY++) {
                const inputRow = (batch * inputHeight + top + filterY * dilationY) * inputWidth + left;
                const filterRow = (outChannel * filterHeight + filterY) * filterWidth;
                for (let filterX = firstX; filterX < endX; filterX += runTaps) {
                  const inputBase = (inputRow + filterX * dilationX) * inputChannels + firstChannel;
                  const filterBase = (filterRow + filterX) * filterChannels;
                  const run = runTaps === 1 ? filterChannels : (endX - firstX) * filterChannels;
                  accumulator =
                    (accumulator + dotProduct(w!, filterBase, filterZeroPoint, x!, inputBase, inputZeroPoint, run)) | 0;
                }
              }
              const { multiplier, shift } = multipliers[outChannel]!;
              const scaled = multiplyByQuantizedMultiplier(accumulator, multiplier, shift) + outputZeroPoint;
              const at = ((batch * outputHeight + outY) * outputWidth + outX) * outputChannels + outChannel;
              y![at] = scaled < min ? min : scaled > max ? max : scaled;
            }
          }
        }
      }
    };
  },

  tflite: {
    builtinCode: 3,
    optionsType: 1,
    fields: [
      { id: 0, name: 'padding', type: 'byte', default: 0 },
      { id: 1, name: 'stride_w', type: 'int32', default: 0 },
      { id: 2, name: 'stride_h', type: 'int32', default: 0 },
      activationField(3),
      { id: 4, name: 'dilation_w_factor', type: 'int32', default: 1 },
      { id: 5, name: 'dilation_h_factor', type: 'int32', default: 1 },
    ],
    version: ({ inputs: [input, filter], outputs: [output], attrs }) => {
      const grouped = input!.type.shape[3] !== filter!.type.shape[3];
      if (grouped) return { version: 6, minimumRuntime: '2.9.0' };
      if (input!.type.dtype !== 'int8') return { version: 1, minimumRuntime: '1.5.0' };
      // Older runtimes do not clamp.
      return { version: 3, minimumRuntime: cutsCodes(attrs.activation, output!) ? '2.2.0' : '1.14.0' };
    },
    parameterPositions: [],
    encode: ({ attrs }) => ({
      options: {
        padding: encodePadding(attrs.padding),
        stride_w: attrs.strides[1],
        stride_h: attrs.strides[0],
        fused_activation_function: activationCode(attrs.activation),
        dilation_w_factor: attrs.dilations[1],
        dilation_h_factor: attrs.dilations[0],
      },
      parameters: [],
    }),
    decode: ({ options }) => ({
      padding: decodePadding(options),
      strides: [numberOption(options, 'stride_h'), numberOption(options, 'stride_w')],
      dilations: [numberOption(options, 'dilation_h_factor'), numberOption(options, 'dilation_w_factor')],
      activation: decodeActivation(options),
    }),
  },

  graphdef: {
    layouts: { 1: [1, 2, 3, 0] },
    write(writer, { name, inputs: [input, filter, bias], attrs }) {
      const convolution = writer.node('Conv2D', bias === undefined ? name : `${name}/Conv2D`, [input!, filter!], {
        ...T_FLOAT,
        ...writePadding(attrs.padding),
        strides: intList([1, ...attrs.strides, 1]),
        dilations: intList([1, ...attrs.dilations, 1]),
      });
      return [bias === undefined ? convolution : writer.node('BiasAdd', name, [convolution, bias], T_FLOAT)];
    },
    reads: {
      Conv2D: (node, { inputs }) => ({
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

/**
 * What scales each output channel's accumulator. The products of the scales are double even for a single scale: the
 * int8 kernels repeat it and take the per-channel path. Only the older uint8 kernels round the product to float32.
 */
export function convolutionMultipliers(
  input: IntegerOperand,
  filter: IntegerOperand,
  output: IntegerOperand,
  channels: number,
): readonly QuantizedMultiplier[] {
  const inputScale = perTensor(input.quant, 'the input').scale;
  const outputScale = perTensor(output.quant, 'the output').scale;
  return Array.from(channelScales(filter.quant, channels, 'the filter'), (scale) => {
    const product = inputScale * scale;
    return quantizeMultiplier((input.type.dtype === 'uint8' ? Math.fround(product) : product) / outputScale);
  });
}

/** Sum of (weight - zero point) * (value - zero point) over a run of both arrays. */
export function dotProduct(
  weights: IntegerData,
  weightsFrom: number,
  weightsZeroPoint: number,
  values: IntegerData,
  valuesFrom: number,
  valuesZeroPoint: number,
  length: number,
): number {
  let total = 0;
  for (let index = 0; index < length; index++) {
    const weight = weights[weightsFrom + index]! - weightsZeroPoint;
    total = (total + Math.imul(weight, values[valuesFrom + index]! - valuesZeroPoint)) | 0;
  }
  return total;
}

/** The taps first .. end - 1 of one axis of the filter that meet the image. */
export function insideImage(start: number, dilation: number, taps: number, size: number): readonly [number, number] {
  const first = start < 0 ? Math.ceil(-start / dilation) : 0;
  return [first, Math.min(taps, Math.ceil((size - start) / dilation))];
}

function inferShape(input: Shape, filter: Shape, bias: TensorType | undefined, attrs: Conv2dAttrs): Shape {
  expectRank(input, 4, 'the input');
  expectRank(filter, 4, 'the filter');
  const [outputChannels, filterHeight, filterWidth, filterChannels] = filter as [number, number, number, number];
  const inputChannels = input[3]!;
  if (inputChannels % filterChannels !== 0 || outputChannels % (inputChannels / filterChannels) !== 0) {
    throw new ShapeError(
      `filter is [${filter.join(',')}] (OHWI) but input has ${inputChannels} channels; ` +
        `expected [${outputChannels},${filterHeight},${filterWidth},${inputChannels}]`,
    );
  }
  expectBias(bias, outputChannels);
  const window = slidingWindow(input, [filterHeight, filterWidth], attrs, attrs.dilations);
  return [input[0]!, window.outputHeight, window.outputWidth, outputChannels];
}

/** A bias holds one value per output channel. */
export function expectBias(bias: TensorType | undefined, channels: number): void {
  if (bias !== undefined && (bias.shape.length !== 1 || bias.shape[0] !== channels)) {
    throw new ShapeError(`bias is [${bias.shape.join(',')}]; expected [${channels}]`);
  }
}

/** Inputs: output gradient, filter. Output: gradient with respect to the convolution's input. */
export const conv2dGradInput = defineOp({
  name: 'conv_2d_grad_input',
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
    forEachTap(attrs.inputShape, filter!.shape, attrs, (inputAt, filterAt, gradientAt, channels) => {
      const scale = gradient!.data[gradientAt]!;
      for (let channel = 0; channel < channels; channel++) {
        output!.data[inputAt + channel]! += scale * filter!.data[filterAt + channel]!;
      }
    });
  },
  vjp: null,
  int8: null,
  tflite: null,
  graphdef: null,
});

/** Inputs: convolution input, output gradient. Output: gradient with respect to the filter (OHWI). */
export const conv2dGradFilter = defineOp({
  name: 'conv_2d_grad_filter',
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
    forEachTap(input!.shape, attrs.filterShape, attrs, (inputAt, filterAt, gradientAt, channels) => {
      const scale = gradient!.data[gradientAt]!;
      for (let channel = 0; channel < channels; channel++) {
        output!.data[filterAt + channel]! += scale * input!.data[inputAt + channel]!;
      }
    });
  },
  vjp: null,
  int8: null,
  tflite: null,
  graphdef: null,
});

/** Visits every (input pixel, filter tap, output element) triple; the positions are of the group's first channel. */
function forEachTap(
  inputShape: Shape,
  filterShape: Shape,
  attrs: Conv2dAttrs,
  visit: (inputAt: number, filterAt: number, outputAt: number, channels: number) => void,
): void {
  const [batches, inputHeight, inputWidth, inputChannels] = inputShape as [number, number, number, number];
  const [outputChannels, filterHeight, filterWidth, filterChannels] = filterShape as [number, number, number, number];
  const groupOutputs = outputChannels / (inputChannels / filterChannels);
  const window = slidingWindow(inputShape, [filterHeight, filterWidth], attrs, attrs.dilations);
  for (let batch = 0; batch < batches; batch++) {
    for (let outY = 0; outY < window.outputHeight; outY++) {
      for (let outX = 0; outX < window.outputWidth; outX++) {
        const outputBase = ((batch * window.outputHeight + outY) * window.outputWidth + outX) * outputChannels;
        for (let filterY = 0; filterY < filterHeight; filterY++) {
          const inY = outY * attrs.strides[0] - window.padTop + filterY * attrs.dilations[0];
          if (inY < 0 || inY >= inputHeight) continue;
          for (let filterX = 0; filterX < filterWidth; filterX++) {
            const inX = outX * attrs.strides[1] - window.padLeft + filterX * attrs.dilations[1];
            if (inX < 0 || inX >= inputWidth) continue;
            const inputAt = ((batch * inputHeight + inY) * inputWidth + inX) * inputChannels;
            for (let outChannel = 0; outChannel < outputChannels; outChannel++) {
              const firstChannel = Math.floor(outChannel / groupOutputs) * filterChannels;
              const filterAt = ((outChannel * filterHeight + filterY) * filterWidth + filterX) * filterChannels;
              visit(inputAt + firstChannel, filterAt, outputBase + outChannel, filterChannels);
            }
          }
        }
      }
    }
  }
}
