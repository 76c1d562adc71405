// The numbers of the .tflite schema and of TensorFlow's attributes: quantization.md sections 6.4, 6.5 and 7, which
// took them from LiteRT's schema and op_version.cc. A binding that writes and reads with the same mistake fails here.
import { describe, expect, it } from 'vitest';
import { unreachable } from '../../src/core/assert.ts';
import type { DType, Shape } from '../../src/core/tensor.ts';
import type { AttributeValue } from '../../src/formats/protobuf/attribute-value.ts';
import type { GraphDefBinding, IntegerOperand } from '../../src/ops/define.ts';
import { float32 } from '../../src/ops/define.ts';
import type { OpName } from '../../src/ops/index.ts';
import { inferenceOps, opNames, ops } from '../../src/ops/index.ts';

const operand = (dtype: DType, shape: Shape): IntegerOperand => ({
  type: { dtype, shape },
  quant: { kind: 'per_tensor', scale: 0.5, zeroPoint: 0 },
});
const image = operand('int8', [1, 4, 4, 2]);
const matrix = operand('int8', [2, 3]);

const codes: readonly (readonly [op: OpName, builtinCode: number, optionsType: number])[] = [
  ['conv_2d', 3, 1],
  ['fully_connected', 9, 8],
  ['add', 0, 11],
  ['average_pool_2d', 1, 5],
  ['max_pool_2d', 17, 5],
  ['mean', 40, 27],
  ['sum', 74, 27],
  ['reshape', 22, 17],
  ['softmax', 25, 9],
  ['relu', 19, 0],
  ['relu6', 21, 0],
  ['quantize', 114, 89],
  ['dequantize', 6, 38],
  ['depthwise_conv_2d', 4, 2],
  ['transpose_conv', 67, 49],
  ['sub', 41, 28],
  ['mul', 18, 21],
  ['concatenation', 2, 10],
  ['split', 49, 35],
  ['strided_slice', 45, 32],
  ['pad', 34, 22],
  ['transpose', 39, 26],
  ['squeeze', 43, 30],
  ['leaky_relu', 98, 75],
  ['prelu', 54, 0],
  ['hard_swish', 117, 91],
  ['logistic', 14, 0],
  ['tanh', 28, 0],
  ['l2_normalization', 11, 12],
  ['resize_bilinear', 23, 15],
  ['resize_nearest_neighbor', 97, 74],
];

