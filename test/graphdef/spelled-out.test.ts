// What TensorFlow says in other words than we do: filters in several layouts, functions in several nodes, outputs.
import { describe, expect, it } from 'vitest';
import { floatTensor, tensor } from '../../src/core/tensor.ts';
import type { Shape, Tensor } from '../../src/core/tensor.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import { exportGraphDef } from '../../src/graphdef/export.ts';
import { importGraphDef } from '../../src/graphdef/import.ts';
import type { AttributeValue } from '../../src/formats/protobuf/attribute-value.ts';
import { textAttribute } from '../../src/formats/protobuf/attribute-value.ts';
import type { NodeDef } from '../../src/formats/protobuf/graph-def.ts';
import { infer } from '../models/networks.ts';

const node = (
  op: string,
  name: string,
  inputs: readonly string[] = [],
  attributes: Record<string, AttributeValue> = {},
): NodeDef => ({ op, name, inputs, device: '', attributes: new Map(Object.entries(attributes)) });

const placeholder = (shape: Shape): NodeDef =>
  node('Placeholder', 'x', [], {
    dtype: { kind: 'type', value: 'float32' },
    shape: { kind: 'shape', value: shape },
  });

const constant = (name: string, value: Tensor): NodeDef =>
  node('Const', name, [], {
    dtype: { kind: 'type', value: value.dtype },
    value: { kind: 'tensor', value: { kind: 'numeric', type: value.dtype, tensor: value } },
  });

const scalar = (name: string, value: number): NodeDef => constant(name, floatTensor([], [value]));
const integers = (name: string, ...values: readonly number[]): NodeDef =>
  constant(name, tensor('int32', [values.length], Int32Array.from(values)));

function read(nodes: readonly NodeDef[]): Graph {
  const graphDef = { nodes, versions: { producer: 1, minConsumer: 0 }, functionNames: [] };
  return verify(importGraphDef(graphDef, new Map(), 'some/graph.pb'));
}

const run = async (graph: Graph, ...values: readonly number[]) => [...(await infer(graph, Float32Array.from(values)))];
const opsOf = (graph: Graph): readonly string[] => graph.nodes.map(({ op }) => op);

describe('a depthwise filter of two channels with two filters each', () => {
  const valid = {
    strides: { kind: 'list', values: { of: 'int', values: [1, 1, 1, 1] } },
    padding: textAttribute('VALID'),
  } as const;
  const image = placeholder([-1, 1, 1, 2]);
  // [height, width, channels, multiplier]: channel 0 times 1 and 2, channel 1 times 3 and 4.
  const filter = constant('filter', floatTensor([1, 1, 2, 2], [1, 2, 3, 4]));

  it('is read as [1, height, width, channels * multiplier]', async () => {
    const graph = read([image, filter, node('DepthwiseConv2dNative', 'conv', ['x', 'filter'], valid)]);
    expect(graph.values.get('filter')?.type.shape).toEqual([1, 1, 1, 4]);
    expect(await run(graph, 10, 100)).toEqual([10, 20, 300, 400]);
  });

  it('has a range for each of four channels where a Reshape follows its quantizer', async () => {
    const graph = read([
      image,
      constant('filter', floatTensor([1, 1, 1, 4], [1, 2, 3, 4])),
      // Only the last channel is cut off, at 2.
      constant('min', floatTensor([4], [-1, -2, -3, -2])),
      constant('max', floatTensor([4], [1, 2, 3, 2])),
      node('FakeQuantWithMinMaxVarsPerChannel', 'fake_quant', ['filter', 'min', 'max'], {
        narrow_range: { kind: 'bool', value: true },
      }),
      integers('shape', 1, 1, 2, 2),
      node('Reshape', 'reshape', ['fake_quant', 'shape']),
      node('DepthwiseConv2dNative', 'conv', ['x', 'reshape'], valid),
    ]);
    expect(opsOf(graph)).toEqual(['fake_quant', 'depthwise_conv_2d']);
    expect(await run(graph, 10, 100)).toEqual([10, 20, 300, 200]);
  });

  it('shares its ranges between the channels where it is quantized with four axes', async () => {
    const graph = read([
      image,
      filter,
      // The last axis is the multiplier: channels 0 and 2 end at 1, channels 1 and 3 at 4.
      constant('min', floatTensor([2], [-1, -4])),
      constant('max', floatTensor([2], [1, 4])),
      node('FakeQuantWithMinMaxVarsPerChannel', 'fake_quant', ['filter', 'min', 'max'], {
        narrow_range: { kind: 'bool', value: true },
      }),
      node('DepthwiseConv2dNative', 'conv', ['x', 'fake_quant'], valid),
    ]);
    const found = await run(graph, 10, 100);
    // A step of the second range is 4 / 127.
    for (const [index, value] of [10, 20, 100, 400].entries()) expect(found[index]! / value).toBeCloseTo(1, 1.5);
  });
});

