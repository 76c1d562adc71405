/** The column of the op table for fast kernels: how each op becomes instructions. A missing op does not compile. */
import { internal } from '../../core/assert.ts';
import type { Shape } from '../../core/tensor.ts';
import { numElements, sameShape } from '../../core/tensor.ts';
import { concatenationCopies } from '../../ops/concatenation.ts';
import type { Conv2dAttrs } from '../../ops/conv_2d.ts';
import { dropThreshold } from '../../ops/dropout.ts';
import { SMALLEST_ACTIVATION_RANGE, SMALLEST_WEIGHT_RANGE } from '../../ops/fake_quant.ts';
import { slidingWindow } from '../../ops/geometry.ts';
import { paddingCopy } from '../../ops/pad.ts';
import type { PoolAttrs } from '../../ops/pool.ts';
import { reducedCount } from '../../ops/reduce.ts';
import type { Taps } from '../../ops/resize.ts';
import { bilinearTaps } from '../../ops/resize_bilinear.ts';
import { nearestTaps } from '../../ops/resize_nearest_neighbor.ts';
import { splitCopies } from '../../ops/split.ts';
import type { StridedCopy } from '../../ops/strided.ts';
import { sliceCopy } from '../../ops/strided_slice.ts';
import { transposition } from '../../ops/transpose.ts';
import { convolutionAttrs } from '../../ops/transpose_conv.ts';
import type { FloatOp } from '../engine.ts';
import { lowerConvolution, lowerFilterGradient, lowerInputGradient, lowerProduct } from './convolution.ts';
import * as code from './opcodes.ts';
import type { Instruction, KernelNode, Operand, Phase, Region, WasmKernel } from './program.ts';
import { float32Bits } from '../../wasm/program.ts';

type Kernels = { readonly [K in FloatOp]: WasmKernel<K> };

const f32 = Math.fround;

