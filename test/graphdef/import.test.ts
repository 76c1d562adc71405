// Graphs as TensorFlow's tools write them, made by hand.
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import { floatTensor, tensor } from '../../src/core/tensor.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import { importGraphDef } from '../../src/graphdef/import.ts';
import type { AttributeValue } from '../../src/formats/protobuf/attribute-value.ts';
import type { NodeDef } from '../../src/formats/protobuf/graph-def.ts';
import { infer } from '../models/networks.ts';

const node = (
  op: string,
  name: string,
  inputs: readonly string[] = [],
  attributes: Record<string, AttributeValue> = {},
): NodeDef => ({ op, name, inputs, device: '', attributes: new Map(Object.entries(attributes)) });

const placeholder = (name: string, shape: readonly number[] | null): NodeDef =>
  node('Placeholder', name, [], {
    dtype: { kind: 'type', value: 'float32' },
    shape: { kind: 'shape', value: shape },
  });

const constant = (name: string, value: Tensor): NodeDef =>
  node('Const', name, [], {
    dtype: { kind: 'type', value: value.dtype },
    value: { kind: 'tensor', value: { kind: 'numeric', type: value.dtype, tensor: value } },
  });

function read(nodes: readonly NodeDef[], variables: Record<string, Tensor> = {}, functionNames: string[] = []): Graph {
  const graphDef = { nodes, versions: { producer: 1, minConsumer: 0 }, functionNames };
  return verify(importGraphDef(graphDef, new Map(Object.entries(variables)), 'some/graph.pb'));
}

const weights = floatTensor([2, 3], [1, 2, 3, 4, 5, 6]); // TensorFlow's [in, out]
const bias = floatTensor([3], [10, 20, 30]);
const x = placeholder('x', [-1, 2]);
/** [1, 2] . weights + bias */
const expected = [19, 32, 45];
const result = async (graph: Graph) => [...(await infer(graph, Float32Array.of(1, 2)))];

describe('an imported graph', () => {
  it('is a matrix product with its bias, of batch 1', async () => {
    const graph = read([
      x,
      constant('w', weights),
      constant('b', bias),
      node('MatMul', 'product', ['x', 'w']),
      node('BiasAdd', 'sum', ['product', 'b']),
    ]);
    expect(graph.level).toBe('float');
    expect(graph.name).toBe('graph.pb');
    expect(graph.nodes.map(({ op, name }) => [op, name])).toEqual([['fully_connected', 'sum']]);
    expect(await result(graph)).toEqual(expected);
  });

  it('reads nodes in any order and skips control inputs, devices and chains of Identity', async () => {
    const graph = read([
      node('Identity', 'out', ['i3']),
      node('StopGradient', 'i3', ['sum:0']),
      node('BiasAdd', 'sum', ['i2', 'b/read', '^init']),
      node('Identity', 'b/read', ['b']),
      node('Identity', 'i2', ['i1']),
      node('CheckNumerics', 'i1', ['product']),
      { ...node('MatMul', 'product', ['x', 'w/read', '^b']), device: '/job:worker/GPU:0' },
      node('Identity', 'w/read', ['w']),
      node('NoOp', 'init', ['^b']),
      constant('b', bias),
      constant('w', weights),
      x,
    ]);
    expect(graph.nodes).toHaveLength(1);
    expect(await result(graph)).toEqual(expected);
  });

  it('fills variables in from the checkpoint, in TensorFlow’s layout', async () => {
    const nodes = [
      x,
      node('VarHandleOp', 'w'),
      node('ReadVariableOp', 'w/Read', ['w']),
      node('VarHandleOp', 'b'),
      node('ReadVariableOp', 'b/Read', ['b']),
      node('MatMul', 'product', ['x', 'w/Read']),
      node('BiasAdd', 'sum', ['product', 'b/Read']),
    ];
    expect(await result(read(nodes, { w: weights, b: bias }))).toEqual(expected);
    expect(() => read(nodes, { w: weights })).toThrow(
      'node "b/Read" (ReadVariableOp): the checkpoint has no value for "b"',
    );
  });

  it('may read one matrix product with and without a bias', async () => {
    const graph = read([
      x,
      constant('w', weights),
      constant('b', bias),
      node('MatMul', 'product', ['x', 'w']),
      node('BiasAdd', 'sum', ['product', 'b']),
      node('AddV2', 'both', ['sum', 'product']),
    ]);
    expect(await result(graph)).toEqual([9 + 19, 12 + 32, 15 + 45]);
  });

  it('may use one constant as a filter and as a value, each in its own layout', async () => {
    const square = floatTensor([2, 2], [1, 2, 3, 4]);
    const graph = read([
      placeholder('x', [-1, 2]),
      constant('w', square),
      node('MatMul', 'product', ['x', 'w']),
      node('MatMul', 'second', ['product', 'w']),
      node('AddV2', 'sum', ['second', 'w']),
    ]);
    // [1, 2] . [[1, 2], [3, 4]] = [7, 10]; times the matrix again [37, 54]; plus its rows.
    expect(await result(graph)).toEqual([38, 56, 40, 58]);
    // The two products share their filter.
    expect(new Set(graph.nodes.slice(0, 2).map(({ inputs }) => inputs[1])).size).toBe(1);
  });

  it('has quantized weights in our layout and level eval', async () => {
    const range = (name: string, value: number) => constant(name, floatTensor([3], [value, value, value]));
    const attributes: Record<string, AttributeValue> = {
      num_bits: { kind: 'int', value: 8 },
      narrow_range: { kind: 'bool', value: true },
    };
    // Scale 1: integers are kept.
    const graph = read([
      x,
      constant('w', weights),
      range('low', -127),
      range('high', 127),
      node('FakeQuantWithMinMaxVarsPerChannel', 'q', ['w', 'low', 'high'], attributes),
      node('MatMul', 'product', ['x', 'q']),
    ]);
    expect(graph.level).toBe('eval');
    expect(graph.nodes[0]).toMatchObject({ op: 'fake_quant', attrs: { bits: 8, narrowRange: true, axis: 0 } });
    expect(await result(graph)).toEqual([9, 12, 15]);
  });
});

