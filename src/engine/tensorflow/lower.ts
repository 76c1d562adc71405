/**
 * The column of the op table that TensorFlow needs: how each op becomes nodes of a training graph. `'graphdef'` is the
 * row's own form, the one that files hold. A missing op does not compile.
 */
import { internal } from '../../core/assert.ts';
import { floatTensor, numElements, tensor } from '../../core/tensor.ts';
import type { Shape } from '../../core/tensor.ts';
import { intList, writePadding } from '../../ops/bindings.ts';
import type { BatchNormAttrs } from '../../ops/batch_norm.ts';
import type { Conv2dAttrs } from '../../ops/conv_2d.ts';
import { dropThreshold } from '../../ops/dropout.ts';
import type { FakeQuantAttrs } from '../../ops/fake_quant.ts';
import { SMALLEST_ACTIVATION_RANGE, SMALLEST_WEIGHT_RANGE } from '../../ops/fake_quant.ts';
import type { WindowAttrs } from '../../ops/geometry.ts';
import { slidingWindow } from '../../ops/geometry.ts';
import type { Attrs } from '../../ops/index.ts';
import { forEachWindow } from '../../ops/pool.ts';
import type { PoolAttrs } from '../../ops/pool.ts';
import type { FloatOp } from '../engine.ts';
import type { Attributes, Writer } from './writer.ts';

/** Axis i of the stored tensor is our axis `permutation[i]`. */
export type Permutation = readonly number[];

export interface LoweredNode<K extends FloatOp> {
  /** TensorFlow's names of the operands. */
  readonly inputs: readonly string[];
  /** Shapes as stored. */
  readonly inputShapes: readonly Shape[];
  /** Shapes in our own order of axes. */
  readonly outputShapes: readonly Shape[];
  readonly attrs: Attrs[K];
  /** How the operands in `common` are stored; null is our own order. */
  readonly layout: Permutation | null;
}

export interface Lowering<K extends FloatOp> {
  /** Operands that TensorFlow wants in another order of axes. */
  readonly layouts?: { readonly [operand: number]: Permutation };
  /**
   * Operands that may be stored in any order of axes, the same for all of them if their shapes agree; outputs of that
   * shape are then stored so, too.
   */
  readonly common?: readonly number[];
  /** How output 0 is stored, where `common` does not say it. */
  readonly outputLayout?: (attrs: Attrs[K]) => Permutation | null;
  /** @returns the names of the outputs */
  readonly write: (to: Writer, node: LoweredNode<K>) => readonly string[];
  /** The form that updates variables in place, for a node that does nothing else. */
  readonly update?: {
    /** Output k is the new value of operand `operands[k]`. */
    readonly operands: readonly number[];
    /**
     * @param handles of the variables, as `operands` lists them
     * @param after control inputs, which come last
     * @returns the name of the node that updates the variables
     */
    readonly write: (to: Writer, handles: readonly string[], after: readonly string[], node: LoweredNode<K>) => string;
  };
}

export type Lowerings = { readonly [K in FloatOp]: Lowering<K> | 'graphdef' };

const HWIO: Permutation = [1, 2, 3, 0];
const f32 = Math.fround;

