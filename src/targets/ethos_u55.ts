/**
 * Arm's Ethos-U55 with what its compiler (ethos-u-vela 5.2.0) puts on it; all else runs on the processor's kernels.
 * Sources: ethos-u/ethos-u-vela, ethosu/regor/tflite/tflite_supported_operators.cpp and
 * tflite_supported_operators_u55.cpp of 2026, and the list that the wheel prints
 * (`regor.tflite_operator_constraints('EthosU55')`). test/oracle/vela.test.ts compares them op by op.
 *
 * Not looked at: sums of absolute weights above 127 * 65536, which need more than 65536 weights for an output.
 */
import { numElements } from '../core/tensor.ts';
import type { Shape } from '../core/tensor.ts';
import { defineTarget } from './define.ts';
import type { Rule, TargetNode } from './define.ts';
import { asImage, inputShape, outputShape, refusal, sizes, types } from './rules.ts';
import type { OpWith } from './rules.ts';
import { tflm } from './tflm.ts';

/** TensMustHaveShape, TensQuantized. */
const hasShapes: Rule = ({ inputs, outputs }) =>
  [...inputs, ...outputs].some(({ type }) => type.shape.length === 0)
    ? refusal('has a scalar', 'tensors of at least one dimension', 'keep a dimension')
    : null;

const quantized: Rule = ({ inputs: [input], outputs: [output] }) =>
  [input, output].some((at) => at?.quant === null && at.type.dtype !== 'int32')
    ? refusal('has values without a scale', 'values with one', 'convert the model again')
    : null;

/** For ops of the compiler's list s_noQuant. */
const movesAny = [types('int8', 'uint8'), hasShapes];
const any = [...movesAny, quantized];

type Window = TargetNode<OpWith<'window' | 'strides' | 'padding'>>;

/** Whether any padding is added: SAME may need none. */
function isPadded(node: Window): boolean {
  const { padding, strides, window } = node.attrs;
  if (padding.kind !== 'same') return padding.kind === 'explicit';
  return reaches(node, window, strides, [1, 1]);
}

