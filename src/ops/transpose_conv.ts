import { perTensor } from '../core/affine.ts';
import { multiplyByQuantizedMultiplier } from '../core/fixedpoint.ts';
import type { Shape } from '../core/tensor.ts';
import { numElements } from '../core/tensor.ts';
import {
  T_FLOAT,
  activationCode,
  activationField,
  activationRange,
  decodeActivation,
  decodePadding,
  encodePadding,
  int32Vector,
  intList,
  numberOption,
  readPadding,
  readSpatialPair,
  wholeNumbers,
  writePadding,
} from './bindings.ts';
import type { Conv2dAttrs } from './conv_2d.ts';
import { conv2d, conv2dGradFilter, convolutionMultipliers, expectBias } from './conv_2d.ts';
import type { FusedActivation } from './define.ts';
import { ShapeError, defineOp } from './define.ts';
import type { Padding, WindowAttrs } from './geometry.ts';
import { expectRank, slidingWindow } from './geometry.ts';
import { sum } from './sum.ts';
import { transpose } from './transpose.ts';

type Shape4 = readonly [number, number, number, number];

export interface TransposeConvAttrs extends WindowAttrs {
  /** [height, width] of the output: several sizes have the input as their strided convolution. */
  readonly outputSize: readonly [number, number];
  readonly activation: FusedActivation;
}

// Our filter is [outputs, height, width, inputs]; the convolution that this one turns round has them exchanged.
const EXCHANGED = [3, 1, 2, 0] as const;

/**
 * Input [batch, height, width, inputChannels], filter [outputChannels, height, width, inputChannels] (OHWI): every
 * input pixel adds its multiple of the filter to the output, `strides` pixels from the next.
 */