export const lowerings: Lowerings = {
  conv_2d: {
    layouts: { 1: HWIO },
    write(to, { inputs: [input, filter, bias], attrs }) {
      return [withBias(to, to.float('Conv2D', [input!, filter!], windowAttributes(attrs)), bias)];
    },
  },
  conv_2d_grad_input: {
    layouts: { 1: HWIO },
    write: (to, { inputs: [gradient, filter], attrs }) => [
      to.float('Conv2DBackpropInput', [to.int32(attrs.inputShape), filter!, gradient!], windowAttributes(attrs)),
    ],
  },
  conv_2d_grad_filter: {
    outputLayout: () => HWIO,
    write(to, { inputs: [input, gradient], attrs }) {
      const sizes = to.int32(HWIO.map((axis) => attrs.filterShape[axis]!));
      return [to.float('Conv2DBackpropFilter', [input!, sizes, gradient!], windowAttributes(attrs))];
    },
  },
  // Explicit padding becomes a separate Pad: TensorFlow's depthwise kernels abort the process on it.
  depthwise_conv_2d: {
    write(to, { inputs: [input, filter, bias], inputShapes: [inputShape, filterShape], attrs }) {
      const { padded, valid } = explicitFrame(inputShape!, attrs);
      const operands = [padded(to, input!), to.reshape(filter!, depthwiseShape(inputShape!, filterShape!))];
      return [withBias(to, to.float('DepthwiseConv2dNative', operands, windowAttributes(valid)), bias)];
    },
  },
  depthwise_conv_2d_grad_input: {
    write(to, { inputs: [gradient, filter], inputShapes: [, filterShape], attrs }) {
      const { shape, cropped, valid } = explicitFrame(attrs.inputShape, attrs);
      const taps = filterTaps(depthwiseShape(attrs.inputShape, filterShape!), attrs);
      const spread = taps.spread(to, to.reshape(filter!, depthwiseShape(attrs.inputShape, filterShape!)));
      const operands = [to.int32(shape), spread, gradient!];
      const window = windowAttributes({ ...valid, dilations: [1, 1] });
      return [cropped(to, to.float('DepthwiseConv2dNativeBackpropInput', operands, window))];
    },
  },
  depthwise_conv_2d_grad_filter: {
    write(to, { inputs: [input, gradient], inputShapes: [inputShape], attrs }) {
      const { padded, valid } = explicitFrame(inputShape!, attrs);
      const taps = filterTaps(depthwiseShape(inputShape!, attrs.filterShape), attrs);
      const operands = [padded(to, input!), to.int32(taps.shape), gradient!];
      const window = windowAttributes({ ...valid, dilations: [1, 1] });
      const result = to.float('DepthwiseConv2dNativeBackpropFilter', operands, window);
      return [to.reshape(taps.gathered(to, result), attrs.filterShape)];
    },
  },
  transpose_conv: {
    layouts: { 1: [1, 2, 0, 3] },
    write(to, { inputs: [input, filter, bias], outputShapes: [output], attrs }) {
      const operands = [to.int32(output!), filter!, input!];
      const attributes = windowAttributes({ ...attrs, dilations: [1, 1] });
      return [withBias(to, to.float('Conv2DBackpropInput', operands, attributes), bias)];
    },
  },

  fully_connected: {
    layouts: { 1: [1, 0] },
    write(to, { inputs: [input, filter, bias], inputShapes: [inputShape, filterShape], outputShapes: [output] }) {
      const [inner, columns] = filterShape as [number, number];
      const rows = numElements(inputShape!) / inner;
      const matrix = inputShape!.length === 2 ? input! : to.reshape(input!, [rows, inner]);
      const product = withBias(to, matMul(to, matrix, 'plain', filter!, 'plain'), bias);
      return [output!.join() === [rows, columns].join() ? product : to.reshape(product, output!)];
    },
  },
  mat_mul: {
    // Filters are stored transposed, and so is the gradient of one: the product with a transposed first operand.
    common: [1],
    outputLayout: ({ transposeA }) => (transposeA ? [1, 0] : null),
    write(to, { inputs: [a, b], attrs: { transposeA, transposeB }, layout }) {
      const bIsTurned = (layout !== null) !== transposeB;
      if (transposeA) return [matMul(to, b!, bIsTurned ? 'plain' : 'transposed', a!, 'plain')];
      return [matMul(to, a!, 'plain', b!, bIsTurned ? 'transposed' : 'plain')];
    },
  },

  batch_norm: {
    write(to, { inputs: [input, ...parameters], inputShapes: [shape], attrs }) {
      const image = to.reshape(input!, imageShape(shape!));
      const operands = [shape!.length === 4 ? input! : image, ...parameters];
      const output = to.float('FusedBatchNormV3', operands, { ...normAttributes(attrs), ...training(false) });
      return [shape!.length === 4 ? output : to.reshape(output, shape!)];
    },
  },
  batch_norm_train: {
    write(to, { inputs: [input, gamma, beta], inputShapes: [shape], attrs }) {
      const isImage = shape!.length === 4;
      const image = isImage ? input! : to.reshape(input!, imageShape(shape!));
      // Empty: the running statistics are kept by nodes of their own.
      const none = to.once('no statistics', () => to.constant('no_statistics', floatTensor([0], [])));
      const norm = to.float('FusedBatchNormV3', [image, gamma!, beta!, none, none], {
        ...normAttributes(attrs),
        ...training(true),
      });
      // TensorFlow estimates the variance of the population; ours is that of the batch.
      const count = numElements(shape!) / shape!.at(-1)!;
      const biased = to.scalar((count - 1) / count);
      const variance = to.float('Mul', [`${norm}:2`, count > 1 ? biased : to.scalar(1)]);
      to.once(reservedKey(`${norm}:1`, variance), () => [`${norm}:3`, `${norm}:4`, `${norm}:5`]);
      return [isImage ? norm : to.reshape(norm, shape!), `${norm}:1`, variance];
    },
  },
  batch_norm_train_grad: {
    write(to, { inputs: [gradient, input, gamma, mean, variance], inputShapes: [shape], attrs }) {
      const isImage = shape!.length === 4;
      const image = (value: string) => (isImage ? value : to.reshape(value, imageShape(shape!)));
      // What the forward node kept for its gradient depends on the device; on a CPU it is the mean and the variance.
      const reserved = to.once(reservedKey(mean!, variance!), () => [mean!, variance!, mean!]);
      const operands = [image(gradient!), image(input!), gamma!, ...reserved];
      const result = to.float('FusedBatchNormGradV3', operands, { ...normAttributes(attrs), ...training(true) });
      return [isImage ? result : to.reshape(result, shape!), `${result}:1`, `${result}:2`];
    },
  },

  fold_filter: {
    common: [0],
    write(to, { inputs: [filter, gamma, variance], inputShapes: [shape], attrs, layout }) {
      const factor = to.float('Mul', [gamma!, inverseSigma(to, variance!, attrs)]);
      return [to.float('Mul', [filter!, alongAxis(to, factor, shape!, storedAxis(attrs.axis, layout))])];
    },
  },
  fold_filter_grad: {
    common: [0, 1],
    write(to, { inputs: [gradient, filter, gamma, variance], inputShapes: [shape], attrs, layout }) {
      const axis = storedAxis(attrs.axis, layout);
      const inverse = inverseSigma(to, variance!, attrs);
      const factor = to.float('Mul', [gamma!, inverse]);
      const products = reduce(to, 'Sum', to.float('Mul', [gradient!, filter!]), otherAxes(shape!, axis), false);
      return [to.float('Mul', [gradient!, alongAxis(to, factor, shape!, axis)]), to.float('Mul', [products, inverse])];
    },
  },
  fold_correct: {
    write(to, { inputs, inputShapes: [shape], attrs }) {
      const [folded, unfolded, gamma, beta, movingMean, movingVariance, frozen] = inputs;
      const axes = leadingAxes(shape!);
      const mean = unlessFrozen(to, frozen, movingMean!, reduce(to, 'Mean', unfolded!, axes, false));
      const squares = to.float('SquaredDifference', [unfolded!, mean]);
      const variance = unlessFrozen(to, frozen, movingVariance!, reduce(to, 'Mean', squares, axes, false));
      const deviation = sigma(to, variance, attrs);
      const scale = to.float('RealDiv', [sigma(to, movingVariance!, attrs), deviation]);
      const shift = to.float('Sub', [beta!, to.float('RealDiv', [to.float('Mul', [mean, gamma!]), deviation])]);
      return [to.float('AddV2', [to.float('Mul', [folded!, scale]), shift]), mean, variance];
    },
  },
  fold_correct_grad: {
    write(to, { inputs, inputShapes: [shape], attrs }) {
      const [gradient, folded, unfolded, gamma, mean, variance, movingVariance, frozen] = inputs;
      const sumAll = (value: string) => reduce(to, 'Sum', value, leadingAxes(shape!), false);
      const times = (a: string, b: string) => to.float('Mul', [a, b]);
      const over = (a: string, b: string) => to.float('RealDiv', [a, b]);
      const [deviation, moving] = [sigma(to, variance!, attrs), sigma(to, movingVariance!, attrs)];
      const total = sumAll(gradient!);
      const shares = over(times(total, gamma!), deviation);
      // Through sigma(batch), then its variance; every row contributes to it.
      const products = times(sumAll(times(gradient!, folded!)), moving);
      const slopes = over(
        to.float('Sub', [times(times(total, mean!), gamma!), products]),
        times(times(deviation, deviation), deviation),
      );
      const perRow = to.scalar(shape!.at(-1)! / numElements(shape!));
      const slope = unlessFrozen(to, frozen, to.scalar(0), times(slopes, perRow));
      const meanGradient = unlessFrozen(to, frozen, to.scalar(0), times(shares, perRow));
      const offset = to.float('AddV2', [meanGradient, times(slope, mean!)]);
      return [
        times(gradient!, over(moving, deviation)),
        to.float('Sub', [times(unfolded!, slope), offset]),
        to.float('Neg', [over(times(total, mean!), deviation)]),
        total,
      ];
    },
  },

  relu: 'graphdef',
  relu6: 'graphdef',
  relu_grad: {
    write: (to, { inputs, attrs: { limit } }) => [rectifierGradient(to, inputs, limit)],
  },
  leaky_relu: 'graphdef',
  leaky_relu_grad: {
    write: (to, { inputs: [gradient, input], attrs: { alpha } }) => [
      select(to, to.float('GreaterEqual', [input!, to.scalar(0)]), gradient!, scaled(to, gradient!, alpha)),
    ],
  },
  prelu: {
    write: (to, { inputs: [input, alpha] }) => [
      select(to, to.float('GreaterEqual', [input!, to.scalar(0)]), input!, to.float('Mul', [input!, alpha!])),
    ],
  },
  prelu_grad: {
    write: (to, { inputs: [gradient, input, alpha] }) => [
      select(to, to.float('GreaterEqual', [input!, to.scalar(0)]), gradient!, to.float('Mul', [gradient!, alpha!])),
    ],
  },
  hard_swish: {
    write(to, { inputs: [input] }) {
      const gate = to.float('Relu6', [to.float('AddV2', [input!, to.scalar(3)])]);
      return [scaled(to, to.float('Mul', [input!, gate]), 1 / 6)];
    },
  },
  hard_swish_grad: {
    write(to, { inputs: [gradient, input] }) {
      const middle = to.float('AddV2', [scaled(to, input!, 1 / 3), to.scalar(0.5)]);
      const lower = select(to, to.float('LessEqual', [input!, to.scalar(-3)]), to.scalar(0), middle);
      const slope = select(to, to.float('GreaterEqual', [input!, to.scalar(3)]), to.scalar(1), lower);
      return [to.float('Mul', [gradient!, slope])];
    },
  },
  logistic: 'graphdef',
  tanh: 'graphdef',
  l2_normalization: {
    write: (to, { inputs: [input] }) => [to.float('Mul', [input!, inverseLength(to, input!)])],
  },
  l2_normalization_grad: {
    // (gradient - y * (gradient . y)) / length with y = input / length.
    write(to, { inputs: [gradient, input] }) {
      const inverse = inverseLength(to, input!);
      const direction = to.float('Mul', [input!, inverse]);
      const along = sumRows(to, to.float('Mul', [gradient!, direction]));
      return [to.float('Mul', [to.float('Sub', [gradient!, to.float('Mul', [direction, along])]), inverse])];
    },
  },

  max_pool_2d: {
    write: (to, { inputs: [input], attrs }) => [maxPool(to, input!, attrs)],
  },
  max_pool_2d_grad: {
    write: (to, { inputs: [input, gradient], attrs }) => [
      to.float('MaxPoolGrad', [input!, maxPool(to, input!, attrs), gradient!], poolAttributes(attrs)),
    ],
  },
  average_pool_2d: {
    write(to, { inputs: [input], inputShapes: [shape], attrs }) {
      const { padded, valid } = explicitFrame(shape!, attrs);
      return [inside(to, to.float('AvgPool', [padded(to, input!)], poolAttributes(valid)), shape!, attrs)];
    },
  },
  average_pool_2d_grad: {
    write(to, { inputs: [gradient], attrs }) {
      const { shape, cropped, valid } = explicitFrame(attrs.inputShape, attrs);
      const operands = [to.int32(shape), inside(to, gradient!, attrs.inputShape, attrs)];
      return [cropped(to, to.float('AvgPoolGrad', operands, poolAttributes(valid)))];
    },
  },

  mean: 'graphdef',
  sum: {
    write(to, { inputs: [input], inputShapes: [shape], attrs: { axes, keepDims } }) {
      // The gradient of a bias has a faster kernel.
      if (!keepDims && shape!.length > 1 && axes.join() === leadingAxes(shape!).join()) {
        return [to.float('BiasAddGrad', [input!])];
      }
      return [reduce(to, 'Sum', input!, axes, keepDims)];
    },
  },
  broadcast_grad: {
    write(to, { inputs: [gradient], attrs: { axes, inputShape, factor } }) {
      const kept = inputShape.map((size, axis) => (axes.includes(axis) ? 1 : size));
      const share = scaled(to, to.reshape(gradient!, kept), factor);
      return [to.float('BroadcastTo', [share, to.int32(inputShape)], tidx)];
    },
  },
  reshape: 'graphdef',
  squeeze: 'graphdef',
  transpose: 'graphdef',
  pad: 'graphdef',
  strided_slice: 'graphdef',
  strided_slice_grad: {
    write(to, { inputs: [gradient], attrs }) {
      const parts = [attrs.inputShape, attrs.begin, attrs.end, attrs.strides].map((values) => to.int32(values));
      return [
        to.float('StridedSliceGrad', [...parts, gradient!], {
          ...indexType,
          begin_mask: { kind: 'int', value: attrs.beginMask },
          end_mask: { kind: 'int', value: attrs.endMask },
          shrink_axis_mask: { kind: 'int', value: attrs.shrinkAxisMask },
        }),
      ];
    },
  },
  split: {
    write(to, { inputs: [input], attrs: { axis, count } }) {
      const sizes = { num_split: { kind: 'int', value: count } } as const;
      const pieces = to.float('Split', [to.int32Scalar(axis), input!], sizes);
      return Array.from({ length: count }, (_, index) => `${pieces}:${index}`);
    },
  },
  concatenation: 'graphdef',
  resize_bilinear: 'graphdef',
  resize_bilinear_grad: {
    write(to, { inputs: [gradient], attrs }) {
      // Only the shape of the image is read.
      const image = to.float('Fill', [to.int32(attrs.inputShape), to.scalar(0)], { index_type: INT32 });
      return [to.float('ResizeBilinearGrad', [gradient!, image], resizeAttributes(attrs))];
    },
  },
  resize_nearest_neighbor: 'graphdef',
  resize_nearest_neighbor_grad: {
    write(to, { inputs: [gradient], attrs }) {
      const size = to.int32(attrs.inputShape.slice(1, 3));
      return [to.float('ResizeNearestNeighborGrad', [gradient!, size], resizeAttributes(attrs))];
    },
  },

  add: {
    common: [0, 1],
    write(to, { inputs: [a, b], inputShapes: [aShape, bShape], outputShapes: [output] }) {
      if (aShape!.join() === bShape!.join()) return [to.float('AddV2', [a!, b!])];
      // Behind a convolution TensorFlow takes a sum for one of two images, whatever their shapes, and fails.
      const [whole, stretched] = aShape!.join() === output!.join() ? [a!, b!] : [b!, a!];
      return [to.float('Sub', [whole, to.float('Neg', [stretched])])];
    },
  },
  sub: { common: [0, 1], write: (to, { inputs }) => [to.float('Sub', inputs)] },
  mul: { common: [0, 1], write: (to, { inputs }) => [to.float('Mul', inputs)] },

  softmax: {
    write: (to, { inputs: [logits], attrs: { beta } }) => [
      to.float('Softmax', [beta === 1 ? logits! : scaled(to, logits!, beta)]),
    ],
  },
  softmax_cross_entropy: {
    write(to, { inputs: [logits, labels, table] }) {
      const losses =
        table === undefined
          ? crossEntropy(to, logits!, labels!)
          : to.float('SoftmaxCrossEntropyWithLogits', [logits!, targetRows(to, table, labels!)]);
      return [reduce(to, 'Mean', `${losses}:0`, [0], false)];
    },
  },
  softmax_cross_entropy_grad: {
    write(to, { inputs: [gradient, logits, labels, table], inputShapes: [, shape] }) {
      const factor = to.float('RealDiv', [gradient!, to.scalar(shape![0]!)]);
      if (table === undefined) return [to.float('Mul', [`${crossEntropy(to, logits!, labels!)}:1`, factor])];
      // The gradient that TensorFlow's loss has beside it is that of targets whose sum is 1.
      const targets = targetRows(to, table, labels!);
      const shares = to.float('Mul', [to.float('Softmax', [logits!]), sumRows(to, targets)]);
      return [to.float('Mul', [to.float('Sub', [shares, targets]), factor])];
    },
  },
  sigmoid_cross_entropy: {
    write(to, { inputs: [logits, labels, weights], inputShapes: [shape], attrs: { smoothing } }) {
      const far = to.float('Exp', [to.float('Neg', [to.float('Abs', [logits!])])]);
      const product = to.float('Mul', [logits!, smoothed(to, labels!, smoothing)]);
      const near = to.float('Sub', [to.float('Relu', [logits!]), product]);
      const losses = to.float('AddV2', [near, to.float('Log1p', [far])]);
      const weighted = weights === undefined ? losses : to.float('Mul', [losses, answerWeights(to, weights, labels!)]);
      return [reduce(to, 'Mean', weighted, otherAxes(shape!, -1), false)];
    },
  },
  sigmoid_cross_entropy_grad: {
    write(to, { inputs: [gradient, logits, labels, weights], inputShapes: [, shape], attrs: { smoothing } }) {
      const factor = scaled(to, gradient!, 1 / numElements(shape!));
      const difference = to.float('Sub', [to.float('Sigmoid', [logits!]), smoothed(to, labels!, smoothing)]);
      const slopes =
        weights === undefined ? difference : to.float('Mul', [difference, answerWeights(to, weights, labels!)]);
      return [to.float('Mul', [slopes, factor])];
    },
  },
  top_1_count: {
    write(to, { inputs: [logits, labels] }) {
      const best = to.float('ArgMax', [logits!, to.int32Scalar(1)], { ...tidx, output_type: INT32 });
      const equal = to.add('Equal', [best, wholeLabels(to, labels!)], { T: INT32 });
      return [reduce(to, 'Sum', cast(to, equal, BOOL, FLOAT), [0], false)];
    },
  },

  mean_squared_error: {
    write: (to, { inputs, inputShapes: [shape] }) => [
      reduce(to, 'Mean', to.float('SquaredDifference', inputs), otherAxes(shape!, -1), false),
    ],
  },
  mean_squared_error_grad: {
    write(to, { inputs: [gradient, prediction, target], inputShapes: [, shape] }) {
      const factor = scaled(to, gradient!, 2 / numElements(shape!));
      return [to.float('Mul', [to.float('Sub', [prediction!, target!]), factor])];
    },
  },

  mean_absolute_error: {
    write: (to, { inputs, inputShapes: [shape] }) => [
      reduce(to, 'Mean', to.float('Abs', [to.float('Sub', inputs)]), otherAxes(shape!, -1), false),
    ],
  },
  mean_absolute_error_grad: {
    write(to, { inputs: [gradient, prediction, target], inputShapes: [, shape] }) {
      const factor = scaled(to, gradient!, 1 / numElements(shape!));
      return [to.float('Mul', [to.float('Sign', [to.float('Sub', [prediction!, target!])]), factor])];
    },
  },
  mean_huber_error: {
    // limited * (difference - limited / 2) is both of its forms.
    write(to, { inputs, inputShapes: [shape], attrs: { delta } }) {
      const difference = to.float('Sub', inputs);
      const limited = within(to, difference, delta);
      const errors = to.float('Mul', [limited, to.float('Sub', [difference, scaled(to, limited, 0.5)])]);
      return [reduce(to, 'Mean', errors, otherAxes(shape!, -1), false)];
    },
  },
  mean_huber_error_grad: {
    write(to, { inputs: [gradient, prediction, target], inputShapes: [, shape], attrs: { delta } }) {
      const factor = scaled(to, gradient!, 1 / numElements(shape!));
      return [to.float('Mul', [within(to, to.float('Sub', [prediction!, target!]), delta), factor])];
    },
  },

  dropout: {
    write(to, { inputs: [input, key, off], inputShapes: [shape], attrs: { rate, stream } }) {
      const drop = (value: string): string => {
        const words = to.float('Unpack', [cast(to, key!, FLOAT, UINT32)], {
          T: UINT32,
          num: { kind: 'int', value: 2 },
          axis: { kind: 'int', value: 0 },
        });
        const xor = (a: string, b: string) => to.add('BitwiseXor', [a, b], { T: UINT32 });
        const first = mixBits(to, xor(word(to, stream), words));
        const second = mixBits(to, xor(first, `${words}:1`));
        const [start, end, step] = [0, numElements(shape!), 1].map((bound) => to.int32Scalar(bound));
        const index = cast(to, to.add('Range', [start!, end!, step!], tidx), INT32, UINT32);
        const drawn = shiftRight(to, mixBits(to, xor(mixBits(to, xor(index, first)), second)), 8);
        const keeps = to.add('GreaterEqual', [drawn, word(to, dropThreshold(rate))], { T: UINT32 });
        const mask = to.reshape(cast(to, keeps, BOOL, FLOAT), shape!);
        return to.float('Mul', [scaled(to, value, 1 / (1 - rate)), mask]);
      };
      return [off === undefined ? drop(input!) : switched(to, differs(to, off, 1), input!, drop)];
    },
  },
  fake_quant: {
    common: [0],
    write(to, { inputs: [input, min, max, active], inputShapes: [shape], attrs, layout }) {
      const op = attrs.axis === null ? 'FakeQuantWithMinMaxVars' : 'FakeQuantWithMinMaxVarsPerChannel';
      const rounded = (value: string): string => to.add(op, [value, min!, max!], quantAttributes(attrs));
      const quantize = (value: string): string => {
        if (attrs.axis === null) return rounded(value);
        const { there, back } = toLastAxis(shape!, storedAxis(attrs.axis, layout));
        return back(to, rounded(there(to, value)));
      };
      return [active === undefined ? quantize(input!) : switched(to, differs(to, active, 0), input!, quantize)];
    },
  },
  fake_quant_grad: {
    common: [0, 1],
    write(to, { inputs: [gradient, input, min, max, active], inputShapes: [, shape], attrs, layout }) {
      const op = `FakeQuantWithMinMaxVars${attrs.axis === null ? '' : 'PerChannel'}Gradient`;
      const passed = (slopes: string, values: string): string =>
        to.add(op, [slopes, values, min!, max!], quantAttributes(attrs));
      const block = (slopes: string): string => {
        if (attrs.axis === null) return passed(slopes, input!);
        const { there, back } = toLastAxis(shape!, storedAxis(attrs.axis, layout));
        return back(to, passed(there(to, slopes), there(to, input!)));
      };
      return [active === undefined ? block(gradient!) : switched(to, differs(to, active, 0), gradient!, block)];
    },
  },
  observe_range: {
    common: [0],
    write(to, { inputs: [input], inputShapes: [shape], attrs: { axis, symmetric }, layout }) {
      const axes = otherAxes(shape!, axis === null ? -1 : storedAxis(axis, layout));
      const reduced = (op: string, value: string) => reduce(to, op, value, axes, false);
      if (symmetric) {
        const largest = reduced('Max', to.float('Abs', [input!]));
        const max = to.float('Maximum', [largest, to.scalar(SMALLEST_WEIGHT_RANGE)]);
        return [to.float('Neg', [max]), max];
      }
      return [
        to.float('Minimum', [reduced('Min', input!), to.scalar(0)]),
        to.float('Maximum', [reduced('Max', input!), to.scalar(0)]),
      ];
    },
  },

  increment: { write: (to, { inputs: [counter] }) => [to.float('AddV2', [counter!, to.scalar(1)])] },
  reached: {
    write(to, { inputs: [counter], attrs: { threshold } }) {
      const reached = to.float('GreaterEqual', [counter!, to.scalar(threshold)]);
      return [cast(to, reached, BOOL, FLOAT)];
    },
  },
  moving_average: {
    common: [0, 1],
    write(to, { inputs: [average, value], attrs: { decay } }) {
      const change = to.float('Mul', [to.float('Sub', [average!, value!]), to.scalar(1 - decay)]);
      return [to.float('Sub', [average!, change])];
    },
  },
  running_extreme: {
    common: [0, 1],
    write(to, { inputs: [extreme, value], attrs: { decay, end } }) {
      const faded = to.float('Mul', [extreme!, to.scalar(decay)]);
      return [rangeEnd(to, to.float(end === 'max' ? 'Maximum' : 'Minimum', [value!, faded]))];
    },
  },
  zero_debias: {
    common: [0],
    write(to, { inputs: [biased, count], attrs: { decay } }) {
      const divisor = to.once(`zero debias ${count!} ${decay}`, () =>
        to.float('Sub', [to.scalar(1), to.float('Pow', [to.scalar(1 - f32(1 - decay)), count!])]),
      );
      return [rangeEnd(to, to.float('RealDiv', [biased!, divisor]))];
    },
  },
  // Over one value for all replicas; the pieces of several are combined by plan.ts.
  cross_replica: { common: [0], write: (_to, { inputs }) => inputs },
  momentum_update: {
    common: [0, 1, 2],
    write(to, { inputs: [parameter, gradient, velocity, rate], attrs }) {
      const slope = decayed(to, gradient!, parameter!, attrs.weightDecay);
      const speed = to.float('AddV2', [scaled(to, velocity!, attrs.momentum), slope]);
      const step = attrs.nesterov ? to.float('AddV2', [slope, scaled(to, speed, attrs.momentum)]) : speed;
      return [to.float('Sub', [parameter!, to.float('Mul', [rate!, step])]), speed];
    },
    update: {
      operands: [0, 2],
      write(to, handles, after, { inputs: [parameter, gradient, , rate], attrs }) {
        const slope = decayed(to, gradient!, parameter!, attrs.weightDecay);
        return to.float('ResourceApplyMomentum', [...handles, rate!, slope, to.scalar(attrs.momentum), ...after], {
          use_locking: { kind: 'bool', value: false },
          use_nesterov: { kind: 'bool', value: attrs.nesterov },
        });
      },
    },
  },
  adam_update: {
    common: [0, 1, 2, 3],
    write(to, { inputs: [parameter, gradient, first, second, rate, count], attrs }) {
      const { beta1, beta2, epsilon } = attrs;
      const slope = decayed(to, gradient!, parameter!, attrs.weightDecay);
      const blend = (old: string, value: string, beta: number) =>
        to.float('AddV2', [scaled(to, old, beta), scaled(to, value, 1 - f32(beta))]);
      const mean = blend(first!, slope, beta1);
      const square = blend(second!, to.float('Square', [slope]), beta2);
      const [power1, power2] = [power(to, beta1, count!), power(to, beta2, count!)];
      const corrected = to.once(`adam rate ${rate!} ${power1} ${power2}`, () => {
        const rest = (of: string) => to.float('Sub', [to.scalar(1), of]);
        return to.float('Mul', [rate!, to.float('RealDiv', [to.float('Sqrt', [rest(power2)]), rest(power1)])]);
      });
      const root = to.float('AddV2', [to.float('Sqrt', [square]), to.scalar(epsilon)]);
      const change = to.float('RealDiv', [to.float('Mul', [corrected, mean]), root]);
      return [to.float('Sub', [parameter!, change]), mean, square];
    },
    update: {
      operands: [0, 2, 3],
      write(to, handles, after, { inputs: [parameter, gradient, , , rate, count], attrs }) {
        const { beta1, beta2, epsilon } = attrs;
        const slope = decayed(to, gradient!, parameter!, attrs.weightDecay);
        const powers = [power(to, beta1, count!), power(to, beta2, count!)];
        const settings = [beta1, beta2, epsilon].map((value) => to.scalar(value));
        return to.float('ResourceApplyAdam', [...handles, ...powers, rate!, ...settings, slope, ...after], {
          use_locking: { kind: 'bool', value: false },
          use_nesterov: { kind: 'bool', value: false },
        });
      },
    },
  },
};