describe('the .tflite schema', () => {
  it.each(codes)('%s is operator %d with options table %d', (op, builtinCode, optionsType) => {
    expect(ops[op].tflite).toMatchObject({ builtinCode, optionsType });
  });

  it('is checked here for every op that we write; those of models by others are read from TensorFlow’s own files', () => {
    const written = opNames.filter((op) => ops[op].tflite !== null && !(op in inferenceOps));
    expect(codes.map(([op]) => op).sort()).toEqual(written.sort());
  });

  it('orders its fields as Conv2DOptions, Pool2DOptions and FullyConnectedOptions do', () => {
    const names = (op: OpName): readonly string[] =>
      (ops[op].tflite?.fields ?? []).map(({ id, name }) => `${id} ${name}`);
    expect(names('conv_2d')).toEqual([
      '0 padding',
      '1 stride_w',
      '2 stride_h',
      '3 fused_activation_function',
      '4 dilation_w_factor',
      '5 dilation_h_factor',
    ]);
    expect(names('max_pool_2d')).toEqual([
      '0 padding',
      '1 stride_w',
      '2 stride_h',
      '3 filter_width',
      '4 filter_height',
      '5 fused_activation_function',
    ]);
    expect(names('fully_connected')).toEqual([
      '0 fused_activation_function',
      '1 weights_format',
      '2 keep_num_dims',
      '3 asymmetric_quantize_inputs',
    ]);
  });

  it('orders the fields of the other options tables as the schema does', () => {
    const fields = (op: OpName): readonly string[] =>
      (ops[op].tflite?.fields ?? []).map(({ id, name, type }) => `${id} ${name} ${type}`);
    expect(fields('depthwise_conv_2d')).toEqual([
      '0 padding byte',
      '1 stride_w int32',
      '2 stride_h int32',
      '3 depth_multiplier int32',
      '4 fused_activation_function byte',
      '5 dilation_w_factor int32',
      '6 dilation_h_factor int32',
    ]);
    expect(fields('transpose_conv')).toEqual([
      '0 padding byte',
      '1 stride_w int32',
      '2 stride_h int32',
      '3 fused_activation_function byte',
    ]);
    expect(fields('strided_slice')).toEqual([
      '0 begin_mask int32',
      '1 end_mask int32',
      '2 ellipsis_mask int32',
      '3 new_axis_mask int32',
      '4 shrink_axis_mask int32',
      '5 offset bool',
    ]);
    expect(fields('resize_bilinear')).toEqual(['2 align_corners bool', '3 half_pixel_centers bool']);
    expect(fields('resize_nearest_neighbor')).toEqual(['0 align_corners bool', '1 half_pixel_centers bool']);
    expect(fields('concatenation')).toEqual(['0 axis int32', '1 fused_activation_function byte']);
    expect(fields('split')).toEqual(['0 num_splits int32']);
    expect(fields('leaky_relu')).toEqual(['0 alpha float32']);
    expect(fields('squeeze')).toEqual(['0 squeeze_dims int32_vector']);
  });

  it('says how many filters a channel has, as the quotient of the channels', () => {
    const depthwise = ops.depthwise_conv_2d.tflite?.encode({
      inputs: [image, operand('int8', [1, 3, 3, 6])],
      outputs: [image],
      attrs: { strides: [1, 2], dilations: [3, 4], padding: { kind: 'same' }, activation: 'relu6' },
    });
    expect(depthwise?.options).toEqual({
      padding: 0,
      stride_w: 2,
      stride_h: 1,
      depth_multiplier: 3,
      fused_activation_function: 3,
      dilation_w_factor: 4,
      dilation_h_factor: 3,
    });
  });

  it('wants the smallest version that int8 needs', () => {
    const unary = { inputs: [image], outputs: [image] };
    const size = { size: [2, 2], alignCorners: false } as const;
    expect([
      ops.resize_bilinear.tflite?.version({ ...unary, attrs: { ...size, halfPixelCenters: false } }),
      ops.resize_bilinear.tflite?.version({ ...unary, attrs: { ...size, halfPixelCenters: true } }),
      ops.hard_swish.tflite?.version({ ...unary, attrs: {} }),
      ops.logistic.tflite?.version({ ...unary, attrs: {} }),
      // The product of the scales over the output's, 0.5 * 0.5 / 0.5, is below 1.
      ops.mul.tflite?.version({ inputs: [image, image], outputs: [image], attrs: { activation: 'none' } }),
    ]).toEqual([
      { version: 2, minimumRuntime: '1.14.0' },
      // The version came with 2.2.0; the kernels of 2.3 and 2.4 are wrong.
      { version: 3, minimumRuntime: '2.5.0' },
      { version: 1, minimumRuntime: '1.15.0' },
      { version: 2, minimumRuntime: '1.14.0' },
      { version: 2, minimumRuntime: '1.14.0' },
    ]);
    const filter = operand('int8', [2, 3, 3, 2]);
    const attrs = { strides: [2, 2], padding: { kind: 'same' }, outputSize: [8, 8], activation: 'none' } as const;
    const transposeConv = (inputs: readonly IntegerOperand[], activation: 'none' | 'relu') =>
      ops.transpose_conv.tflite?.version({ inputs, outputs: [image], attrs: { ...attrs, activation } }).version;
    const bias = operand('int32', [2]);
    expect(transposeConv([image, filter], 'none')).toBe(2);
    expect(transposeConv([image, filter, bias], 'none')).toBe(3);
    expect(transposeConv([image, filter, bias], 'relu')).toBe(4);
  });

  it('says width and height, SAME 0 and VALID 1, RELU6 3, of a convolution and a pool', () => {
    const filter = operand('int8', [2, 3, 3, 2]);
    const conv = ops.conv_2d.tflite?.encode({
      inputs: [image, filter],
      outputs: [image],
      attrs: { strides: [1, 2], dilations: [3, 4], padding: { kind: 'same' }, activation: 'relu6' },
    });
    expect(conv).toEqual({
      options: {
        padding: 0,
        stride_w: 2,
        stride_h: 1,
        fused_activation_function: 3,
        dilation_w_factor: 4,
        dilation_h_factor: 3,
      },
      parameters: [],
    });
    const pool = ops.max_pool_2d.tflite?.encode({
      inputs: [image],
      outputs: [image],
      attrs: { window: [5, 6], strides: [1, 2], padding: { kind: 'valid' }, activation: 'relu_n1_to_1' },
    });
    expect(pool?.options).toEqual({
      padding: 1,
      stride_w: 2,
      stride_h: 1,
      filter_width: 6,
      filter_height: 5,
      fused_activation_function: 2,
    });
  });

  it('wants a higher version of fully_connected for what the first could not say', () => {
    const version = (inputs: readonly IntegerOperand[], keepNumDims: boolean) =>
      ops.fully_connected.tflite?.version({ inputs, outputs: [matrix], attrs: { activation: 'none', keepNumDims } });
    const bias = operand('int32', [2]);
    expect(version([matrix, matrix, bias], false)).toEqual({ version: 4, minimumRuntime: '1.14.0' });
    expect(version([matrix, matrix, bias], true)).toEqual({ version: 5, minimumRuntime: '2.0.0' });
    expect(version([matrix, matrix], false)).toEqual({ version: 6, minimumRuntime: '2.1.0' });
    // No version says that there are several scales, which releases before 2.10 do not see.
    const scales = (...values: readonly number[]) =>
      ({ ...matrix, quant: { kind: 'per_channel', scales: Float32Array.from(values), axis: 0 } }) as const;
    expect(version([matrix, scales(1, 2), bias], false)).toEqual({ version: 4, minimumRuntime: '2.10.0' });
    expect(version([matrix, scales(1), bias], false)).toEqual({ version: 4, minimumRuntime: '1.14.0' });
  });

  it('wants a higher version of conv_2d for groups', () => {
    const attrs = { strides: [1, 1], dilations: [1, 1], padding: { kind: 'same' }, activation: 'none' } as const;
    const version = (filter: Shape) =>
      ops.conv_2d.tflite?.version({ inputs: [image, operand('int8', filter)], outputs: [image], attrs });
    expect(version([2, 3, 3, 2])).toEqual({ version: 3, minimumRuntime: '1.14.0' });
    expect(version([2, 3, 3, 1])).toEqual({ version: 6, minimumRuntime: '2.9.0' });
  });
});