export const transposeConv = defineOp<'transpose_conv', TransposeConvAttrs>({
  name: 'transpose_conv',
  operands: [
    { name: 'input', role: 'activation' },
    { name: 'filter', role: 'weight' },
    { name: 'bias', role: 'bias', optional: true },
  ],
  quant: { kind: 'affine', weight: 1, bias: 2, channelAxis: 0 },

  infer([input, filter, bias], attrs) {
    const shape = outputShape(input!.shape, filter!.shape, attrs);
    // Integer files may ask for any size, as TensorFlow Lite takes it: what falls outside is cut, what is left is bias.
    if (input!.dtype === 'float32') expectConvolutionOf(input!.shape, filter!.shape, shape, attrs);
    expectBias(bias, shape[3]!);
    return [{ dtype: input!.dtype, shape }];
  },

  float([input, filter, bias], attrs, [output]) {
    const channels = filter!.shape[0]!;
    for (let at = 0; at < output!.data.length; at++) output!.data[at] = bias?.data[at % channels] ?? 0;
    forEachTap(input!.shape, filter!.shape, attrs, (inputAt, filterAt, outputAt) => {
      output!.data[outputAt]! += input!.data[inputAt]! * filter!.data[filterAt]!;
    });
  },

  vjp({ emit }, { inputs: [input, filter, bias], attrs }, gradient) {
    const turned = convolutionAttrs(attrs);
    const [outputs, height, width, inputs] = filter!.type.shape as Shape4;
    const exchanged = emit(transpose, [filter!], { permutation: EXCHANGED });
    const filterGradient = emit(conv2dGradFilter, [gradient, input!], {
      ...turned,
      filterShape: [inputs, height, width, outputs],
    });
    return [
      emit(conv2d, [gradient, exchanged], turned),
      emit(transpose, [filterGradient], { permutation: EXCHANGED }),
      ...(bias === undefined ? [] : [emit(sum, [gradient], { axes: [0, 1, 2], keepDims: false })]),
    ];
  },

  // LiteRT tflite/kernels/internal/reference/integer_ops/transpose_conv.h.
  int8({ inputs: [input, filter, bias], outputs: [output], attrs }) {
    const channels = filter!.type.shape[0]!;
    const inputZeroPoint = perTensor(input!.quant, 'the input').zeroPoint;
    const outputZeroPoint = perTensor(output!.quant, 'the output').zeroPoint;
    const filterZeroPoint = filter!.quant?.kind === 'per_tensor' ? filter!.quant.zeroPoint : 0;
    const multipliers = convolutionMultipliers(input!, filter!, output!, channels);
    const { min, max } = activationRange(attrs.activation, output!);
    const accumulators = new Int32Array(numElements(output!.type.shape));
    return ([x, w, b], [y]) => {
      accumulators.fill(0);
      forEachTap(input!.type.shape, filter!.type.shape, attrs, (inputAt, filterAt, outputAt) => {
        accumulators[outputAt]! += (x![inputAt]! - inputZeroPoint) * (w![filterAt]! - filterZeroPoint);
      });
      for (let at = 0; at < accumulators.length; at++) {
        const channel = at % channels;
        const accumulator = (accumulators[at]! + (bias === undefined ? 0 : b![channel]!)) | 0;
        const { multiplier, shift } = multipliers[channel]!;
        const scaled = multiplyByQuantizedMultiplier(accumulator, multiplier, shift) + outputZeroPoint;
        y![at] = scaled < min ? min : scaled > max ? max : scaled;
      }
    };
  },

  tflite: {
    builtinCode: 67,
    optionsType: 49,
    fields: [
      { id: 0, name: 'padding', type: 'byte', default: 0 },
      { id: 1, name: 'stride_w', type: 'int32', default: 0 },
      { id: 2, name: 'stride_h', type: 'int32', default: 0 },
      activationField(3),
    ],
    version: ({ inputs, attrs }) => {
      if (attrs.activation !== 'none') return { version: 4, minimumRuntime: '2.13.0' };
      if (inputs.length > 2) return { version: 3, minimumRuntime: '2.3.0' };
      return inputs[0]!.type.dtype === 'int8'
        ? { version: 2, minimumRuntime: '2.2.0' }
        : { version: 1, minimumRuntime: '1.9.0' };
    },
    avoidsActivation: true,
    parameterPositions: [0],
    // The file has the shape, the filter, the input and the bias.
    operandOrder: [1, 0, 2],
    encode: ({ inputs: [input, filter], attrs }) => ({
      options: {
        padding: encodePadding(attrs.padding),
        stride_w: attrs.strides[1],
        stride_h: attrs.strides[0],
        fused_activation_function: activationCode(attrs.activation),
      },
      parameters: [
        {
          position: 0,
          name: 'output_shape',
          tensor: int32Vector([input!.type.shape[0]!, ...attrs.outputSize, filter!.type.shape[0]!]),
        },
      ],
    }),
    decode: ({ options, parameters: [shape] }) => ({
      padding: decodePadding(options),
      strides: [numberOption(options, 'stride_h'), numberOption(options, 'stride_w')],
      outputSize: sizeOf(wholeNumbers(shape, 'the output shape')),
      activation: decodeActivation(options),
    }),
  },

  graphdef: {
    // HW, outputs, inputs; written as HWIO, so that fake quant finds the outputs on the last axis.
    layouts: { 1: [1, 2, 0, 3] },
    storedLayouts: { 1: [1, 2, 3, 0] },
    write(writer, { name, inputs: [input, filter, bias], outputTypes, attrs }) {
      // TensorFlow wants the whole shape, so the node holds for one batch size only.
      const shape = writer.constant(`${name}/output_shape`, int32Vector(outputTypes[0]!.shape));
      const permutation = writer.constant(`${name}/filter/permutation`, int32Vector([0, 1, 3, 2]));
      const turned = writer.node('Transpose', `${name}/filter`, [filter!, permutation], {
        ...T_FLOAT,
        Tperm: { kind: 'type', value: 'int32' },
      });
      const convolution = writer.node(
        'Conv2DBackpropInput',
        bias === undefined ? name : `${name}/Conv2DBackpropInput`,
        [shape, turned, input!],
        {
          ...T_FLOAT,
          ...writePadding(attrs.padding),
          strides: intList([1, ...attrs.strides, 1]),
        },
      );
      return [bias === undefined ? convolution : writer.node('BiasAdd', name, [convolution, bias], T_FLOAT)];
    },
    reads: {
      Conv2DBackpropInput: (node, { inputs, constant }) => {
        const dilations = readSpatialPair(node, 'dilations');
        if (dilations.some((dilation) => dilation !== 1)) throw new ShapeError('dilations are not supported here');
        return {
          inputs: [inputs[2]!, inputs[1]!],
          attrs: {
            padding: readPadding(node),
            strides: readSpatialPair(node, 'strides'),
            outputSize: sizeOf(wholeNumbers(constant(inputs[0]!), 'the output shape')),
            activation: 'none',
          },
        };
      },
    },
  },
});