const FLOAT = { kind: 'type', value: 'float32' } as const;
const INT32 = { kind: 'type', value: 'int32' } as const;
const UINT32 = { kind: 'type', value: 'uint32' } as const;
const BOOL = { kind: 'type', value: 'bool' } as const;
const tidx: Attributes = { Tidx: INT32 };
const indexType: Attributes = { Index: INT32 };

function windowAttributes({ padding, strides, dilations }: Pick<Conv2dAttrs, 'padding' | 'strides' | 'dilations'>) {
  const spatial = { strides: intList([1, ...strides, 1]), dilations: intList([1, ...dilations, 1]) };
  return { ...writePadding(padding), ...spatial };
}

function poolAttributes({ padding, strides, window }: PoolAttrs): Attributes {
  return { ...writePadding(padding), strides: intList([1, ...strides, 1]), ksize: intList([1, ...window, 1]) };
}

function normAttributes({ epsilon }: BatchNormAttrs): Attributes {
  return { U: FLOAT, epsilon: { kind: 'float', value: epsilon } };
}

const training = (isTraining: boolean): Attributes => ({ is_training: { kind: 'bool', value: isTraining } });

/** Of the output's gradient and the output. */
export function rectifierGradient(to: Writer, inputs: readonly string[], limit: number): string {
  if (limit !== Infinity && limit !== 6) return internal(`TensorFlow has no rectifier with the limit ${limit}`);
  return to.float(limit === 6 ? 'Relu6Grad' : 'ReluGrad', inputs);
}

