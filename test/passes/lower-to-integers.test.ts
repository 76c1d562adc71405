import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import { floatTensor } from '../../src/core/tensor.ts';
import { referenceEngine } from '../../src/engine/reference.ts';
import type { GraphBuilder } from '../../src/graph/builder.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { Graph, Node } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import { prepareInterpreter } from '../../src/interpreter/interpreter.ts';
import type { ValueRef } from '../../src/ops/define.ts';
import { float32 } from '../../src/ops/define.ts';
import type { TransposeConvAttrs } from '../../src/ops/transpose_conv.ts';
import { lowerToIntegers } from '../../src/passes/lower-to-integers.ts';

type Range = readonly [min: number, max: number];

function quantized(builder: GraphBuilder, value: ValueRef, range: Range, bits = 8): ValueRef {
  const bound = (end: string, real: number) => builder.constant(`${value.name}_${end}`, floatTensor([], [real]));
  const operands = [value, bound('min', range[0]), bound('max', range[1])];
  return builder.node('fake_quant', `${value.name}_quant`, operands, { bits, narrowRange: false, axis: null })[0]!;
}

/** Rows of weights with the range +-max of each. */
function weights(builder: GraphBuilder, rows: readonly (readonly number[])[], maxima: readonly number[]): ValueRef {
  const filter = builder.constant('filter', floatTensor([rows.length, rows[0]!.length], rows.flat()));
  const bound = (name: string, sign: 1 | -1) =>
    builder.constant(
      name,
      floatTensor(
        [maxima.length],
        maxima.map((x) => sign * x),
      ),
    );
  const operands = [filter, bound('filter_min', -1), bound('filter_max', 1)];
  return builder.node('fake_quant', 'filter_quant', operands, { bits: 8, narrowRange: true, axis: 0 })[0]!;
}

interface Dense {
  readonly rows: readonly (readonly number[])[];
  readonly maxima: readonly number[];
  readonly bias?: readonly number[];
  readonly input?: Range;
  readonly output?: Range;
}

/** input -> fully connected -> output, all quantized. */
function dense({ rows, maxima, bias, input: inputRange = [0, 6], output = [-1, 1] }: Dense): Graph {
  const builder = buildGraph('dense', 'eval');
  const input = quantized(builder, builder.input('input', float32([1, rows[0]!.length])), inputRange);
  const operands = [input, weights(builder, rows, maxima)];
  if (bias !== undefined) operands.push(builder.constant('bias', floatTensor([bias.length], bias)));
  const [y] = builder.node('fully_connected', 'fc', operands, { activation: 'none', keepNumDims: false });
  return verify(builder.finish([quantized(builder, y!, output)]));
}

const lower = (graph: Graph): Graph => verify(lowerToIntegers(graph, 'int8', 'frozen.pb').graph);
const codesOf = (graph: Graph, name: string): number[] => {
  const { source } = valueOf(graph, name);
  return source.kind === 'constant' ? Array.from(source.data.data, Number) : [];
};
const scalesOf = (graph: Graph, name: string): number[] => {
  const { quant } = valueOf(graph, name);
  return quant?.kind === 'per_channel' ? [...quant.scales] : [];
};
/** With weights of a power of two per code: 127 / 64 is code 127. */
const plain: Dense = { rows: [[127 / 64, 0]], maxima: [127 / 64] };

/** What the integers of a lowered graph stand for, from real inputs. */
function dequantized(graph: Graph, inputs: readonly number[]): number[] {
  const interpreter = prepareInterpreter(graph, 'lowered');
  const [input = '', output = ''] = [graph.inputs[0], graph.outputs[0]];
  const of = (name: string) => {
    const { quant } = valueOf(graph, name);
    return quant?.kind === 'per_tensor' ? quant : { scale: NaN, zeroPoint: NaN };
  };
  const { scale, zeroPoint } = of(input);
  interpreter.run([Int8Array.from(inputs, (x) => Math.round(x / scale) + zeroPoint)]);
  return Array.from(interpreter.peek(output), (code) => of(output).scale * (code - of(output).zeroPoint));
}