/** The attributes of the convolution that leads from the output back to the input. */
export function convolutionAttrs({ strides, padding }: TransposeConvAttrs): Conv2dAttrs {
  return { strides, padding, dilations: [1, 1], activation: 'none' };
}

/** Height and width out of [batch, height, width, channels]. */
function sizeOf(shape: readonly number[]): readonly [number, number] {
  if (shape.length !== 4) throw new ShapeError(`the output shape is [${shape.join(',')}]; expected 4 dimensions`);
  return [shape[1]!, shape[2]!];
}

function outputShape(input: Shape, filter: Shape, attrs: TransposeConvAttrs): Shape {
  expectRank(input, 4, 'the input');
  expectRank(filter, 4, 'the filter');
  const [outputs, height, width, inputs] = filter as Shape4;
  if (inputs !== input[3]) {
    throw new ShapeError(
      `filter is [${filter.join(',')}] (OHWI) but input has ${input[3]!} channels; ` +
        `expected [${outputs},${height},${width},${input[3]!}]`,
    );
  }
  return [input[0]!, ...attrs.outputSize, outputs];
}

/** The gradient needs an output whose strided convolution is the input. */
function expectConvolutionOf(input: Shape, filter: Shape, output: Shape, attrs: TransposeConvAttrs): void {
  const [, height, width] = filter as Shape4;
  const window = slidingWindow(output, [height, width], attrs);
  if (window.outputHeight !== input[1] || window.outputWidth !== input[2]) {
    throw new ShapeError(
      `an output of ${attrs.outputSize.join('x')} belongs to an input of ` +
        `${window.outputHeight}x${window.outputWidth}; the input is ${input[1]!}x${input[2]!}`,
    );
  }
}

/**
 * How many output pixels before the first are cut off: the padding of the convolution that leads back. VALID cuts none,
 * unless the output is so much smaller than the filter that TensorFlow Lite's division rounds below zero.
 *
 * @see LiteRT tflite/kernels/padding.h, ComputePaddingWithOffset
 */
function padBefore(output: number, filter: number, stride: number, padding: Padding, side: 'top' | 'left'): number {
  if (padding.kind === 'explicit') return padding[side];
  const reach = padding.kind === 'same' ? output + stride - 1 : output + stride - filter;
  const windows = Math.trunc(reach / stride);
  return Math.trunc(Math.max(0, (windows - 1) * stride + filter - output) / 2);
}

function forEachTap(
  inputShape: Shape,
  filterShape: Shape,
  attrs: TransposeConvAttrs,
  visit: (inputAt: number, filterAt: number, outputAt: number) => void,
): void {
  const [batches, inputHeight, inputWidth, inputs] = inputShape as Shape4;
  const [outputs, filterHeight, filterWidth] = filterShape as Shape4;
  const [height, width] = attrs.outputSize;
  const padTop = padBefore(height, filterHeight, attrs.strides[0], attrs.padding, 'top');
  const padLeft = padBefore(width, filterWidth, attrs.strides[1], attrs.padding, 'left');
  for (let batch = 0; batch < batches; batch++) {
    for (let inY = 0; inY < inputHeight; inY++) {
      for (let inX = 0; inX < inputWidth; inX++) {
        const inputBase = ((batch * inputHeight + inY) * inputWidth + inX) * inputs;
        for (let filterY = 0; filterY < filterHeight; filterY++) {
          const outY = inY * attrs.strides[0] - padTop + filterY;
          if (outY < 0 || outY >= height) continue;
          for (let filterX = 0; filterX < filterWidth; filterX++) {
            const outX = inX * attrs.strides[1] - padLeft + filterX;
            if (outX < 0 || outX >= width) continue;
            const outputBase = ((batch * height + outY) * width + outX) * outputs;
            for (let channel = 0; channel < outputs; channel++) {
              const filterBase = ((channel * filterHeight + filterY) * filterWidth + filterX) * inputs;
              for (let index = 0; index < inputs; index++) {
                visit(inputBase + index, filterBase + index, outputBase + channel);
              }
            }
          }
        }
      }
    }
  }
}