function quantAttributes({ bits, narrowRange }: FakeQuantAttrs): Attributes {
  return { num_bits: { kind: 'int', value: bits }, narrow_range: { kind: 'bool', value: narrowRange } };
}

function resizeAttributes(attrs: { readonly alignCorners: boolean; readonly halfPixelCenters: boolean }): Attributes {
  return {
    align_corners: { kind: 'bool', value: attrs.alignCorners },
    half_pixel_centers: { kind: 'bool', value: attrs.halfPixelCenters },
  };
}

function withBias(to: Writer, value: string, bias: string | undefined): string {
  return bias === undefined ? value : to.float('BiasAdd', [value, bias]);
}

type Turned = 'plain' | 'transposed';

function matMul(to: Writer, a: string, aIs: Turned, b: string, bIs: Turned): string {
  return to.float('MatMul', [a, b], {
    transpose_a: { kind: 'bool', value: aIs === 'transposed' },
    transpose_b: { kind: 'bool', value: bIs === 'transposed' },
  });
}

/** [height, width, channels, multiplier] for our [1, height, width, channels * multiplier]. */
function depthwiseShape(input: Shape, filter: Shape): Shape {
  const channels = input[3]!;
  return [filter[1]!, filter[2]!, channels, filter[3]! / channels];
}