describe('a transposed convolution whose filter is quantized before it is transposed', () => {
  it('has its ranges on the output channels', async () => {
    const graph = read([
      placeholder([-1, 1, 1, 1]),
      // [height, width, inputs, outputs]
      constant('filter', floatTensor([1, 1, 1, 2], [1, 5])),
      constant('min', floatTensor([2], [-1, -3])),
      constant('max', floatTensor([2], [1, 3])),
      node('FakeQuantWithMinMaxVarsPerChannel', 'fake_quant', ['filter', 'min', 'max'], {
        narrow_range: { kind: 'bool', value: true },
      }),
      integers('permutation', 0, 1, 3, 2),
      node('Transpose', 'transpose', ['fake_quant', 'permutation']),
      integers('shape', 1, 1, 1, 2),
      node('Conv2DBackpropInput', 'conv', ['shape', 'transpose', 'x'], {
        strides: { kind: 'list', values: { of: 'int', values: [1, 1, 1, 1] } },
        padding: textAttribute('VALID'),
      }),
    ]);
    expect(opsOf(graph)).toEqual(['fake_quant', 'transpose_conv']);
    expect(await run(graph, 10)).toEqual([10, 30]);
  });
});

describe('hard swish', () => {
  const gate = [
    placeholder([-1, 4]),
    scalar('three', 3),
    scalar('sixth', 1 / 6),
    node('AddV2', 'sum', ['three', 'x']),
    node('Relu6', 'relu6', ['sum']),
  ];
  const forms: readonly (readonly [string, readonly NodeDef[]])[] = [
    [
      'x * (relu6(x + 3) / 6), as Keras writes it',
      [node('Mul', 'p', ['relu6', 'sixth']), node('Mul', 'y', ['x', 'p'])],
    ],
    ['(x * relu6(x + 3)) / 6', [node('Mul', 'p', ['x', 'relu6']), node('Mul', 'y', ['sixth', 'p'])]],
  ];
  it.each(forms)('is known in the form %s', async (_name, nodes) => {
    const graph = read([...gate, ...nodes]);
    expect(opsOf(graph)).toEqual(['hard_swish']);
    // Adding 0 makes 0 of -0.
    const found = await run(graph, -4, -1, 1, 4);
    expect(found.map((value) => value + 0)).toEqual([0, Math.fround(-1 / 3), Math.fround(2 / 3), 4]);
  });

  it('keeps a part that something else reads', () => {
    const nodes = [node('Mul', 'p', ['x', 'relu6']), node('Mul', 'y', ['sixth', 'p']), node('AddV2', 'z', ['y', 'p'])];
    expect(opsOf(read([...gate, ...nodes])).toSorted()).toEqual(['add', 'add', 'hard_swish', 'mul', 'relu6']);
  });
});