export const kernels: Kernels = {
  conv_2d: { lower: lowerConvolution },
  conv_2d_grad_input: { lower: lowerInputGradient },
  conv_2d_grad_filter: { lower: lowerFilterGradient },

  depthwise_conv_2d: {
    lower({ inputs, outputs: [output], attrs }) {
      const [input, filter, bias] = inputs as readonly [Operand, Operand, Operand?];
      const args = [input.region, filter.region, output!.region, bias?.region ?? 0];
      return [[{ code: code.DEPTHWISE, args: [...args, ...depthwiseWords(input.shape, filter.shape, attrs)] }]];
    },
  },
  depthwise_conv_2d_grad_input: {
    lower({ inputs, outputs: [result], attrs }) {
      const [gradient, filter] = inputs as readonly [Operand, Operand];
      const words = depthwiseWords(attrs.inputShape, filter.shape, attrs);
      const args = [result!.region, filter.region, gradient.region, 0, ...words];
      return [[{ code: code.DEPTHWISE_GRAD_INPUT, args }]];
    },
  },
  depthwise_conv_2d_grad_filter: {
    lower({ inputs, outputs: [result], attrs, temporary }) {
      const [input, gradient] = inputs as readonly [Operand, Operand];
      const { count, region } = result!;
      const slices = slicesOf(input.shape[0]!);
      const partial = temporary(slices * count * 4);
      const words = depthwiseWords(input.shape, attrs.filterShape, attrs);
      const args = [input.region, partial, gradient.region, 0, ...words, slices];
      return [
        [{ code: code.DEPTHWISE_GRAD_FILTER, args }],
        [{ code: code.REDUCE, args: [partial, region, 1, slices, count, 1], scratchBytes: count * 8 }],
      ];
    },
  },
  transpose_conv: {
    // The input gradient of a convolution whose filter has inputs and outputs exchanged.
    lower(node) {
      const [input, filter, bias] = node.inputs as readonly [Operand, Operand, Operand?];
      const [output] = node.outputs as readonly [Operand];
      const copy = transposition(filter.shape, { permutation: [3, 1, 2, 0] });
      const exchanged = { region: node.temporary(filter.count * 4), shape: copy.sizes, count: filter.count };
      const attrs = { ...convolutionAttrs(node.attrs), inputShape: output.shape };
      const phases = [
        ...moved(node, [[filter.region, copy]], exchanged.region),
        ...lowerInputGradient({ ...node, inputs: [input, exchanged], attrs }),
      ];
      if (bias === undefined) return phases;
      const expanded = node.temporary(output.count * 4);
      return [
        ...phases,
        ...expand(node, bias.region, expanded, output.shape, [0, 1, 2], 1),
        [{ code: code.ADD, args: [expanded, output.region, output.region, output.count] }],
      ];
    },
  },

  fully_connected: {
    lower(node) {
      const [input, filter, bias] = node.inputs as readonly [Operand, Operand, Operand?];
      const [columns, inner] = filter.shape as [number, number];
      return lowerProduct(node, {
        ...{ a: input.region, aRowStride: inner, aInnerStride: 1 },
        ...{ b: filter.region, bInnerStride: 1, bColumnStride: inner, bias: bias?.region ?? null },
        ...{ y: node.outputs[0]!.region, rows: input.count / inner, inner, columns },
      });
    },
  },
  mat_mul: {
    lower(node) {
      const [a, b] = node.inputs as readonly [Operand, Operand];
      const { transposeA, transposeB } = node.attrs;
      const [rows, columns] = node.outputs[0]!.shape as [number, number];
      const inner = a.count / rows;
      return lowerProduct(node, {
        ...{ a: a.region, aRowStride: transposeA ? 1 : inner, aInnerStride: transposeA ? rows : 1 },
        ...{ b: b.region, bInnerStride: transposeB ? 1 : columns, bColumnStride: transposeB ? inner : 1, bias: null },
        ...{ y: node.outputs[0]!.region, rows, inner, columns },
      });
    },
  },

  batch_norm: {
    lower: ({ inputs, outputs, attrs }) => [
      [normApply([...regions(inputs), outputs[0]!.region], inputs[0]!, inputs[1]!.count, attrs.epsilon)],
    ],
  },
  batch_norm_train: {
    lower({ inputs, outputs, attrs, temporary }) {
      const [x, gamma, beta] = inputs as readonly [Operand, Operand, Operand];
      const [y, mean, variance] = regions(outputs) as [Region, Region, Region];
      const channels = gamma.count;
      const rows = x.count / channels;
      const slices = slicesOf(rows);
      const partial = temporary(slices * 2 * channels * 8);
      return [
        [{ code: code.NORM_SUMS, args: [x.region, partial, rows, channels, slices] }],
        [{ code: code.NORM_STATISTICS, args: [partial, mean, variance, rows, channels, slices] }],
        [normApply([x.region, gamma.region, beta.region, mean, variance, y], x, channels, attrs.epsilon)],
      ];
    },
  },
  batch_norm_train_grad: {
    lower({ inputs, outputs, attrs, temporary }) {
      const [gradient, x, gamma, mean, variance] = regions(inputs) as [Region, Region, Region, Region, Region];
      const [result, gammaGradient, betaGradient] = regions(outputs) as [Region, Region, Region];
      const channels = outputs[1]!.count;
      const rows = outputs[0]!.count / channels;
      const slices = slicesOf(rows);
      const partial = temporary(slices * 2 * channels * 8);
      const epsilon = float32Bits(attrs.epsilon);
      return [
        [{ code: code.NORM_GRAD_SUMS, args: [gradient, x, mean, partial, rows, channels, slices] }],
        [
          {
            code: code.NORM_GRAD_STATISTICS,
            args: [partial, variance, gammaGradient, betaGradient, channels, slices, epsilon],
          },
        ],
        [
          {
            code: code.NORM_GRAD_APPLY,
            args: [
              ...[gradient, x, gamma, mean, variance, gammaGradient, betaGradient, result],
              ...[rows, channels, epsilon],
            ],
            scratchBytes: 12 * channels,
          },
        ],
      ];
    },
  },

  fold_filter: {
    lower({ inputs, outputs: [output], attrs, temporary }) {
      const [filter, gamma, variance] = inputs as readonly [Operand, Operand, Operand];
      const factors = temporary(gamma.count * 4);
      return [
        [foldFactors(gamma, variance, factors, attrs.epsilon)],
        [scaleChannels(filter.region, factors, output!, attrs.axis)],
      ];
    },
  },
  fold_filter_grad: {
    lower({ inputs, outputs, attrs: { axis, epsilon }, temporary }) {
      const [gradient, filter, gamma, variance] = inputs as readonly [Operand, Operand, Operand, Operand];
      const [filterGradient, gammaGradient] = outputs as readonly [Operand, Operand];
      const factors = temporary(gamma.count * 4);
      const words = [...channelWords(filter.shape, axis), float32Bits(epsilon)];
      const sums = [gradient.region, filter.region, variance.region, gammaGradient.region];
      return [
        [foldFactors(gamma, variance, factors, epsilon), { code: code.FOLD_GAMMA_GRAD, args: [...sums, ...words] }],
        [scaleChannels(gradient.region, factors, filterGradient, axis)],
      ];
    },
  },
  fold_correct: {
    lower({ inputs, outputs, attrs, temporary }) {
      const [folded, unfolded, gamma, beta, movingMean, movingVariance, frozen = 0] = regions(inputs);
      const [output, mean, variance] = regions(outputs) as [Region, Region, Region];
      const channels = inputs[2]!.count;
      const rows = inputs[0]!.count / channels;
      const slices = slicesOf(rows);
      const partial = temporary(slices * 2 * channels * 8);
      const [scales, shifts] = [temporary(channels * 4), temporary(channels * 4)];
      const given = [gamma!, beta!, movingMean!, movingVariance!, frozen, mean, variance];
      const args = [...given, scales, shifts, channels, float32Bits(attrs.epsilon)];
      return [
        [{ code: code.NORM_SUMS, args: [unfolded!, partial, rows, channels, slices] }],
        [{ code: code.NORM_STATISTICS, args: [partial, mean, variance, rows, channels, slices] }],
        [{ code: code.FOLD_CORRECT_TABLES, args }],
        [{ code: code.AFFINE_ROWS, args: [folded!, scales, shifts, output, rows, channels] }],
      ];
    },
  },
  fold_correct_grad: {
    lower({ inputs, outputs, attrs, temporary }) {
      const [gradient, folded, unfolded, gamma, mean, variance, movingVariance, frozen = 0] = regions(inputs);
      const [foldedGradient, unfoldedGradient, gammaGradient, betaGradient] = regions(outputs);
      const channels = inputs[3]!.count;
      const rows = inputs[0]!.count / channels;
      const slices = slicesOf(rows);
      const partial = temporary(slices * 2 * channels * 8);
      const [zero, scales, slopes, offsets] = Array.from({ length: 4 }, () => temporary(channels * 4));
      const given = [partial, gamma!, mean!, variance!, movingVariance!, frozen, gammaGradient!, betaGradient!];
      const words = [channels, rows, slices, float32Bits(attrs.epsilon)];
      return [
        [{ code: code.FILL, args: [zero!, channels, float32Bits(0)] }],
        [{ code: code.NORM_GRAD_SUMS, args: [gradient!, folded!, zero!, partial, rows, channels, slices] }],
        [{ code: code.FOLD_CORRECT_GRAD_TABLES, args: [...given, scales!, slopes!, offsets!, ...words] }],
        [
          { code: code.AFFINE_ROWS, args: [gradient!, scales!, 0, foldedGradient!, rows, channels] },
          { code: code.AFFINE_ROWS, args: [unfolded!, slopes!, offsets!, unfoldedGradient!, rows, channels] },
        ],
      ];
    },
  },

  relu: { elementwise: [0], lower: (node) => rectify(node, Infinity) },
  relu6: { elementwise: [0], lower: (node) => rectify(node, 6) },
  relu_grad: {
    elementwise: [0, 1],
    lower: ({ inputs, outputs, attrs }) => [
      [
        {
          code: code.RELU_GRAD,
          args: [...regions([...inputs, ...outputs]), outputs[0]!.count, float32Bits(attrs.limit)],
        },
      ],
    ],
  },

  max_pool_2d: {
    lower: ({ inputs: [input], outputs: [output], attrs }) => [
      [{ code: code.MAX_POOL, args: [input!.region, output!.region, ...poolWords(input!.shape, attrs)] }],
    ],
  },
  max_pool_2d_grad: {
    lower: ({ inputs: [input, gradient], outputs: [result], attrs }) => [
      [
        {
          code: code.MAX_POOL_GRAD,
          args: [input!.region, result!.region, ...poolWords(input!.shape, attrs), gradient!.region],
        },
      ],
    ],
  },
  average_pool_2d: {
    lower: ({ inputs: [input], outputs: [output], attrs }) => [
      [{ code: code.AVERAGE_POOL, args: [input!.region, output!.region, ...poolWords(input!.shape, attrs)] }],
    ],
  },
  average_pool_2d_grad: {
    lower: ({ inputs: [gradient], outputs: [result], attrs }) => [
      [
        {
          code: code.AVERAGE_POOL_GRAD,
          args: [0, result!.region, ...poolWords(attrs.inputShape, attrs), gradient!.region],
        },
      ],
    ],
  },

  mean: { lower: (node) => reduce(node, node.attrs.axes, reducedCount(node.inputs[0]!.shape, node.attrs.axes)) },
  sum: { lower: (node) => reduce(node, node.attrs.axes, 1) },
  broadcast_grad: {
    lower(node) {
      const { axes, inputShape, factor } = node.attrs;
      return expand(node, node.inputs[0]!.region, node.outputs[0]!.region, inputShape, axes, factor);
    },
  },
  // A view: the planner gives the output the input's memory.
  reshape: { lower: () => [] },
  squeeze: { lower: () => [] },
  transpose: {
    lower: (node) => {
      const input = node.inputs[0]!;
      return moved(node, [[input.region, transposition(input.shape, node.attrs)]], node.outputs[0]!.region);
    },
  },
  pad: {
    lower(node) {
      const [input, output] = [node.inputs[0]!, node.outputs[0]!];
      return [zeros(output), ...moved(node, [[input.region, paddingCopy(input.shape, node.attrs)]], output.region)];
    },
  },
  strided_slice: {
    lower(node) {
      const input = node.inputs[0]!;
      return moved(node, [[input.region, sliceCopy(input.shape, node.attrs)]], node.outputs[0]!.region);
    },
  },
  strided_slice_grad: {
    lower(node) {
      const [gradient, result] = [node.inputs[0]!, node.outputs[0]!];
      const { sizes, from, to } = sliceCopy(node.attrs.inputShape, node.attrs);
      return [zeros(result), ...moved(node, [[gradient.region, { sizes, from: to, to: from }]], result.region)];
    },
  },
  split: {
    lower(node) {
      const input = node.inputs[0]!;
      return splitCopies(input.shape, node.attrs).flatMap((copy, index) =>
        moved(node, [[input.region, copy]], node.outputs[index]!.region),
      );
    },
  },
  concatenation: {
    lower(node) {
      const copies = concatenationCopies(node.inputs, node.attrs);
      const sources = copies.map((copy, index) => [node.inputs[index]!.region, copy] as const);
      return moved(node, sources, node.outputs[0]!.region);
    },
  },
  resize_bilinear: { lower: (node) => resize(node, node.inputs[0]!.shape, bilinearTaps, code.RESIZE) },
  resize_bilinear_grad: { lower: (node) => resize(node, node.attrs.inputShape, bilinearTaps, code.RESIZE_GRAD) },
  resize_nearest_neighbor: { lower: (node) => resize(node, node.inputs[0]!.shape, nearestTaps, code.RESIZE) },
  resize_nearest_neighbor_grad: { lower: (node) => resize(node, node.attrs.inputShape, nearestTaps, code.RESIZE_GRAD) },

  add: { elementwise: [0, 1], lower: (node) => broadcast(node, code.ADD) },
  sub: { elementwise: [0, 1], lower: (node) => broadcast(node, code.SUBTRACT) },
  mul: { elementwise: [0, 1], lower: (node) => broadcast(node, code.MULTIPLY) },

  leaky_relu: { elementwise: [0], lower: (node) => functionOf(node, code.LEAKY_RELU, node.attrs.alpha) },
  leaky_relu_grad: { elementwise: [0, 1], lower: (node) => slopeOf(node, code.LEAKY_RELU, node.attrs.alpha) },
  prelu: { elementwise: [0, 1], lower: (node) => broadcast(node, code.PRELU) },
  prelu_grad: { elementwise: [0, 1, 2], lower: (node) => broadcast(node, code.PRELU_GRAD) },
  hard_swish: { elementwise: [0], lower: (node) => functionOf(node, code.HARD_SWISH, 0) },
  hard_swish_grad: { elementwise: [0, 1], lower: (node) => slopeOf(node, code.HARD_SWISH, 0) },
  logistic: { elementwise: [0], lower: (node) => functionOf(node, code.LOGISTIC, 0) },
  tanh: { elementwise: [0], lower: (node) => functionOf(node, code.TANH, 0) },
  l2_normalization: {
    lower: ({ inputs, outputs }) => [
      [{ code: code.L2_NORMALIZE, args: [...regions([...inputs, ...outputs]), ...rowsOf(outputs[0]!)] }],
    ],
  },
  l2_normalization_grad: {
    lower: ({ inputs, outputs }) => [
      [{ code: code.L2_NORMALIZE_GRAD, args: [...regions([...inputs, ...outputs]), ...rowsOf(outputs[0]!)] }],
    ],
  },

  softmax: {
    lower({ inputs: [logits], outputs: [output], attrs }) {
      const depth = logits!.shape.at(-1)!;
      const args = [logits!.region, output!.region, logits!.count / depth, depth, float32Bits(attrs.beta)];
      return [[{ code: code.SOFTMAX, args }]];
    },
  },
  softmax_cross_entropy: {
    lower({ inputs: [logits, labels, targets], outputs: [loss], temporary }) {
      const [rows, classes] = logits!.shape as [number, number];
      const losses = temporary(rows * 8);
      const args = [logits!.region, labels!.region, targets?.region ?? 0, losses, rows, classes];
      return [
        [{ code: code.CROSS_ENTROPY_ROWS, args, scratchBytes: classes * 4 }],
        [{ code: code.CROSS_ENTROPY_SUM, args: [losses, loss!.region, rows, rows] }],
      ];
    },
  },
  softmax_cross_entropy_grad: {
    lower({ inputs: [gradient, logits, labels, targets], outputs: [result] }) {
      const operands = [gradient!.region, logits!.region, labels!.region, targets?.region ?? 0, result!.region];
      return [[{ code: code.CROSS_ENTROPY_GRAD, args: [...operands, ...logits!.shape] }]];
    },
  },
  sigmoid_cross_entropy: {
    lower({ inputs: [logits, labels, weights], outputs: [loss], attrs: { smoothing }, temporary }) {
      const [rows, answers] = logits!.shape as [number, number];
      const losses = temporary(rows * 8);
      const operands = [logits!.region, labels!.region, weights?.region ?? 0, losses];
      return [
        [{ code: code.SIGMOID_CROSS_ENTROPY_ROWS, args: [...operands, rows, answers, float32Bits(smoothing)] }],
        [{ code: code.CROSS_ENTROPY_SUM, args: [losses, loss!.region, rows, rows * answers] }],
      ];
    },
  },
  sigmoid_cross_entropy_grad: {
    elementwise: [1, 2],
    lower({ inputs: [gradient, logits, labels, weights], outputs: [result], attrs: { smoothing } }) {
      const operands = [gradient!.region, logits!.region, labels!.region, weights?.region ?? 0, result!.region];
      const args = [...operands, logits!.count, logits!.shape[1]!, float32Bits(smoothing)];
      return [[{ code: code.SIGMOID_CROSS_ENTROPY_GRAD, args }]];
    },
  },
  top_1_count: {
    lower({ inputs: [logits, labels], outputs: [count], temporary }) {
      const partial = temporary(code.SLICES * 4);
      const args = [logits!.region, labels!.region, partial, ...logits!.shape, code.SLICES];
      return [
        [{ code: code.TOP_1_SLICES, args }],
        [{ code: code.TOP_1_COUNT, args: [partial, count!.region, code.SLICES] }],
      ];
    },
  },

  dropout: {
    elementwise: [0],
    lower({ inputs: [input, key, off], outputs: [output], attrs: { rate, stream } }) {
      const operands = [input!.region, key!.region, off?.region ?? 0, output!.region, output!.count];
      const args = [...operands, stream | 0, dropThreshold(rate), float32Bits(1 / (1 - rate))];
      return [[{ code: code.DROPOUT, args }]];
    },
  },
  mean_squared_error: { lower: (node) => meanError(node, code.SQUARED_ERROR, 0) },
  mean_squared_error_grad: { elementwise: [1, 2], lower: (node) => errorSlopes(node, code.SQUARED_ERROR, 0) },
  mean_absolute_error: { lower: (node) => meanError(node, code.ABSOLUTE_ERROR, 0) },
  mean_absolute_error_grad: { elementwise: [1, 2], lower: (node) => errorSlopes(node, code.ABSOLUTE_ERROR, 0) },
  mean_huber_error: { lower: (node) => meanError(node, code.HUBER_ERROR, node.attrs.delta) },
  mean_huber_error_grad: {
    elementwise: [1, 2],
    lower: (node) => errorSlopes(node, code.HUBER_ERROR, node.attrs.delta),
  },

  fake_quant: {
    elementwise: [0],
    lower: ({ inputs, outputs, attrs }) => [[fakeQuant(inputs[0]!, inputs.slice(1), outputs[0]!.region, attrs, null)]],
  },
  fake_quant_grad: {
    elementwise: [0, 1],
    lower: ({ inputs, outputs, attrs }) => [
      [fakeQuant(inputs[1]!, inputs.slice(2), outputs[0]!.region, attrs, inputs[0]!.region)],
    ],
  },
  observe_range: {
    lower({ inputs: [input], outputs: [min, max], attrs, temporary }) {
      const observe = (region: Region, [outer, channels, inner]: readonly [number, number, number]) => ({
        code: code.OBSERVE_RANGE,
        args: [
          ...[region, min!.region, max!.region, outer, channels, inner],
          ...[attrs.symmetric ? 1 : 0, float32Bits(SMALLEST_WEIGHT_RANGE)],
        ],
      });
      if (attrs.axis !== null) return [[observe(input!.region, alongAxis(input!.shape, attrs.axis))]];
      // The range of the slices' ranges is the range of all: every one of them contains zero.
      const partial = temporary(code.SLICES * 8);
      return [
        [{ code: code.OBSERVE_SLICES, args: [input!.region, partial, input!.count, code.SLICES] }],
        [observe(partial, [1, 1, 2 * code.SLICES])],
      ];
    },
  },

  increment: {
    elementwise: [0],
    lower: ({ inputs, outputs }) => [[{ code: code.INCREMENT, args: regions([...inputs, ...outputs]) }]],
  },
  reached: {
    lower: ({ inputs, outputs, attrs }) => [
      [{ code: code.REACHED, args: [...regions([...inputs, ...outputs]), float32Bits(attrs.threshold)] }],
    ],
  },
  moving_average: {
    elementwise: [0, 1],
    lower: ({ inputs, outputs, attrs }) => [
      [
        {
          code: code.MOVING_AVERAGE,
          args: [...regions([...inputs, ...outputs]), outputs[0]!.count, float32Bits(1 - attrs.decay)],
        },
      ],
    ],
  },
  running_extreme: {
    elementwise: [0, 1],
    lower: ({ inputs, outputs, attrs }) => [
      [
        {
          code: code.RUNNING_EXTREME,
          args: [
            ...[...regions([...inputs, ...outputs]), outputs[0]!.count, float32Bits(attrs.decay)],
            ...[attrs.end === 'max' ? 1 : 0, float32Bits(SMALLEST_ACTIVATION_RANGE)],
          ],
        },
      ],
    ],
  },
  zero_debias: {
    elementwise: [0],
    lower: ({ inputs, outputs, attrs }) => [
      [
        {
          code: code.ZERO_DEBIAS,
          args: [
            ...[...regions([...inputs, ...outputs]), outputs[0]!.count],
            ...[1 - f32(1 - attrs.decay), SMALLEST_ACTIVATION_RANGE].map(float32Bits),
          ],
        },
      ],
    ],
  },
  // Over one value for all replicas it is a view; the planner knows.
  cross_replica: {
    lower({ inputs: [value], outputs: [output], attrs, replicas }) {
      const pieces = Array.from({ length: replicas }, (_, replica) => ({ ...value!.region, replica }));
      const reduction = ['mean', 'min', 'max'].indexOf(attrs.reduce);
      return [[{ code: code.CROSS_REPLICA, args: [output!.region, output!.count, reduction, replicas, ...pieces] }]];
    },
  },
  momentum_update: {
    elementwise: [0, 1, 2],
    lower: ({ inputs, outputs, attrs }) => [
      [
        {
          code: code.MOMENTUM_UPDATE,
          args: [
            ...[...regions([...inputs, ...outputs]), outputs[0]!.count, float32Bits(attrs.momentum)],
            ...[attrs.nesterov ? 1 : 0, float32Bits(attrs.weightDecay)],
          ],
        },
      ],
    ],
  },
  adam_update: {
    elementwise: [0, 1, 2, 3],
    lower: ({ inputs, outputs, attrs }) => [
      [
        {
          code: code.ADAM_UPDATE,
          args: [
            ...[...regions([...inputs, ...outputs]), outputs[0]!.count],
            ...[attrs.beta1, attrs.beta2, attrs.epsilon, attrs.weightDecay].map(float32Bits),
          ],
        },
      ],
    ],
  },
};