/**
 * For kernels without dilation, such as TensorFlow's depthwise gradients: puts zeros between the taps of a filter, and
 * takes the taps out again.
 */
function filterTaps(filter: Shape, { dilations }: Conv2dAttrs) {
  const steps = [...dilations, 1, 1];
  const same = (_to: Writer, value: string): string => value;
  if (dilations.every((dilation) => dilation === 1)) return { shape: filter, spread: same, gathered: same };
  const shape = filter.map((taps, axis) => (taps - 1) * steps[axis]! + 1);
  const slice = (to: Writer): readonly string[] => [to.int32([0, 0, 0, 0]), to.int32(shape), to.int32(steps)];
  return {
    shape,
    spread: (to: Writer, value: string) =>
      to.float('StridedSliceGrad', [to.int32(shape), ...slice(to), value], indexType),
    gathered: (to: Writer, value: string) => to.float('StridedSlice', [value, ...slice(to)], indexType),
  };
}

/** Batch norm takes images; rows are images of one pixel. */
function imageShape(shape: Shape): Shape {
  const channels = shape.at(-1)!;
  return [numElements(shape) / channels, 1, 1, channels];
}

const reservedKey = (mean: string, variance: string): string => `reserved ${mean} ${variance}`;

function scaled(to: Writer, value: string, factor: number): string {
  return to.float('Mul', [value, to.scalar(factor)]);
}

