/** Cases that plain loops do not need: sizes around the kernels' blocks, and enough work for every thread. */
import type { FloatOp } from '../../src/engine/engine.ts';
import type { Attrs } from '../../src/ops/index.ts';
import type { Shape } from '../../src/core/tensor.ts';
import type { OperandSample, Sample } from '../contract/samples.ts';

const spread = (shape: Shape, from = -2, to = 2): OperandSample => ({ kind: 'spread', shape, from, to });

const upstream: OperandSample = { kind: 'values', shape: [], values: [0.7] };
const largerPair = [spread([33, 129]), spread([33, 129])];
/** As many rows as images have pixels. */
const largerLogits: readonly OperandSample[] = [
  spread([1031, 7], -12, 12),
  { kind: 'values', shape: [1031], values: Array.from({ length: 1031 }, (_, row) => (row * row) % 7) },
];

const same = { kind: 'same' } as const;
const valid = { kind: 'valid' } as const;

type ConvolutionCase = readonly [name: string, input: Shape, filter: Shape, output: Shape, attrs: Attrs['conv_2d']];

const plain = { dilations: [1, 1], activation: 'none' } as const;
// Output channels 1, 6, 10, 17, 84: every way in which the last panel can end.
const convolutions: readonly ConvolutionCase[] = [
  ['5x5 on one channel', [9, 12, 11, 1], [6, 5, 5, 1], [9, 12, 11, 6], { ...plain, strides: [1, 1], padding: same }],
  ['5x5 without padding', [5, 9, 9, 6], [17, 5, 5, 6], [5, 5, 5, 17], { ...plain, strides: [1, 1], padding: valid }],
  ['one output channel', [3, 7, 7, 10], [1, 3, 3, 10], [3, 7, 7, 1], { ...plain, strides: [1, 1], padding: same }],
  ['10 and 84 channels', [2, 5, 6, 10], [84, 3, 3, 10], [2, 5, 6, 84], { ...plain, strides: [1, 1], padding: same }],
  ['full panels', [8, 8, 8, 16], [32, 3, 3, 16], [8, 8, 8, 32], { ...plain, strides: [1, 1], padding: same }],
  ['stride 2', [10, 9, 8, 16], [13, 3, 3, 16], [10, 5, 4, 13], { ...plain, strides: [2, 2], padding: same }],
  ['1x1 with stride 2', [4, 7, 8, 6], [12, 1, 1, 6], [4, 4, 4, 12], { ...plain, strides: [2, 2], padding: same }],
  ['stride 3, window 2', [2, 9, 9, 3], [5, 2, 2, 3], [2, 3, 3, 5], { ...plain, strides: [3, 3], padding: valid }],
  [
    'dilated',
    [3, 11, 9, 5],
    [8, 3, 3, 5],
    [3, 11, 9, 8],
    { strides: [1, 1], dilations: [2, 2], padding: same, activation: 'none' },
  ],
];