describe('an empty range', () => {
  const inputs = [5, -3, 0.5, 6];
  const rows = [
    [1, 0.5, -1, 0.25],
    [-1, 1, 1, -0.5],
  ];

  it.each(['none', 'relu'] as const)(
    'makes 0 of everything a layer with activation %s computes',
    async (activation) => {
      const builder = buildGraph('empty', 'eval');
      const input = quantized(builder, builder.input('input', float32([1, 4])), [-6, 6]);
      const bias = builder.constant('bias', floatTensor([2], [3, -3]));
      const [y] = builder.node('fully_connected', 'fc', [input, weights(builder, rows, [1, 1]), bias], {
        activation: 'none',
        keepNumDims: false,
      });
      const [end] = activation === 'none' ? [y!] : builder.node('relu', 'fc_relu', [y!], {});
      const graph = verify(builder.finish([quantized(builder, end!, [0, 0])]));
      const session = await referenceEngine.open(graph, { replicas: 1, threads: 1 });
      const fakeQuant = await session.run(new Map([['input', Float32Array.from(inputs)]]));
      await session.close();
      expect([...fakeQuant.values()].map((values) => [...values])).toEqual([[0, 0]]);
      expect(dequantized(lower(graph), inputs)).toEqual([0, 0]);
    },
  );

  it('makes 0 of a sum, and leaves the layer behind it its bias', () => {
    const builder = buildGraph('sum', 'eval');
    const input = quantized(builder, builder.input('input', float32([1, 4])), [-6, 6]);
    const [sum] = builder.node('add', 'sum', [input, input], { activation: 'none' });
    const nothing = quantized(builder, sum!, [0, 0]);
    const bias = builder.constant('bias', floatTensor([2], [0.75, -0.5]));
    const [y] = builder.node('fully_connected', 'fc', [nothing, weights(builder, rows, [1, 1]), bias], {
      activation: 'none',
      keepNumDims: false,
    });
    const lowered = lower(verify(builder.finish([quantized(builder, y!, [-1, 1])])));
    const [first = NaN, second = NaN] = dequantized(lowered, inputs);
    // Half a step of the output's range of 2 / 255.
    expect(Math.abs(first - 0.75)).toBeLessThanOrEqual(1 / 255);
    expect(Math.abs(second + 0.5)).toBeLessThanOrEqual(1 / 255);
  });
});

describe('a range narrower than a step of the sums', () => {
  it('gets a scale that the kernels can reach, and says so', () => {
    const narrow = dense({ rows: [[1, 0]], maxima: [1], input: [0, 6], output: [0, 1e-5] });
    const { graph, adjustments } = lowerToIntegers(narrow, 'int8', 'frozen.pb');
    const { quant } = valueOf(graph, 'fc');
    const step = Math.fround(6 / 255) * Math.fround(1 / 127);
    const ratio = step / (quant?.kind === 'per_tensor' ? quant.scale : NaN);
    expect(ratio).toBeLessThan(256);
    expect(ratio).toBeGreaterThan(255.9);
    expect(adjustments).toEqual([expect.stringContaining('narrower than one step')]);
  });

  it('stays as it was trained where it is wide enough', () => {
    const { adjustments } = lowerToIntegers(dense({ ...plain }), 'int8', 'frozen.pb');
    expect(adjustments).toEqual([]);
  });
});