function select(to: Writer, condition: string, yes: string, no: string): string {
  return to.float('SelectV2', [condition, yes, no]);
}

type ElementType = typeof BOOL | typeof FLOAT | typeof INT32 | typeof UINT32;

function cast(to: Writer, value: string, from: ElementType, into: ElementType): string {
  return to.add('Cast', [value], { SrcT: from, DstT: into });
}

function reduce(to: Writer, op: string, value: string, axes: readonly number[], keepDims: boolean): string {
  return to.float(op, [value, to.int32(axes)], { ...tidx, keep_dims: { kind: 'bool', value: keepDims } });
}

function leadingAxes(shape: Shape): readonly number[] {
  return shape.slice(0, -1).map((_, axis) => axis);
}

function sumRows(to: Writer, value: string): string {
  return reduce(to, 'Sum', value, [-1], true);
}

/** One over the length of each row; the square of the least length that counts is 1e-12. */
function inverseLength(to: Writer, input: string): string {
  const squares = sumRows(to, to.float('Square', [input]));
  return to.float('Rsqrt', [to.float('Maximum', [squares, to.scalar(1e-12)])]);
}

function maxPool(to: Writer, input: string, attrs: PoolAttrs): string {
  return to.once(`max pool ${input} ${JSON.stringify(attrs)}`, () =>
    to.float('MaxPool', [input], poolAttributes(attrs)),
  );
}