export const largerSamples: { readonly [K in FloatOp]?: readonly Sample<K>[] } = {
  conv_2d: convolutions.map(([name, input, filter, output, attrs]) => ({
    name: `larger ${name}`,
    inputs: [spread(input), spread(filter, -1, 1), spread([filter[0]!])],
    attrs,
    outputs: [output],
  })),
  conv_2d_grad_input: convolutions.map(([name, input, filter, output, attrs]) => ({
    name: `larger ${name}`,
    inputs: [spread(output), spread(filter, -1, 1)],
    attrs: { ...attrs, inputShape: input },
    outputs: [input],
  })),
  conv_2d_grad_filter: convolutions.map(([name, input, filter, output, attrs]) => ({
    name: `larger ${name}`,
    inputs: [spread(input), spread(output)],
    attrs: { ...attrs, filterShape: filter },
    outputs: [filter],
  })),
  fully_connected: [
    {
      name: 'larger rows and columns that fill no block',
      inputs: [spread([67, 401]), spread([84, 401], -1, 1), spread([84])],
      attrs: { activation: 'none', keepNumDims: false },
      outputs: [[67, 84]],
    },
  ],
  mat_mul: [false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) => ({
      name: `larger, a ${transposeA ? 'transposed' : 'plain'}, b ${transposeB ? 'transposed' : 'plain'}`,
      inputs: [spread(transposeA ? [65, 33] : [33, 65]), spread(transposeB ? [26, 65] : [65, 26])],
      attrs: { transposeA, transposeB },
      outputs: [[33, 26]],
    })),
  ),
  batch_norm_train: [
    {
      name: 'larger, far from zero',
      inputs: [spread([9, 7, 7, 37], 90, 110), spread([37], 0.5, 2), spread([37])],
      attrs: { epsilon: 0.001 },
      outputs: [[9, 7, 7, 37], [37], [37]],
    },
  ],
  batch_norm_train_grad: [
    {
      name: 'larger',
      inputs: [spread([9, 7, 7, 37]), spread([9, 7, 7, 37]), spread([37]), spread([37]), spread([37], 0.5, 3)],
      attrs: { epsilon: 0.001 },
      outputs: [[9, 7, 7, 37], [37], [37]],
    },
  ],
  relu: [{ name: 'larger', inputs: [spread([1031])], attrs: {}, outputs: [[1031]] }],
  max_pool_2d: [
    {
      name: 'larger overlapping windows',
      inputs: [spread([5, 11, 9, 13])],
      attrs: { window: [3, 3], strides: [2, 2], padding: same, activation: 'none' },
      outputs: [[5, 6, 5, 13]],
    },
  ],
  max_pool_2d_grad: [
    {
      name: 'larger overlapping windows',
      inputs: [spread([5, 11, 9, 13]), spread([5, 6, 5, 13])],
      attrs: { window: [3, 3], strides: [2, 2], padding: same, activation: 'none' },
      outputs: [[5, 11, 9, 13]],
    },
  ],
  sum: [
    {
      name: 'larger, over all but the channels',
      inputs: [spread([16, 12, 12, 10])],
      attrs: { axes: [0, 1, 2], keepDims: false },
      outputs: [[10]],
    },
    {
      name: 'larger, over axes that are no neighbours',
      inputs: [spread([6, 5, 7, 4])],
      attrs: { axes: [0, 2], keepDims: true },
      outputs: [[1, 5, 1, 4]],
    },
  ],
  broadcast_grad: [
    {
      name: 'larger, over axes that are no neighbours',
      inputs: [spread([5, 7])],
      attrs: { axes: [0, 2], inputShape: [6, 5, 4, 7], factor: 0.3 },
      outputs: [[6, 5, 4, 7]],
    },
  ],
  add: [
    {
      name: 'larger, both sides broadcast',
      inputs: [spread([6, 1, 5]), spread([7, 1])],
      attrs: { activation: 'none' },
      outputs: [[6, 7, 5]],
    },
  ],
  dropout: [
    {
      name: 'larger',
      inputs: [spread([33, 129]), { kind: 'values', shape: [2], values: [54321, 9876543] }],
      attrs: { rate: 0.4, stream: 2 ** 31 + 5 },
      outputs: [[33, 129]],
    },
  ],
  softmax_cross_entropy: [
    { name: 'larger', inputs: largerLogits, attrs: {}, outputs: [[]] },
    { name: 'larger, with targets', inputs: [...largerLogits, spread([7, 7], 0, 2)], attrs: {}, outputs: [[]] },
  ],
  softmax_cross_entropy_grad: [
    { name: 'larger', inputs: [upstream, ...largerLogits], attrs: {}, outputs: [[1031, 7]] },
    {
      name: 'larger, with targets',
      inputs: [upstream, ...largerLogits, spread([7, 7], 0, 2)],
      attrs: {},
      outputs: [[1031, 7]],
    },
  ],
  top_1_count: [{ name: 'larger', inputs: largerLogits, attrs: {}, outputs: [[]] }],
  sigmoid_cross_entropy: [
    {
      name: 'larger',
      inputs: [spread([131, 17], -90, 90), spread([131, 17], 0, 1)],
      attrs: { smoothing: 0 },
      outputs: [[]],
    },
    {
      name: 'larger, with weights',
      inputs: [spread([131, 17], -9, 9), spread([131, 17], 0, 1), spread([2, 17], 0, 3)],
      attrs: { smoothing: 0.15 },
      outputs: [[]],
    },
  ],
  sigmoid_cross_entropy_grad: [
    {
      name: 'larger',
      inputs: [upstream, spread([131, 17], -90, 90), spread([131, 17], 0, 1)],
      attrs: { smoothing: 0 },
      outputs: [[131, 17]],
    },
    {
      name: 'larger, with weights',
      inputs: [upstream, spread([131, 17], -9, 9), spread([131, 17], 0, 1), spread([2, 17], 0, 3)],
      attrs: { smoothing: 0.15 },
      outputs: [[131, 17]],
    },
  ],
  mean_squared_error: [{ name: 'larger', inputs: largerPair, attrs: {}, outputs: [[]] }],
  mean_squared_error_grad: [{ name: 'larger', inputs: [upstream, ...largerPair], attrs: {}, outputs: [[33, 129]] }],
  mean_absolute_error: [{ name: 'larger', inputs: largerPair, attrs: {}, outputs: [[]] }],
  mean_absolute_error_grad: [{ name: 'larger', inputs: [upstream, ...largerPair], attrs: {}, outputs: [[33, 129]] }],
  mean_huber_error: [{ name: 'larger', inputs: largerPair, attrs: { delta: 0.3 }, outputs: [[]] }],
  mean_huber_error_grad: [
    { name: 'larger', inputs: [upstream, ...largerPair], attrs: { delta: 0.3 }, outputs: [[33, 129]] },
  ],
  fake_quant: [
    {
      name: 'larger, one range',
      inputs: [
        spread([4099], -7, 7),
        { kind: 'values', shape: [], values: [-5.3] },
        { kind: 'values', shape: [], values: [6.1] },
      ],
      attrs: { bits: 8, narrowRange: false, axis: null },
      outputs: [[4099]],
    },
    {
      name: 'larger, one range for each channel',
      inputs: [spread([17, 3, 3, 7]), spread([17], -2, -0.1), spread([17], 0.1, 2)],
      attrs: { bits: 8, narrowRange: true, axis: 0 },
      outputs: [[17, 3, 3, 7]],
    },
  ],
  observe_range: [
    {
      name: 'larger',
      inputs: [spread([33, 129], -3, 9)],
      attrs: { axis: null, symmetric: false },
      outputs: [[], []],
    },
    ...[0, 1].map((axis) => ({
      name: `weights of zero along axis ${axis}`,
      inputs: [spread([5, 70], 0, 0)],
      attrs: { axis, symmetric: true },
      outputs: [[[5, 70][axis]!], [[5, 70][axis]!]],
    })),
  ],
};
