/**
 * TensorFlow Lite Micro with its reference kernels. What it takes was read in tflite-micro (repository
 * tensorflow/tflite-micro) and measured with its wheel 0.dev20261023 on a model of each op: test/oracle/tflm.test.ts.
 * Kernels of a chip's vendor fall back to the reference kernels for what they do not have.
 */
import { isDeepStrictEqual } from 'node:util';
import { defineTarget } from './define.ts';
import type { Rule } from './define.ts';
import { int8, refusal, types } from './rules.ts';

/** These move bytes, and look at no type: kernels/reshape.cc, squeeze.cc, broadcast_to.cc, shape.cc. */
const anyByte = [types('int8', 'uint8')];

/** kernels/quantize.cc: from float32 to int8, and between int8 and uint8, but not within uint8. */
const quantize: Rule<'quantize'> = ({ inputs: [input], outputs: [output] }) => {
  const [from, to] = [input?.type.dtype, output?.type.dtype];
  if (to === 'int8' || from === 'int8') return null;
  return {
    found: `converts ${from ?? ''} to ${to ?? ''}`,
    expected: 'conversions to int8, and from int8 to uint8',
    remedy: 'let the model take and return int8',
    setting: 'edges',
  };
};

/**
 * kernels/activations_common.cc, Relu6Prepare and Relu6Quantized: codes of the input are clamped and written as codes of the
 * output, whose scale may be another.
 */
const unscaledRelu6: Rule<'relu6'> = ({ inputs: [input], outputs: [output] }) =>
  isDeepStrictEqual(input?.quant, output?.quant)
    ? null
    : refusal(
        'changes the scale',
        'one scale before and behind it',
        'use `relu`, or put it behind a layer with weights',
      );

/** kernels/space_to_batch_nd_common.cc never sets the code of zero that it pads with. */
const withoutFrame: Rule<'space_to_batch_nd'> = ({ attrs: { frame } }) =>
  frame.flat().every((count) => count === 0) ? null : refusal('pads', 'no padding of its own', 'use a `pad` before it');

export const tflm = defineTarget({
  name: 'tflm',
  title: 'TensorFlow Lite Micro',
  fallback: null,
  // Kernels for uint8 were removed: kernels/conv_common.cc at de35bf0 refuses the model, others when they run.
  schemes: ['int8'],
  edges: ['int8', 'uint8', 'float32'],
  // A scale for each output since tflite-micro#2673 of September 2024; from #2602 of May 2024 on it was refused, and before,
  // as in the copies that vendors ship, other scales were taken without a word.
  denseWeights: { takes: ['per_channel', 'per_tensor'], chosen: 'per_tensor' },
  // It compares no versions: micro_interpreter_graph.cc looks an op up by its code alone.
  release: null,
  // kernels/internal/common.h without TFLITE_SINGLE_ROUNDING.
  rounding: 'double',
  // QuantizeMultiplier (kernels/internal/quantization_util.cc) makes 0 of less, and its shift ends at 30.
  multipliers: { least: 2 ** -32, below: 2 ** 30 },
  hasArena: true,
  // The list of micro_mutable_op_resolver.h, with the types that each kernel names.
  ops: {
    abs: int8,
    add: int8,
    arg_max: int8,
    arg_min: int8,
    average_pool_2d: int8,
    batch_to_space_nd: int8,
    broadcast_to: anyByte,
    concatenation: int8,
    conv_2d: int8,
    depth_to_space: int8,
    depthwise_conv_2d: int8,
    dequantize: [],
    expand_dims: int8,
    fully_connected: int8,
    gather: int8,
    hard_swish: int8,
    l2_normalization: int8,
    leaky_relu: int8,
    log_softmax: int8,
    logistic: int8,
    max_pool_2d: int8,
    maximum: int8,
    mean: int8,
    minimum: int8,
    mirror_pad: int8,
    mul: int8,
    pack: int8,
    pad: int8,
    prelu: int8,
    quantize: [quantize],
    reduce_max: int8,
    reduce_min: int8,
    reduce_prod: null,
    relu: int8,
    relu6: [...int8, unscaledRelu6],
    reshape: anyByte,
    resize_bilinear: int8,
    resize_nearest_neighbor: int8,
    shape: anyByte,
    slice: int8,
    softmax: int8,
    space_to_batch_nd: [...int8, withoutFrame],
    space_to_depth: int8,
    split: int8,
    squeeze: anyByte,
    strided_slice: int8,
    sub: int8,
    sum: int8,
    tanh: int8,
    tile: null,
    transpose: int8,
    transpose_conv: int8,
    unpack: int8,
  },
});
