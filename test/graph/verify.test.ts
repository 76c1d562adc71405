// Every promise of a graph, broken once.
import { describe, expect, it } from 'vitest';
import type { QuantParams } from '../../src/core/affine.ts';
import { floatTensor, tensor } from '../../src/core/tensor.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { Graph, Level, Node, Value } from '../../src/graph/graph.ts';
import { printGraph } from '../../src/graph/print.ts';
import { verify } from '../../src/graph/verify.ts';
import { float32 } from '../../src/ops/define.ts';
import { ShapeError } from '../../src/ops/define.ts';

const quant: QuantParams = { kind: 'per_tensor', scale: 0.5, zeroPoint: 0 };

/** input [2,3] -> relu -> add the variable `v` -> output; `v` takes the output. */
function sound(level: Level = 'float'): Graph {
  const builder = buildGraph('sound', level);
  const input = builder.input('input', float32([2, 3]));
  const variable = builder.variable('v', floatTensor([2, 3], [1, 2, 3, 4, 5, 6]), 'weight');
  const [positive] = builder.node('relu', 'positive', [input], {});
  const [sum] = builder.node('add', 'sum', [positive!, variable], { activation: 'none' });
  builder.update('v', sum!);
  return builder.finish([sum!]);
}

/** input -> relu, integers. */
function integers(): Graph {
  const builder = buildGraph('integers', 'int8');
  const input = builder.input('input', { dtype: 'int8', shape: [2, 3] }, quant);
  return builder.finish(builder.node('relu', 'positive', [input], {}, quant));
}

const withNodes = (graph: Graph, change: (nodes: Node[]) => readonly Node[]): Graph => ({
  ...graph,
  nodes: change([...graph.nodes]),
});

const withValue = (graph: Graph, name: string, change: Partial<Value>): Graph => ({
  ...graph,
  values: new Map([...graph.values].map(([key, value]) => [key, key === name ? { ...value, ...change } : value])),
});

const changed = (graph: Graph, name: string, change: object): Graph =>
  withNodes(graph, (nodes) => nodes.map((node) => (node.name === name ? { ...node, ...change } : node)));

