/** The op types of ONNX that become nodes of ours. One line each. */
import type { Rule } from './context.ts';
import { clip, hardSigmoid, hardSwish, leakyRelu, prelu, relu, sigmoid, tanh } from './rules/activation.ts';
import { abs, add, div, max, meanOf, min, mul, neg, pow, sub, sum } from './rules/arithmetic.ts';
import { conv, convTranspose } from './rules/convolution.ts';
import { gemm, matMul } from './rules/dense.ts';
import {
  concat,
  depthToSpace,
  expand,
  flatten,
  gather,
  pad,
  reshape,
  slice,
  spaceToDepth,
  split,
  squeeze,
  tile,
  transpose,
  unsqueeze,
} from './rules/movement.ts';
import {
  argMax,
  batchNormalization,
  dropout,
  identity,
  logSoftmax,
  lpNormalization,
  softmax,
} from './rules/normalization.ts';
import { averagePool, maxPool } from './rules/pooling.ts';
import {
  globalAveragePool,
  globalMaxPool,
  reduceL1,
  reduceMax,
  reduceMean,
  reduceMin,
  reduceProd,
  reduceSum,
  reduceSumSquare,
} from './rules/reduction.ts';
import { resize } from './rules/resize.ts';

export const rules = {
  Abs: abs,
  Add: add,
  ArgMax: argMax,
  AveragePool: averagePool,
  BatchNormalization: batchNormalization,
  // Numbers are float32 here, whatever they were in the file.
  Cast: identity,
  Clip: clip,
  Concat: concat,
  Conv: conv,
  ConvTranspose: convTranspose,
  DepthToSpace: depthToSpace,
  Div: div,
  Dropout: dropout,
  Expand: expand,
  Flatten: flatten,
  Gather: gather,
  Gemm: gemm,
  GlobalAveragePool: globalAveragePool,
  GlobalMaxPool: globalMaxPool,
  HardSigmoid: hardSigmoid,
  HardSwish: hardSwish,
  Identity: identity,
  LeakyRelu: leakyRelu,
  LogSoftmax: logSoftmax,
  LpNormalization: lpNormalization,
  MatMul: matMul,
  Max: max,
  MaxPool: maxPool,
  Mean: meanOf,
  Min: min,
  Mul: mul,
  Neg: neg,
  PRelu: prelu,
  Pad: pad,
  Pow: pow,
  ReduceL1: reduceL1,
  ReduceMax: reduceMax,
  ReduceMean: reduceMean,
  ReduceMin: reduceMin,
  ReduceProd: reduceProd,
  ReduceSum: reduceSum,
  ReduceSumSquare: reduceSumSquare,
  Relu: relu,
  Reshape: reshape,
  Resize: resize,
  Sigmoid: sigmoid,
  Slice: slice,
  Softmax: softmax,
  SpaceToDepth: spaceToDepth,
  Split: split,
  Squeeze: squeeze,
  Sub: sub,
  Sum: sum,
  Tanh: tanh,
  Tile: tile,
  Transpose: transpose,
  Unsqueeze: unsqueeze,
} as const satisfies { readonly [opType: string]: Rule };

export type ImportedOp = keyof typeof rules;

/** The rule of an op type; null where there is none. */
export function ruleOf(opType: string): Rule | null {
  return Object.hasOwn(rules, opType) ? rules[opType as ImportedOp] : null; // hasOwn does not narrow
}
