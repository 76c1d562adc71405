/** Our own kernels of the tensorflow engine, beside TensorFlow's ops run by name and loops in float64. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { qpipeHome } from '../../src/install/home.ts';
import { createRandom } from '../../src/core/random.ts';
import type { Shape } from '../../src/core/tensor.ts';
import { floatTensor, numElements, zeros } from '../../src/core/tensor.ts';
import { loadTensorflow } from '../../src/engine/tensorflow/addon.ts';
import type { GraphBuilder } from '../../src/graph/builder.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { ValueRef } from '../../src/ops/define.ts';
import { runFloat } from '../contract/evaluate.ts';
import { hasOwnKernels, tensorflowEngine } from './engines.ts';

const EPSILON = 1e-3;

/** Runs a graph of named inputs and results once. */
async function compute<Result extends string>(
  feeds: Readonly<Record<string, { readonly shape: Shape; readonly data: Float32Array }>>,
  build: (builder: GraphBuilder, inputs: Readonly<Record<string, ValueRef>>) => Readonly<Record<Result, ValueRef>>,
): Promise<Readonly<Record<Result, Float32Array>>> {
  const builder = buildGraph('kernels', 'qat');
  const inputs = Object.fromEntries(
    Object.entries(feeds).map(([name, { shape }]) => [name, builder.input(name, { dtype: 'float32', shape })]),
  );
  const results = Object.entries<ValueRef>(build(builder, inputs));
  const session = await tensorflowEngine!.open(builder.finish(results.map(([, value]) => value)), {
    replicas: 1,
    threads: 2,
  });
  try {
    const data = new Map(Object.entries(feeds).map(([name, feed]) => [name, feed.data]));
    const outputs = await session.run(data);
    return Object.fromEntries(results.map(([name, value]) => [name, outputs.get(value.name)!])) as Readonly<
      Record<Result, Float32Array>
    >; // the names that `build` gave
  } finally {
    await session.close();
  }
}