function regions(operands: readonly Operand[]): Region[] {
  return operands.map((operand) => operand.region);
}

/** Rows of a batch are summed in this many slices; fewer rows than slices make one slice each. */
function slicesOf(rows: number): number {
  return Math.min(code.SLICES, rows);
}

function foldFactors(gamma: Operand, variance: Operand, factors: Region, epsilon: number): Instruction {
  const args = [gamma.region, variance.region, factors, gamma.count, float32Bits(epsilon)];
  return { code: code.FOLD_FACTORS, args };
}

function scaleChannels(values: Region, factors: Region, output: Operand, axis: number): Instruction {
  const args = [values, factors, output.region, ...channelWords(output.shape, axis)];
  return { code: code.SCALE_CHANNELS, args };
}

/** A shape as [outer, channels, inner]. */
function channelWords(shape: Shape, axis: number): readonly number[] {
  return [numElements(shape.slice(0, axis)), shape[axis]!, numElements(shape.slice(axis + 1))];
}

function normApply(operands: readonly Region[], x: Operand, channels: number, epsilon: number) {
  return {
    code: code.NORM_APPLY,
    args: [...operands, x.count / channels, channels, float32Bits(epsilon)],
    scratchBytes: 4 * channels,
  };
}

function rectify({ inputs, outputs }: KernelNode<'relu'> | KernelNode<'relu6'>, limit: number): readonly Phase[] {
  return [[{ code: code.RELU, args: [...regions([...inputs, ...outputs]), outputs[0]!.count, float32Bits(limit)] }]];
}

