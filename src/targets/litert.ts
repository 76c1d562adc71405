/**
 * LiteRT (formerly TensorFlow Lite) on phones, PCs and in browsers: XNNPACK, and LiteRT's own kernels for what it does not
 * take. Measured with the wheel ai-edge-litert 2.3.0 on a model of each op: test/oracle/litert-target.test.ts.
 */
import { defineTarget } from './define.ts';
import type { Rule } from './define.ts';
import { refusal } from './rules.ts';

/** tflite/kernels/conv.cc (google-ai-edge/LiteRT at v2.3.0) refuses an int8 convolution without one. */
const hasBias: Rule<'conv_2d' | 'depthwise_conv_2d'> = ({ inputs }) =>
  inputs.length < 3 ? refusal('has no bias', 'a bias, which may be 0', 'convert the model again') : null;

/** xnn_define_convolution_2d of XNNPACK wants the scale of a bias to be that of its channel's products. */
const biasScales: Rule<'conv_2d' | 'depthwise_conv_2d' | 'transpose_conv'> = ({ inputs: [, filter, bias] }) =>
  filter?.quant?.kind === 'per_tensor' && bias?.quant?.kind === 'per_channel'
    ? refusal('has a bias with more scales than its filter', 'the same number', 'convert the model again')
    : null;

export const litert = defineTarget({
  name: 'litert',
  title: 'LiteRT',
  fallback: null,
  schemes: ['int8', 'uint8'],
  edges: ['int8', 'uint8', 'float32'],
  denseWeights: { takes: ['per_channel', 'per_tensor'], chosen: 'per_channel' },
  // A pipeline for older runtimes sees them in min_runtime_version of the file.
  release: null,
  // XNNPACK multiplies scales in float32 (google/XNNPACK, src/xnnpack/requantization.h, fp32).
  rounding: 'float',
  // xnn_define_convolution_2d refuses other factors: google/XNNPACK, src/operators/convolution-nhwc.c.
  multipliers: { least: 2 ** -32, below: 256 },
  hasArena: false,
  // tflite/core/kernels/register.cc (google-ai-edge/LiteRT at v2.3.0) has all ops of the file format.
  ops: {
    abs: [],
    add: [],
    arg_max: [],
    arg_min: [],
    average_pool_2d: [],
    batch_to_space_nd: [],
    broadcast_to: [],
    concatenation: [],
    conv_2d: [hasBias, biasScales],
    depth_to_space: [],
    depthwise_conv_2d: [hasBias, biasScales],
    dequantize: [],
    expand_dims: [],
    fully_connected: [],
    gather: [],
    hard_swish: [],
    l2_normalization: [],
    leaky_relu: [],
    log_softmax: [],
    logistic: [],
    max_pool_2d: [],
    maximum: [],
    mean: [],
    minimum: [],
    mirror_pad: [],
    mul: [],
    pack: [],
    pad: [],
    prelu: [],
    quantize: [],
    reduce_max: [],
    reduce_min: [],
    reduce_prod: [],
    relu: [],
    relu6: [],
    reshape: [],
    resize_bilinear: [],
    resize_nearest_neighbor: [],
    shape: [],
    slice: [],
    softmax: [],
    space_to_batch_nd: [],
    space_to_depth: [],
    split: [],
    squeeze: [],
    strided_slice: [],
    sub: [],
    sum: [],
    tanh: [],
    tile: [],
    transpose: [],
    transpose_conv: [biasScales],
    unpack: [],
  },
});