describe('lower-to-integers', () => {
  // Golden G1, zero points less 128.
  it.each([
    [[0, 6], 0.0235294122248888, -128],
    [[-1, 1], 0.007843137718737125, -1],
    [[-0.1, 6.2], 0.024705881252884865, -124],
    [[-6, 6], 0.0470588244497776, 0],
    [[0.5, 4], 0.013725490309298038, -128],
    [[-3, -1], 0.007843137718737125, 127],
  ] as const)('carries the scale and zero point of range %j bit for bit', (range, scale, zeroPoint) => {
    const expected = { kind: 'per_tensor', scale, zeroPoint };
    const graph = lower(dense({ ...plain, input: range, output: range }));
    expect(valueOf(graph, 'input').quant).toEqual(expected);
    expect(valueOf(graph, 'fc').quant).toEqual(expected);
  });

  it('gives weights the codes that training rounded to: halves go up', () => {
    const tie = 0.5 / 64;
    const graph = lower(
      dense({ rows: [[127 / 64, tie, -tie, 3 * tie, -3 * tie, -127 / 64, 1 / 64, -1 / 256]], maxima: [127 / 64] }),
    );
    expect(codesOf(graph, 'filter')).toEqual([127, 1, 0, 2, -1, -127, 1, 0]);
    expect(scalesOf(graph, 'filter')).toEqual([1 / 64]);
  });

  it('gives each output channel its own scale, and clamps what lies outside the range', () => {
    const graph = lower(
      dense({
        rows: [
          [-0.7, 0.1, 0],
          [0.5, 0.015, -0.5],
        ],
        maxima: [0.7, 0.02],
      }),
    );
    // Golden G17's scales; 0.1 / 0.0055118 is 18.14, 0.015 / 0.00015748 is 95.25.
    expect(scalesOf(graph, 'filter')).toEqual([0.005511811003088951, 0.00015748031728435308]);
    expect(codesOf(graph, 'filter')).toEqual([-127, 18, 0, 127, 95, -127]);
    expect(valueOf(graph, 'filter').quant).toMatchObject({ axis: 0 });
  });

  it('gives biases int32 codes of scale input * filter, rounded half away from zero', () => {
    // Golden G16: 0.0051 * 127.
    const graph = lower(dense({ rows: [[0.6477], [0.6477]], maxima: [0.6477, 0.6477], bias: [0.37, -1.2] }));
    expect(scalesOf(graph, 'filter')[0]).toBe(Math.fround(0.0051));
    expect(codesOf(graph, 'bias')).toEqual([3083, -10000]);
    expect(valueOf(graph, 'bias').type.dtype).toBe('int32');
    expect(scalesOf(graph, 'bias')[0]).toBe(1.2000000424450263e-4);
    // Scale 1/4 * 1/64: 2.5 and -2.5 codes.
    const ties = lower(
      dense({
        ...plain,
        rows: [[127 / 64], [127 / 64]],
        maxima: [127 / 64, 127 / 64],
        input: [0, 255 / 4],
        bias: [2.5 / 256, -2.5 / 256],
      }),
    );
    expect(codesOf(ties, 'bias')).toEqual([3, -3]);
  });

  it('gives a layer without bias one of zeros: int8 runtimes expect it', () => {
    const graph = lower(dense(plain));
    expect(codesOf(graph, 'fc/bias')).toEqual([0]);
    expect(valueOf(graph, 'fc/bias').type).toEqual({ dtype: 'int32', shape: [1] });
  });

  it('raises the scale of a dead channel until its bias fits int32, and says so', () => {
    const rows = [
      [1, 1],
      [0, 0],
    ];
    const { graph, adjustments } = lowerToIntegers(
      dense({ rows, maxima: [1, 5e-7], bias: [0.37, 0.37] }),
      'int8',
      'frozen.pb',
    );
    // 0.37 / ((2^31 - 2^24) * 0.0235294122) = 7.3803e-9, above the 1e-6 / 254 = 3.94e-9 of its range.
    const [, scale = 0] = scalesOf(graph, 'filter');
    expect(scale).toBeGreaterThan(7.38e-9);
    expect(scale).toBeLessThan(7.381e-9);
    const [, code = 0] = codesOf(graph, 'bias');
    expect(code).toBeLessThanOrEqual(2 ** 31 - 2 ** 24);
    expect(code).toBeGreaterThan(2 ** 31 - 2 ** 24 - 5000);
    expect(codesOf(graph, 'filter')).toEqual([127, 127, 0, 0]);
    expect(adjustments).toHaveLength(1);
    expect(adjustments[0]).toContain('fc: channel 1 has weights so small');
  });

  it('gives weights with one range one scale, and their biases too', () => {
    const [quantizer, ...ends] = ['filter_quant', 'filter_min', 'filter_max'] as const;
    const perChannel = dense({
      rows: [
        [0.7, 0.1],
        [0.2, -0.7],
      ],
      maxima: [0.7, 0.7],
      bias: [0.37, -1.2],
    });
    const values = new Map(perChannel.values);
    for (const [at, name] of ends.entries()) {
      const data = floatTensor([], [at === 0 ? -0.7 : 0.7]);
      values.set(name, { ...valueOf(perChannel, name), type: float32([]), source: { kind: 'constant', data } });
    }
    const nodes = perChannel.nodes.map((node) =>
      node.name === quantizer && node.op === 'fake_quant' ? { ...node, attrs: { ...node.attrs, axis: null } } : node,
    );
    const graph = lower(verify({ ...perChannel, values, nodes }));
    // Golden G17's scale and G2's step of the input.
    const scale = Math.fround(0.005511811003088951);
    expect(valueOf(graph, 'filter').quant).toEqual({ kind: 'per_tensor', scale, zeroPoint: 0 });
    expect(codesOf(graph, 'filter')).toEqual([127, 18, 36, -127]);
    const product = Math.fround(Math.fround(0.0235294122248888) * scale);
    expect(valueOf(graph, 'bias').quant).toEqual({ kind: 'per_tensor', scale: product, zeroPoint: 0 });
    expect(codesOf(graph, 'bias')).toEqual([2853, -9253]);
  });

  it('survives a channel of no range at all, as a batch norm with gamma 0 makes it', () => {
    const rows = [
      [1, 1],
      [0, 0],
    ];
    const { graph, adjustments } = lowerToIntegers(dense({ rows, maxima: [1, 0], bias: [0, 0] }), 'int8', 'frozen.pb');
    expect(codesOf(verify(graph), 'filter')).toEqual([127, 127, 0, 0]);
    expect(scalesOf(graph, 'filter')[1]).toBeGreaterThanOrEqual(Math.fround(1e-9));
    expect(adjustments).toHaveLength(1);
  });

  it('leaves healthy channels alone', () => {
    expect(lowerToIntegers(dense({ ...plain, bias: [0.37] }), 'int8', 'frozen.pb').adjustments).toEqual([]);
  });
});