describe('a graph that cannot be read is a mistake naming the node', () => {
  const w = constant('w', weights);
  const product = node('MatMul', 'product', ['x', 'w']);
  const cases: readonly (readonly [what: string, nodes: readonly NodeDef[], message: string])[] = [
    [
      'a cycle',
      [x, node('AddV2', 'a', ['x', 'b']), node('Relu', 'b', ['a'])],
      'node "a" (AddV2): it is part of a cycle',
    ],
    ['an op we do not know', [x, node('Erf', 'e', ['x'])], 'node "e" (Erf): the op is not supported; supported are '],
    ['an input that does not exist', [x, node('Relu', 'r', ['y'])], 'node "r" (Relu): its input "y" does not exist'],
    ['a name used twice', [x, node('Relu', 'x', ['x'])], 'node "x" (Relu): its name is used twice'],
    [
      'integer weights',
      [x, constant('w', tensor('int32', [2, 3], Int32Array.of(1, 2, 3, 4, 5, 6))), product],
      'node "product" (MatMul): constant "w" is int32; expected float32',
    ],
    [
      'integer weights under a bias',
      [
        x,
        constant('w', tensor('int32', [2, 3], Int32Array.of(1, 2, 3, 4, 5, 6))),
        constant('b', bias),
        product,
        node('BiasAdd', 'sum', ['product', 'b']),
      ],
      'node "sum" (BiasAdd): constant "w" is int32; expected float32',
    ],
    [
      'weights that do not fit',
      [placeholder('x', [-1, 5]), w, product],
      'node "product" (MatMul): fully_connected "product": filter is [3,2] but input is [1,5]',
    ],
    [
      'weights of another rank',
      [x, constant('w', floatTensor([2], [1, 2])), product],
      'node "product" (MatMul): constant "w" is [2]; expected 2 dimensions',
    ],
    [
      'weights that are computed',
      [x, placeholder('y', [-1, 2]), node('MatMul', 'product', ['x', 'y'])],
      'node "product" (MatMul): its weights "y" are computed; expected a constant',
    ],
    [
      'a bias after something else than a layer',
      [x, constant('b', floatTensor([2], [1, 2])), node('Relu', 'r', ['x']), node('BiasAdd', 's', ['r', 'b'])],
      'node "s" (BiasAdd): it does not follow a layer whose bias it could be',
    ],
    [
      'a placeholder of unknown shape',
      [placeholder('x', null), node('Relu', 'r', ['x'])],
      'node "x" (Placeholder): its shape is unknown',
    ],
    [
      'a placeholder of unknown size',
      [placeholder('x', [-1, -1]), node('Relu', 'r', ['x'])],
      'node "x" (Placeholder): only the batch may be unknown',
    ],
    [
      'a second output',
      [x, node('Relu', 'r', ['x']), node('Relu', 's', ['r:1'])],
      'node "s" (Relu): it reads "r:1", which is not among the outputs that qpipe computes',
    ],
    ['an Identity of nothing', [x, node('Identity', 'i', ['^x'])], 'node "i" (Identity): it has no input'],
    ['an op without its inputs', [x, node('AddV2', 'a', ['x'])], 'node "a" (AddV2): it has 1 input; expected 2'],
    [
      'a variable that is not read',
      [x, node('VarHandleOp', 'v'), node('AddV2', 'a', ['x', 'v'])],
      'node "a" (AddV2): its input "v" is a variable that is not read',
    ],
    [
      'a shape that is computed',
      [x, placeholder('s', [-1, 2]), node('Reshape', 'r', ['x', 's'])],
      'node "r" (Reshape): its input "s" must be constant',
    ],
    [
      'two outputs',
      [x, node('Relu', 'r', ['x']), node('Relu6', 's', ['x'])],
      'the graph has 2 outputs (r, s); expected one',
    ],
    ['no output', [node('NoOp', 'n')], 'the graph has 0 outputs (); expected one'],
  ];
  it.each(cases)('%s', (_what, nodes, message) => {
    expect(() => read(nodes)).toThrow(UserError);
    expect(() => read(nodes)).toThrow(`some/graph.pb error bad-graph-def: ${message}`);
  });

  it('a graph with functions that were not inlined', () => {
    expect(() => read([x, node('Relu', 'r', ['x'])], {}, ['branch'])).toThrow(
      'some/graph.pb error graph-has-functions: the graph has 1 library functions (branch), expected none',
    );
  });
});
