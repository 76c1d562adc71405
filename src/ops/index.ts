/** The op table. A key that differs from the record's name does not compile. */
import { abs } from './abs.ts';
import { argMax } from './arg_max.ts';
import { argMin } from './arg_min.ts';
import { batchToSpaceNd } from './batch_to_space_nd.ts';
import { broadcastTo } from './broadcast_to.ts';
import { depthToSpace } from './depth_to_space.ts';
import { expandDims } from './expand_dims.ts';
import { gather } from './gather.ts';
import { logSoftmax } from './log_softmax.ts';
import { maximum } from './maximum.ts';
import { minimum } from './minimum.ts';
import { mirrorPad } from './mirror_pad.ts';
import { pack } from './pack.ts';
import { prelu, preluGrad } from './prelu.ts';
import { reduceMax } from './reduce_max.ts';
import { reduceMin } from './reduce_min.ts';
import { reduceProd } from './reduce_prod.ts';
import { shapeOf } from './shape.ts';
import { slice } from './slice.ts';
import { spaceToBatchNd } from './space_to_batch_nd.ts';
import { spaceToDepth } from './space_to_depth.ts';
import { tile } from './tile.ts';
import { unpack } from './unpack.ts';
import { add } from './add.ts';
import { averagePool2d, averagePool2dGrad } from './average_pool_2d.ts';
import { batchNorm, batchNormTrain, batchNormTrainGrad } from './batch_norm.ts';
import { concatenation } from './concatenation.ts';
import { conv2d, conv2dGradFilter, conv2dGradInput } from './conv_2d.ts';
import type { AttrsOf, InferenceOpDef, OpDef } from './define.ts';
import { depthwiseConv2d, depthwiseConv2dGradFilter, depthwiseConv2dGradInput } from './depthwise_conv_2d.ts';
import { dropout } from './dropout.ts';
import { fakeQuant, fakeQuantGrad, observeRange } from './fake_quant.ts';
import { foldCorrect, foldCorrectGrad, foldFilter, foldFilterGrad } from './folded_batch_norm.ts';
import { fullyConnected } from './fully_connected.ts';
import { hardSwish, hardSwishGrad } from './hard_swish.ts';
import { l2Normalization, l2NormalizationGrad } from './l2_normalization.ts';
import { leakyRelu, leakyReluGrad } from './leaky_relu.ts';
import { logistic } from './logistic.ts';
import {
  meanAbsoluteError,
  meanAbsoluteErrorGrad,
  meanHuberError,
  meanHuberErrorGrad,
  meanSquaredError,
  meanSquaredErrorGrad,
  sigmoidCrossEntropy,
  sigmoidCrossEntropyGrad,
  softmaxCrossEntropy,
  softmaxCrossEntropyGrad,
  top1Count,
} from './losses.ts';
import { matMul } from './mat_mul.ts';
import { maxPool2d, maxPool2dGrad } from './max_pool_2d.ts';
import { broadcastGrad, mean } from './mean.ts';
import { mul } from './mul.ts';
import { pad } from './pad.ts';
import { dequantize, quantize } from './quantize.ts';
import { relu, relu6, reluGrad } from './relu.ts';
import { reshape } from './reshape.ts';
import { resizeBilinear, resizeBilinearGrad } from './resize_bilinear.ts';
import { resizeNearestNeighbor, resizeNearestNeighborGrad } from './resize_nearest_neighbor.ts';
import { softmax } from './softmax.ts';
import { split } from './split.ts';
import { squeeze } from './squeeze.ts';
import { stridedSlice, stridedSliceGrad } from './strided_slice.ts';
import { sub } from './sub.ts';
import { sum } from './sum.ts';
import { tanh } from './tanh.ts';
import {
  adamUpdate,
  crossReplica,
  increment,
  momentumUpdate,
  movingAverage,
  runningExtreme,
  reached,
  zeroDebias,
} from './training.ts';
import { transpose } from './transpose.ts';
import { transposeConv } from './transpose_conv.ts';