describe('fusing activations', () => {
  const convolution = { strides: [1, 1], dilations: [1, 1], padding: { kind: 'same' }, activation: 'none' } as const;
  const window = { window: [2, 2], strides: [2, 2], padding: { kind: 'valid' }, activation: 'none' } as const;

  /** conv -> relu6, added to itself -> relu, max pool -> relu, reshape, fc -> relu. */
  function chain(): Graph {
    const builder = buildGraph('chain', 'eval');
    const first = (refs: readonly ValueRef[]) => refs[0]!;
    const input = quantized(builder, builder.input('input', float32([1, 4, 4, 1])), [0, 1]);
    const filter = builder.constant('kernel', floatTensor([2, 1, 1, 1], [1, -1]));
    const bound = (name: string, x: number) => builder.constant(name, floatTensor([2], [x, x]));
    const kernel = first(
      builder.node('fake_quant', 'kernel_quant', [filter, bound('kernel_min', -1), bound('kernel_max', 1)], {
        bits: 8,
        narrowRange: true,
        axis: 0,
      }),
    );
    const conv = first(builder.node('conv_2d', 'conv', [input, kernel], convolution));
    const activated = quantized(builder, first(builder.node('relu6', 'conv_relu', [conv], {})), [0, 1]);
    const sum = first(builder.node('add', 'sum', [activated, activated], { activation: 'none' }));
    const joined = quantized(builder, first(builder.node('relu', 'sum_relu', [sum], {})), [0, 2]);
    const pooled = first(builder.node('max_pool_2d', 'pooled', [joined], window));
    const again = quantized(builder, first(builder.node('relu', 'pool_relu', [pooled], {})), [0, 1.5]);
    const flat = first(builder.node('reshape', 'flat', [again], { shape: [-1, 8] }));
    const operands = [flat, weights(builder, [[1, 1, 1, 1, 1, 1, 1, 1]], [1])];
    const fc = first(builder.node('fully_connected', 'fc', operands, { activation: 'none', keepNumDims: false }));
    return verify(builder.finish([quantized(builder, first(builder.node('relu', 'fc_relu', [fc], {})), [0, 10])]));
  }

  it('puts them into conv_2d, add and fully_connected, and never into a pool', () => {
    const graph = lower(chain());
    const described = graph.nodes.map((node: Node) => [
      node.op,
      node.name,
      'activation' in node.attrs ? node.attrs.activation : null,
    ]);
    expect(described).toEqual([
      ['conv_2d', 'conv', 'relu6'],
      ['add', 'sum', 'relu'],
      ['max_pool_2d', 'pooled', 'none'],
      ['relu', 'pool_relu', null],
      ['reshape', 'flat', null],
      ['fully_connected', 'fc', 'relu'],
    ]);
    expect(graph.outputs).toEqual(['fc']);
  });

  it('gives the fused op the range of the activation, and moved values the range of what they hold', () => {
    const graph = lower(chain());
    const scale = (name: string) => {
      const { quant } = valueOf(graph, name);
      return quant?.kind === 'per_tensor' ? quant.scale : NaN;
    };
    const steps = { conv: 1, sum: 2, pooled: 2, pool_relu: 1.5, flat: 1.5, fc: 10 };
    for (const [name, width] of Object.entries(steps)) expect(scale(name)).toBe(Math.fround(width / 255));
  });

  describe('behind the quantizer of their layer', () => {
    /** One pixel x of 0 .. 255 -> x / 64 - 1 and 2 - x / 64 over [-4, 8] -> activation, with or without its own range. */
    function behind(activation: 'relu' | 'relu6', own: Range | null): Graph {
      const builder = buildGraph('behind', 'eval');
      const input = quantized(builder, builder.input('input', float32([1, 1])), [0, 255]);
      const rows = [[1 / 64], [-1 / 64]];
      const operands = [input, weights(builder, rows, [127 / 64, 127 / 64])];
      operands.push(builder.constant('bias', floatTensor([2], [-1, 2])));
      const [fc] = builder.node('fully_connected', 'fc', operands, { activation: 'none', keepNumDims: false });
      const [y] = builder.node(activation, 'activation', [quantized(builder, fc!, [-4, 8])], {});
      return verify(builder.finish([own === null ? y! : quantized(builder, y!, own)]));
    }

    it('go into the layer, whose parameters are those of the quantizer', () => {
      const graph = lower(behind('relu', null));
      expect(graph.nodes.map(({ name, attrs }) => [name, attrs])).toEqual([
        ['fc', { activation: 'relu', keepNumDims: false }],
      ]);
      // 12 / 255 a step; 4 of them times 21.25 below zero, so code 0 of the range is 85 - 128.
      const expected = { kind: 'per_tensor', scale: Math.fround(12 / 255), zeroPoint: 85 - 128 };
      expect(valueOf(graph, 'fc').quant).toEqual(expected);
    });

    it('stay an op of their own when they have a range of their own', () => {
      expect(lower(behind('relu', [0, 8])).nodes.map(({ op }) => op)).toEqual(['fully_connected', 'relu']);
    });

    it.each([
      ['relu', 85, 255],
      // 6 is 127.5 steps above zero; the clamp rounds it to 128, half a step above what the eval graph lets through.
      ['relu6', 85, 213],
    ] as const)(
      'leave %s the codes from its zero point up, within one step of the eval graph',
      async (op, low, high) => {
        const graph = behind(op, null);
        const interpreter = prepareInterpreter(lower(graph), 'm.tflite');
        const session = await referenceEngine.open(graph, { replicas: 1, threads: 1 });
        const codes = new Set<number>();
        for (let pixel = 0; pixel < 256; pixel++) {
          interpreter.run([Int8Array.of(pixel - 128)]);
          const result = await session.run(new Map([['input', Float32Array.of(pixel)]]));
          const values = result.get('activation')!;
          const reals = [pixel / 64 - 1, 2 - pixel / 64].map((x) => Math.min(Math.max(x, 0), op === 'relu6' ? 6 : 8));
          interpreter.peek('fc').forEach((code, index) => {
            codes.add(code + 128);
            const real = (12 / 255) * (code + 128 - 85);
            expect(Math.abs(real - values[index]!)).toBeLessThanOrEqual(1.001 * (12 / 255));
            expect(Math.abs(real - reals[index]!)).toBeLessThanOrEqual(1.001 * (12 / 255));
          });
        }
        await session.close();
        expect(Math.min(...codes)).toBe(low);
        expect(Math.max(...codes)).toBeLessThanOrEqual(high);
      },
    );
  });

  it('keeps an activation whose input something else reads', () => {
    const builder = buildGraph('shared', 'eval');
    const input = quantized(builder, builder.input('input', float32([1, 2])), [0, 1]);
    const [fc] = builder.node('fully_connected', 'fc', [input, weights(builder, [[1, 1]], [1])], {
      activation: 'none',
      keepNumDims: false,
    });
    const linear = quantized(builder, fc!, [-2, 2]);
    const positive = quantized(builder, builder.node('relu', 'positive', [linear], {})[0]!, [0, 2]);
    const [sum] = builder.node('add', 'sum', [linear, positive], { activation: 'none' });
    const graph = lower(builder.finish([quantized(builder, sum!, [-2, 4])]));
    expect(graph.nodes.map(({ op }) => op)).toEqual(['fully_connected', 'relu', 'add']);
  });
});