type Elementwise = Pick<KernelNode<FloatOp>, 'inputs' | 'outputs'>;

function functionOf({ inputs, outputs }: Elementwise, which: number, parameter: number): readonly Phase[] {
  const args = [...regions([...inputs, ...outputs]), outputs[0]!.count, which, float32Bits(parameter)];
  return [[{ code: code.FUNCTION, args }]];
}

function slopeOf({ inputs, outputs }: Elementwise, which: number, parameter: number): readonly Phase[] {
  const args = [...regions([...inputs, ...outputs]), outputs[0]!.count, which, float32Bits(parameter)];
  return [[{ code: code.FUNCTION_GRAD, args }]];
}

function meanError(
  { inputs: [prediction, target], outputs: [loss], temporary }: Elementwise & Pick<KernelNode<FloatOp>, 'temporary'>,
  which: number,
  delta: number,
): readonly Phase[] {
  const { count } = prediction!;
  const partial = temporary(code.SLICES * 8);
  const slices = [prediction!.region, target!.region, partial, count, code.SLICES, which, float32Bits(delta)];
  return [
    [{ code: code.ERROR_SLICES, args: slices }],
    [{ code: code.ERROR_MEAN, args: [partial, loss!.region, count, code.SLICES] }],
  ];
}

function errorSlopes({ inputs, outputs }: Elementwise, which: number, delta: number): readonly Phase[] {
  const args = [...regions([...inputs, ...outputs]), outputs[0]!.count, which, float32Bits(delta)];
  return [[{ code: code.ERROR_GRAD, args }]];
}