/** Ops that only files made by others hold. The other columns need no line for them. */
const inferenceTable = {
  abs,
  arg_max: argMax,
  arg_min: argMin,
  batch_to_space_nd: batchToSpaceNd,
  broadcast_to: broadcastTo,
  depth_to_space: depthToSpace,
  expand_dims: expandDims,
  gather,
  log_softmax: logSoftmax,
  maximum,
  minimum,
  mirror_pad: mirrorPad,
  pack,
  reduce_max: reduceMax,
  reduce_min: reduceMin,
  reduce_prod: reduceProd,
  shape: shapeOf,
  slice,
  space_to_batch_nd: spaceToBatchNd,
  space_to_depth: spaceToDepth,
  tile,
  unpack,
} as const;

const table = {
  ...inferenceTable,
  conv_2d: conv2d,
  conv_2d_grad_input: conv2dGradInput,
  conv_2d_grad_filter: conv2dGradFilter,
  depthwise_conv_2d: depthwiseConv2d,
  depthwise_conv_2d_grad_input: depthwiseConv2dGradInput,
  depthwise_conv_2d_grad_filter: depthwiseConv2dGradFilter,
  transpose_conv: transposeConv,
  fully_connected: fullyConnected,
  mat_mul: matMul,
  batch_norm: batchNorm,
  batch_norm_train: batchNormTrain,
  batch_norm_train_grad: batchNormTrainGrad,
  fold_filter: foldFilter,
  fold_filter_grad: foldFilterGrad,
  fold_correct: foldCorrect,
  fold_correct_grad: foldCorrectGrad,
  relu,
  relu6,
  relu_grad: reluGrad,
  leaky_relu: leakyRelu,
  leaky_relu_grad: leakyReluGrad,
  prelu,
  prelu_grad: preluGrad,
  hard_swish: hardSwish,
  hard_swish_grad: hardSwishGrad,
  logistic,
  tanh,
  l2_normalization: l2Normalization,
  l2_normalization_grad: l2NormalizationGrad,
  max_pool_2d: maxPool2d,
  max_pool_2d_grad: maxPool2dGrad,
  average_pool_2d: averagePool2d,
  average_pool_2d_grad: averagePool2dGrad,
  mean,
  sum,
  broadcast_grad: broadcastGrad,
  resize_bilinear: resizeBilinear,
  resize_bilinear_grad: resizeBilinearGrad,
  resize_nearest_neighbor: resizeNearestNeighbor,
  resize_nearest_neighbor_grad: resizeNearestNeighborGrad,
  reshape,
  squeeze,
  transpose,
  pad,
  strided_slice: stridedSlice,
  strided_slice_grad: stridedSliceGrad,
  split,
  concatenation,
  add,
  sub,
  mul,
  softmax,
  quantize,
  dequantize,
  dropout,
  fake_quant: fakeQuant,
  fake_quant_grad: fakeQuantGrad,
  observe_range: observeRange,
  softmax_cross_entropy: softmaxCrossEntropy,
  softmax_cross_entropy_grad: softmaxCrossEntropyGrad,
  sigmoid_cross_entropy: sigmoidCrossEntropy,
  sigmoid_cross_entropy_grad: sigmoidCrossEntropyGrad,
  top_1_count: top1Count,
  mean_squared_error: meanSquaredError,
  mean_squared_error_grad: meanSquaredErrorGrad,
  mean_absolute_error: meanAbsoluteError,
  mean_absolute_error_grad: meanAbsoluteErrorGrad,
  mean_huber_error: meanHuberError,
  mean_huber_error_grad: meanHuberErrorGrad,
  increment,
  reached,
  moving_average: movingAverage,
  running_extreme: runningExtreme,
  zero_debias: zeroDebias,
  cross_replica: crossReplica,
  momentum_update: momentumUpdate,
  adam_update: adamUpdate,
} as const;

export type OpName = keyof typeof table;

export type Attrs = { readonly [K in OpName]: AttrsOf<(typeof table)[K]> };

export const ops: { readonly [K in OpName]: OpDef<K, Attrs[K]> } = table;

export const opNames = Object.keys(table) as readonly OpName[]; // Object.keys loses the key type

export type InferenceOp = keyof typeof inferenceTable;

export const inferenceOps: { readonly [K in InferenceOp]: InferenceOpDef<K, Attrs[K]> } = inferenceTable;