describe('a transposed convolution, whose files know a fused activation since TensorFlow Lite 2.13 only', () => {
  const attrs = {
    ...{ strides: [2, 2], padding: { kind: 'same' }, outputSize: [4, 4] },
    activation: 'none',
  } as const satisfies TransposeConvAttrs;

  /** Pixels 0 .. 255 as 0 .. 3, two filters with both signs -> activation, quantized behind it or before it. */
  function upsampled(activation: 'relu' | 'relu6', range: Range, side: 'behind' | 'before'): Graph {
    const builder = buildGraph('upsampled', 'eval');
    const input = quantized(builder, builder.input('input', float32([1, 2, 2, 1])), [0, 3]);
    const filter = builder.constant('kernel', floatTensor([2, 2, 2, 1], [1, -1, 0.5, 2, -2, 0.25, 1.5, -0.75]));
    const bound = (name: string, x: number) => builder.constant(name, floatTensor([2], [x, x]));
    const operands = [filter, bound('kernel_min', -2), bound('kernel_max', 2)];
    const [kernel] = builder.node('fake_quant', 'kernel_quant', operands, { bits: 8, narrowRange: true, axis: 0 });
    const [up] = builder.node('transpose_conv', 'up', [input, kernel!], attrs);
    const linear = side === 'before' ? quantized(builder, up!, range) : up!;
    const [activated] = builder.node(activation, 'activated', [linear], {});
    return verify(builder.finish([side === 'behind' ? quantized(builder, activated!, range) : activated!]));
  }

  /** The same integer graph with the activation in the op, as TensorFlow Lite 2.13 takes it. */
  function fused(graph: Graph, activation: 'relu' | 'relu6'): Graph {
    const [up, ...others] = graph.nodes;
    if (up?.op !== 'transpose_conv') throw new Error('the first node is no transposed convolution');
    const [output = ''] = graph.outputs;
    const node = { ...up, name: output, outputs: [output], attrs: { ...up.attrs, activation } };
    const gone = others.length === 0 ? [] : [up.name];
    const values = new Map([...graph.values].filter(([name]) => !gone.includes(name)));
    return verify({ ...graph, values, nodes: [node] });
  }

  it.each([
    ['relu', [0, 3], 'behind', ['transpose_conv up']],
    ['relu6', [0, 6], 'behind', ['transpose_conv up']],
    ['relu6', [0, 5], 'behind', ['transpose_conv up']],
    ['relu6', [0, 7], 'behind', ['transpose_conv up/linear', 'relu6 up']],
    ['relu', [-3, 3], 'behind', ['transpose_conv up/linear', 'relu up']],
    ['relu', [-4, 4], 'before', ['transpose_conv up/linear', 'relu up']],
    ['relu6', [-4, 8], 'before', ['transpose_conv up/linear', 'relu6 up']],
  ] as const)('gives the integers of the fused op: %s over %j %s', (activation, range, side, nodes) => {
    const graph = lower(upsampled(activation, range, side));
    expect(graph.nodes.map(({ op, name }) => `${op} ${name}`)).toEqual(nodes);
    expect(graph.nodes.every((node) => !('activation' in node.attrs) || node.attrs.activation === 'none')).toBe(true);
    const interpreters = [graph, fused(graph, activation)].map((each) => prepareInterpreter(each, 'm.tflite'));
    const seen = new Set<number>();
    for (let pixel = 0; pixel < 256; pixel += 3) {
      const codes = Int8Array.of(pixel - 128, 127 - pixel, pixel / 3, -(pixel / 3));
      const [apart, together] = interpreters.map((interpreter) => {
        interpreter.run([codes]);
        return [...interpreter.peek('up')];
      });
      expect(apart).toEqual(together);
      for (const code of apart!) seen.add(code);
    }
    expect(seen.size).toBeGreaterThan(20);
  });
});