describe('TensorFlow nodes', () => {
  it('say all four dimensions of strides and dilations in NHWC order', () => {
    expect(
      nodesOf(ops.conv_2d.graphdef, [[1, 9, 9, 2], [2, 3, 3, 2], [2]], {
        strides: [1, 2],
        dilations: [3, 4],
        padding: { kind: 'explicit', top: 1, bottom: 2, left: 3, right: 4 },
        activation: 'none',
      }),
    ).toEqual([
      {
        op: 'Conv2D',
        name: 'node/Conv2D',
        inputs: ['x0', 'x1'],
        T: 'float32',
        padding: 'EXPLICIT',
        explicit_paddings: [0, 0, 1, 2, 3, 4, 0, 0],
        strides: [1, 1, 2, 1],
        dilations: [1, 3, 4, 1],
      },
      { op: 'BiasAdd', name: 'node', inputs: ['node/Conv2D', 'x2'], T: 'float32' },
    ]);
  });

  it('name the window ksize', () => {
    const attrs = { window: [2, 3], strides: [1, 2], padding: { kind: 'valid' }, activation: 'none' } as const;
    expect(nodesOf(ops.average_pool_2d.graphdef, [[1, 9, 9, 2]], attrs)).toEqual([
      {
        op: 'AvgPool',
        name: 'node',
        inputs: ['x0'],
        T: 'float32',
        padding: 'VALID',
        ksize: [1, 2, 3, 1],
        strides: [1, 1, 2, 1],
      },
    ]);
  });

  it('give FakeQuant its bits, and per-channel ranges an op of their own', () => {
    const attrs = { bits: 4, narrowRange: true } as const;
    expect(nodesOf(ops.fake_quant.graphdef, [[2, 3], [], []], { ...attrs, axis: null })).toEqual([
      { op: 'FakeQuantWithMinMaxVars', name: 'node', inputs: ['x0', 'x1', 'x2'], num_bits: 4, narrow_range: true },
    ]);
    expect(nodesOf(ops.fake_quant.graphdef, [[2, 3], [3], [3]], { ...attrs, axis: 1 })).toMatchObject([
      { op: 'FakeQuantWithMinMaxVarsPerChannel', num_bits: 4, narrow_range: true },
    ]);
  });

  it('normalise by given statistics, not by those of the batch', () => {
    const shapes = [[2, 4, 4, 3], [3], [3], [3], [3]];
    expect(nodesOf(ops.batch_norm.graphdef, shapes, { epsilon: 0.001 })).toMatchObject([
      { op: 'FusedBatchNormV3', T: 'float32', U: 'float32', epsilon: 0.001, is_training: false },
    ]);
  });

  it('hold filters in the layouts HWIO and [inputs, outputs]', () => {
    // Where each axis of TensorFlow's filter lies in ours, which is OHWI and [outputs, inputs].
    expect(ops.conv_2d.graphdef?.layouts).toEqual({ 1: [1, 2, 3, 0] });
    expect(ops.fully_connected.graphdef?.layouts).toEqual({ 1: [1, 0] });
  });
});

function nodesOf<A>(
  binding: GraphDefBinding<A> | null,
  shapes: readonly Shape[],
  attrs: NoInfer<A>,
): readonly object[] {
  const nodes: object[] = [];
  binding?.write(
    {
      node(op, name, inputs, attributes) {
        const plain = Object.entries(attributes).map(([key, value]) => [key, plainValue(value)] as const);
        nodes.push({ op, name, inputs, ...Object.fromEntries(plain) });
        return name;
      },
      constant: (name) => name,
    },
    {
      name: 'node',
      inputs: shapes.map((_, index) => `x${index}`),
      inputTypes: shapes.map(float32),
      outputTypes: [],
      attrs,
    },
  );
  return nodes;
}

function plainValue(value: AttributeValue): unknown {
  switch (value.kind) {
    case 'bytes':
      return new TextDecoder().decode(value.value);
    case 'list':
      return value.values.of === 'nothing' ? [] : value.values.values;
    case 'int':
    case 'float':
    case 'bool':
    case 'type':
    case 'shape':
    case 'tensor':
      return value.value;
    case 'opaque':
      return value.bytes;
    default:
      return unreachable(value);
  }
}