/** Operands, each brought to the shape of the output first. */
function broadcast(node: Elementwise & Pick<KernelNode<FloatOp>, 'temporary'>, opcode: number): readonly Phase[] {
  const { shape, count, region } = node.outputs[0]!;
  const expansions: Phase[] = [];
  const operands = node.inputs.map((operand) => {
    if (sameShape(operand.shape, shape)) return operand.region;
    const offset = shape.length - operand.shape.length;
    const axes = shape.map((_, axis) => axis).filter((axis) => (operand.shape[axis - offset] ?? 1) !== shape[axis]);
    const expanded = node.temporary(count * 4);
    expansions.push(...expand(node, operand.region, expanded, shape, axes, 1));
    return expanded;
  });
  return [...expansions, [{ code: opcode, args: [...operands, region, count] }]];
}

/** How many rows along the last axis, and how long they are. */
function rowsOf({ shape, count }: Operand): readonly [number, number] {
  const depth = shape.at(-1) ?? 1;
  return [count / depth, depth];
}

function zeros({ region, count }: Operand): Phase {
  return [{ code: code.FILL, args: [region, count, float32Bits(0)] }];
}

/** Copies to places that do not overlap. */
function moved(
  { table }: Pick<KernelNode<FloatOp>, 'table'>,
  copies: readonly (readonly [from: Region, copy: StridedCopy])[],
  to: Region,
): readonly Phase[] {
  return [
    copies.map(([from, copy]) => {
      const axes = joinAxes(copy);
      const words = (['size', 'from', 'to'] as const).flatMap((what) => axes.map((axis) => axis[what]));
      const args = [from, to, copy.from.offset, copy.to.offset, axes.length, table(words)];
      return { code: code.COPY_STRIDED, args };
    }),
  ];
}

