/** TensorFlow's ops that are read otherwise than by the table of ops. One line each. */
import type { Rule } from './context.ts';
import { absolute, add, addAll, clip, divide, maximum, minimum, mul, negate, square, sub } from './rules/arithmetic.ts';
import { batchToSpace, biasAdd, layer, matMul, spaceToBatch } from './rules/layers.ts';
import {
  depthToSpace,
  expandDims,
  pack,
  padWith,
  reshape,
  slice,
  spaceToDepth,
  splitByEach,
  squeeze,
  stridedSlice,
  tile,
  transpose,
  unpack,
} from './rules/movement.ts';
import { branch, cast, identity, merge, reduceMax } from './rules/others.ts';
import { byRow, rows } from './rules/rows.ts';

export const rules = {
  Abs: absolute,
  Add: add,
  AddN: addAll,
  AddV2: add,
  BatchMatMulV2: matMul,
  BatchToSpaceND: batchToSpace,
  BiasAdd: biasAdd,
  Cast: cast,
  CheckNumerics: identity,
  ClipByValue: clip,
  Conv2D: layer,
  DepthToSpace: depthToSpace,
  DepthwiseConv2dNative: layer,
  Div: divide,
  ExpandDims: expandDims,
  Identity: identity,
  IdentityN: identity,
  MatMul: matMul,
  Max: reduceMax,
  Maximum: maximum,
  Merge: merge,
  Minimum: minimum,
  Mul: mul,
  Neg: negate,
  Pack: pack,
  PadV2: padWith,
  PlaceholderWithDefault: identity,
  PreventGradient: identity,
  RealDiv: divide,
  Reshape: reshape,
  Slice: slice,
  Snapshot: identity,
  SpaceToBatchND: spaceToBatch,
  SpaceToDepth: spaceToDepth,
  SplitV: splitByEach,
  Square: square,
  Squeeze: squeeze,
  StopGradient: identity,
  StridedSlice: stridedSlice,
  Sub: sub,
  Switch: branch,
  Tile: tile,
  Transpose: transpose,
  Unpack: unpack,
} as const satisfies { readonly [op: string]: Rule };

/** Those that take a layer whose bias may still come, or the product of a batch norm. */
export const takesPending: ReadonlySet<string> = new Set([
  ...['Add', 'AddV2', 'BiasAdd', 'BatchToSpaceND', 'ExpandDims', 'Identity', 'Reshape', 'Squeeze', 'Sub'],
]);

/** The rule of an op; null where there is none. */
export function ruleOf(op: string): Rule | null {
  if (Object.hasOwn(rules, op)) return rules[op as keyof typeof rules]; // hasOwn does not narrow
  return rows.has(op) ? byRow : null;
}

/** What to do about ops that networks often have and devices do not. */
const remedies: { readonly [op: string]: string } = {
  ArgMax: 'cut the graph before it: qpipe takes the largest output itself',
  Elu: 'train with Relu, LeakyRelu or HardSwish in its place',
  Selu: 'train with Relu or LeakyRelu in its place',
  Softplus: 'train with Relu in its place',
  Softsign: 'train with Tanh in its place',
  Erf: 'it is part of GELU: train with Relu or HardSwish in its place',
  Einsum: 'train with Dense layers in its place',
  While: 'no recurrent layer can be trained or quantized here: train with Conv1D in its place',
  StatelessWhile: 'no recurrent layer can be trained or quantized here: train with Conv1D in its place',
  If: 'save the model for inference, without branches',
  StatelessIf: 'save the model for inference, without branches',
  ResizeBicubic: 'use bilinear interpolation in its place',
  NonMaxSuppressionV5: 'cut the graph before it, and select boxes in the program that reads the outputs',
};

export function remedyFor(op: string): string {
  if (op.startsWith('FakeQuant') || op.startsWith('Quantize') || op.startsWith('Dequantize')) {
    return 'import the float model; qpipe quantizes it';
  }
  return remedies[op] ?? 'change the network, or cut the graph before it';
}
