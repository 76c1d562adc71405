/**
 * Small inputs for every op, and operands that no op may accept. Whoever walks the op table in a test walks these:
 * a new op does not compile without an entry here, and gets every check that fits its record.
 */
import type { Random } from '../../src/core/random.ts';
import type { FloatTensor, Shape } from '../../src/core/tensor.ts';
import { floatTensor, numElements } from '../../src/core/tensor.ts';
import type { Attrs, OpName } from '../../src/ops/index.ts';

/** `spread` values are evenly spaced inside from .. to, in random order: no two are equal, so maxima are unique. */
export type OperandSample =
  | { readonly kind: 'spread'; readonly shape: Shape; readonly from: number; readonly to: number }
  | { readonly kind: 'values'; readonly shape: Shape; readonly values: readonly number[] };

export interface Sample<K extends OpName> {
  /** What is special about it. */
  readonly name: string;
  readonly inputs: readonly OperandSample[];
  readonly attrs: Attrs[K];
  /** The shapes of the outputs, worked out by hand. */
  readonly outputs: readonly Shape[];
  /** The file formats that cannot say this and must refuse it, with a part of the message. */
  readonly refusedBy?: { readonly tflite?: string; readonly graphdef?: string };
  /** The same as a .tflite file says it, where that is longer. */
  readonly inTflite?: Attrs[K];
}

/** Operands that do not fit, and both sides of the disagreement as the message must name them. */
export interface Misfit<K extends OpName> {
  readonly inputs: readonly Shape[];
  readonly attrs: Attrs[K];
  readonly message: readonly [found: string, expected: string];
}

const spread = (shape: Shape, from = -2, to = 2): OperandSample => ({ kind: 'spread', shape, from, to });
const values = (shape: Shape, list: readonly number[]): OperandSample => ({ kind: 'values', shape, values: list });
const scalar = (value: number): OperandSample => values([], [value]);

export function operandData(operand: OperandSample, random: Random): FloatTensor {
  const { shape } = operand;
  if (operand.kind === 'values') return floatTensor(shape, operand.values);
  const count = numElements(shape);
  const step = (operand.to - operand.from) / count;
  return floatTensor(
    shape,
    Array.from(random.permutation(count), (place) => operand.from + step * (place + 0.5)),
  );
}

/** Gamma, beta, moving mean, moving variance. */
const foldStatistics = [spread([4], 0.5, 2), spread([4]), spread([4]), spread([4], 0.1, 3)];

/** Label smoothing 0.3 with class weights 0.5, 1 and 2; rows by label. */
const labelTargets = values([3, 3], [0.4, 0.05, 0.05, 0.1, 0.8, 0.1, 0.2, 0.2, 1.6]);
const yesAndNo = values([3, 4], [1, 0, 0, 1, 0, 0, 1, 0, 1, 1, 1, 0]);

const same = { kind: 'same' } as const;
const valid = { kind: 'valid' } as const;
const explicit = { kind: 'explicit', top: 1, bottom: 0, left: 2, right: 1 } as const;
const noExplicitPadding = 'explicit padding must be lowered';

const convolutions: readonly {
  readonly name: string;
  readonly input: Shape;
  readonly filter: Shape;
  readonly output: Shape;
  readonly attrs: Attrs['conv_2d'];
}[] = [
  {
    name: '3x3 on an odd size with SAME',
    input: [2, 5, 7, 3],
    filter: [4, 3, 3, 3],
    output: [2, 5, 7, 4],
    attrs: { strides: [1, 1], dilations: [1, 1], padding: same, activation: 'none' },
  },
  {
    name: 'stride 2 with SAME, whose odd pixel of padding goes after',
    input: [1, 6, 5, 2],
    filter: [3, 3, 3, 2],
    output: [1, 3, 3, 3],
    attrs: { strides: [2, 2], dilations: [1, 1], padding: same, activation: 'none' },
  },
  {
    name: 'unequal strides and an even window with VALID',
    input: [1, 7, 6, 1],
    filter: [2, 2, 3, 1],
    output: [1, 3, 4, 2],
    attrs: { strides: [2, 1], dilations: [1, 1], padding: valid, activation: 'none' },
  },
  {
    name: 'unequal dilations with VALID',
    input: [1, 8, 9, 2],
    filter: [2, 3, 3, 2],
    output: [1, 4, 3, 2],
    attrs: { strides: [1, 1], dilations: [2, 3], padding: valid, activation: 'none' },
  },
  {
    name: 'dilation with SAME on one channel',
    input: [1, 5, 5, 1],
    filter: [1, 3, 3, 1],
    output: [1, 5, 5, 1],
    attrs: { strides: [1, 1], dilations: [2, 2], padding: same, activation: 'none' },
  },
  {
    name: 'padding that differs on all sides',
    input: [1, 4, 4, 1],
    filter: [1, 3, 3, 1],
    output: [1, 3, 5, 1],
    attrs: { strides: [1, 1], dilations: [1, 1], padding: explicit, activation: 'none' },
  },
  {
    name: '1x1 with stride 2',
    input: [1, 5, 5, 2],
    filter: [5, 1, 1, 2],
    output: [1, 3, 3, 5],
    attrs: { strides: [2, 2], dilations: [1, 1], padding: same, activation: 'none' },
  },
  {
    name: 'two groups',
    input: [1, 4, 4, 4],
    filter: [6, 3, 3, 2],
    output: [1, 4, 4, 6],
    attrs: { strides: [1, 1], dilations: [1, 1], padding: same, activation: 'none' },
  },
];

const depthwise: readonly {
  readonly name: string;
  readonly input: Shape;
  readonly filter: Shape;
  readonly output: Shape;
  readonly attrs: Attrs['depthwise_conv_2d'];
}[] = [
  {
    name: '3x3 on five channels with SAME',
    input: [2, 5, 4, 5],
    filter: [1, 3, 3, 5],
    output: [2, 5, 4, 5],
    attrs: { strides: [1, 1], dilations: [1, 1], padding: same, activation: 'none' },
  },
  {
    name: 'three filters for each channel, stride 2',
    input: [1, 5, 6, 2],
    filter: [1, 2, 3, 6],
    output: [1, 3, 3, 6],
    attrs: { strides: [2, 2], dilations: [1, 1], padding: same, activation: 'none' },
  },
  {
    name: 'one channel, unequal strides and dilations with VALID',
    input: [1, 8, 9, 1],
    filter: [1, 3, 2, 4],
    output: [1, 4, 3, 4],
    attrs: { strides: [1, 2], dilations: [2, 3], padding: valid, activation: 'none' },
  },
  {
    name: 'padding that differs on all sides',
    input: [1, 4, 4, 2],
    filter: [1, 3, 3, 2],
    output: [1, 3, 5, 2],
    attrs: { strides: [1, 1], dilations: [1, 1], padding: explicit, activation: 'none' },
  },
];

const transposed: readonly {
  readonly name: string;
  readonly input: Shape;
  readonly filter: Shape;
  readonly output: Shape;
  readonly attrs: Attrs['transpose_conv'];
}[] = [
  {
    name: 'twice as large with SAME',
    input: [2, 3, 4, 2],
    filter: [3, 3, 3, 2],
    output: [2, 6, 8, 3],
    attrs: { strides: [2, 2], padding: same, outputSize: [6, 8], activation: 'none' },
  },
  {
    name: 'an odd size, unequal strides with VALID',
    input: [1, 3, 2, 3],
    filter: [2, 2, 3, 3],
    output: [1, 4, 6, 2],
    attrs: { strides: [1, 2], padding: valid, outputSize: [4, 6], activation: 'none' },
  },
];

const slices: readonly {
  readonly name: string;
  readonly input: Shape;
  readonly output: Shape;
  readonly attrs: Attrs['strided_slice'];
  readonly inTflite?: Attrs['strided_slice'];
}[] = [
  {
    name: 'a window with an open batch',
    input: [2, 4, 5, 3],
    output: [2, 2, 3, 3],
    attrs: {
      begin: [0, 1, 2, 0],
      end: [0, 3, 5, 3],
      strides: [1, 1, 1, 1],
      beginMask: 1,
      endMask: 1,
      shrinkAxisMask: 0,
    },
  },
  {
    name: 'every second row, backwards and with negative indices',
    input: [2, 7, 3],
    output: [2, 3, 3],
    attrs: {
      begin: [0, -1, 0],
      end: [2, -7, 0],
      strides: [1, -2, 1],
      beginMask: 0,
      endMask: 4,
      shrinkAxisMask: 0,
    },
  },
  {
    name: 'one index of an axis that disappears, and axes that are not named',
    input: [2, 4, 5],
    output: [2, 5],
    attrs: { begin: [0, -2], end: [0, 0], strides: [1, 1], beginMask: 1, endMask: 1, shrinkAxisMask: 2 },
    inTflite: { begin: [0, -2, 0], end: [0, 0, 5], strides: [1, 1, 1], beginMask: 1, endMask: 1, shrinkAxisMask: 2 },
  },
  {
    name: 'the whole of an axis, backwards',
    input: [5],
    output: [5],
    attrs: { begin: [0], end: [0], strides: [-1], beginMask: 1, endMask: 1, shrinkAxisMask: 0 },
  },
];

const resizes: readonly {
  readonly name: string;
  readonly input: Shape;
  readonly output: Shape;
  readonly attrs: Attrs['resize_bilinear'];
}[] = [
  {
    name: 'twice as large',
    input: [2, 3, 2, 3],
    output: [2, 6, 4, 3],
    attrs: { size: [6, 4], alignCorners: false, halfPixelCenters: false },
  },
  {
    name: 'twice as large around half pixels',
    input: [1, 2, 3, 2],
    output: [1, 4, 6, 2],
    attrs: { size: [4, 6], alignCorners: false, halfPixelCenters: true },
  },
  {
    name: 'between aligned corners',
    input: [1, 3, 2, 1],
    output: [1, 5, 3, 1],
    attrs: { size: [5, 3], alignCorners: true, halfPixelCenters: false },
  },
  {
    name: 'half as large',
    input: [1, 4, 6, 1],
    output: [1, 2, 3, 1],
    attrs: { size: [2, 3], alignCorners: false, halfPixelCenters: true },
  },
];