interface CopyAxis {
  readonly size: number;
  readonly from: number;
  readonly to: number;
}

/** Merges axes that are contiguous on both sides and drops axes of length 1. At least one axis is left. */
function joinAxes({ sizes, from, to }: StridedCopy): readonly CopyAxis[] {
  const joined: CopyAxis[] = [];
  for (const [axis, size] of sizes.entries()) {
    if (size === 1) continue;
    const next = { size, from: from.strides[axis]!, to: to.strides[axis]! };
    const last = joined.at(-1);
    if (last?.from === next.from * size && last.to === next.to * size) {
      joined[joined.length - 1] = { ...next, size: last.size * size };
    } else joined.push(next);
  }
  return joined.length > 0 ? joined : [{ size: 1, from: 1, to: 1 }];
}

function resize(
  { inputs, outputs, attrs, table }: Pick<KernelNode<'resize_bilinear'>, 'inputs' | 'outputs' | 'attrs' | 'table'>,
  input: Shape,
  taps: Taps,
  opcode: number,
): readonly Phase[] {
  const words = (size: number, output: number): Region =>
    table(taps(size, output, attrs).flatMap(({ low, high, fraction }) => [low, high, float32Bits(fraction)]));
  const tables = [words(input[1]!, attrs.size[0]), words(input[2]!, attrs.size[1])];
  return [[{ code: opcode, args: [...regions([...inputs, ...outputs]), ...input, ...attrs.size, ...tables] }]];
}

