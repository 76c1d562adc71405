/** Weights and biases as integers. */
import { internal } from '../../core/assert.ts';
import type { FakeQuantForm, NudgedRange, QuantParams } from '../../core/affine.ts';
import { fakeQuantCode, roundHalfAway } from '../../core/affine.ts';
import { UserError } from '../../core/diagnostic.ts';
import type { FloatTensor, Shape, Tensor } from '../../core/tensor.ts';
import { numElements, tensor } from '../../core/tensor.ts';
import type { Node } from '../../graph/graph.ts';
import type { Scheme } from '../scheme.ts';
import { schemes } from '../scheme.ts';

/** What an affine op multiplies by, before it becomes integers. */
export interface Weights {
  readonly node: Node;
  readonly filter: FloatTensor;
  /** One, or one for each output channel. */
  readonly ranges: readonly NudgedRange[];
  readonly form: FakeQuantForm;
  readonly bias: FloatTensor | null;
  readonly inputScale: number;
  readonly channelAxis: number;
}

/** What the weights of all layers have in common. */
export interface WeightLowering {
  readonly scheme: Scheme;
  /** Of the file that the graph was read from. */
  readonly path: string;
  /** Receives what had to be changed. */
  readonly adjustments: string[];
}

interface Quantized {
  readonly codes: Tensor;
  readonly quant: QuantParams;
}

interface QuantizedWeights {
  readonly filter: Quantized;
  readonly bias: Quantized;
}

/**
 * Codes of a layer's weights with the ranges that they were trained with, and of its bias.
 *
 * @throws UserError for weights that were trained for the other scheme
 */
export function quantizeWeights(context: WeightLowering, weights: Weights): QuantizedWeights {
  requireScheme(context, weights);
  return weights.form === 'per_tensor' ? weightsOfOneRange(context, weights) : weightsPerChannel(context, weights);
}

/** @throws UserError for weights that were trained for the other scheme */
function requireScheme(context: WeightLowering, { node, ranges, form }: Weights): void {
  if (context.scheme === 'uint8') {
    if (form === 'per_tensor') return;
    throw otherScheme(context, node, 'have a range for each output channel; uint8 kernels expect one', 'uint8');
  }
  // A range of width 0 (a batch norm with gamma 0) has no meaningful zero point: all its codes are 0.
  const asymmetric = ranges.find((range) => range.scale !== 0 && range.zeroPoint !== 128);
  if (asymmetric === undefined) return;
  throw otherScheme(context, node, `have zero point ${asymmetric.zeroPoint - 128}; int8 kernels expect 0`, 'int8');
}

/** Codes -127 .. 127 with a scale for each output channel and zero point 0. */
function weightsPerChannel(context: WeightLowering, weights: Weights): QuantizedWeights {
  const { node, filter, ranges, form, bias, inputScale, channelAxis } = weights;
  const channels = filter.shape[channelAxis] ?? internal(`the filter of "${node.name}" has no axis ${channelAxis}`);
  const scales = Float32Array.from({ length: channels }, (_, channel) => {
    const { scale } = ranges[channel % ranges.length]!;
    return enlarged(context, node, `channel ${channel}`, scale, smallestScale(bias?.data[channel] ?? 0, inputScale));
  });
  const codes = new Int8Array(filter.data.length);
  const inner = numElements(filter.shape.slice(channelAxis + 1));
  for (let at = 0; at < codes.length; at++) {
    const channel = Math.floor(at / inner) % channels;
    const range = ranges[channel % ranges.length]!;
    codes[at] =
      scales[channel] === range.scale
        ? fakeQuantCode(filter.data[at]!, range, form)
        : roundHalfAway(filter.data[at]! / scales[channel]!);
  }
  return {
    filter: {
      codes: tensor('int8', filter.shape, codes),
      quant: { kind: 'per_channel', scales, axis: channelAxis },
    },
    bias: {
      codes: quantizeBias(bias, scales, inputScale),
      quant: { kind: 'per_channel', scales: scales.map((scale) => inputScale * scale), axis: 0 },
    },
  };
}

/**
 * Codes with one scale and zero point: 1 .. 255 for uint8, as tf.contrib.quantize trains them, and -127 .. 127 with
 * zero point 0 for int8.
 */
function weightsOfOneRange(context: WeightLowering, weights: Weights): QuantizedWeights {
  const { scheme } = context;
  const { node, filter, ranges, form, bias, inputScale, channelAxis } = weights;
  const range = ranges[0] ?? internal(`the weights of "${node.name}" have no range`);
  const channels = filter.shape[channelAxis] ?? internal(`the filter of "${node.name}" has no axis ${channelAxis}`);
  const largestBias = bias === null ? 0 : bias.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const scale = enlarged(context, node, 'the filter', range.scale, smallestScale(largestBias, inputScale));
  const trained = scale === range.scale;
  const zeroPoint = (trained ? range.zeroPoint : 128) - schemes[scheme].offset;
  const codes = filter.data.map(
    (x) => (trained ? fakeQuantCode(x, range, form) : roundHalfAway(x / scale)) + zeroPoint,
  );
  return {
    filter: {
      codes: codesTensor(scheme, filter.shape, codes),
      quant: { kind: 'per_tensor', scale, zeroPoint },
    },
    bias: {
      codes: quantizeBias(bias, new Float32Array(channels).fill(scale), inputScale),
      quant: { kind: 'per_tensor', scale: Math.fround(inputScale * scale), zeroPoint: 0 },
    },
  };
}

function otherScheme({ path }: WeightLowering, node: Node, problem: string, scheme: Scheme): UserError {
  return new UserError([
    {
      code: 'other-scheme',
      place: { file: path },
      message: `the weights of ${node.op} "${node.name}" ${problem}`,
      hint: `train with \`scheme: ${scheme}\` in the \`qat\` stage`,
    },
  ]);
}

/** A scale that is at least `least`; what had to be raised is noted. */
function enlarged({ adjustments }: WeightLowering, node: Node, what: string, scale: number, least: number): number {
  if (scale >= least) return scale;
  adjustments.push(
    `${node.name}: ${what} has weights so small (scale ${scale}) that its bias would not fit int32; ` +
      `scale raised to ${least}`,
  );
  return least;
}

/** The accumulator's headroom: |bias| stays below 2^31 - 2^24, so that 2^24 is left for the products. */
function smallestScale(bias: number, inputScale: number): number {
  return Math.fround(Math.max(1e-9, (Math.abs(bias) / ((2 ** 31 - 2 ** 24) * inputScale)) * (1 + 2 ** -20)));
}

/** int32 codes with the accumulator's scale, input * filter in float64, rounded half away from zero. */
function quantizeBias(bias: FloatTensor | null, scales: Float32Array, inputScale: number): Tensor<'int32'> {
  const codes = Int32Array.from(scales, (scale, channel) =>
    roundHalfAway((bias === null ? 0 : bias.data[channel]!) / (inputScale * scale)),
  );
  return tensor('int32', [scales.length], codes);
}

/** Codes of a scheme. */
export function codesTensor(scheme: Scheme, shape: Shape, codes: ArrayLike<number>): Tensor {
  return scheme === 'int8'
    ? tensor('int8', shape, Int8Array.from(codes))
    : tensor('uint8', shape, Uint8Array.from(codes));
}