interface Operand {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/** One of TensorFlow's ops, its first output. */
async function byName(
  op: string,
  attributes: Readonly<Record<string, number | boolean>>,
  operands: readonly Operand[],
) {
  const { tf } = await loadTensorflow(qpipeHome());
  const { binding } = tf.backend();
  const given = Object.entries(attributes).map(([name, value]) => ({
    name,
    type: (typeof value === 'number' ? binding.TF_ATTR_INT : binding.TF_ATTR_BOOL)!,
    value,
  }));
  const isQuantizer = op.startsWith('FakeQuant');
  const type = { name: 'T', type: binding.TF_ATTR_TYPE!, value: binding.TF_FLOAT };
  const inputs = operands.map(({ shape, data }) => tf.tensor(data.slice(), [...shape], 'float32'));
  const numOutputs = isQuantizer && op.endsWith('Gradient') ? 3 : 1;
  const results = tf.backend().executeMultipleOutputs(op, isQuantizer ? given : [...given, type], inputs, numOutputs);
  const data = results[0]!.dataSync() as Float32Array; // all of these ops are on float32
  tf.dispose([...inputs, ...results]);
  return data;
}

const random = createRandom(1, 'kernels');
const spread = (shape: Shape, from: number, to: number): Operand => ({
  shape,
  data: Float32Array.from({ length: numElements(shape) }, () => from + (to - from) * random.float()),
});
const bothSigns = ({ shape, data }: Operand): Operand => ({
  shape,
  data: data.map((value, index) => (index % 2 === 0 ? value : -value)),
});
const largest = (values: Float32Array): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
const scalar = (value: number): Operand => ({ shape: [], data: Float32Array.of(value) });

/** Bit by bit; a report of all differences would take minutes. */
function expectSame(actual: Float32Array, expected: Float32Array): void {
  expect(actual.length).toBe(expected.length);
  const at = actual.findIndex((value, index) => !Object.is(value, expected[index]));
  if (at >= 0) expect.fail(`${actual[at]!} instead of ${expected[at]!} at ${at}`);
}

/** Channels around the width of vectors, and batches of one piece, of several, and with a rest. */
const shapes: readonly Shape[] = [
  [20, 3, 3, 1],
  [50, 9, 9, 3],
  [64, 16, 16, 16],
  [700, 37],
  [131, 5, 5, 64],
  [40, 1001],
];

describe.skipIf(!hasOwnKernels)('the moments of a batch', () => {
  it.each(shapes.map((shape) => [shape]))('are those of float64 loops, far from zero: %j', async (shape) => {
    const channels = shape.at(-1)!;
    const [x, gamma, beta] = [spread(shape, 99, 101), spread([channels], 0.5, 2), spread([channels], -1, 1)];
    const { mean, variance } = await compute({ x, gamma, beta }, (builder, inputs) => {
      const [, mean, variance] = builder.node(
        'batch_norm_train',
        'norm',
        [inputs['x']!, inputs['gamma']!, inputs['beta']!],
        {
          epsilon: EPSILON,
        },
      );
      return { mean: mean!, variance: variance! };
    });
    const rows = x.data.length / channels;
    for (let channel = 0; channel < channels; channel++) {
      const values = Array.from({ length: rows }, (_, row) => x.data[row * channels + channel]!);
      const expected = values.reduce((sum, value) => sum + value, 0) / rows;
      const squares = values.reduce((sum, value) => sum + (value - expected) ** 2, 0) / rows;
      // Half a unit in the last place of the mean is 3.8e-6.
      expect(Math.abs(mean[channel]! - expected)).toBeLessThan(4e-6);
      expect(Math.abs(variance[channel]! / squares - 1)).toBeLessThan(2e-6);
    }
  });
});

const limits = { none: null, relu: Infinity, relu6: 6 } as const;

describe.skipIf(!hasOwnKernels).each(['none', 'relu', 'relu6'] as const)(
  'batch norm, activation %s and quantizer in one',
  (activation) => {
    // Narrower than the values: some lie on either side. Before anything is observed, a range is [0, 0].
    const ranges = [
      { active: 1, min: -1.7, max: 4.9 },
      { active: 0, min: -1.7, max: 4.9 },
      { active: 1, min: 0, max: 0 },
    ];
    const cases = shapes.flatMap((shape) => ranges.map((range) => [shape, range] as const));
    it.each(cases)('are what TensorFlow makes one after the other: %j, %j', async (shape, { active, min, max }) => {
      const channels = shape.at(-1)!;
      const feeds = {
        x: spread(shape, -2, 3),
        gamma: bothSigns(spread([channels], 1, 4)),
        beta: spread([channels], -1, 1),
        slopes: spread(shape, -1, 1),
        min: scalar(min),
        max: scalar(max),
        active: scalar(active),
      };
      const quantizer = { bits: 8, narrowRange: false, axis: null } as const;
      const found = await compute(feeds, (builder, inputs) => {
        const [x, gamma, beta] = [inputs['x']!, inputs['gamma']!, inputs['beta']!];
        const range = [inputs['min']!, inputs['max']!, inputs['active']!];
        const [norm, mean, variance] = builder.node('batch_norm_train', 'norm', [x, gamma, beta], { epsilon: EPSILON });
        const y = activation === 'none' ? norm! : builder.node(activation, 'activation', [norm!], {})[0]!;
        const [low, high] = builder.node('observe_range', 'observed', [y], { axis: null, symmetric: false });
        const [quantized] = builder.node('fake_quant', 'quantized', [y, ...range], quantizer);
        const [blocked] = builder.node('fake_quant_grad', 'blocked', [inputs['slopes']!, y, ...range], quantizer);
        const limit = limits[activation];
        const passed = limit === null ? blocked! : builder.node('relu_grad', 'passed', [blocked!, y], { limit })[0]!;
        const [dx, dgamma, dbeta] = builder.node(
          'batch_norm_train_grad',
          'gradients',
          [passed, x, gamma, mean!, variance!],
          {
            epsilon: EPSILON,
          },
        );
        const gradients = { dx: dx!, dgamma: dgamma!, dbeta: dbeta! };
        return { mean: mean!, variance: variance!, y, low: low!, high: high!, quantized: quantized!, ...gradients };
      });

      // The range is found without the values, which are asked for here only.
      expect(found.low[0]).toBe(found.y.reduce((least, value) => Math.min(least, value), 0));
      expect(found.high[0]).toBe(found.y.reduce((largest, value) => Math.max(largest, value), 0));

      const y = { shape, data: found.y };
      const codes = { num_bits: 8, narrow_range: false };
      const rounded = await byName('FakeQuantWithMinMaxVars', codes, [y, feeds.min, feeds.max]);
      expectSame(found.quantized, active === 1 ? rounded : found.y);

      const inRange = await byName('FakeQuantWithMinMaxVarsGradient', codes, [feeds.slopes, y, feeds.min, feeds.max]);
      const blocked = { shape, data: active === 1 ? inRange : feeds.slopes.data };
      const passed = {
        none: () => Promise.resolve(blocked.data),
        relu: () => byName('ReluGrad', {}, [blocked, y]),
        relu6: () => byName('Relu6Grad', {}, [blocked, y]),
      };
      const slopes = await passed[activation]();
      const numBlocked = slopes.filter((slope) => slope === 0).length;
      if (activation !== 'none' || (active === 1 && max > 0)) expect(numBlocked).toBeGreaterThan(0);
      expect(numBlocked).toBeLessThan(slopes.length);
      const tensorOf = ({ shape, data }: Operand) => floatTensor(shape, data);
      const vector = (data: Float32Array) => floatTensor([channels], data);
      const expected = [zeros('float32', shape), zeros('float32', [channels]), zeros('float32', [channels])];
      const statistics = [vector(feeds.gamma.data), vector(found.mean), vector(found.variance)];
      runFloat(
        'batch_norm_train_grad',
        [floatTensor(shape, slopes), tensorOf(feeds.x), ...statistics],
        { epsilon: EPSILON },
        expected,
      );
      [found.dx, found.dgamma, found.dbeta].forEach((actual, index) => {
        const reference = expected[index]!.data;
        const worst = largest(actual.map((value, at) => value - reference[at]!));
        expect(worst / Math.max(1, largest(reference)), ['dx', 'dgamma', 'dbeta'][index]).toBeLessThan(1e-5);
      });
    });
  },
);

describe.skipIf(!hasOwnKernels)('fake quantization with a range for each channel', () => {
  it.each([1, 0])("has the values of TensorFlow's own op, along axis %i", async (axis) => {
    const [rows, channels] = [300, 37];
    const [x, min, max] = [spread([rows, channels], -6, 6), spread([channels], -5, -0.1), spread([channels], 0.1, 5)];
    [min.data[3], max.data[3]] = [0, 0];
    const turned: Operand = {
      shape: [channels, rows],
      data: x.data.map((_, at) => x.data[(at % rows) * channels + Math.floor(at / rows)]!),
    };
    const { y } = await compute({ x: axis === 1 ? x : turned, min, max }, (builder, inputs) => {
      const operands = [inputs['x']!, inputs['min']!, inputs['max']!];
      return { y: builder.node('fake_quant', 'y', operands, { bits: 8, narrowRange: false, axis })[0]! };
    });
    const op = 'FakeQuantWithMinMaxVarsPerChannel';
    const expected = await byName(op, { num_bits: 8, narrow_range: false }, [x, min, max]);
    const straight = axis === 1 ? y : expected.map((_, at) => y[(at % channels) * rows + Math.floor(at / channels)]!);
    expectSame(straight, expected);
  });
});

describe.skipIf(!hasOwnKernels)('what threads share', () => {
  it('is added up in one order, whoever comes first', async () => {
    const shape = [64, 16, 16, 16];
    const feeds = { x: spread(shape, -1, 1), slopes: spread(shape, -1, 1), gamma: spread([16], 0, 1) };
    const once = () =>
      compute(feeds, (builder, inputs) => {
        const [x, gamma] = [inputs['x']!, inputs['gamma']!];
        const [, mean, variance] = builder.node('batch_norm_train', 'norm', [x, gamma, gamma], { epsilon: EPSILON });
        const operands = [inputs['slopes']!, x, gamma, mean!, variance!];
        const [dx, dgamma] = builder.node('batch_norm_train_grad', 'gradients', operands, { epsilon: EPSILON });
        return { mean: mean!, variance: variance!, dx: dx!, dgamma: dgamma! };
      });
    const digest = async () => {
      const hash = createHash('sha256');
      for (const result of Object.values(await once())) hash.update(result);
      return hash.digest('hex');
    };
    const first = await digest();
    for (let time = 0; time < 20; time++) expect(await digest()).toBe(first);
  });
});