describe('verify', () => {
  it('lets sound graphs of every level pass', () => {
    for (const level of ['float', 'qat', 'eval'] as const) expect(verify(sound(level)).nodes).toHaveLength(2);
    expect(verify(integers()).nodes).toHaveLength(1);
  });

  const node = { kind: 'node' } as const;
  const broken: readonly (readonly [promise: string, graph: Graph, message: string])[] = [
    [
      'nodes are in an order in which they can run',
      withNodes(sound(), (nodes) => nodes.toReversed()),
      'reads "positive" before',
    ],
    ['a node reads what exists', changed(sound(), 'positive', { inputs: ['nothing'] }), 'reads "nothing" before'],
    [
      'a value is made once',
      withNodes(sound(), (nodes) => [...nodes, nodes[0]!]),
      '"positive" is made twice, the second time by relu "positive"',
    ],
    [
      'a source is not made by a node as well',
      withValue(sound(), 'positive', { source: { kind: 'constant', data: floatTensor([2, 3], [1, 2, 3, 4, 5, 6]) } }),
      '"positive" is made twice',
    ],
    ['a node has its operands', changed(sound(), 'sum', { inputs: ['positive'] }), 'has 1 inputs; expected 2 to 2'],
    [
      'a node has no operands beyond those',
      changed(sound(), 'positive', { inputs: ['input', 'v'] }),
      'has 2 inputs; expected 1 to 1',
    ],
    ['a node has all its outputs', changed(sound(), 'positive', { outputs: [] }), 'has 0 outputs; its op makes 1'],
    [
      'a node has no other outputs',
      changed(sound(), 'positive', { outputs: ['positive', 'v'] }),
      'has 2 outputs; its op makes 1',
    ],
    [
      'a value has the shape that its op makes',
      withValue(sound(), 'sum', { type: float32([3, 2]) }),
      'is float32[3,2]; its op makes float32[2,3]',
    ],
    [
      'a value has the type that its op makes',
      withValue(sound(), 'sum', { type: { dtype: 'int32', shape: [2, 3] } }),
      'is int32[2,3]; its op makes float32[2,3]',
    ],
    ['outputs exist', { ...sound(), outputs: ['answer'] }, 'names "answer", which nothing makes'],
    ['outputs are made by some node', withNodes(sound(), ([first]) => [first!]), 'names "sum", which nothing makes'],
    ['inputs exist', { ...sound(), inputs: ['input', 'other'] }, 'names "other", which nothing makes'],
    ['inputs are listed', { ...sound(), inputs: [] }, '"input" of graph "sound" is an input in one place'],
    ['only inputs are listed', { ...sound(), inputs: ['input', 'v'] }, '"v" of graph "sound" is an input in one place'],
    [
      'an update is to a variable',
      { ...sound(), updates: [{ variable: 'input', value: 'sum' }] },
      'the update of "input" is not to a variable',
    ],
    [
      'an update takes a value of the same shape',
      withValue({ ...sound() }, 'v', {
        source: {
          kind: 'variable',
          initial: floatTensor([3], [1, 2, 3]),
          role: 'weight',
          trainable: true,
          owner: null,
        },
        type: float32([3]),
      }),
      'the update of "v" has another shape',
    ],
    [
      'an update takes a value that is made',
      {
        ...sound(),
        values: new Map([
          ...sound().values,
          ['ghost', { name: 'ghost', type: float32([2, 3]), source: node, quant: null }],
        ]),
        updates: [{ variable: 'v', value: 'ghost' }],
      },
      '"v" takes "ghost", which nothing makes',
    ],
    [
      'a variable is updated once',
      { ...sound(), updates: [...sound().updates, ...sound().updates] },
      '"v" is updated twice',
    ],
  ];
  it.each(broken)('refuses a graph that breaks: %s', (_promise, graph, message) => {
    expect(() => verify(graph)).toThrow('internal: ');
    expect(() => verify(graph)).toThrow(message);
  });

  const fakeQuantized = (level: Level, delayed: boolean): Graph => {
    const builder = buildGraph('fake', level);
    const input = builder.input('input', float32([2]));
    const bound = (name: string, value: number) => builder.constant(name, floatTensor([], [value]));
    const operands = [input, bound('low', -1), bound('high', 1), ...(delayed ? [bound('active', 1)] : [])];
    return builder.finish(builder.node('fake_quant', 'q', operands, { bits: 8, narrowRange: false, axis: null }));
  };
  const training = (level: Level): Graph => {
    const builder = buildGraph('training', level);
    const input = builder.input('input', float32([2]));
    return builder.finish(builder.node('observe_range', 'o', [input], { axis: null, symmetric: false }).slice(0, 1));
  };

  it('lets fake quant into qat and eval, its delay into qat only', () => {
    expect(() => verify(fakeQuantized('float', false))).toThrow('fake quant belongs to qat and eval');
    expect(() => verify(fakeQuantized('eval', true))).toThrow('the delay belongs to qat');
    expect(() => verify(fakeQuantized('int8', false))).toThrow('it has no integer kernel');
    expect(verify(fakeQuantized('qat', true)).level).toBe('qat');
    expect(verify(fakeQuantized('eval', false)).level).toBe('eval');
  });

  it('lets training ops into training levels only', () => {
    expect(() => verify(training('eval'))).toThrow('observe_range "o" is not legal at level eval');
    expect(() => verify(training('int8'))).toThrow('it has no integer kernel');
    expect(verify(training('qat')).level).toBe('qat');
  });

  it('keeps ops without a float form out of the float levels', () => {
    const builder = buildGraph('edge', 'float');
    const codes = builder.constant('codes', tensor('int8', [2], Int8Array.of(1, 2)));
    const graph = builder.finish(builder.node('dequantize', 'd', [codes], {}));
    expect(() => verify(graph)).toThrow(/dequantize "d" is not legal|is int8; level float holds float32 only/);
  });

  it('keeps integers and their parameters out of the float levels', () => {
    expect(() => verify({ ...integers(), level: 'eval' })).toThrow('is int8; level eval holds float32 only');
    expect(() => verify(withValue(sound('eval'), 'sum', { quant }))).toThrow('"sum" has a scale and zero point');
  });

  it('demands a scale and zero point for every code at level int8', () => {
    const message = '"positive" at relu "positive" has no scale and zero point';
    expect(() => verify(withValue(integers(), 'positive', { quant: null }))).toThrow(message);
  });

  it('keeps floats at the edges of level int8', () => {
    expect(() => verify({ ...sound(), level: 'int8', updates: [] })).toThrow(
      'only quantize and dequantize touch floats',
    );
  });

  it('reports operands that do not fit as a ShapeError with the name of the node', () => {
    const misfit = withValue(sound(), 'v', { type: float32([2, 4]) });
    expect(() => verify(misfit)).toThrow(ShapeError);
    expect(() => verify(misfit)).toThrow('add "sum"');
  });
});

describe('the graph builder', () => {
  it('gives every value a name of its own', () => {
    const builder = buildGraph('names', 'float');
    builder.input('x', float32([1]));
    expect(() => builder.constant('x', floatTensor([], [1]))).toThrow('already has a value "x"');
    expect(() => builder.ref('y')).toThrow('has no value "y"');
  });

  it('names the node whose operands do not fit', () => {
    const builder = buildGraph('misfit', 'float');
    const [a, b] = [builder.input('a', float32([2, 3])), builder.input('b', float32([2, 4]))];
    expect(() => builder.node('add', 'sum', [a, b], { activation: 'none' })).toThrow('add "sum": ');
  });
});

describe('printGraph', () => {
  it('is one line per value and node', () => {
    expect(printGraph(sound())).toBe(
      [
        'graph sound (float)',
        '  input    input: float32[2,3]',
        '  variable v: float32[2,3]',
        '  positive: float32[2,3] = relu(input)',
        '  sum: float32[2,3] = add(positive, v) activation="none"',
        '  update   v <- sum',
        '  output   sum',
        '',
      ].join('\n'),
    );
    expect(printGraph(integers())).toContain('positive: int8[2,3] {scale 0.5, zero point 0} = relu(input)');
  });
});