describe('a constant operand', () => {
  /** input + [0.5, -1, 2] or input * 0.25 in two forms: with a fake quantizer, or as others leave it. */
  function withConstant(op: 'add' | 'mul', values: readonly number[], range: Range | null): Graph {
    const builder = buildGraph('constant', 'eval');
    const input = quantized(builder, builder.input('input', float32([1, 2, 2, values.length])), [0, 1]);
    const constant = builder.constant('constant', floatTensor([values.length], values));
    const operand = range === null ? constant : quantized(builder, constant, range);
    const [y] = builder.node(op, 'y', [input, operand], { activation: 'none' });
    return verify(builder.finish([quantized(builder, y!, [-1, 3])]));
  }
  // Range -1 .. 2: scale 3/255 and zero point 85 of 255; 0.5 is 42.5 steps, and halves go up.
  const expected = { codes: [43 - 43, -85 - 43, 127], scale: Math.fround(3 / 255), zeroPoint: -43 };

  it.each([null, [-1, 2] as const])('has codes, of its fake quantizer or of its own range with 0: %j', (range) => {
    const graph = lower(withConstant('add', [0.5, -1, 2], range));
    const { quant, type } = valueOf(graph, 'constant');
    expect(type).toEqual({ dtype: 'int8', shape: [3] });
    expect(quant).toEqual({ kind: 'per_tensor', scale: expected.scale, zeroPoint: expected.zeroPoint });
    expect(codesOf(graph, 'constant')).toEqual(expected.codes);
  });

  it('is exact alone: a number becomes the largest or the smallest code', () => {
    for (const [value, code, zeroPoint] of [
      [0.25, 127, -128],
      [-0.25, -128, 127],
    ] as const) {
      const graph = lower(withConstant('mul', [value], null));
      expect(codesOf(graph, 'constant')).toEqual([code]);
      expect(valueOf(graph, 'constant').quant).toMatchObject({ zeroPoint, scale: Math.fround(0.25 / 255) });
    }
  });

  it('of zeros has a scale all the same, and its code is that of zero', () => {
    const graph = lower(withConstant('add', [0], null));
    expect(valueOf(graph, 'constant').quant).toEqual({ kind: 'per_tensor', scale: 1, zeroPoint: -128 });
    expect(codesOf(graph, 'constant')).toEqual([-128]);
  });
});

