/**
 * Google's Edge TPU with what its compiler (version 16) maps; all else runs on the processor beside it. The compiler is
 * closed: the facts are those of its table of supported operations (coral.ai/docs/edgetpu/models-intro, version 16;
 * also developer.axis.com/computer-vision/on-device/system-on-chip/artpec-7/supported-ops), and no test compares them.
 * It maps one run of ops: behind the first that stays on the processor, nothing comes back.
 */
import { numElements } from '../core/tensor.ts';
import { defineTarget } from './define.ts';
import type { Rule, TargetNode } from './define.ts';
import { litert } from './litert.ts';
import { inputShape, outputShape, refusal, sizes, types } from './rules.ts';
import type { OpWith } from './rules.ts';

/** "Only the 3 innermost dimensions may have a size greater than 1." */
const threeAxes: Rule = ({ inputs, outputs }) => {
  const large = [...inputs.slice(0, 1), ...outputs].find(({ type }) => numElements(type.shape.slice(0, -3)) > 1);
  return large === undefined
    ? null
    : refusal(`has a tensor of ${sizes(large.type.shape)}`, 'a batch of 1', 'run one example at a time');
};

const any = [types('int8', 'uint8'), threeAxes];

const noActivation: Rule<OpWith<'activation'>> = ({ attrs }) =>
  attrs.activation === 'none'
    ? null
    : refusal(`takes in a ${attrs.activation}`, 'no activation', 'convert the model again');

const equalDilations: Rule<'conv_2d' | 'depthwise_conv_2d'> = ({ attrs: { dilations } }) =>
  dilations[0] === dilations[1]
    ? null
    : refusal(
        `has a dilation of ${dilations.join(' x ')}`,
        'the same in both directions',
        'use one number as `dilation`',
      );

/** "Output tensor is one-dimensional." */
const oneRow: Rule<'fully_connected' | 'softmax'> = (node) => {
  const shape = outputShape(node);
  return numElements(shape.slice(0, -1)) === 1
    ? null
    : refusal(`gives ${sizes(shape)}`, 'one row', 'flatten its input, or use a convolution of 1 x 1');
};

const sixteenThousand: Rule<'softmax'> = (node) =>
  numElements(outputShape(node)) > 16_000
    ? refusal(`has ${numElements(outputShape(node))} values`, 'at most 16000', 'leave the softmax out')
    : null;

const axesOf = (node: TargetNode<OpWith<'axes'>>): readonly number[] =>
  node.attrs.axes.map((axis) => (axis < 0 ? axis + inputShape(node).length : axis));

const keepsBatch: Rule<'mean' | 'sum' | 'reduce_max' | 'reduce_min'> = (node) =>
  axesOf(node).includes(0) && inputShape(node).length > 1
    ? refusal('reduces the batch', 'other axes', 'keep the batch')
    : null;

/** "If a z-reduction, the z-dimension must be multiple of 4." */
const channelsOfFour: Rule<'mean'> = (node) => {
  const shape = inputShape(node);
  const channels = shape.at(-1) ?? 0;
  return axesOf(node).includes(shape.length - 1) && channels % 4 !== 0
    ? refusal(`averages ${channels} channels`, 'a multiple of 4', 'use a multiple of 4 channels')
    : null;
};

const padsNoBatch: Rule<'pad'> = ({ attrs: { paddings } }) =>
  paddings.length > 1 && (paddings[0] ?? []).some((size) => size > 0)
    ? refusal('pads the batch', 'other axes', 'pad height, width or channels')
    : null;

/** "Alpha must be 1-dimensional (only the innermost dimension can be > 1 size)." */
const slopePerChannel: Rule<'prelu'> = ({ inputs }) => {
  const shape = inputs[1]?.type.shape ?? [];
  return numElements(shape.slice(0, -1)) > 1
    ? refusal(`has slopes of ${sizes(shape)}`, 'one slope for each channel', 'share the slopes of all pixels')
    : null;
};

const unitSteps: Rule<'strided_slice'> = ({ attrs: { strides } }) =>
  strides.some((stride) => stride !== 1)
    ? refusal(`has strides of ${sizes(strides)}`, 'strides of 1', 'use `strides: [1, 1]`, or a pool')
    : null;

const splitsNoBatch: Rule<'split'> = (node) =>
  node.attrs.axis === 0 ? refusal('splits the batch', 'another axis', 'split height, width or channels') : null;

const packsNoBatch: Rule<'pack'> = ({ attrs: { axis } }) =>
  axis === 0 ? refusal('packs into the batch', 'another axis', 'concatenate') : null;

export const edgetpu = defineTarget({
  name: 'edgetpu',
  title: 'the Edge TPU',
  fallback: litert,
  schemes: ['int8', 'uint8'],
  edges: ['int8', 'uint8'],
  // One scale for each output needs FULLY_CONNECTED as of 2.10, which the compiler does not know.
  denseWeights: { takes: ['per_tensor'], chosen: 'per_tensor' },
  // Version 16 is of 2021. Which release it reads is not published; 2.5 is that of its runtime's last packages.
  release: '2.5.0',
  // Not published. Its answers differ from the reference kernels by a step now and then.
  rounding: 'unpublished',
  multipliers: { least: 2 ** -32, below: 2 ** 30 },
  hasArena: false,
  ops: {
    abs: null,
    add: any,
    arg_max: null,
    arg_min: null,
    average_pool_2d: [...any, noActivation],
    batch_to_space_nd: null,
    broadcast_to: null,
    concatenation: any,
    conv_2d: [...any, equalDilations],
    depth_to_space: null,
    depthwise_conv_2d: [...any, equalDilations],
    dequantize: null,
    expand_dims: any,
    fully_connected: [...any, oneRow],
    gather: null,
    hard_swish: null,
    l2_normalization: any,
    leaky_relu: null,
    log_softmax: null,
    logistic: any,
    max_pool_2d: [...any, noActivation],
    maximum: any,
    mean: [...any, keepsBatch, channelsOfFour],
    minimum: any,
    mirror_pad: null,
    mul: any,
    pack: [...any, packsNoBatch],
    pad: [...any, padsNoBatch],
    prelu: [...any, slopePerChannel],
    quantize: any,
    reduce_max: [...any, keepsBatch],
    reduce_min: [...any, keepsBatch],
    reduce_prod: null,
    relu: any,
    relu6: any,
    reshape: any,
    resize_bilinear: any,
    resize_nearest_neighbor: any,
    shape: null,
    slice: any,
    softmax: [...any, oneRow, sixteenThousand],
    space_to_batch_nd: null,
    space_to_depth: any,
    split: [...any, splitsNoBatch],
    squeeze: any,
    strided_slice: [...any, unitSteps],
    sub: any,
    sum: [...any, keepsBatch],
    tanh: any,
    tile: null,
    transpose: any,
    transpose_conv: any,
    unpack: null,
  },
});
