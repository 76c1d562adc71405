/** Lowers the ops that multiply inputs by weights: conv_2d, depthwise_conv_2d, fully_connected. */
import { channelScales, perTensor } from '../../core/affine.ts';
import { quantizeMultiplier } from '../../core/fixedpoint.ts';
import type { QuantizedMultiplier } from '../../core/fixedpoint.ts';
import type { Shape } from '../../core/tensor.ts';
import { activationRange } from '../../ops/bindings.ts';
import { slidingWindow } from '../../ops/geometry.ts';
import * as code from './opcodes.ts';
import { PANEL } from './opcodes.ts';
import type { Instruction, KernelNode, Operand, Region } from './program.ts';
import { channelTables, isUnsigned, outputWords } from './requantize.ts';

type Lowered = readonly Instruction[] | 'reference';
type Shape4 = readonly [number, number, number, number];
type Multipliers = readonly QuantizedMultiplier[];
type ConvolutionNode = KernelNode<'conv_2d'> | KernelNode<'depthwise_conv_2d'>;

/** Bytes of an int16 value. */
const WORD = 2;

export function lowerConvolution(node: KernelNode<'conv_2d'>, multipliers: Multipliers): Lowered {
  const [input, filter, bias] = node.inputs as readonly [Operand, Operand, Operand?];
  const weights = centredWeights(filter);
  const biases = biasOf(bias);
  if (weights === null || biases === 'computed') return 'reference';
  const [numFilters, height, width, depth] = filter.type.shape as Shape4;
  const { widened, rows, lineBytes, pixelBytes, ...image } = windows(node, [height, width], 1);
  const { dilations } = node.attrs;
  const [output] = node.outputs as readonly [Operand];
  const groups = input.type.shape[3]! / depth;
  // Taps side by side in memory are one segment: its pairs may cross from one tap to the next.
  const joined = dilations[1] === 1 && groups === 1 ? width : 1;
  const taps = grid(height, width / joined, dilations[0] * lineBytes, dilations[1] * pixelBytes);
  const length = joined * depth;
  const outputs = numFilters / groups;
  const packed = packWeights(weights, numFilters, taps.length, length);
  const words = outputWords(output, activationRange(node.attrs.activation, output));
  const grouped = Array.from({ length: groups }, (_, group): Instruction => {
    const [first, end] = [group * outputs, (group + 1) * outputs];
    const tables = channelTables(biases?.subarray(first, end) ?? null, multipliers.slice(first, end));
    const segments = taps.map((tap) => tap + group * depth * WORD);
    return {
      code: code.CONVOLVE,
      args: [
        ...[widened, offset(output.region, first), rows, image.numRows],
        ...[node.constant(Int32Array.from(segments)), segments.length, Math.ceil(length / 2)],
        ...[node.constant(packed(first, end)), node.constant(tables), outputs, ...words],
      ],
    };
  });
  return [image.widen, ...grouped];
}

export function lowerDepthwise(node: KernelNode<'depthwise_conv_2d'>, multipliers: Multipliers): Lowered {
  const [input, filter, bias] = node.inputs as readonly [Operand, Operand, Operand?];
  const weights = centredWeights(filter);
  const biases = biasOf(bias);
  if (weights === null || biases === 'computed') return 'reference';
  const [, height, width, channels] = filter.type.shape as Shape4;
  // Each input channel is repeated, so that input and output channels agree.
  const repeat = channels / input.type.shape[3]!;
  const { widened, rows, lineBytes, pixelBytes, ...image } = windows(node, [height, width], repeat);
  const { dilations, activation } = node.attrs;
  const [output] = node.outputs as readonly [Operand];
  const taps = grid(height, width, dilations[0] * lineBytes, dilations[1] * pixelBytes);
  const numPairs = Math.ceil(taps.length / 2);
  const packed = new Int16Array(Math.ceil(channels / PANEL) * numPairs * 2 * PANEL);
  for (let tap = 0; tap < taps.length; tap++) {
    for (let channel = 0; channel < channels; channel++) {
      const pair = Math.floor(channel / PANEL) * numPairs + Math.floor(tap / 2);
      packed[(pair * PANEL + (channel % PANEL)) * 2 + (tap % 2)] = weights[tap * channels + channel]!;
    }
  }
  // An odd tap is read twice, the second time with weight 0.
  const evenTaps = taps.length % 2 === 0 ? taps : [...taps, taps.at(-1)!];
  const args = [
    ...[widened, output.region, rows, image.numRows],
    ...[node.constant(Int32Array.from(evenTaps)), evenTaps.length, node.constant(packed)],
    ...[node.constant(channelTables(biases, multipliers)), channels],
    ...outputWords(output, activationRange(activation, output)),
  ];
  return [image.widen, { code: code.DEPTHWISE, args }];
}

export function lowerFullyConnected(node: KernelNode<'fully_connected'>, multipliers: Multipliers): Lowered {
  const [input, filter, bias] = node.inputs as readonly [Operand, Operand, Operand?];
  const weights = centredWeights(filter);
  const biases = biasOf(bias);
  if (weights === null || biases === 'computed') return 'reference';
  const [outputs, inputs] = filter.type.shape as readonly [number, number];
  const [output] = node.outputs as readonly [Operand];
  const numRows = input.count / inputs;
  const widened = node.scratch(input.count * WORD + code.SLACK_BYTES);
  const rows = Int32Array.from(
    { length: 2 * numRows },
    (_, word) => (word >> 1) * (word % 2 === 0 ? inputs * WORD : outputs),
  );
  return [
    widen(input, widened, [1, 1, numRows, inputs], { height: 1, width: numRows, top: 0, left: 0, repeat: 1 }),
    {
      code: code.CONVOLVE,
      args: [
        ...[widened, output.region, node.constant(rows), numRows, node.constant(Int32Array.of(0)), 1],
        ...[Math.ceil(inputs / 2), node.constant(packWeights(weights, outputs, 1, inputs)(0, outputs))],
        ...[node.constant(channelTables(biases, multipliers)), outputs],
        ...outputWords(output, activationRange(node.attrs.activation, output)),
      ],
    },
  ];
}