const convRefusal = (attrs: Attrs['conv_2d']) =>
  attrs.padding.kind === 'explicit' ? { refusedBy: { tflite: noExplicitPadding } } : {};

const pools: readonly {
  readonly name: string;
  readonly input: Shape;
  readonly output: Shape;
  readonly attrs: Attrs['max_pool_2d'];
}[] = [
  {
    name: '2x2 with stride 2',
    input: [2, 4, 6, 3],
    output: [2, 2, 3, 3],
    attrs: { window: [2, 2], strides: [2, 2], padding: valid, activation: 'none' },
  },
  {
    name: 'overlapping 3x3 with SAME on an odd size',
    input: [1, 5, 7, 2],
    output: [1, 3, 4, 2],
    attrs: { window: [3, 3], strides: [2, 2], padding: same, activation: 'none' },
  },
  {
    name: 'a flat window with unequal strides on one channel',
    input: [1, 5, 6, 1],
    output: [1, 5, 2, 1],
    attrs: { window: [1, 4], strides: [1, 2], padding: valid, activation: 'none' },
  },
];

const explicitPool = {
  name: 'padding that differs on all sides',
  input: [1, 4, 4, 1],
  output: [1, 3, 5, 1],
  attrs: { window: [3, 3], strides: [1, 1], padding: explicit, activation: 'none' },
} as const;