function depthwiseWords(input: Shape, filter: Shape, attrs: Conv2dAttrs): readonly number[] {
  const [, filterHeight, filterWidth, outputs] = filter as [number, number, number, number];
  const window = slidingWindow(input, [filterHeight, filterWidth], attrs, attrs.dilations);
  const { outputHeight, outputWidth, padTop, padLeft } = window;
  return [
    ...[...input, outputHeight, outputWidth, filterHeight, filterWidth, outputs / input[3]!],
    ...[...attrs.strides, ...attrs.dilations, padTop, padLeft],
  ];
}

function poolWords(input: Shape, attrs: PoolAttrs): readonly number[] {
  const { outputHeight, outputWidth, padTop, padLeft } = slidingWindow(input, attrs.window, attrs);
  return [...input, outputHeight, outputWidth, ...attrs.window, ...attrs.strides, padTop, padLeft];
}

/** Elements before, along and after an axis. */
function alongAxis(shape: Shape, axis: number): readonly [number, number, number] {
  return [numElements(shape.slice(0, axis)), shape[axis]!, numElements(shape.slice(axis + 1))];
}

function fakeQuant(
  input: Operand,
  [min, max, active]: readonly Operand[],
  output: Region,
  attrs: { readonly bits: number; readonly narrowRange: boolean; readonly axis: number | null },
  gradient: Region | null,
) {
  const axes = attrs.axis === null ? [1, 1, input.count] : alongAxis(input.shape, attrs.axis);
  return {
    code: code.FAKE_QUANT,
    args: [
      ...[input.region, output, min!.region, max!.region, active?.region ?? 0, ...axes],
      ...[attrs.bits, attrs.narrowRange ? 1 : 0, attrs.axis === null ? 0 : 1, gradient ?? 0],
    ],
  };
}