/** As `fully_connected.int8` scales: the product of the scales is float32 where the filter has one scale. */
export function fullyConnectedMultipliers({ inputs, outputs: [output] }: KernelNode<'fully_connected'>): Multipliers {
  const [input, filter] = inputs as readonly [Operand, Operand];
  const inputScale = perTensor(input.quant, 'the input').scale;
  const outputScale = perTensor(output!.quant, 'the output').scale;
  const scales = channelScales(filter.quant, filter.type.shape[0]!, 'the filter');
  const oneScale = filter.quant?.kind === 'per_tensor' || scales.length === 1;
  return Array.from(scales, (scale) =>
    quantizeMultiplier((oneScale ? Math.fround(inputScale * scale) : inputScale * scale) / outputScale),
  );
}

/** Constant weights minus their zero point; null for weights that are computed. */
function centredWeights({ constant, quant }: Operand): Int16Array | null {
  const zeroPoint = quant?.kind === 'per_tensor' ? quant.zeroPoint : 0;
  return constant === null ? null : Int16Array.from(constant, (weight) => weight - zeroPoint);
}

function biasOf(bias: Operand | undefined): Int32Array | null | 'computed' {
  if (bias === undefined) return null;
  return bias.constant instanceof Int32Array ? bias.constant : 'computed';
}

/** Filters first .. end - 1, each [segments][length], as panels [segment][pair][PANEL][2]. */
function packWeights(
  weights: Int16Array,
  numFilters: number,
  numSegments: number,
  length: number,
): (first: number, end: number) => Int16Array {
  const pairs = Math.ceil(length / 2);
  const filterSize = weights.length / numFilters;
  return (first, end) => {
    const packed = new Int16Array(Math.ceil((end - first) / PANEL) * numSegments * pairs * PANEL * 2);
    for (let filter = first; filter < end; filter++) {
      const [panel, lane] = [Math.floor((filter - first) / PANEL), (filter - first) % PANEL];
      for (let segment = 0; segment < numSegments; segment++) {
        for (let index = 0; index < length; index++) {
          const pair = (panel * numSegments + segment) * pairs + (index >> 1);
          packed[(pair * PANEL + lane) * 2 + (index & 1)] = weights[filter * filterSize + segment * length + index]!;
        }
      }
    }
    return packed;
  };
}

/** Byte offsets of rows and columns, row by row. */
function grid(rows: number, columns: number, rowBytes: number, columnBytes: number): readonly number[] {
  return Array.from(
    { length: rows * columns },
    (_, index) => Math.floor(index / columns) * rowBytes + (index % columns) * columnBytes,
  );
}

/** The padded int16 image of a convolution, and where in it each output pixel's window begins. */
function windows(node: ConvolutionNode, [filterHeight, filterWidth]: readonly [number, number], repeat: number) {
  const [input] = node.inputs as readonly [Operand];
  const [output] = node.outputs as readonly [Operand];
  const { strides, dilations } = node.attrs;
  const shape = input.type.shape as Shape4;
  const window = slidingWindow(shape, [filterHeight, filterWidth], node.attrs, dilations);
  const { outputHeight, outputWidth, padTop, padLeft } = window;
  const height = (outputHeight - 1) * strides[0] + (filterHeight - 1) * dilations[0] + 1;
  const width = (outputWidth - 1) * strides[1] + (filterWidth - 1) * dilations[1] + 1;
  const pixelBytes = shape[3] * repeat * WORD;
  const lineBytes = width * pixelBytes;
  const [numPixels, outputChannels] = [outputHeight * outputWidth, output.type.shape[3]!];
  const numRows = shape[0] * numPixels;
  const rows = new Int32Array(2 * numRows);
  for (let row = 0; row < numRows; row++) {
    const [image, pixel] = [Math.floor(row / numPixels), row % numPixels];
    const [y, x] = [Math.floor(pixel / outputWidth), pixel % outputWidth];
    rows[2 * row] = (image * height + y * strides[0]) * lineBytes + x * strides[1] * pixelBytes;
    rows[2 * row + 1] = row * outputChannels;
  }
  const widened = node.scratch(shape[0] * height * lineBytes + code.SLACK_BYTES);
  return {
    widen: widen(input, widened, shape, { height, width, top: padTop, left: padLeft, repeat }),
    widened,
    rows: node.constant(rows),
    numRows,
    lineBytes,
    pixelBytes,
  };
}

function widen(
  input: Operand,
  output: Region,
  shape: Shape,
  padded: {
    readonly height: number;
    readonly width: number;
    readonly top: number;
    readonly left: number;
    readonly repeat: number;
  },
): Instruction {
  const { height, width, top, left, repeat } = padded;
  const { zeroPoint } = perTensor(input.quant, 'the input');
  return {
    code: code.WIDEN,
    args: [input.region, output, ...shape, repeat, height, width, top, left, zeroPoint, isUnsigned(input)],
  };
}

function offset(region: Region, bytes: number): Region {
  return { ...region, offsetBytes: region.offsetBytes + bytes };
}
