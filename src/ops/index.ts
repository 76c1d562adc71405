/** The op table. A key that differs from the record's name does not compile. */
import { add } from './add.ts';
import { averagePool2d, averagePool2dGrad } from './average_pool_2d.ts';
import { batchNorm, batchNormTrain, batchNormTrainGrad } from './batch_norm.ts';
import { conv2d, conv2dGradFilter, conv2dGradInput } from './conv_2d.ts';
import type { AttrsOf, OpDef } from './define.ts';
import { fakeQuant, fakeQuantGrad, observeRange } from './fake_quant.ts';
import { fullyConnected } from './fully_connected.ts';
import { matMul } from './mat_mul.ts';
import { maxPool2d, maxPool2dGrad } from './max_pool_2d.ts';
import { broadcastGrad, mean } from './mean.ts';
import { dequantize, quantize } from './quantize.ts';
import { relu, relu6, reluGrad } from './relu.ts';
import { reshape } from './reshape.ts';
import { softmax } from './softmax.ts';
import { sum } from './sum.ts';
import {
  adamUpdate,
  crossReplica,
  increment,
  momentumUpdate,
  movingAverage,
  reached,
  softmaxCrossEntropy,
  softmaxCrossEntropyGrad,
  top1Count,
  zeroDebias,
} from './training.ts';

const table = {
  conv_2d: conv2d,
  conv_2d_grad_input: conv2dGradInput,
  conv_2d_grad_filter: conv2dGradFilter,
  fully_connected: fullyConnected,
  mat_mul: matMul,
  batch_norm: batchNorm,
  batch_norm_train: batchNormTrain,
  batch_norm_train_grad: batchNormTrainGrad,
  relu,
  relu6,
  relu_grad: reluGrad,
  max_pool_2d: maxPool2d,
  max_pool_2d_grad: maxPool2dGrad,
  average_pool_2d: averagePool2d,
  average_pool_2d_grad: averagePool2dGrad,
  mean,
  sum,
  broadcast_grad: broadcastGrad,
  reshape,
  add,
  softmax,
  quantize,
  dequantize,
  fake_quant: fakeQuant,
  fake_quant_grad: fakeQuantGrad,
  observe_range: observeRange,
  softmax_cross_entropy: softmaxCrossEntropy,
  softmax_cross_entropy_grad: softmaxCrossEntropyGrad,
  top_1_count: top1Count,
  increment,
  reached,
  moving_average: movingAverage,
  zero_debias: zeroDebias,
  cross_replica: crossReplica,
  momentum_update: momentumUpdate,
  adam_update: adamUpdate,
} as const;

export type OpName = keyof typeof table;

export type Attrs = { readonly [K in OpName]: AttrsOf<(typeof table)[K]> };

export const ops: { readonly [K in OpName]: OpDef<K, Attrs[K]> } = table;

export const opNames = Object.keys(table) as readonly OpName[]; // Object.keys loses the key type