/** Neighbouring axes that are all reduced, or all kept, count as one; axes of length 1 vanish. */
function groupAxes(shape: Shape, axes: readonly number[]): readonly { size: number; reduced: boolean }[] {
  const groups: { size: number; reduced: boolean }[] = [];
  for (const [axis, size] of shape.entries()) {
    if (size === 1) continue;
    const reduced = axes.includes(axis);
    const group = groups.at(-1);
    if (group?.reduced === reduced) group.size *= size;
    else groups.push({ size, reduced });
  }
  return groups;
}

const sizeOf = (groups: readonly { size: number }[]): number => groups.reduce((product, { size }) => product * size, 1);

/** From this many elements on, a sum with a single result is cut into slices. */
const SLICED_SUM = 16384;

/** Sums one group of axes after the other, the last one first; the divisor comes at the end. */
function reduce(
  node: KernelNode<'mean'> | KernelNode<'sum'>,
  axes: readonly number[],
  divisor: number,
): readonly Phase[] {
  const output = node.outputs[0]!.region;
  let from = node.inputs[0]!.region;
  let groups = groupAxes(node.inputs[0]!.shape, axes);
  if (!groups.some((group) => group.reduced)) groups = [...groups, { size: 1, reduced: true }];
  const phases: Phase[] = [];
  while (groups.some((group) => group.reduced)) {
    const index = groups.findLastIndex((group) => group.reduced);
    const [before, after] = [groups.slice(0, index), groups.slice(index + 1)];
    const [outer, inner] = [sizeOf(before), sizeOf(after)];
    const isLast = !before.some((group) => group.reduced);
    const to = isLast ? output : node.temporary(outer * inner * 4);
    let reduced = groups[index]!.size;
    if (outer === 1 && reduced * inner >= SLICED_SUM && reduced >= code.SLICES) {
      const partial = node.temporary(code.SLICES * inner * 4);
      const args = [from, partial, reduced, inner, code.SLICES];
      phases.push([{ code: code.REDUCE_SLICES, args, scratchBytes: inner * 8 }]);
      from = partial;
      reduced = code.SLICES;
    }
    const args = [from, to, outer, reduced, inner, isLast ? divisor : 1];
    phases.push([{ code: code.REDUCE, args, scratchBytes: inner * 8 }]);
    from = to;
    groups = [...before, ...after];
  }
  return phases;
}

/** Repeats values along one group of axes after the other, the first one first; the factor comes at the end. */
function expand(
  { temporary }: Pick<KernelNode<FloatOp>, 'temporary'>,
  input: Region,
  output: Region,
  shape: Shape,
  axes: readonly number[],
  factor: number,
): readonly Phase[] {
  const groups = groupAxes(shape, axes);
  const last = groups.findLastIndex((group) => group.reduced);
  if (last < 0) {
    return [[{ code: code.EXPAND, args: [input, output, 1, 1, numElements(shape), float32Bits(factor)] }]];
  }
  let from = input;
  return groups.flatMap((group, index) => {
    if (!group.reduced) return [];
    const outer = sizeOf(groups.slice(0, index));
    const inner = sizeOf(groups.slice(index + 1).filter(({ reduced }) => !reduced));
    const to = index === last ? output : temporary(outer * group.size * inner * 4);
    const args = [from, to, outer, group.size, inner, float32Bits(index === last ? factor : 1)];
    from = to;
    return [[{ code: code.EXPAND, args }]];
  });
}

/** The kernel of an op that a float graph may hold. */
export function kernelOf(op: string): WasmKernel<FloatOp> {
  if (!Object.hasOwn(kernels, op)) return internal(`${op} has no float kernel`);
  // A union of kernels takes the intersection of nodes; the planner passes the node of the same op.
  return kernels[op as FloatOp];
}