describe('prelu', () => {
  const slopes = constant('alpha', floatTensor([4], [0.5, 0, -1, 2]));
  const parts = [
    placeholder([-1, 4]),
    slopes,
    node('Relu', 'positive', ['x']),
    node('Neg', 'opposite', ['x']),
    node('Relu', 'negative', ['opposite']),
    node('Neg', 'slopes', ['alpha']),
  ];
  const forms: readonly (readonly [string, readonly NodeDef[]])[] = [
    ['Keras writes it', [node('Mul', 'p', ['slopes', 'negative']), node('AddV2', 'y', ['positive', 'p'])]],
    ['older graphs have it', [node('Mul', 'p', ['negative', 'slopes']), node('Add', 'y', ['p', 'positive'])]],
  ];
  it.each(forms)('is known as %s', async (_name, nodes) => {
    const graph = read([...parts, ...nodes]);
    expect(opsOf(graph)).toEqual(['prelu']);
    expect(await run(graph, -4, -1, -3, -2)).toEqual([-2, -0, 3, -4]);
    expect(await run(graph, 4, 0, 3, 2)).toEqual([4, 0, 3, 2]);
  });
});

describe('l2 normalization', () => {
  it('is known as tf.math.l2_normalize writes it', async () => {
    const graph = read([
      placeholder([-1, 2]),
      node('Square', 'square', ['x']),
      integers('axis', -1),
      node('Sum', 'sum', ['square', 'axis'], { keep_dims: { kind: 'bool', value: true } }),
      scalar('epsilon', 1e-12),
      node('Maximum', 'maximum', ['sum', 'epsilon']),
      node('Rsqrt', 'rsqrt', ['maximum']),
      node('Mul', 'y', ['x', 'rsqrt']),
    ]);
    expect(opsOf(graph)).toEqual(['l2_normalization']);
    expect(await run(graph, 3, -4)).toEqual([Math.fround(0.6), Math.fround(-0.8)]);
  });
});

describe('further outputs', () => {
  it('are read by their number', async () => {
    const graph = read([
      placeholder([-1, 4]),
      constant('axis', tensor('int32', [], Int32Array.of(1))),
      node('Split', 'halves', ['axis', 'x'], { num_split: { kind: 'int', value: 2 } }),
      node('Sub', 'difference', ['halves:1', 'halves']),
    ]);
    expect(await run(graph, 1, 2, 30, 40)).toEqual([29, 38]);
  });
});

describe('batch norm of rows, which FusedBatchNormV3 takes only as images of one pixel', () => {
  const nodes = [
    placeholder([-1, 2]),
    integers('image_shape', -1, 1, 1, 2),
    node('Reshape', 'image', ['x', 'image_shape']),
    ...(['gamma', 'beta', 'mean'] as const).map((name, index) => constant(name, floatTensor([2], [index + 1, 2]))),
    constant('variance', floatTensor([2], [3, 8])),
    node('FusedBatchNormV3', 'norm', ['image', 'gamma', 'beta', 'mean', 'variance'], {
      epsilon: { kind: 'float', value: 1 },
      is_training: { kind: 'bool', value: false },
    }),
    integers('row_shape', -1, 2),
    node('Reshape', 'rows', ['norm', 'row_shape']),
  ];

  it('is read as one batch norm, so that it can be folded', async () => {
    const graph = read(nodes);
    expect(opsOf(graph)).toEqual(['batch_norm']);
    // (x - mean) / sqrt(variance + 1) * gamma + beta: (7 - 3) / 2 * 1 + 2 and (8 - 2) / 3 * 2 + 2.
    expect(await run(graph, 7, 8)).toEqual([4, 6]);
  });

  it('is written in the same nodes', () => {
    const { graphDef } = exportGraphDef(read(nodes));
    expect(graphDef.nodes.filter(({ op }) => op !== 'Const').map(({ op }) => op)).toEqual([
      'Placeholder',
      'Reshape',
      'FusedBatchNormV3',
      'Reshape',
      'Identity',
    ]);
  });
});