/**
 * For kernels without explicit padding: how to pad the image with zeros and crop its gradient, and the attributes of
 * the window on the padded image. Other paddings are left as they are.
 */
function explicitFrame<Window extends WindowAttrs>(image: Shape, attrs: Window) {
  const same = (_to: Writer, value: string): string => value;
  if (attrs.padding.kind !== 'explicit') return { shape: image, padded: same, cropped: same, valid: attrs };
  const { top, bottom, left, right } = attrs.padding;
  const frame = [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ] as const;
  return {
    shape: image.map((size, axis) => size + frame[axis]![0] + frame[axis]![1]),
    padded(to: Writer, value: string): string {
      const sizes = tensor('int32', [4, 2], Int32Array.from(frame.flat()));
      return to.float('Pad', [value, to.constant('paddings', sizes)], { Tpaddings: INT32 });
    },
    cropped(to: Writer, value: string): string {
      const begin = to.int32(frame.map(([before]) => before));
      return to.float('Slice', [value, begin, to.int32(image)], indexType);
    },
    valid: { ...attrs, padding: { kind: 'valid' } as const },
  };
}

/** Turns means over windows of a padded image into means over the pixels inside the image. */
function inside(to: Writer, value: string, image: Shape, attrs: PoolAttrs): string {
  if (attrs.padding.kind !== 'explicit') return value;
  const [height, width] = attrs.window;
  const { outputHeight, outputWidth } = slidingWindow(image, attrs.window, attrs);
  const shares = new Float32Array(outputHeight * outputWidth);
  forEachWindow([1, image[1]!, image[2]!, 1], attrs, (at, _base, rows, columns) => {
    shares[at] = (height * width) / ((rows[1] - rows[0]) * (columns[1] - columns[0]));
  });
  return to.float('Mul', [value, to.constant('shares', floatTensor([1, outputHeight, outputWidth, 1], shares))]);
}

function wholeLabels(to: Writer, labels: string): string {
  return to.once(`labels ${labels}`, () => cast(to, labels, FLOAT, INT32));
}

/** One node gives the losses of the rows (output 0) and their gradients (output 1). */
function crossEntropy(to: Writer, logits: string, labels: string): string {
  return to.once(`cross entropy ${logits} ${labels}`, () =>
    to.float('SparseSoftmaxCrossEntropyWithLogits', [logits, wholeLabels(to, labels)], { Tlabels: INT32 }),
  );
}