describe('what cannot be lowered', () => {
  function failure(graph: Graph): UserError {
    try {
      lowerToIntegers(graph, 'int8', 'frozen.pb');
    } catch (error) {
      if (error instanceof UserError) return error;
      throw error;
    }
    throw new Error('it was lowered');
  }

  it('is every value without a range, with its op, its producer and the rule', () => {
    const builder = buildGraph('missing', 'eval');
    const input = builder.input('input', float32([1, 2]));
    const [fc] = builder.node('fully_connected', 'fc', [input, weights(builder, [[1, 1]], [1])], {
      activation: 'none',
      keepNumDims: false,
    });
    const [sum] = builder.node('add', 'sum', [fc!, fc!], { activation: 'none' });
    const { diagnostics } = failure(builder.finish([sum!]));
    expect(diagnostics.map(({ code }) => code)).toEqual(['missing-range', 'missing-range', 'missing-range']);
    expect(diagnostics[0]!.message).toContain('fully_connected "fc" (after a graph input) has no scale and zero point');
    expect(diagnostics[0]!.message).toContain('its rule is affine');
    expect(diagnostics[1]!.message).toContain('add "sum" (after fully_connected "fc")');
    expect(diagnostics[1]!.message).toContain('its rule is independent');
    expect(diagnostics[2]!.message).toContain('input "input" has no fake quantizer');
    expect(diagnostics.every(({ place }) => place.file === 'frozen.pb')).toBe(true);
  });

  it('is a layer whose weights were never quantized', () => {
    const builder = buildGraph('raw', 'eval');
    const input = quantized(builder, builder.input('input', float32([1, 2])), [0, 1]);
    const raw = builder.constant('raw', floatTensor([1, 2], [1, 2]));
    const [fc] = builder.node('fully_connected', 'fc', [input, raw], { activation: 'none', keepNumDims: false });
    expect(failure(builder.finish([quantized(builder, fc!, [0, 1])])).message).toMatch(
      /^frozen\.pb error missing-range: the weights "raw" of fully_connected "fc" have no fake quantizer/,
    );
  });

  it('is a layer with asymmetric weights, as tf.contrib.quantize trains them', () => {
    const graph = dense(plain);
    const shifted = {
      ...graph,
      values: new Map([...graph.values]).set('filter_min', {
        ...valueOf(graph, 'filter_min'),
        source: { kind: 'constant', data: floatTensor([1], [-1]) },
      }),
    };
    expect(failure(shifted).message).toContain('other-scheme');
  });

  it('is a quantizer of another width than 8 bits', () => {
    const builder = buildGraph('narrow', 'eval');
    const input = quantized(builder, builder.input('input', float32([1, 2])), [0, 1], 4);
    const [positive] = builder.node('relu', 'positive', [input], {});
    const { diagnostics } = failure(builder.finish([quantized(builder, positive!, [0, 1])]));
    expect(diagnostics.map(({ message }) => message)).toEqual([
      'fake_quant "input_quant" has 4 bits; int8 models expect 8',
    ]);
  });
});