export const samples: { readonly [K in OpName]: readonly Sample<K>[] } = {
  conv_2d: convolutions.flatMap(({ name, input, filter, output, attrs }) => [
    {
      name,
      inputs: [spread(input), spread(filter, -1, 1), spread([filter[0]!], -0.5, 0.5)],
      attrs,
      outputs: [output],
      ...convRefusal(attrs),
    },
    {
      name: `${name}, no bias`,
      inputs: [spread(input), spread(filter, -1, 1)],
      attrs,
      outputs: [output],
      ...convRefusal(attrs),
    },
  ]),
  conv_2d_grad_input: convolutions.map(({ name, input, filter, output, attrs }) => ({
    name,
    inputs: [spread(output), spread(filter)],
    attrs: { ...attrs, inputShape: input },
    outputs: [input],
  })),
  conv_2d_grad_filter: convolutions.map(({ name, input, filter, output, attrs }) => ({
    name,
    inputs: [spread(input), spread(output)],
    attrs: { ...attrs, filterShape: filter },
    outputs: [filter],
  })),
  depthwise_conv_2d: depthwise.flatMap(({ name, input, filter, output, attrs }) => [
    {
      name,
      inputs: [spread(input), spread(filter, -1, 1), spread([filter[3]!], -0.5, 0.5)],
      attrs,
      outputs: [output],
      ...convRefusal(attrs),
    },
    {
      name: `${name}, no bias`,
      inputs: [spread(input), spread(filter, -1, 1)],
      attrs,
      outputs: [output],
      ...convRefusal(attrs),
    },
  ]),
  depthwise_conv_2d_grad_input: depthwise.map(({ name, input, filter, output, attrs }) => ({
    name,
    inputs: [spread(output), spread(filter)],
    attrs: { ...attrs, inputShape: input },
    outputs: [input],
  })),
  depthwise_conv_2d_grad_filter: depthwise.map(({ name, input, filter, output, attrs }) => ({
    name,
    inputs: [spread(input), spread(output)],
    attrs: { ...attrs, filterShape: filter },
    outputs: [filter],
  })),
  transpose_conv: transposed.flatMap(({ name, input, filter, output, attrs }) => [
    { name, inputs: [spread(input), spread(filter, -1, 1), spread([filter[0]!], -0.5, 0.5)], attrs, outputs: [output] },
    { name: `${name}, no bias`, inputs: [spread(input), spread(filter, -1, 1)], attrs, outputs: [output] },
  ]),
  fully_connected: [
    {
      name: 'three rows',
      inputs: [spread([3, 7]), spread([5, 7], -1, 1), spread([5], -0.5, 0.5)],
      attrs: { activation: 'none', keepNumDims: false },
      outputs: [[3, 5]],
    },
    {
      name: 'one output unit, no bias',
      inputs: [spread([4, 3]), spread([1, 3], -1, 1)],
      attrs: { activation: 'none', keepNumDims: false },
      outputs: [[4, 1]],
    },
    {
      name: 'an input of rank 4 read as rows',
      inputs: [spread([2, 2, 2, 3]), spread([4, 12], -1, 1), spread([4], -0.5, 0.5)],
      attrs: { activation: 'none', keepNumDims: false },
      outputs: [[2, 4]],
      refusedBy: { graphdef: 'expected 2 dimensions' },
    },
    {
      name: 'leading dimensions kept',
      inputs: [spread([2, 3, 4]), spread([2, 4], -1, 1), spread([2], -0.5, 0.5)],
      attrs: { activation: 'none', keepNumDims: true },
      outputs: [[2, 3, 2]],
      refusedBy: { graphdef: 'expected 2 dimensions' },
    },
  ],
  mat_mul: [
    {
      name: 'plain',
      inputs: [spread([3, 4]), spread([4, 2])],
      attrs: { transposeA: false, transposeB: false },
      outputs: [[3, 2]],
    },
    {
      name: 'a transposed',
      inputs: [spread([4, 3]), spread([4, 2])],
      attrs: { transposeA: true, transposeB: false },
      outputs: [[3, 2]],
    },
    {
      name: 'b transposed',
      inputs: [spread([3, 4]), spread([2, 4])],
      attrs: { transposeA: false, transposeB: true },
      outputs: [[3, 2]],
    },
    {
      name: 'both transposed',
      inputs: [spread([4, 3]), spread([2, 4])],
      attrs: { transposeA: true, transposeB: true },
      outputs: [[3, 2]],
    },
  ],
  batch_norm: [
    {
      name: 'four channels of an image',
      inputs: [spread([2, 3, 3, 4]), spread([4], 0.5, 2), spread([4]), spread([4]), spread([4], 0.1, 3)],
      attrs: { epsilon: 0.001 },
      outputs: [[2, 3, 3, 4]],
    },
    {
      name: 'one channel of a row',
      inputs: [spread([5, 1]), scalarVector(1.5), scalarVector(-0.5), scalarVector(0.25), scalarVector(0.75)],
      attrs: { epsilon: 0.00001 },
      outputs: [[5, 1]],
    },
  ],
  batch_norm_train: [
    {
      name: 'four channels of an image',
      inputs: [spread([2, 3, 3, 4]), spread([4], 0.5, 2), spread([4])],
      attrs: { epsilon: 0.001 },
      outputs: [[2, 3, 3, 4], [4], [4]],
    },
    {
      name: 'one channel of a row',
      inputs: [spread([5, 1]), scalarVector(1.5), scalarVector(-0.5)],
      attrs: { epsilon: 0.00001 },
      outputs: [[5, 1], [1], [1]],
    },
  ],
  batch_norm_train_grad: [
    {
      name: 'four channels of an image',
      inputs: [
        spread([2, 3, 3, 4]),
        spread([2, 3, 3, 4]),
        spread([4], 0.5, 2),
        spread([4], -0.1, 0.1),
        spread([4], 1, 2),
      ],
      attrs: { epsilon: 0.001 },
      outputs: [[2, 3, 3, 4], [4], [4]],
    },
  ],
  fold_filter: [
    {
      name: 'the first axis of an OHWI filter',
      inputs: [spread([4, 2, 3, 2]), spread([4], -1, 2), spread([4], 0.1, 3)],
      attrs: { axis: 0, epsilon: 0.001 },
      outputs: [[4, 2, 3, 2]],
    },
    {
      name: 'the last axis of a depthwise filter',
      inputs: [spread([1, 3, 3, 5]), spread([5], 0.5, 2), spread([5], 0.1, 3)],
      attrs: { axis: 3, epsilon: 0.00001 },
      outputs: [[1, 3, 3, 5]],
    },
    {
      name: 'a bias',
      inputs: [spread([3]), spread([3], 0.5, 2), spread([3], 0.1, 3)],
      attrs: { axis: 0, epsilon: 0.001 },
      outputs: [[3]],
    },
  ],
  fold_filter_grad: [
    {
      name: 'the last axis of a depthwise filter',
      inputs: [spread([1, 3, 3, 5]), spread([1, 3, 3, 5]), spread([5], 0.5, 2), spread([5], 0.1, 3)],
      attrs: { axis: 3, epsilon: 0.001 },
      outputs: [[1, 3, 3, 5], [5]],
    },
  ],
  fold_correct: [
    {
      name: 'by the statistics of the batch',
      inputs: [spread([2, 3, 3, 4]), spread([2, 3, 3, 4]), ...foldStatistics],
      attrs: { epsilon: 0.001 },
      outputs: [[2, 3, 3, 4], [4], [4]],
    },
    {
      name: 'not frozen yet, over rows',
      inputs: [spread([6, 4]), spread([6, 4]), ...foldStatistics, scalar(0)],
      attrs: { epsilon: 0.001 },
      outputs: [[6, 4], [4], [4]],
    },
    {
      name: 'frozen',
      inputs: [spread([2, 3, 3, 4]), spread([2, 3, 3, 4]), ...foldStatistics, scalar(1)],
      attrs: { epsilon: 0.001 },
      outputs: [[2, 3, 3, 4], [4], [4]],
    },
  ],
  fold_correct_grad: [0, 1].map((frozen) => ({
    name: frozen === 1 ? 'frozen' : 'by the statistics of the batch',
    inputs: [
      ...[spread([2, 3, 3, 4]), spread([2, 3, 3, 4]), spread([2, 3, 3, 4])],
      ...[spread([4], 0.5, 2), spread([4], -0.1, 0.1), spread([4], 1, 2), spread([4], 0.1, 3), scalar(frozen)],
    ],
    attrs: { epsilon: 0.001 },
    outputs: [[2, 3, 3, 4], [2, 3, 3, 4], [4], [4]],
  })),
  relu: [
    { name: 'both signs', inputs: [spread([2, 3, 5])], attrs: {}, outputs: [[2, 3, 5]] },
    { name: 'a scalar', inputs: [scalar(0.5)], attrs: {}, outputs: [[]] },
  ],
  abs: [
    { name: 'both signs', inputs: [spread([3, 8])], attrs: {}, outputs: [[3, 8]] },
    { name: 'an image', inputs: [spread([1, 4, 5, 3])], attrs: {}, outputs: [[1, 4, 5, 3]] },
    { name: 'a vector', inputs: [spread([50])], attrs: {}, outputs: [[50]] },
  ],
  arg_max: [
    { name: 'of the last axis', inputs: [spread([3, 10])], attrs: { axis: 1 }, outputs: [[3]] },
    { name: 'of the channels', inputs: [spread([1, 4, 5, 3])], attrs: { axis: 3 }, outputs: [[1, 4, 5]] },
    { name: 'of the rows', inputs: [spread([2, 6, 5])], attrs: { axis: 1 }, outputs: [[2, 5]] },
  ],
  arg_min: [
    { name: 'of the last axis', inputs: [spread([3, 10])], attrs: { axis: 1 }, outputs: [[3]] },
    { name: 'of the channels', inputs: [spread([1, 4, 5, 3])], attrs: { axis: 3 }, outputs: [[1, 4, 5]] },
    { name: 'of the first axis', inputs: [spread([6, 5])], attrs: { axis: 0 }, outputs: [[5]] },
  ],
  batch_to_space_nd: [
    {
      name: 'blocks of 2',
      inputs: [spread([8, 3, 2, 5])],
      attrs: {
        blockSizes: [2, 2],
        frame: [
          [0, 0],
          [0, 0],
        ],
      },
      outputs: [[2, 6, 4, 5]],
    },
    {
      name: 'unequal blocks, cut',
      inputs: [spread([6, 3, 4, 2])],
      attrs: {
        blockSizes: [3, 2],
        frame: [
          [1, 2],
          [0, 1],
        ],
      },
      outputs: [[1, 6, 7, 2]],
    },
    {
      name: 'one spatial axis',
      inputs: [spread([4, 3, 5])],
      attrs: { blockSizes: [2], frame: [[1, 0]] },
      outputs: [[2, 5, 5]],
    },
    {
      name: 'blocks of one row',
      inputs: [spread([3, 2, 3, 2])],
      attrs: {
        blockSizes: [1, 3],
        frame: [
          [0, 0],
          [2, 2],
        ],
      },
      outputs: [[1, 2, 5, 2]],
    },
    {
      name: 'blocks of 1',
      inputs: [spread([2, 7, 3, 4])],
      attrs: {
        blockSizes: [1, 1],
        frame: [
          [0, 0],
          [0, 0],
        ],
      },
      outputs: [[2, 7, 3, 4]],
    },
  ],
  broadcast_to: [
    { name: 'a row', inputs: [spread([1, 5])], attrs: { shape: [4, 5] }, outputs: [[4, 5]] },
    { name: 'more axes', inputs: [spread([3, 1])], attrs: { shape: [2, 3, 4] }, outputs: [[2, 3, 4]] },
    { name: 'a pixel', inputs: [spread([1, 1, 1, 3])], attrs: { shape: [2, 4, 5, 3] }, outputs: [[2, 4, 5, 3]] },
    { name: 'a column', inputs: [spread([1, 7, 1])], attrs: { shape: [3, 7, 2] }, outputs: [[3, 7, 2]] },
    { name: 'one value', inputs: [spread([1])], attrs: { shape: [6, 2] }, outputs: [[6, 2]] },
  ],
  depth_to_space: [
    { name: 'blocks of 2', inputs: [spread([2, 3, 4, 12])], attrs: { blockSize: 2 }, outputs: [[2, 6, 8, 3]] },
    { name: 'blocks of 3', inputs: [spread([1, 2, 1, 9])], attrs: { blockSize: 3 }, outputs: [[1, 6, 3, 1]] },
    { name: 'blocks of 1', inputs: [spread([1, 2, 5, 3])], attrs: { blockSize: 1 }, outputs: [[1, 2, 5, 3]] },
    { name: 'one pixel', inputs: [spread([1, 1, 1, 8])], attrs: { blockSize: 2 }, outputs: [[1, 2, 2, 2]] },
  ],
  expand_dims: [
    { name: 'first', inputs: [spread([3, 4])], attrs: { axis: 0 }, outputs: [[1, 3, 4]] },
    { name: 'between', inputs: [spread([3, 4, 2])], attrs: { axis: 2 }, outputs: [[3, 4, 1, 2]] },
    { name: 'last', inputs: [spread([5])], attrs: { axis: 1 }, outputs: [[5, 1]] },
  ],
  gather: [
    {
      name: 'channels',
      inputs: [spread([1, 3, 4, 5])],
      attrs: { axis: 3, indices: [4, 0, 0], indicesShape: [3] },
      outputs: [[1, 3, 4, 3]],
    },
    { name: 'one row', inputs: [spread([4, 5])], attrs: { axis: 0, indices: [2], indicesShape: [] }, outputs: [[5]] },
    {
      name: 'a table of columns',
      inputs: [spread([2, 6, 3])],
      attrs: { axis: 1, indices: [5, 1, 0, 3], indicesShape: [2, 2] },
      outputs: [[2, 2, 2, 3]],
    },
    {
      name: 'the first',
      inputs: [spread([3, 7])],
      attrs: { axis: 1, indices: [0, 0], indicesShape: [2] },
      outputs: [[3, 2]],
    },
  ],
  log_softmax: [
    { name: 'ten classes', inputs: [spread([3, 10], -4, 4)], attrs: {}, outputs: [[3, 10]] },
    { name: 'channels', inputs: [spread([1, 2, 3, 4])], attrs: {}, outputs: [[1, 2, 3, 4]] },
    { name: 'one row of many', inputs: [spread([1, 120])], attrs: {}, outputs: [[1, 120]] },
  ],
  maximum: [
    { name: 'of one shape', inputs: [spread([2, 3, 4]), spread([2, 3, 4])], attrs: {}, outputs: [[2, 3, 4]] },
    { name: 'with a row', inputs: [spread([2, 3, 4]), spread([4])], attrs: {}, outputs: [[2, 3, 4]] },
    { name: 'both broadcast', inputs: [spread([5, 1]), spread([1, 6])], attrs: {}, outputs: [[5, 6]] },
  ],
  minimum: [
    { name: 'of one shape', inputs: [spread([2, 3, 4]), spread([2, 3, 4])], attrs: {}, outputs: [[2, 3, 4]] },
    { name: 'with a row', inputs: [spread([2, 3, 4]), spread([4])], attrs: {}, outputs: [[2, 3, 4]] },
    { name: 'both broadcast', inputs: [spread([5, 1]), spread([1, 6])], attrs: {}, outputs: [[5, 6]] },
  ],
  mirror_pad: [
    {
      name: 'reflected',
      inputs: [spread([1, 4, 5, 2])],
      attrs: {
        mode: 'reflect',
        paddings: [
          [0, 0],
          [1, 2],
          [3, 0],
          [0, 0],
        ],
      },
      outputs: [[1, 7, 8, 2]],
    },
    {
      name: 'symmetric',
      inputs: [spread([1, 4, 5, 2])],
      attrs: {
        mode: 'symmetric',
        paddings: [
          [0, 0],
          [1, 2],
          [3, 0],
          [0, 0],
        ],
      },
      outputs: [[1, 7, 8, 2]],
    },
    {
      name: 'as far as it goes',
      inputs: [spread([3, 4])],
      attrs: {
        mode: 'symmetric',
        paddings: [
          [3, 3],
          [4, 1],
        ],
      },
      outputs: [[9, 9]],
    },
    {
      name: 'reflected as far as it goes',
      inputs: [spread([3, 4])],
      attrs: {
        mode: 'reflect',
        paddings: [
          [2, 2],
          [0, 3],
        ],
      },
      outputs: [[7, 7]],
    },
    {
      name: 'by one',
      inputs: [spread([2, 6, 3])],
      attrs: {
        mode: 'reflect',
        paddings: [
          [1, 1],
          [1, 1],
          [1, 1],
        ],
      },
      outputs: [[4, 8, 5]],
    },
    {
      name: 'symmetric by one',
      inputs: [spread([2, 6, 3])],
      attrs: {
        mode: 'symmetric',
        paddings: [
          [1, 0],
          [0, 1],
          [1, 1],
        ],
      },
      outputs: [[3, 7, 5]],
    },
  ],
  pack: [
    { name: 'in front', inputs: [spread([3, 4]), spread([3, 4])], attrs: { axis: 0 }, outputs: [[2, 3, 4]] },
    {
      name: 'between',
      inputs: [spread([3, 4]), spread([3, 4]), spread([3, 4])],
      attrs: { axis: 1 },
      outputs: [[3, 3, 4]],
    },
    { name: 'behind', inputs: [spread([2, 5, 3]), spread([2, 5, 3])], attrs: { axis: 3 }, outputs: [[2, 5, 3, 2]] },
  ],
  prelu: [
    {
      name: 'a slope for each channel',
      inputs: [spread([1, 4, 5, 3]), spread([1, 1, 3], -1, 1)],
      attrs: {},
      outputs: [[1, 4, 5, 3]],
    },
    { name: 'a slope for each value', inputs: [spread([2, 7]), spread([2, 7])], attrs: {}, outputs: [[2, 7]] },
    { name: 'one slope', inputs: [spread([3, 8]), spread([1])], attrs: {}, outputs: [[3, 8]] },
  ],
  prelu_grad: [
    {
      name: 'a slope for each channel',
      inputs: [spread([2, 4, 5, 3]), spread([2, 4, 5, 3]), spread([1, 1, 3], -1, 1)],
      attrs: {},
      outputs: [[2, 4, 5, 3]],
    },
    {
      name: 'a slope for each value',
      inputs: [spread([2, 7]), spread([2, 7]), spread([2, 7])],
      attrs: {},
      outputs: [[2, 7]],
    },
  ],
  reduce_max: [
    {
      name: 'of each channel',
      inputs: [spread([2, 4, 5, 3])],
      attrs: { axes: [1, 2], keepDims: false },
      outputs: [[2, 3]],
    },
    {
      name: 'of the rows, kept',
      inputs: [spread([2, 4, 5])],
      attrs: { axes: [1], keepDims: true },
      outputs: [[2, 1, 5]],
    },
    { name: 'of all', inputs: [spread([3, 4])], attrs: { axes: [0, 1], keepDims: true }, outputs: [[1, 1]] },
  ],
  reduce_min: [
    {
      name: 'of each channel',
      inputs: [spread([2, 4, 5, 3])],
      attrs: { axes: [1, 2], keepDims: false },
      outputs: [[2, 3]],
    },
    {
      name: 'of the rows, kept',
      inputs: [spread([2, 4, 5])],
      attrs: { axes: [1], keepDims: true },
      outputs: [[2, 1, 5]],
    },
    { name: 'of all', inputs: [spread([3, 4])], attrs: { axes: [0, 1], keepDims: true }, outputs: [[1, 1]] },
  ],
  reduce_prod: [
    { name: 'of a shape', inputs: [spread([4])], attrs: { axes: [0], keepDims: false }, outputs: [[]] },
    { name: 'of the rows, kept', inputs: [spread([3, 4])], attrs: { axes: [1], keepDims: true }, outputs: [[3, 1]] },
    { name: 'of the columns', inputs: [spread([3, 4, 2])], attrs: { axes: [0, 2], keepDims: false }, outputs: [[4]] },
  ],
  shape: [
    { name: 'of an image', inputs: [spread([1, 4, 5, 3])], attrs: {}, outputs: [[4]] },
    { name: 'of a vector', inputs: [spread([6])], attrs: {}, outputs: [[1]] },
    { name: 'of a matrix', inputs: [spread([6, 2])], attrs: {}, outputs: [[2]] },
  ],
  slice: [
    {
      name: 'a block',
      inputs: [spread([2, 7, 9])],
      attrs: { begin: [0, 2, 3], size: [2, 4, 5] },
      outputs: [[2, 4, 5]],
    },
    { name: 'to the end', inputs: [spread([3, 6])], attrs: { begin: [1, 0], size: [-1, 2] }, outputs: [[2, 2]] },
    {
      name: 'the first of an axis',
      inputs: [spread([1, 5, 4, 3])],
      attrs: { begin: [0, 0, 0, 0], size: [-1, -1, 1, -1] },
      outputs: [[1, 5, 1, 3]],
    },
    { name: 'the second on', inputs: [spread([4, 8])], attrs: { begin: [0, 1], size: [-1, -1] }, outputs: [[4, 7]] },
  ],
  space_to_batch_nd: [
    {
      name: 'blocks of 2',
      inputs: [spread([2, 6, 4, 5])],
      attrs: {
        blockSizes: [2, 2],
        frame: [
          [0, 0],
          [0, 0],
        ],
      },
      outputs: [[8, 3, 2, 5]],
    },
    {
      name: 'unequal blocks, framed',
      inputs: [spread([1, 6, 7, 2])],
      attrs: {
        blockSizes: [3, 2],
        frame: [
          [1, 2],
          [0, 1],
        ],
      },
      outputs: [[6, 3, 4, 2]],
    },
    {
      name: 'one spatial axis',
      inputs: [spread([2, 5, 3])],
      attrs: { blockSizes: [2], frame: [[0, 1]] },
      outputs: [[4, 3, 3]],
    },
    {
      name: 'a frame wider than a block',
      inputs: [spread([1, 1, 3, 2])],
      attrs: {
        blockSizes: [2, 1],
        frame: [
          [3, 2],
          [2, 0],
        ],
      },
      outputs: [[2, 3, 5, 2]],
    },
    {
      name: 'blocks of 1',
      inputs: [spread([2, 7, 3, 4])],
      attrs: {
        blockSizes: [1, 1],
        frame: [
          [0, 0],
          [0, 0],
        ],
      },
      outputs: [[2, 7, 3, 4]],
    },
  ],
  space_to_depth: [
    { name: 'blocks of 2', inputs: [spread([2, 6, 8, 3])], attrs: { blockSize: 2 }, outputs: [[2, 3, 4, 12]] },
    { name: 'blocks of 3', inputs: [spread([1, 6, 3, 1])], attrs: { blockSize: 3 }, outputs: [[1, 2, 1, 9]] },
    { name: 'blocks of 1', inputs: [spread([1, 2, 5, 3])], attrs: { blockSize: 1 }, outputs: [[1, 2, 5, 3]] },
    { name: 'squares of one block', inputs: [spread([1, 4, 4, 2])], attrs: { blockSize: 4 }, outputs: [[1, 1, 1, 32]] },
  ],
  tile: [
    { name: 'columns', inputs: [spread([3, 4])], attrs: { multiples: [1, 3] }, outputs: [[3, 12]] },
    { name: 'an image', inputs: [spread([1, 2, 3, 2])], attrs: { multiples: [2, 3, 1, 2] }, outputs: [[2, 6, 3, 4]] },
    { name: 'a vector', inputs: [spread([5])], attrs: { multiples: [4] }, outputs: [[20]] },
  ],
  unpack: [
    { name: 'rows', inputs: [spread([2, 5])], attrs: { axis: 0, count: 2 }, outputs: [[5], [5]] },
    {
      name: 'channels',
      inputs: [spread([2, 4, 3])],
      attrs: { axis: 2, count: 3 },
      outputs: [
        [2, 4],
        [2, 4],
        [2, 4],
      ],
    },
    { name: 'the batch', inputs: [spread([1, 4, 7])], attrs: { axis: 0, count: 1 }, outputs: [[4, 7]] },
    {
      name: 'columns',
      inputs: [spread([6, 2, 3, 4])],
      attrs: { axis: 1, count: 2 },
      outputs: [
        [6, 3, 4],
        [6, 3, 4],
      ],
    },
    { name: 'one column', inputs: [spread([6, 1, 3, 4])], attrs: { axis: 1, count: 1 }, outputs: [[6, 3, 4]] },
  ],
  relu6: [
    { name: 'below, between and above its limits', inputs: [spread([4, 10], -4, 10)], attrs: {}, outputs: [[4, 10]] },
  ],
  relu_grad: [
    { name: 'no limit', inputs: [spread([3, 5]), spread([3, 5])], attrs: { limit: Infinity }, outputs: [[3, 5]] },
    { name: 'limit 6', inputs: [spread([3, 5]), spread([3, 5], 0, 8)], attrs: { limit: 6 }, outputs: [[3, 5]] },
  ],
  leaky_relu: [{ name: 'both signs', inputs: [spread([3, 8])], attrs: { alpha: 0.125 }, outputs: [[3, 8]] }],
  leaky_relu_grad: [
    { name: 'both signs', inputs: [spread([3, 7]), spread([3, 7])], attrs: { alpha: 0.125 }, outputs: [[3, 7]] },
  ],
  hard_swish: [{ name: 'below, between and above 3', inputs: [spread([5, 20], -5, 7)], attrs: {}, outputs: [[5, 20]] }],
  hard_swish_grad: [
    {
      name: 'below, between and above 3',
      inputs: [spread([5, 20]), spread([5, 20], -5, 7)],
      attrs: {},
      outputs: [[5, 20]],
    },
  ],
  logistic: [{ name: 'both signs', inputs: [spread([4, 10], -6, 6)], attrs: {}, outputs: [[4, 10]] }],
  tanh: [{ name: 'both signs', inputs: [spread([4, 11], -3, 3)], attrs: {}, outputs: [[4, 11]] }],
  l2_normalization: [
    { name: 'four rows', inputs: [spread([4, 5])], attrs: {}, outputs: [[4, 5]] },
    { name: 'the channels of an image', inputs: [spread([1, 2, 3, 4], -1, 3)], attrs: {}, outputs: [[1, 2, 3, 4]] },
  ],
  l2_normalization_grad: [
    { name: 'four rows', inputs: [spread([4, 5]), spread([4, 5])], attrs: {}, outputs: [[4, 5]] },
  ],
  resize_bilinear: resizes.map(({ name, input, output, attrs }) => ({
    name,
    inputs: [spread(input)],
    attrs,
    outputs: [output],
  })),
  resize_bilinear_grad: resizes.map(({ name, input, output, attrs }) => ({
    name,
    inputs: [spread(output)],
    attrs: { ...attrs, inputShape: input },
    outputs: [input],
  })),
  resize_nearest_neighbor: resizes.map(({ name, input, output, attrs }) => ({
    name,
    inputs: [spread(input)],
    attrs,
    outputs: [output],
  })),
  resize_nearest_neighbor_grad: resizes.map(({ name, input, output, attrs }) => ({
    name,
    inputs: [spread(output)],
    attrs: { ...attrs, inputShape: input },
    outputs: [input],
  })),
  squeeze: [
    { name: 'the image of one pixel', inputs: [spread([2, 1, 1, 3])], attrs: { axes: [1, 2] }, outputs: [[2, 3]] },
  ],
  transpose: [
    {
      name: 'channels first',
      inputs: [spread([2, 3, 4, 5])],
      attrs: { permutation: [0, 3, 1, 2] },
      outputs: [[2, 5, 3, 4]],
    },
    { name: 'a matrix', inputs: [spread([3, 4])], attrs: { permutation: [1, 0] }, outputs: [[4, 3]] },
    {
      name: 'nothing',
      inputs: [spread([2, 3, 1])],
      attrs: { permutation: [0, 1, 2] },
      outputs: [[2, 3, 1]],
    },
  ],
  pad: [
    {
      name: 'differently on all sides',
      inputs: [spread([2, 3, 4, 2])],
      attrs: {
        paddings: [
          [0, 0],
          [1, 2],
          [3, 0],
          [0, 0],
        ],
      },
      outputs: [[2, 6, 7, 2]],
    },
    { name: 'a row', inputs: [spread([5])], attrs: { paddings: [[2, 1]] }, outputs: [[8]] },
  ],
  strided_slice: slices.map(({ name, input, output, attrs, inTflite }) => ({
    name,
    inputs: [spread(input)],
    attrs,
    outputs: [output],
    ...(inTflite && { inTflite }),
  })),
  strided_slice_grad: slices.map(({ name, input, output, attrs }) => ({
    name,
    inputs: [spread(output)],
    attrs: { ...attrs, inputShape: input },
    outputs: [input],
  })),
  split: [
    {
      name: 'channels in three',
      inputs: [spread([2, 2, 6])],
      attrs: { axis: 2, count: 3 },
      outputs: [
        [2, 2, 2],
        [2, 2, 2],
        [2, 2, 2],
      ],
    },
    {
      name: 'rows in two',
      inputs: [spread([1, 4, 3])],
      attrs: { axis: 1, count: 2 },
      outputs: [
        [1, 2, 3],
        [1, 2, 3],
      ],
    },
  ],
  concatenation: [
    {
      name: 'channels of three images',
      inputs: [spread([2, 2, 3, 1]), spread([2, 2, 3, 4], -1, 3), spread([2, 2, 3, 2])],
      attrs: { axis: 3 },
      outputs: [[2, 2, 3, 7]],
    },
    {
      name: 'rows of two matrices',
      inputs: [spread([2, 3]), spread([4, 3])],
      attrs: { axis: 0 },
      outputs: [[6, 3]],
    },
  ],
  max_pool_2d: [
    ...pools.map(({ name, input, output, attrs }) => ({ name, inputs: [spread(input)], attrs, outputs: [output] })),
    {
      name: explicitPool.name,
      inputs: [spread(explicitPool.input)],
      attrs: explicitPool.attrs,
      outputs: [explicitPool.output],
      refusedBy: { tflite: noExplicitPadding },
    },
  ],
  max_pool_2d_grad: [...pools, explicitPool].map(({ name, input, output, attrs }) => ({
    name,
    inputs: [spread(input), spread(output)],
    attrs,
    outputs: [input],
  })),
  average_pool_2d: [
    ...pools.map(({ name, input, output, attrs }) => ({ name, inputs: [spread(input)], attrs, outputs: [output] })),
    {
      name: explicitPool.name,
      inputs: [spread(explicitPool.input)],
      attrs: explicitPool.attrs,
      outputs: [explicitPool.output],
      refusedBy: { tflite: noExplicitPadding, graphdef: 'AvgPool expects SAME or VALID' },
    },
  ],
  average_pool_2d_grad: [...pools, explicitPool].map(({ name, input, output, attrs }) => ({
    name,
    inputs: [spread(output)],
    attrs: { ...attrs, inputShape: input },
    outputs: [input],
  })),
  mean: [
    {
      name: 'height and width: global pooling',
      inputs: [spread([2, 4, 5, 3])],
      attrs: { axes: [1, 2], keepDims: false },
      outputs: [[2, 3]],
    },
    {
      name: 'kept dimensions',
      inputs: [spread([2, 4, 5, 3])],
      attrs: { axes: [1, 2], keepDims: true },
      outputs: [[2, 1, 1, 3]],
    },
    { name: 'the last axis', inputs: [spread([3, 7])], attrs: { axes: [1], keepDims: false }, outputs: [[3]] },
    { name: 'all axes', inputs: [spread([3, 5])], attrs: { axes: [0, 1], keepDims: false }, outputs: [[]] },
  ],
  sum: [
    {
      name: 'all but the channels',
      inputs: [spread([2, 3, 3, 4])],
      attrs: { axes: [0, 1, 2], keepDims: false },
      outputs: [[4]],
    },
    {
      name: 'outer and inner axis, kept',
      inputs: [spread([2, 3, 4])],
      attrs: { axes: [0, 2], keepDims: true },
      outputs: [[1, 3, 1]],
    },
    {
      name: 'a middle axis of size 1',
      inputs: [spread([2, 1, 4])],
      attrs: { axes: [1], keepDims: false },
      outputs: [[2, 4]],
    },
  ],
  broadcast_grad: [
    {
      name: 'over height and width',
      inputs: [spread([2, 3])],
      attrs: { axes: [1, 2], inputShape: [2, 4, 5, 3], factor: 0.05 },
      outputs: [[2, 4, 5, 3]],
    },
    {
      name: 'from kept dimensions',
      inputs: [spread([1, 3, 1])],
      attrs: { axes: [0, 2], inputShape: [2, 3, 4], factor: 1 },
      outputs: [[2, 3, 4]],
    },
  ],
  reshape: [
    { name: 'an open batch', inputs: [spread([2, 3, 4])], attrs: { shape: [-1, 12] }, outputs: [[2, 12]] },
    { name: 'all dimensions given', inputs: [spread([6, 1])], attrs: { shape: [1, 2, 3] }, outputs: [[1, 2, 3]] },
  ],
  add: [
    {
      name: 'equal shapes',
      inputs: [spread([2, 3, 4]), spread([2, 3, 4], -1, 3)],
      attrs: { activation: 'none' },
      outputs: [[2, 3, 4]],
    },
    {
      name: 'a vector along the last axis',
      inputs: [spread([2, 3, 4]), spread([4])],
      attrs: { activation: 'none' },
      outputs: [[2, 3, 4]],
    },
    {
      name: 'both operands stretched',
      inputs: [spread([2, 1, 4]), spread([3, 1])],
      attrs: { activation: 'none' },
      outputs: [[2, 3, 4]],
    },
    {
      name: 'a scalar first',
      inputs: [scalar(-0.7), spread([2, 2])],
      attrs: { activation: 'none' },
      outputs: [[2, 2]],
    },
  ],
  sub: [
    {
      name: 'equal shapes',
      inputs: [spread([2, 3, 4]), spread([2, 3, 4], -1, 3)],
      attrs: { activation: 'none' },
      outputs: [[2, 3, 4]],
    },
    {
      name: 'both operands stretched',
      inputs: [spread([2, 1, 4]), spread([3, 1])],
      attrs: { activation: 'none' },
      outputs: [[2, 3, 4]],
    },
    {
      name: 'a scalar second',
      inputs: [spread([2, 2]), scalar(-0.7)],
      attrs: { activation: 'none' },
      outputs: [[2, 2]],
    },
  ],
  mul: [
    {
      name: 'equal shapes',
      inputs: [spread([2, 3, 4]), spread([2, 3, 4], -1, 3)],
      attrs: { activation: 'none' },
      outputs: [[2, 3, 4]],
    },
    {
      name: 'both operands stretched',
      inputs: [spread([2, 1, 4]), spread([3, 1])],
      attrs: { activation: 'none' },
      outputs: [[2, 3, 4]],
    },
    {
      name: 'a scalar second',
      inputs: [spread([2, 2]), scalar(-0.7)],
      attrs: { activation: 'none' },
      outputs: [[2, 2]],
    },
  ],
  softmax: [
    { name: 'three rows of ten classes', inputs: [spread([3, 10], -4, 4)], attrs: { beta: 1 }, outputs: [[3, 10]] },
    { name: 'one class', inputs: [spread([4, 1])], attrs: { beta: 1 }, outputs: [[4, 1]] },
    {
      name: 'half the sharpness, rank 4',
      inputs: [spread([1, 2, 2, 3], -4, 4)],
      attrs: { beta: 0.5 },
      outputs: [[1, 2, 2, 3]],
      refusedBy: { graphdef: 'beta is 0.5' },
    },
    {
      name: 'so many equal classes that no probability reaches half a step',
      inputs: [values([1, 700], new Array<number>(700).fill(1))],
      attrs: { beta: 1 },
      outputs: [[1, 700]],
    },
  ],
  quantize: [
    { name: 'to int8', inputs: [spread([2, 5])], attrs: { dtype: 'int8' }, outputs: [[2, 5]] },
    { name: 'to uint8', inputs: [spread([3])], attrs: { dtype: 'uint8' }, outputs: [[3]] },
  ],
  dequantize: [{ name: 'a matrix', inputs: [spread([2, 5])], attrs: {}, outputs: [[2, 5]] }],
  dropout: [
    {
      name: 'a third, late in training',
      inputs: [spread([3, 7, 5]), values([2], [16777215, 12345])],
      attrs: { rate: 1 / 3, stream: 4294967295 },
      outputs: [[3, 7, 5]],
    },
    { name: 'nothing', inputs: [spread([9]), values([2], [0, 0])], attrs: { rate: 0, stream: 0 }, outputs: [[9]] },
    {
      name: 'still on',
      inputs: [spread([40]), values([2], [1, 2]), scalar(0)],
      attrs: { rate: 0.5, stream: 7 },
      outputs: [[40]],
    },
    {
      name: 'switched off',
      inputs: [spread([40]), values([2], [1, 2]), scalar(1)],
      attrs: { rate: 0.5, stream: 7 },
      outputs: [[40]],
    },
  ],
  fake_quant: [
    {
      name: 'one range, values on both sides of it',
      inputs: [spread([3, 7], -4, 8), scalar(-0.1), scalar(6.2)],
      attrs: { bits: 8, narrowRange: false, axis: null },
      outputs: [[3, 7]],
    },
    {
      name: 'four bits, narrow, a range for each last index',
      inputs: [spread([5, 3]), values([3], [-1, -0.7, -2]), values([3], [1, 0.35, 1.5])],
      attrs: { bits: 4, narrowRange: true, axis: 1 },
      outputs: [[5, 3]],
    },
    {
      name: 'a range for each filter',
      inputs: [spread([3, 2, 2, 2]), values([3], [-1, -0.7, -2]), values([3], [1, 0.7, 2])],
      attrs: { bits: 8, narrowRange: true, axis: 0 },
      outputs: [[3, 2, 2, 2]],
      refusedBy: { graphdef: 'works on the last axis' },
    },
    {
      name: 'not yet active',
      inputs: [spread([3, 7], -4, 8), scalar(0), scalar(6), scalar(0)],
      attrs: { bits: 8, narrowRange: false, axis: null },
      outputs: [[3, 7]],
    },
    {
      name: 'active',
      inputs: [spread([3, 7], -4, 8), scalar(0), scalar(6), scalar(1)],
      attrs: { bits: 8, narrowRange: false, axis: null },
      outputs: [[3, 7]],
    },
  ],
  fake_quant_grad: [
    {
      name: 'one range',
      inputs: [spread([3, 7]), spread([3, 7], -4, 8), scalar(-0.1), scalar(6.2)],
      attrs: { bits: 8, narrowRange: false, axis: null },
      outputs: [[3, 7]],
    },
    {
      name: 'a range for each row, active',
      inputs: [spread([2, 5]), spread([2, 5]), values([2], [-1, -0.5]), values([2], [1, 0.5]), scalar(1)],
      attrs: { bits: 8, narrowRange: true, axis: 0 },
      outputs: [[2, 5]],
    },
  ],
  observe_range: [
    {
      name: 'the whole tensor',
      inputs: [spread([3, 5], -1, 4)],
      attrs: { axis: null, symmetric: false },
      outputs: [[], []],
    },
    {
      name: 'symmetric over the whole tensor',
      inputs: [spread([3, 5], -4, 1)],
      attrs: { axis: null, symmetric: true },
      outputs: [[], []],
    },
    {
      name: 'symmetric along the first axis',
      inputs: [spread([3, 2, 2])],
      attrs: { axis: 0, symmetric: true },
      outputs: [[3], [3]],
    },
    {
      name: 'along the last axis',
      inputs: [spread([4, 3])],
      attrs: { axis: 1, symmetric: false },
      outputs: [[3], [3]],
    },
  ],
  softmax_cross_entropy: [
    { name: 'three rows', inputs: [spread([3, 5]), values([3], [0, 4, 2])], attrs: {}, outputs: [[]] },
    { name: 'one row, two classes', inputs: [spread([1, 2]), values([1], [1])], attrs: {}, outputs: [[]] },
    {
      name: 'smoothed and weighted targets',
      inputs: [spread([4, 3]), values([4], [2, 0, 1, 2]), labelTargets],
      attrs: {},
      outputs: [[]],
    },
  ],
  softmax_cross_entropy_grad: [
    { name: 'three rows', inputs: [scalar(0.5), spread([3, 5]), values([3], [0, 4, 2])], attrs: {}, outputs: [[3, 5]] },
    {
      name: 'smoothed and weighted targets',
      inputs: [scalar(0.5), spread([4, 3]), values([4], [2, 0, 1, 2]), labelTargets],
      attrs: {},
      outputs: [[4, 3]],
    },
  ],
  sigmoid_cross_entropy: [
    { name: 'three rows', inputs: [spread([3, 4]), yesAndNo], attrs: { smoothing: 0 }, outputs: [[]] },
    { name: 'smoothed', inputs: [spread([3, 4], -9, 9), yesAndNo], attrs: { smoothing: 0.2 }, outputs: [[]] },
    {
      name: 'weighted, with labels in between',
      inputs: [spread([3, 4]), spread([3, 4], 0, 1), spread([2, 4], 0, 3)],
      attrs: { smoothing: 0.1 },
      outputs: [[]],
    },
    {
      name: 'one answer',
      inputs: [spread([5, 1]), values([5, 1], [1, 0, 0, 1, 1])],
      attrs: { smoothing: 0 },
      outputs: [[]],
    },
  ],
  sigmoid_cross_entropy_grad: [
    {
      name: 'three rows',
      inputs: [scalar(0.5), spread([3, 4]), yesAndNo],
      attrs: { smoothing: 0 },
      outputs: [[3, 4]],
    },
    {
      name: 'weighted, with labels in between',
      inputs: [scalar(0.5), spread([3, 4]), spread([3, 4], 0, 1), spread([2, 4], 0, 3)],
      attrs: { smoothing: 0.1 },
      outputs: [[3, 4]],
    },
  ],
  top_1_count: [{ name: 'three rows', inputs: [spread([3, 5]), values([3], [0, 4, 2])], attrs: {}, outputs: [[]] }],
  mean_squared_error: [
    { name: 'three rows', inputs: [spread([3, 5]), spread([3, 5])], attrs: {}, outputs: [[]] },
    { name: 'maps', inputs: [spread([2, 3, 3, 2]), spread([2, 3, 3, 2])], attrs: {}, outputs: [[]] },
  ],
  mean_squared_error_grad: [
    { name: 'three rows', inputs: [scalar(0.5), spread([3, 5]), spread([3, 5])], attrs: {}, outputs: [[3, 5]] },
  ],
  // Prediction and target are on two grids, so that none is at the bend of the other.
  mean_absolute_error: [
    { name: 'three rows', inputs: [spread([3, 5]), spread([3, 5], -2.1, 1.9)], attrs: {}, outputs: [[]] },
    { name: 'maps', inputs: [spread([2, 3, 3, 2]), spread([2, 3, 3, 2], -2.05, 1.95)], attrs: {}, outputs: [[]] },
  ],
  mean_absolute_error_grad: [
    {
      name: 'three rows',
      inputs: [scalar(0.5), spread([3, 5]), spread([3, 5], -2.1, 1.9)],
      attrs: {},
      outputs: [[3, 5]],
    },
    {
      name: 'equal values',
      inputs: [scalar(0.5), values([2], [1, 2]), values([2], [1, 3])],
      attrs: {},
      outputs: [[2]],
    },
  ],
  mean_huber_error: [
    { name: 'three rows', inputs: [spread([3, 5]), spread([3, 5])], attrs: { delta: 1 }, outputs: [[]] },
    {
      name: 'maps, an odd delta',
      inputs: [spread([2, 3, 3, 2]), spread([2, 3, 3, 2])],
      attrs: { delta: 0.3 },
      outputs: [[]],
    },
  ],
  mean_huber_error_grad: [
    {
      name: 'three rows',
      inputs: [scalar(0.5), spread([3, 5]), spread([3, 5])],
      attrs: { delta: 0.7 },
      outputs: [[3, 5]],
    },
  ],
  increment: [{ name: 'a counter', inputs: [scalar(41)], attrs: {}, outputs: [[]] }],
  reached: [
    { name: 'before', inputs: [scalar(9)], attrs: { threshold: 10 }, outputs: [[]] },
    { name: 'at the threshold', inputs: [scalar(10)], attrs: { threshold: 10 }, outputs: [[]] },
  ],
  moving_average: [
    { name: 'a scalar', inputs: [scalar(-6), scalar(-1)], attrs: { decay: 0.999 }, outputs: [[]] },
    { name: 'a vector', inputs: [spread([5]), spread([5])], attrs: { decay: 0.9 }, outputs: [[5]] },
  ],
  running_extreme: [
    { name: 'a larger value', inputs: [scalar(2), scalar(3)], attrs: { decay: 0.9, end: 'max' }, outputs: [[]] },
    { name: 'a smaller value', inputs: [scalar(2), scalar(1)], attrs: { decay: 0.9, end: 'max' }, outputs: [[]] },
    { name: 'least values', inputs: [spread([5]), spread([5])], attrs: { decay: 0.5, end: 'min' }, outputs: [[5]] },
    { name: 'nearly zero', inputs: [scalar(5e-7), scalar(1e-30)], attrs: { decay: 0.9, end: 'max' }, outputs: [[]] },
    {
      name: 'nearly zero below',
      inputs: [scalar(-1e-38), scalar(0)],
      attrs: { decay: 0.9, end: 'min' },
      outputs: [[]],
    },
  ],
  zero_debias: [
    { name: 'nearly zero', inputs: [scalar(-4e-7), scalar(300)], attrs: { decay: 0.9 }, outputs: [[]] },
    { name: 'the first update', inputs: [scalar(0.01), scalar(1)], attrs: { decay: 0.999 }, outputs: [[]] },
    { name: 'a vector, later', inputs: [spread([5]), scalar(300)], attrs: { decay: 0.99 }, outputs: [[5]] },
  ],
  cross_replica: [
    { name: 'mean', inputs: [spread([3])], attrs: { reduce: 'mean' }, outputs: [[3]] },
    { name: 'smallest', inputs: [scalar(-1)], attrs: { reduce: 'min' }, outputs: [[]] },
    { name: 'largest', inputs: [scalar(2)], attrs: { reduce: 'max' }, outputs: [[]] },
  ],
  momentum_update: [
    {
      name: 'plain',
      inputs: [spread([2, 3]), spread([2, 3]), spread([2, 3]), scalar(0.1)],
      attrs: { momentum: 0.9, nesterov: false, weightDecay: 0 },
      outputs: [
        [2, 3],
        [2, 3],
      ],
    },
    {
      name: 'Nesterov with weight decay',
      inputs: [spread([5]), spread([5]), spread([5]), scalar(0.01)],
      attrs: { momentum: 0.9, nesterov: true, weightDecay: 0.0005 },
      outputs: [[5], [5]],
    },
  ],
  adam_update: [
    {
      name: 'the first step',
      inputs: [
        spread([2, 3]),
        spread([2, 3]),
        values([2, 3], zeros(6)),
        values([2, 3], zeros(6)),
        scalar(0.01),
        scalar(1),
      ],
      attrs: { beta1: 0.9, beta2: 0.999, epsilon: 1e-7, weightDecay: 0 },
      outputs: [
        [2, 3],
        [2, 3],
        [2, 3],
      ],
    },
    {
      name: 'a later step with weight decay',
      inputs: [spread([5]), spread([5]), spread([5]), spread([5], 0, 2), scalar(0.01), scalar(1000)],
      attrs: { beta1: 0.9, beta2: 0.999, epsilon: 1e-7, weightDecay: 0.01 },
      outputs: [[5], [5], [5]],
    },
  ],
};