function reaches(
  node: TargetNode,
  window: readonly [number, number],
  strides: readonly [number, number],
  dilations: readonly [number, number],
): boolean {
  const [, height, width] = inputShape(node);
  return ([height, width] as const).some((size = 1, axis) => {
    const [step, reach] = [strides[axis] ?? 1, ((window[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1];
    return (Math.ceil(size / step) - 1) * step + reach > size;
  });
}

const largeStrides = (strides: readonly number[]): boolean => strides.some((stride) => stride > 3);

/** UnrolledKernelStride. */
const poolStrides: Rule<'average_pool_2d' | 'max_pool_2d'> = (node) =>
  largeStrides(node.attrs.strides) && isPadded(node)
    ? refusal(
        `has strides of ${node.attrs.strides.join(' x ')} with padding`,
        'strides of at most 3, or no padding',
        'use `padding: valid` or smaller strides',
      )
    : null;

const convolutionStrides: Rule<'conv_2d'> = (node) => {
  const { strides, dilations, padding } = node.attrs;
  if (!largeStrides(strides)) return null;
  const [, height = 1, width = 1] = node.inputs[1]?.type.shape ?? [];
  const padded = padding.kind === 'same' && reaches(node, [height, width], strides, dilations);
  if (!padded && dilations.every((dilation) => dilation === 1)) return null;
  return refusal(
    `has strides of ${strides.join(' x ')} with padding or a dilation`,
    'strides of at most 3, or neither padding nor dilation',
    'use `padding: valid` without a dilation, or smaller strides',
  );
};

/** KernelStride. */
const depthwiseStrides: Rule<'depthwise_conv_2d'> = ({ attrs: { strides } }) =>
  largeStrides(strides)
    ? refusal(`has strides of ${strides.join(' x ')}`, 'strides of at most 3', 'use smaller strides')
    : null;

/** AvgPoolPad. */
const averageWindow: Rule<'average_pool_2d'> = (node) => {
  const [height, width] = node.attrs.window;
  if (!isPadded(node)) return largeWindow(height, width);
  return height > 8 || width > 8
    ? refusal(`has a padded window of ${height} x ${width}`, 'at most 8 x 8 with padding', 'use `padding: valid`')
    : null;
};

/** MaxPool. */
const maximumWindow: Rule<'max_pool_2d'> = ({ attrs: { window } }) => largeWindow(...window);

const largeWindow = (height: number, width: number) =>
  height > 256 || height * width > 256 * 256
    ? refusal(
        `has a window of ${height} x ${width}`,
        'a height of at most 256 and 65536 values',
        'pool in two layers of smaller windows',
      )
    : null;

/** TransposeConvStrides. */
const transposedStrides: Rule<'transpose_conv'> = (node) => {
  const [vertical, horizontal] = node.attrs.strides;
  const [, height, width] = inputShape(node);
  const [, kernelHeight, kernelWidth] = node.inputs[1]?.type.shape ?? [];
  const equal = vertical === horizontal && vertical <= 2;
  const alongRow = vertical === 1 && horizontal === 2 && height === 1 && kernelHeight === 1;
  const alongColumn = vertical === 2 && horizontal === 1 && width === 1 && kernelWidth === 1;
  return equal || alongRow || alongColumn
    ? null
    : refusal(
        `has strides of ${vertical} x ${horizontal}`,
        '1 x 1 or 2 x 2',
        'use `stride: 2`, or a resize and a convolution',
      );
};

/** TransposeConvShape. */
const transposedShape: Rule<'transpose_conv'> = (node) => {
  const { strides, padding } = node.attrs;
  const input = inputShape(node).slice(1, 3);
  const kernel = node.inputs[1]?.type.shape.slice(1, 3) ?? [];
  const expected = input.map((size, axis) => {
    const stride = strides[axis] ?? 1;
    return size * stride + (padding.kind === 'same' ? 0 : Math.max((kernel[axis] ?? 1) - stride, 0));
  });
  const found = outputShape(node).slice(1, 3);
  return found.every((size, axis) => size === expected[axis])
    ? null
    : refusal(`gives ${found.join(' x ')} pixels`, expected.join(' x '), 'crop with a `strided_slice` behind it');
};

/** ArgMaxAxis, ArgMaxDepth. */
const argMax: Rule<'arg_max'> = (node) => {
  const shape = inputShape(node);
  if (node.attrs.axis !== shape.length - 1 && node.attrs.axis !== -1) {
    return refusal(`looks along axis ${node.attrs.axis}`, 'the last axis', 'transpose its input');
  }
  return (shape.at(-1) ?? 0) > 127
    ? refusal(`compares ${shape.at(-1) ?? 0} values`, 'at most 127', 'leave it to the program that reads the output')
    : null;
};

/** UnitBatch, MeanDepth, MeanAxisSize, MeanTotalElements. */
const mean: Rule<'mean'> = (node) => {
  const shape = inputShape(node);
  const image = asImage(shape);
  if (image[0] > 1) return refusal(`has a batch of ${image[0]}`, 'a batch of 1', 'run one example at a time');
  const reduced = node.attrs.axes.map((axis) => (axis < 0 ? axis + shape.length : axis));
  if (reduced.includes(shape.length - 1) && image.slice(1).every((size) => size > 1)) {
    return refusal(
      `averages the channels of ${sizes(shape)}`,
      'channels of one pixel, row or column, or none',
      'average the pixels first',
    );
  }
  const size = Math.max(...reduced.map((axis) => shape[axis] ?? 1));
  if (size > 4096) return refusal(`averages over ${size} values of an axis`, 'at most 4096', 'pool before it');
  return null;
};

/** StridedSlice: height and width are the third and the second axis from the end. */
const slices: Rule<'strided_slice'> = (node) => {
  const rank = inputShape(node).length;
  const others = node.attrs.strides.filter((_, axis) => axis !== rank - 3 && axis !== rank - 2);
  if (others.some((stride) => stride !== 1)) {
    return refusal('takes every other example or channel', 'steps over height and width only', 'take all of them');
  }
  return node.attrs.strides.some((stride) => stride < 0)
    ? refusal('goes backwards', 'steps forward', 'use positive strides')
    : null;
};

/** Resize, with factors in float32; a batch ends the compiler with an error. */
const resizes =
  (kind: 'bilinear' | 'nearest'): Rule<'resize_bilinear' | 'resize_nearest_neighbor'> =>
  (node) => {
    const [batch = 1, height = 1, width = 1] = inputShape(node);
    const [, newHeight = 1, newWidth = 1] = outputShape(node);
    if (batch > 1) return refusal(`has a batch of ${batch}`, 'a batch of 1', 'run one example at a time');
    if (height === 1 && width === 1) return null;
    const isHalf = kind === 'bilinear' && node.attrs.halfPixelCenters;
    const factors: readonly [number, number] = [
      upscale(height, newHeight, node.attrs.alignCorners),
      upscale(width, newWidth, node.attrs.alignCorners),
    ];
    const allowed = isHalf ? [2] : [2, 4, 8];
    const found = refusal(
      `resizes ${height} x ${width} pixels to ${newHeight} x ${newWidth}`,
      `a factor of ${allowed.join(', ')} in both directions`,
      `use \`factor: ${allowed[0] ?? 2}\``,
    );
    if (height === newHeight && width === newWidth) return isHalf ? found : null;
    const [vertical, horizontal] = factors;
    if (vertical !== horizontal) {
      const line = (newHeight === 1 && vertical === 1) || (newWidth === 1 && horizontal === 1);
      if (!line || isHalf) return found;
    }
    return allowed.includes(Math.max(...factors)) ? null : found;
  };

function upscale(size: number, newSize: number, alignCorners: boolean): number {
  if (!alignCorners) return Math.fround(newSize / size);
  return newSize === 1 ? 1 : Math.fround((newSize - 1) / (size - 1));
}

const mostAxis = 2 ** 16;

/** Transpose8And16Bit. */
const transposes: Rule<'transpose'> = (node) => {
  const shape = inputShape(node);
  const { permutation } = node.attrs;
  if (permutation.every((axis, at) => axis === at)) return null;
  const outer = Math.max(0, shape.length - 3);
  const isImage = shape.slice(0, outer).every((size, at) => size === 1 && permutation[at] === at);
  const isSmall = isImage
    ? shape.every((size) => size <= mostAxis)
    : productsOf(shape).every((size) => size <= mostAxis);
  return isSmall
    ? null
    : refusal(
        `transposes ${sizes(shape)} by ${sizes(permutation)}`,
        'axes of at most 65536 values',
        'transpose less at a time',
      );
};

/** Of all axes but two, for each two. */
function productsOf(shape: Shape): readonly number[] {
  return shape.flatMap((_, first) =>
    shape.flatMap((__, second) =>
      second <= first ? [] : [numElements(shape.filter((___, axis) => axis !== first && axis !== second))],
    ),
  );
}

/** SoftmaxOverflow. */
const softmax: Rule<'softmax'> = (node) => {
  const [, height, width] = asImage(inputShape(node));
  return height * width > mostAxis
    ? refusal(`has ${height * width} rows`, 'at most 65536', 'take the softmax of fewer pixels')
    : null;
};

/** MatchingQuantization. */
const sameScales: Rule<'maximum' | 'minimum'> = ({ inputs, outputs: [output] }) =>
  inputs.some(({ quant }) => JSON.stringify(quant) !== JSON.stringify(output?.quant))
    ? refusal('compares values of different scales', 'one scale', 'rescale its inputs')
    : null;

export const ethosU55 = defineTarget({
  name: 'ethos_u55',
  title: 'the Ethos-U55',
  fallback: tflm,
  schemes: ['int8', 'uint8'],
  edges: ['int8', 'uint8'],
  // PerAxisQuant excepts FULLY_CONNECTED.
  denseWeights: { takes: ['per_channel', 'per_tensor'], chosen: 'per_channel' },
  release: null,
  // Its sums are rescaled as by TensorFlow Lite's reference kernels (NpuRoundingMode.TFL in ethosu/vela/api.py).
  rounding: 'double',
  multipliers: { least: 2 ** -32, below: 2 ** 30 },
  hasArena: false,
  ops: {
    abs: any,
    add: any,
    arg_max: [...movesAny, argMax],
    arg_min: null,
    average_pool_2d: [...any, averageWindow, poolStrides],
    batch_to_space_nd: null,
    broadcast_to: null,
    concatenation: any,
    conv_2d: [...any, convolutionStrides],
    depth_to_space: null,
    depthwise_conv_2d: [...any, depthwiseStrides],
    dequantize: null,
    expand_dims: movesAny,
    fully_connected: any,
    gather: null,
    hard_swish: any,
    l2_normalization: null,
    leaky_relu: any,
    log_softmax: null,
    logistic: any,
    max_pool_2d: [...any, maximumWindow, poolStrides],
    maximum: [...any, sameScales],
    mean: [...any, mean],
    minimum: [...any, sameScales],
    mirror_pad: movesAny,
    mul: any,
    pack: any,
    pad: movesAny,
    prelu: any,
    quantize: movesAny,
    reduce_max: any,
    reduce_min: any,
    reduce_prod: null,
    relu: any,
    relu6: any,
    reshape: movesAny,
    resize_bilinear: [...any, resizes('bilinear')],
    resize_nearest_neighbor: [...any, resizes('nearest')],
    shape: null,
    slice: any,
    softmax: [...any, softmax],
    space_to_batch_nd: null,
    space_to_depth: null,
    split: any,
    squeeze: movesAny,
    strided_slice: [...any, slices],
    sub: any,
    sum: any,
    tanh: any,
    tile: any,
    transpose: [...movesAny, transposes],
    transpose_conv: [...any, transposedStrides, transposedShape],
    unpack: any,
  },
});
