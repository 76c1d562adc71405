/**
 * The column of the op table with the fast integer kernels. A missing op does not compile; 'reference' is a decision:
 * the op's own loops run on the same memory. The only specification of a kernel is to equal them bit for bit.
 */
import { internal } from '../../core/assert.ts';
import { perTensor } from '../../core/affine.ts';
import { quantizeMultiplier } from '../../core/fixedpoint.ts';
import type { QuantizedMultiplier } from '../../core/fixedpoint.ts';
import { sameShape } from '../../core/tensor.ts';
import { activationRange, storedRange } from '../../ops/bindings.ts';
import { convolutionMultipliers } from '../../ops/conv_2d.ts';
import type { FusedActivation } from '../../ops/define.ts';
import { slidingWindow } from '../../ops/geometry.ts';
import { inferenceOps } from '../../ops/index.ts';
import type { PoolAttrs } from '../../ops/pool.ts';
import { fullyConnectedMultipliers, lowerConvolution, lowerDepthwise, lowerFullyConnected } from './convolution.ts';
import * as code from './opcodes.ts';
import type { Instruction, IntegerOp, IntegerWasmKernel, KernelNode, Operand } from './program.ts';
import { isByte, isUnsigned, leftFactor, outputWords, rightFactor } from './requantize.ts';

export const kernels: { readonly [K in IntegerOp]: IntegerWasmKernel<K> | 'reference' } = {
  conv_2d: {
    lower(node) {
      const [input, filter] = node.inputs as readonly [Operand, Operand];
      const [output] = node.outputs as readonly [Operand];
      return lowerConvolution(node, convolutionMultipliers(input, filter, output, filter.type.shape[0]!));
    },
  },
  depthwise_conv_2d: {
    lower(node) {
      const [input, filter] = node.inputs as readonly [Operand, Operand];
      const [output] = node.outputs as readonly [Operand];
      return lowerDepthwise(node, convolutionMultipliers(input, filter, output, filter.type.shape[3]!));
    },
  },
  fully_connected: { lower: (node) => lowerFullyConnected(node, fullyConnectedMultipliers(node)) },
  max_pool_2d: { lower: (node) => lowerPool(code.MAX_POOL, node) },
  average_pool_2d: { lower: (node) => lowerPool(code.AVERAGE_POOL, node) },
  add: { lower: lowerAdd },
  relu: { lower: (node) => lowerRectifier('relu', node) },
  relu6: { lower: (node) => lowerRectifier('relu6', node) },
  quantize: {
    lower({ inputs: [input], outputs: [output] }) {
      if (!isByte(input!)) return 'reference';
      const ratio = perTensor(input!.quant, 'the input').scale / perTensor(output!.quant, 'the output').scale;
      return rescale(input!, output!, quantizeMultiplier(ratio), storedRange(output!.type));
    },
  },
  reshape: { lower: move },
  squeeze: { lower: move },

  // Rare in networks of images, or small in them: not worth kernels so far.
  transpose_conv: 'reference',
  sub: 'reference',
  mul: 'reference',
  leaky_relu: 'reference',
  prelu: 'reference',
  hard_swish: 'reference',
  logistic: 'reference',
  tanh: 'reference',
  l2_normalization: 'reference',
  resize_bilinear: 'reference',
  resize_nearest_neighbor: 'reference',
  transpose: 'reference',
  pad: 'reference',
  strided_slice: 'reference',
  split: 'reference',
  concatenation: 'reference',
  mean: 'reference',
  sum: 'reference',
  softmax: 'reference',
  dequantize: 'reference',
};

function lowerPool(
  operation: number,
  { inputs: [input], outputs: [output], attrs }: KernelNode<'max_pool_2d'> | KernelNode<'average_pool_2d'>,
): readonly Instruction[] | 'reference' {
  const [height, width] = attrs.window;
  // The mean is divided in float32: exact while sum and half the count stay below 2^24.
  if (height * width * 256 >= 2 ** 24) return 'reference';
  const { min, max } = activationRange(attrs.activation, output!);
  const args = [input!.region, output!.region, ...poolWords(input!, attrs), min, max, isUnsigned(input!)];
  return [{ code: operation, args }];
}

function poolWords({ type }: Operand, attrs: PoolAttrs): readonly number[] {
  const { outputHeight, outputWidth, padTop, padLeft } = slidingWindow(type.shape, attrs.window, attrs);
  return [...type.shape, outputHeight, outputWidth, ...attrs.window, ...attrs.strides, padTop, padLeft];
}

function lowerAdd({ inputs, outputs: [output], attrs }: KernelNode<'add'>): readonly Instruction[] | 'reference' {
  const [a, b] = inputs as readonly [Operand, Operand];
  if (!sameShape(a.type.shape, b.type.shape) || a.type.dtype !== b.type.dtype) return 'reference';
  const [aQuant, bQuant] = [perTensor(a.quant, 'input a'), perTensor(b.quant, 'input b')];
  const twiceMax = 2 * Math.max(aQuant.scale, bQuant.scale);
  const outputScale = perTensor(output!.quant, 'the output').scale;
  const words = [
    ...sumWords(aQuant.zeroPoint, quantizeMultiplier(aQuant.scale / twiceMax)),
    ...sumWords(bQuant.zeroPoint, quantizeMultiplier(bQuant.scale / twiceMax)),
    ...sumWords(0, quantizeMultiplier(twiceMax / (2 ** 20 * outputScale))).slice(1),
    ...outputWords(output!, activationRange(attrs.activation, output!)),
  ];
  return [{ code: code.ADD, args: [a.region, b.region, output!.region, output!.count, ...words, isUnsigned(a)] }];
}

const sumWords = (zeroPoint: number, { multiplier, shift }: QuantizedMultiplier): readonly number[] => [
  zeroPoint,
  multiplier,
  rightFactor(shift),
];

function lowerRectifier(
  activation: FusedActivation,
  { inputs: [input], outputs: [output] }: KernelNode<'relu'> | KernelNode<'relu6'>,
): readonly Instruction[] {
  const ratio = perTensor(input!.quant, 'the input').scale / perTensor(output!.quant, 'the output').scale;
  return rescale(input!, output!, quantizeMultiplier(Math.fround(ratio)), activationRange(activation, output!));
}

function rescale(
  input: Operand,
  output: Operand,
  { multiplier, shift }: QuantizedMultiplier,
  range: { readonly min: number; readonly max: number },
): readonly Instruction[] {
  const { zeroPoint } = perTensor(input.quant, 'the input');
  const words = [output.count, zeroPoint, leftFactor(shift), multiplier, rightFactor(shift)];
  const args = [input.region, output.region, ...words, ...outputWords(output, range), isUnsigned(input)];
  return [{ code: code.REQUANTIZE, args }];
}

/** The same bytes in another shape. */
function move({
  inputs: [input],
  outputs: [output],
}: KernelNode<'reshape'> | KernelNode<'squeeze'>): readonly Instruction[] | 'reference' {
  return isByte(input!) ? [{ code: code.COPY, args: [input!.region, output!.region, output!.count] }] : 'reference';
}

/** The kernel of an op that an integer graph may hold. */
export function kernelOf(op: string): IntegerWasmKernel<never> | 'reference' {
  if (Object.hasOwn(inferenceOps, op)) return 'reference';
  if (!Object.hasOwn(kernels, op)) return internal(`${op} has no integer kernel`);
  // A union of kernels takes the intersection of nodes; the planner passes the node of the same op.
  return kernels[op as IntegerOp];
}