const conv: Attrs['conv_2d'] = { strides: [1, 1], dilations: [1, 1], padding: valid, activation: 'none' };
const pool: Attrs['max_pool_2d'] = { window: [2, 2], strides: [2, 2], padding: valid, activation: 'none' };
const momentum: Attrs['momentum_update'] = { momentum: 0.9, nesterov: false, weightDecay: 0 };
const adam: Attrs['adam_update'] = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7, weightDecay: 0 };
const resized: Attrs['resize_bilinear'] = { size: [3, 3], alignCorners: false, halfPixelCenters: false };

/** An empty list says that operands of any shape fit. */
export const misfits: { readonly [K in OpName]: readonly Misfit<K>[] } = {
  conv_2d: [
    {
      inputs: [
        [1, 5, 5, 3],
        [8, 3, 3, 2],
      ],
      attrs: conv,
      message: ['[8,3,3,2]', '[8,3,3,3]'],
    },
    {
      inputs: [
        [5, 5, 3],
        [8, 3, 3, 3],
      ],
      attrs: conv,
      message: ['[5,5,3]', '4 dimensions'],
    },
    { inputs: [[1, 5, 5, 3], [8, 3, 3, 3], [7]], attrs: conv, message: ['[7]', '[8]'] },
    {
      inputs: [
        [1, 2, 5, 3],
        [8, 3, 3, 3],
      ],
      attrs: conv,
      message: ['3 pixels', '2'],
    },
  ],
  conv_2d_grad_input: [
    {
      inputs: [
        [1, 4, 4, 8],
        [8, 3, 3, 3],
      ],
      attrs: { ...conv, inputShape: [1, 5, 5, 3] },
      message: ['[1,4,4,8]', '[1,3,3,8]'],
    },
  ],
  conv_2d_grad_filter: [
    {
      inputs: [
        [1, 5, 5, 3],
        [1, 4, 4, 8],
      ],
      attrs: { ...conv, filterShape: [8, 3, 3, 3] },
      message: ['[1,4,4,8]', '[1,3,3,8]'],
    },
  ],
  depthwise_conv_2d: [
    {
      inputs: [
        [1, 5, 5, 3],
        [1, 3, 3, 4],
      ],
      attrs: conv,
      message: ['[1,3,3,4]', '3 channels'],
    },
    { inputs: [[1, 5, 5, 3], [1, 3, 3, 6], [3]], attrs: conv, message: ['[3]', '[6]'] },
  ],
  depthwise_conv_2d_grad_input: [
    {
      inputs: [
        [1, 4, 4, 3],
        [1, 3, 3, 3],
      ],
      attrs: { ...conv, inputShape: [1, 5, 5, 3] },
      message: ['[1,4,4,3]', '[1,3,3,3]'],
    },
  ],
  depthwise_conv_2d_grad_filter: [
    {
      inputs: [
        [1, 5, 5, 3],
        [1, 4, 4, 3],
      ],
      attrs: { ...conv, filterShape: [1, 3, 3, 3] },
      message: ['[1,4,4,3]', '[1,3,3,3]'],
    },
  ],
  transpose_conv: [
    {
      inputs: [
        [1, 3, 3, 2],
        [4, 3, 3, 3],
      ],
      attrs: { strides: [2, 2], padding: same, outputSize: [6, 6], activation: 'none' },
      message: ['[4,3,3,3]', '[4,3,3,2]'],
    },
    {
      inputs: [
        [1, 3, 3, 2],
        [4, 3, 3, 2],
      ],
      attrs: { strides: [2, 2], padding: same, outputSize: [7, 7], activation: 'none' },
      message: ['4x4', '3x3'],
    },
  ],
  fully_connected: [
    {
      inputs: [
        [3, 7],
        [5, 6],
      ],
      attrs: { activation: 'none', keepNumDims: false },
      message: ['[3,7]', 'rows of 6'],
    },
    {
      inputs: [
        [2, 3, 4],
        [5, 6],
      ],
      attrs: { activation: 'none', keepNumDims: true },
      message: ['[2,3,4]', 'rows of 6'],
    },
    { inputs: [[3, 7], [5, 7], [3]], attrs: { activation: 'none', keepNumDims: false }, message: ['[3]', '[5]'] },
  ],
  mat_mul: [
    {
      inputs: [
        [3, 4],
        [3, 2],
      ],
      attrs: { transposeA: false, transposeB: false },
      message: ['[3,4]', '[3,2]'],
    },
    {
      inputs: [
        [3, 4, 1],
        [4, 2],
      ],
      attrs: { transposeA: false, transposeB: false },
      message: ['[3,4,1]', '2 dim'],
    },
  ],
  batch_norm: [{ inputs: [[2, 4], [4], [4], [3], [4]], attrs: { epsilon: 0.001 }, message: ['[3]', '[4]'] }],
  batch_norm_train: [{ inputs: [[2, 4], [4], [3]], attrs: { epsilon: 0.001 }, message: ['[3]', '[4]'] }],
  batch_norm_train_grad: [
    { inputs: [[2, 3], [2, 4], [4], [4], [4]], attrs: { epsilon: 0.001 }, message: ['[2,3]', '[2,4]'] },
  ],
  fold_filter: [{ inputs: [[4, 2, 2, 3], [4], [3]], attrs: { axis: 0, epsilon: 0.001 }, message: ['[3]', '[4]'] }],
  fold_filter_grad: [
    { inputs: [[3, 4], [4, 4], [4], [4]], attrs: { axis: 0, epsilon: 0.001 }, message: ['[3,4]', '[4,4]'] },
  ],
  fold_correct: [
    { inputs: [[2, 4], [2, 4], [4], [4], [3], [4]], attrs: { epsilon: 0.001 }, message: ['[3]', '[4]'] },
    { inputs: [[2, 4], [3, 4], [4], [4], [4], [4]], attrs: { epsilon: 0.001 }, message: ['[3,4]', '[2,4]'] },
  ],
  fold_correct_grad: [
    { inputs: [[2, 4], [2, 3], [2, 4], [4], [4], [4], [4]], attrs: { epsilon: 0.001 }, message: ['[2,4]', '[2,3]'] },
  ],
  relu: [],
  abs: [],
  arg_max: [{ inputs: [[2, 0]], attrs: { axis: 1 }, message: ['axis 1', '[2,0]'] }],
  arg_min: [{ inputs: [[2, 0]], attrs: { axis: 1 }, message: ['axis 1', '[2,0]'] }],
  batch_to_space_nd: [
    {
      inputs: [[3, 2, 2, 1]],
      attrs: {
        blockSizes: [2, 1],
        frame: [
          [0, 0],
          [0, 0],
        ],
      },
      message: ['[3,2,2,1]', '[2,1]'],
    },
    {
      inputs: [[4, 2, 1]],
      attrs: {
        blockSizes: [2, 2],
        frame: [
          [0, 0],
          [0, 0],
        ],
      },
      message: ['[4,2,1]', '[2,2]'],
    },
    { inputs: [[2, 2, 1]], attrs: { blockSizes: [2], frame: [[3, 1]] }, message: ['[1,0,1]', '[2,2,1]'] },
  ],
  broadcast_to: [{ inputs: [[3]], attrs: { shape: [4] }, message: ['[3]', '[4]'] }],
  depth_to_space: [
    { inputs: [[1, 2, 2, 6]], attrs: { blockSize: 2 }, message: ['[1,2,2,6]', '2x2'] },
    { inputs: [[1, 2, 2, 6]], attrs: { blockSize: 0 }, message: ['[1,2,2,6]', '0x0'] },
  ],
  expand_dims: [{ inputs: [[3]], attrs: { axis: 2 }, message: ['axis 2', '[3]'] }],
  gather: [{ inputs: [[3]], attrs: { axis: 0, indices: [3], indicesShape: [1] }, message: ['index 3', '[3]'] }],
  log_softmax: [{ inputs: [[]], attrs: {}, message: ['scalar', '1 dimension'] }],
  maximum: [{ inputs: [[3], [4]], attrs: {}, message: ['[3]', '[4]'] }],
  minimum: [{ inputs: [[3], [4]], attrs: {}, message: ['[3]', '[4]'] }],
  mirror_pad: [
    { inputs: [[3]], attrs: { mode: 'reflect', paddings: [[3, 0]] }, message: ['[3,0]', '[3]'] },
    { inputs: [[3]], attrs: { mode: 'symmetric', paddings: [[0, 4]] }, message: ['[0,4]', '[3]'] },
  ],
  pack: [{ inputs: [[3], [4]], attrs: { axis: 0 }, message: ['[3]', '[4]'] }],
  prelu: [
    {
      inputs: [
        [1, 3],
        [2, 3],
      ],
      attrs: {},
      message: ['[1,3]', '[2,3]'],
    },
  ],
  prelu_grad: [
    { inputs: [[3], [4], [1]], attrs: {}, message: ['[3]', '[4]'] },
    { inputs: [[3], [3], [2]], attrs: {}, message: ['[3]', '[2]'] },
  ],
  reduce_max: [{ inputs: [[3]], attrs: { axes: [1], keepDims: false }, message: ['[1]', '[3]'] }],
  reduce_min: [{ inputs: [[3]], attrs: { axes: [1], keepDims: false }, message: ['[1]', '[3]'] }],
  reduce_prod: [{ inputs: [[3]], attrs: { axes: [1], keepDims: false }, message: ['[1]', '[3]'] }],
  shape: [],
  slice: [
    { inputs: [[3, 4]], attrs: { begin: [0, 2], size: [3, 3] }, message: ['[3,3]', '[3,4]'] },
    { inputs: [[3, 4]], attrs: { begin: [-1, 0], size: [1, 1] }, message: ['[-1,0]', '[3,4]'] },
    { inputs: [[3, 4]], attrs: { begin: [0, 0], size: [-2, 1] }, message: ['[-2,1]', '[3,4]'] },
  ],
  space_to_batch_nd: [
    {
      inputs: [[1, 3, 4, 1]],
      attrs: {
        blockSizes: [2, 2],
        frame: [
          [0, 0],
          [0, 0],
        ],
      },
      message: ['[1,3,4,1]', '[2,2]'],
    },
    { inputs: [[1, 4]], attrs: { blockSizes: [], frame: [] }, message: ['[1,4]', '[]'] },
  ],
  space_to_depth: [{ inputs: [[1, 3, 2, 6]], attrs: { blockSize: 2 }, message: ['[1,3,2,6]', '2x2'] }],
  tile: [
    { inputs: [[3, 4]], attrs: { multiples: [2] }, message: ['[2]', '[3,4]'] },
    { inputs: [[3]], attrs: { multiples: [-1] }, message: ['[-3]', '[3]'] },
  ],
  unpack: [{ inputs: [[3, 4]], attrs: { axis: 1, count: 3 }, message: ['[3,4]', 'size 3'] }],
  relu6: [],
  relu_grad: [{ inputs: [[3], [4]], attrs: { limit: 6 }, message: ['[3]', '[4]'] }],
  max_pool_2d: [
    { inputs: [[4, 4, 1]], attrs: pool, message: ['[4,4,1]', '4 dimensions'] },
    { inputs: [[1, 1, 4, 1]], attrs: pool, message: ['2 pixels', '1'] },
  ],
  max_pool_2d_grad: [
    {
      inputs: [
        [1, 4, 4, 1],
        [1, 4, 4, 1],
      ],
      attrs: pool,
      message: ['[1,4,4,1]', '[1,2,2,1]'],
    },
  ],
  average_pool_2d: [{ inputs: [[4, 4, 1]], attrs: pool, message: ['[4,4,1]', '4 dimensions'] }],
  average_pool_2d_grad: [
    { inputs: [[1, 4, 4, 1]], attrs: { ...pool, inputShape: [1, 4, 4, 1] }, message: ['[1,4,4,1]', '[1,2,2,1]'] },
  ],
  mean: [{ inputs: [[2, 3]], attrs: { axes: [2], keepDims: false }, message: ['[2]', '[2,3]'] }],
  sum: [{ inputs: [[2, 3]], attrs: { axes: [0, 3], keepDims: false }, message: ['[0,3]', '[2,3]'] }],
  broadcast_grad: [{ inputs: [[4]], attrs: { axes: [0], inputShape: [2, 3], factor: 1 }, message: ['[4]', '[3]'] }],
  reshape: [
    { inputs: [[2, 3]], attrs: { shape: [4, 2] }, message: ['[2,3]', '[4,2]'] },
    { inputs: [[2, 3]], attrs: { shape: [-1, 4] }, message: ['[2,3]', '[-1,4]'] },
    { inputs: [[2, 3]], attrs: { shape: [-1, -1] }, message: ['[2,3]', '[-1,-1]'] },
  ],
  add: [
    {
      inputs: [
        [2, 3],
        [2, 4],
      ],
      attrs: { activation: 'none' },
      message: ['[2,3]', '[2,4]'],
    },
  ],
  sub: [
    {
      inputs: [
        [2, 3],
        [2, 4],
      ],
      attrs: { activation: 'none' },
      message: ['[2,3]', '[2,4]'],
    },
  ],
  mul: [
    {
      inputs: [
        [2, 3],
        [2, 4],
      ],
      attrs: { activation: 'none' },
      message: ['[2,3]', '[2,4]'],
    },
  ],
  leaky_relu: [],
  leaky_relu_grad: [{ inputs: [[3], [4]], attrs: { alpha: 0.5 }, message: ['[3]', '[4]'] }],
  hard_swish: [],
  hard_swish_grad: [{ inputs: [[3], [4]], attrs: {}, message: ['[3]', '[4]'] }],
  logistic: [],
  tanh: [],
  l2_normalization: [],
  l2_normalization_grad: [{ inputs: [[3], [4]], attrs: {}, message: ['[3]', '[4]'] }],
  resize_bilinear: [
    { inputs: [[4, 4, 1]], attrs: resized, message: ['[4,4,1]', '4 dimensions'] },
    { inputs: [[1, 4, 4, 1]], attrs: { ...resized, size: [0, 2] }, message: ['[0,2]', 'pixels'] },
  ],
  resize_bilinear_grad: [
    { inputs: [[1, 4, 4, 1]], attrs: { ...resized, inputShape: [1, 2, 2, 1] }, message: ['[1,4,4,1]', '[1,3,3,1]'] },
  ],
  resize_nearest_neighbor: [{ inputs: [[4, 4, 1]], attrs: resized, message: ['[4,4,1]', '4 dimensions'] }],
  resize_nearest_neighbor_grad: [
    { inputs: [[1, 4, 4, 1]], attrs: { ...resized, inputShape: [1, 2, 2, 1] }, message: ['[1,4,4,1]', '[1,3,3,1]'] },
  ],
  squeeze: [{ inputs: [[2, 3]], attrs: { axes: [1] }, message: ['[1]', '[2,3]'] }],
  transpose: [{ inputs: [[2, 3]], attrs: { permutation: [0, 0] }, message: ['[0,0]', '[2,3]'] }],
  pad: [{ inputs: [[2, 3]], attrs: { paddings: [[1, 1]] }, message: ['[1,1]', '[2,3]'] }],
  strided_slice: [
    {
      inputs: [[4]],
      attrs: { begin: [3], end: [2], strides: [1], beginMask: 0, endMask: 0, shrinkAxisMask: 0 },
      message: ['[3] to [2]', '[4]'],
    },
    {
      inputs: [[4]],
      attrs: { begin: [4], end: [0], strides: [1], beginMask: 0, endMask: 0, shrinkAxisMask: 1 },
      message: ['[4]', '[4]'],
    },
  ],
  strided_slice_grad: [{ inputs: [[3]], attrs: { ...slices[3]!.attrs, inputShape: [5] }, message: ['[3]', '[5]'] }],
  split: [{ inputs: [[2, 5]], attrs: { axis: 1, count: 2 }, message: ['[2,5]', '2 equal'] }],
  concatenation: [
    {
      inputs: [
        [2, 3],
        [2, 4],
      ],
      attrs: { axis: 0 },
      message: ['[2,4]', '[2,3]'],
    },
  ],
  softmax: [],
  quantize: [],
  dequantize: [],
  fake_quant: [
    { inputs: [[2, 3], [2], [2]], attrs: { bits: 8, narrowRange: true, axis: 1 }, message: ['2 values', '3'] },
    { inputs: [[2, 3], [], [3]], attrs: { bits: 8, narrowRange: true, axis: null }, message: ['3 values', '1'] },
  ],
  fake_quant_grad: [
    { inputs: [[2], [2, 3], [], []], attrs: { bits: 8, narrowRange: true, axis: null }, message: ['[2]', '[2,3]'] },
  ],
  observe_range: [],
  dropout: [
    { inputs: [[4], []], attrs: { rate: 0.5, stream: 0 }, message: ['[]', '[2]'] },
    { inputs: [[4], [2]], attrs: { rate: 1, stream: 0 }, message: ['rate is 1', 'less than 1'] },
  ],
  softmax_cross_entropy: [
    { inputs: [[3, 5], [4]], attrs: {}, message: ['[3,5]', '[4]'] },
    { inputs: [[3, 5], [3], [3, 5]], attrs: {}, message: ['[3,5]', '[5,5]'] },
  ],
  softmax_cross_entropy_grad: [
    { inputs: [[], [3, 5], [4]], attrs: {}, message: ['[3,5]', '[4]'] },
    { inputs: [[], [3, 5], [3], [5]], attrs: {}, message: ['[5]', '[5,5]'] },
  ],
  sigmoid_cross_entropy: [
    { inputs: [[3, 5], [3]], attrs: { smoothing: 0 }, message: ['[3]', '[3,5]'] },
    { inputs: [[15], [15]], attrs: { smoothing: 0 }, message: ['[15]', '[rows, answers]'] },
    { inputs: [[3, 5], [3, 5], [5]], attrs: { smoothing: 0 }, message: ['[5]', '[2,5]'] },
    {
      inputs: [
        [3, 5],
        [3, 5],
      ],
      attrs: { smoothing: 1 },
      message: ['is 1', 'less than 1'],
    },
    {
      inputs: [
        [3, 5],
        [3, 5],
      ],
      attrs: { smoothing: -0.1 },
      message: ['is -0.1', 'at least 0'],
    },
  ],
  sigmoid_cross_entropy_grad: [
    { inputs: [[], [3, 5], [3, 4]], attrs: { smoothing: 0 }, message: ['[3,4]', '[3,5]'] },
    { inputs: [[], [3, 5], [3, 5], [2, 4]], attrs: { smoothing: 0 }, message: ['[2,4]', '[2,5]'] },
  ],
  top_1_count: [
    {
      inputs: [
        [3, 5],
        [3, 5],
      ],
      attrs: {},
      message: ['[3,5]', '[batch]'],
    },
  ],
  mean_squared_error: [{ inputs: [[3, 5], [15]], attrs: {}, message: ['[3,5]', '[15]'] }],
  mean_squared_error_grad: [{ inputs: [[], [3, 5], [3, 4]], attrs: {}, message: ['[3,5]', '[3,4]'] }],
  mean_absolute_error: [{ inputs: [[3, 5], [15]], attrs: {}, message: ['[3,5]', '[15]'] }],
  mean_absolute_error_grad: [{ inputs: [[], [3, 5], [3, 4]], attrs: {}, message: ['[3,5]', '[3,4]'] }],
  mean_huber_error: [
    { inputs: [[3, 5], [15]], attrs: { delta: 1 }, message: ['[3,5]', '[15]'] },
    { inputs: [[3], [3]], attrs: { delta: 0 }, message: ['is 0', 'above 0'] },
  ],
  mean_huber_error_grad: [
    { inputs: [[], [3, 5], [3, 4]], attrs: { delta: 1 }, message: ['[3,5]', '[3,4]'] },
    { inputs: [[], [3], [3]], attrs: { delta: NaN }, message: ['is NaN', 'above 0'] },
  ],
  increment: [],
  reached: [],
  moving_average: [{ inputs: [[3], [4]], attrs: { decay: 0.9 }, message: ['[4]', '[3]'] }],
  running_extreme: [{ inputs: [[3], [4]], attrs: { decay: 0.9, end: 'max' }, message: ['[4]', '[3]'] }],
  zero_debias: [],
  cross_replica: [],
  momentum_update: [
    { inputs: [[3], [4], [3], []], attrs: momentum, message: ['[4]', '[3]'] },
    { inputs: [[3], [3], [4], []], attrs: momentum, message: ['[4]', '[3]'] },
  ],
  adam_update: [{ inputs: [[3], [3], [3], [4], [], []], attrs: adam, message: ['[4]', '[3]'] }],
};

function scalarVector(value: number): OperandSample {
  return values([1], [value]);
}

function zeros(count: number): readonly number[] {
  return new Array<number>(count).fill(0);
}