/** The row of a table for each label. */
function targetRows(to: Writer, table: string, labels: string): string {
  return to.once(`targets ${table} ${labels}`, () =>
    to.add('GatherV2', [table, wholeLabels(to, labels), to.int32Scalar(0)], {
      Tparams: FLOAT,
      Tindices: INT32,
      Taxis: INT32,
    }),
  );
}

/** label * (1 - smoothing) + smoothing / 2 */
function smoothed(to: Writer, labels: string, smoothing: number): string {
  if (smoothing === 0) return labels;
  return to.once(`smoothed ${labels} ${smoothing}`, () =>
    to.float('AddV2', [scaled(to, labels, 1 - f32(smoothing)), to.scalar(f32(smoothing) / 2)]),
  );
}

/** label * weights[1] + (1 - label) * weights[0] */
function answerWeights(to: Writer, weights: string, labels: string): string {
  return to.once(`weights ${weights} ${labels}`, () => {
    const rows = to.float('Unpack', [weights], { num: { kind: 'int', value: 2 }, axis: { kind: 'int', value: 0 } });
    const no = to.float('Mul', [to.float('Sub', [to.scalar(1), labels]), rows]);
    return to.float('AddV2', [to.float('Mul', [labels, `${rows}:1`]), no]);
  });
}

/** Limited to -limit .. limit. */
function within(to: Writer, value: string, limit: number): string {
  return to.float('Maximum', [to.float('Minimum', [value, to.scalar(limit)]), to.scalar(-limit)]);
}

/** Runs `body` only if the condition holds; otherwise passes the value on without a copy or any computation. */
function switched(to: Writer, condition: string, value: string, body: (value: string) => string): string {
  const branches = to.float('Switch', [value, condition]);
  return to.float('Merge', [branches, body(`${branches}:1`)], { N: { kind: 'int', value: 2 } });
}

/** Whether a scalar differs from a number. */
function differs(to: Writer, value: string, number: number): string {
  return to.once(`${value} is not ${number}`, () => to.float('NotEqual', [value, to.scalar(number)]));
}

function unlessFrozen(to: Writer, frozen: string | undefined, fixed: string, value: string): string {
  return frozen === undefined ? value : select(to, differs(to, frozen, 1), value, fixed);
}

function sigma(to: Writer, variance: string, { epsilon }: BatchNormAttrs): string {
  return to.once(`sigma ${variance} ${epsilon}`, () =>
    to.float('Sqrt', [to.float('AddV2', [variance, to.scalar(epsilon)])]),
  );
}

function inverseSigma(to: Writer, variance: string, attrs: BatchNormAttrs): string {
  return to.float('Reciprocal', [sigma(to, variance, attrs)]);
}

/** A value for each index of an axis, shaped so that it broadcasts along it. */
function alongAxis(to: Writer, values: string, shape: Shape, axis: number): string {
  const broadcast = shape.map((size, index) => (index === axis ? size : 1));
  return axis === shape.length - 1 ? values : to.reshape(values, broadcast);
}

function otherAxes(shape: Shape, axis: number): readonly number[] {
  return shape.map((_, index) => index).filter((index) => index !== axis);
}

/** An unsigned word. */
function word(to: Writer, value: number): string {
  return to.once(`word ${value}`, () => cast(to, to.int32Scalar(value | 0), INT32, UINT32));
}

function shiftRight(to: Writer, value: string, bits: number): string {
  return to.add('RightShift', [value, word(to, bits)], { T: UINT32 });
}

/** As `mixBits` of core/random.ts. */
function mixBits(to: Writer, value: string): string {
  const xor = (a: string, b: string) => to.add('BitwiseXor', [a, b], { T: UINT32 });
  const times = (a: string, factor: number) => to.add('Mul', [a, word(to, factor)], { T: UINT32 });
  const once = times(xor(value, shiftRight(to, value, 16)), 0x85ebca6b);
  const twice = times(xor(once, shiftRight(to, once, 13)), 0xc2b2ae35);
  return xor(twice, shiftRight(to, twice, 16));
}

/** Where our axis is in the stored tensor. */
export function storedAxis(axis: number, layout: Permutation | null): number {
  return layout === null ? axis : layout.indexOf(axis);
}

/** The permutation that moves an axis to the end, where per-channel ops want it, and its inverse. */
function toLastAxis(shape: Shape, axis: number) {
  const axes = shape.map((_, index) => index);
  const last = [...otherAxes(shape, axis), axis];
  const turned = (permutation: readonly number[]) => (to: Writer, value: string) =>
    axis === shape.length - 1 ? value : to.transpose(value, permutation);
  return { there: turned(last), back: turned(axes.map((index) => last.indexOf(index))) };
}

/**
 * gradient + weightDecay * parameter; as a difference, since TensorFlow takes weights of one row that are added to a
 * product of matrices for its bias, and fails.
 */
function decayed(to: Writer, gradient: string, parameter: string, weightDecay: number): string {
  return weightDecay === 0 ? gradient : to.float('Sub', [gradient, scaled(to, parameter, -weightDecay)]);
}

/** An end of a range, or zero if it is too close to zero. */
function rangeEnd(to: Writer, value: string): string {
  const hasCodes = to.float('GreaterEqual', [to.float('Abs', [value]), to.scalar(SMALLEST_ACTIVATION_RANGE)]);
  return select(to, hasCodes, value, to.scalar(0));
}

function power(to: Writer, base: number, exponent: string): string {
  return to.once(`power ${base} ${exponent}`, () => to.float('Pow', [to.scalar(base), exponent]));
}

/** The lowering of an op that a float graph may hold. */
export function loweringOf(table: Lowerings, op: string): Lowering<FloatOp> | 'graphdef' {
  if (!Object.hasOwn(table, op)) return internal(`${op} has no TensorFlow form`);
  // A union of lowerings takes the intersection of nodes; the planner passes the node of the same op.
  return table[op as FloatOp] as Lowering<FloatOp> | 'graphdef';
}
