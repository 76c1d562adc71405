// What an imported network is given to fit the data: the function stays that of the file.
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { Shape } from '../../src/core/tensor.ts';
import { floatTensor, numElements } from '../../src/core/tensor.ts';
import { referenceEngine } from '../../src/engine/reference.ts';
import type { GraphBuilder } from '../../src/graph/builder.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import type { VariableRole } from '../../src/graph/roles.ts';
import { verify } from '../../src/graph/verify.ts';
import { measuredValues, takesShape, withInput, withTargets } from '../../src/importers/adapt.ts';
import { separateBatchNorms } from '../../src/importers/batch-norms.ts';
import { pixelNormalizer } from '../../src/models/pixels.ts';
import type { ValueRef } from '../../src/ops/define.ts';
import { freezePasses, runPasses, trainingForm } from '../../src/passes/index.ts';

const draw = createRandom(7, 'adapt');
const random = (shape: Shape, low = -1, high = 1) =>
  floatTensor(
    shape,
    Array.from({ length: numElements(shape) }, () => low + (high - low) * draw.float()),
  );

async function run(graph: Graph, input: Float32Array): Promise<readonly number[]> {
  const session = await referenceEngine.open(graph, { replicas: 1, threads: 1 });
  const result = await session.run(new Map([[graph.inputs[0] ?? '', input]]));
  await session.close();
  return [...(result.get(graph.outputs[0] ?? '') ?? [])];
}

function expectClose(found: readonly number[], wanted: readonly number[]): void {
  expect(found).toHaveLength(wanted.length);
  for (const [index, value] of wanted.entries()) expect(found[index]).toBeCloseTo(value, 4);
}

const one = (builder: GraphBuilder, ...node: Parameters<GraphBuilder['node']>): ValueRef => builder.node(...node)[0]!;

/** Gives what it takes, times two, in one row. */
function doubled(shape: Shape): Graph {
  const builder = buildGraph('doubled', 'float');
  const input = builder.input('x', { dtype: 'float32', shape: [1, ...shape] });
  const two = builder.constant('two', floatTensor([], [2]));
  const product = one(builder, 'mul', 'product', [input, two], { activation: 'none' });
  return verify(builder.finish([one(builder, 'reshape', 'row', [product], { shape: [1, numElements(shape)] })]));
}

describe('the shape of an example', () => {
  it.each<readonly [input: Shape, example: Shape, takes: boolean]>([
    [[28, 28, 1], [28, 28, 1], true],
    [[28, 28], [28, 28, 1], true],
    [[784], [28, 28, 1], true],
    [[4], [1, 1, 4], true],
    [[52, 6], [1, 52, 6], true],
    [[14, 56], [28, 28, 1], false],
    [[32, 32, 3], [28, 28, 1], false],
    [[3, 32, 32], [32, 32, 3], false],
  ])('of [%s], given [%s]: %s', (input, example, takes) => expect(takesShape(input, example)).toBe(takes));

  it('becomes that of the network', async () => {
    const values = Float32Array.from({ length: 12 }, (_, index) => index);
    for (const shape of [[12], [3, 4], [1, 3, 4]]) {
      const graph = withInput(doubled(shape), [3, 4, 1], null);
      expectClose(
        await run(graph, values),
        [...values].map((value) => 2 * value),
      );
    }
  });

  it('leaves a network alone whose input is that of the data but for leading ones', () => {
    const graph = doubled([4]);
    expect(withInput(graph, [1, 1, 4], null)).toBe(graph);
  });
});

describe('the values of an example', () => {
  it('are normalized by channel, as (pixel - mean) / deviation', async () => {
    const channels = [
      { name: 'red', mean: 100, deviation: 50 },
      { name: 'green', mean: 20, deviation: 2 },
    ];
    const grid = { scale: 1 / 128, mean: 127 };
    const pixels = [200, 21, 0, 18];
    const graph = withInput(doubled([1, 2, 2]), [1, 2, 2], pixelNormalizer(channels, grid, 'x'));
    const onGrid = Float32Array.from(pixels, (pixel) => (pixel - 127) / 128);
    expectClose(await run(graph, onGrid), [2 * 2, 2 * 0.5, 2 * -2, 2 * -1]);
  });

  it('are those that were measured, where the device standardizes them', async () => {
    const channels = [
      { name: 'x', mean: 9.81, deviation: 3 },
      { name: 'y', mean: -1, deviation: 0.5 },
    ];
    const graph = withInput(doubled([2, 2]), [1, 2, 2], measuredValues(channels));
    const measured = [9.81, -1, 12.81, 0];
    const standardized = Float32Array.from(measured, (value, at) => {
      const { mean, deviation } = channels[at % 2]!;
      return (value - mean) / deviation;
    });
    expectClose(
      await run(graph, standardized),
      measured.map((value) => 2 * value),
    );
  });
});

describe('outputs of a network that regresses', () => {
  const targets = [
    { name: 'a', mean: 150, deviation: 40 },
    { name: 'b', mean: -3, deviation: 0.25 },
  ];
  const regressor = (hasBias: boolean): Graph => {
    const builder = buildGraph('regressor', 'float');
    const operands = [
      builder.input('x', { dtype: 'float32', shape: [1, 3] }),
      builder.variable('filter', random([2, 3]), 'weight'),
      ...(hasBias ? [builder.variable('bias', random([2]), 'bias')] : []),
    ];
    const attrs = { activation: 'none', keepNumDims: false } as const;
    return verify(builder.finish([one(builder, 'fully_connected', 'fc', operands, attrs)]));
  };

  it('become deviations from the means of the targets', async () => {
    const graph = regressor(true);
    const input = Float32Array.of(0.5, -2, 3);
    const plain = await run(graph, input);
    const changed = withTargets(graph, targets);
    expect(changed).not.toBeNull();
    expectClose(
      changed === null ? [] : await run(changed, input),
      plain.map((value, at) => (value - targets[at]!.mean) / targets[at]!.deviation),
    );
  });

  it('stay where no layer can take them in', () => expect(withTargets(regressor(false), targets)).toBeNull());
});

describe('batch norm of strangers', () => {
  const attrs = { strides: [1, 1], dilations: [1, 1], padding: { kind: 'same' }, activation: 'none' } as const;

  function parametersOf(builder: GraphBuilder, name: string, channels: number): readonly ValueRef[] {
    const roles: readonly VariableRole[] = ['gamma', 'beta', 'moving_mean', 'moving_variance'];
    return roles.map((role) => builder.variable(`${name}/${role}`, random([channels], 0.5, 2), role));
  }

  /** Behind the input, behind a sum, behind a filter that is used twice, twice the same, and behind a row of values. */
  function network(): Graph {
    const builder = buildGraph('strange', 'float');
    const norm = (name: string, value: ValueRef, parameters: readonly ValueRef[]): ValueRef =>
      one(builder, 'batch_norm', name, [value, ...parameters], { epsilon: 1e-3 });
    const input = builder.input('x', { dtype: 'float32', shape: [1, 4, 4, 2] });
    const first = norm('first', input, parametersOf(builder, 'first', 2));
    const filter = builder.variable('conv/filter', random([2, 3, 3, 2]), 'weight');
    const shared = parametersOf(builder, 'shared', 2);
    const a = norm('a', one(builder, 'conv_2d', 'conv', [first, filter], attrs), shared);
    const b = norm('b', one(builder, 'conv_2d', 'conv_1', [a, filter], attrs), shared);
    const sum = norm(
      'sum_norm',
      one(builder, 'add', 'sum', [a, b], { activation: 'none' }),
      parametersOf(builder, 's', 2),
    );
    const mean = one(builder, 'mean', 'mean', [one(builder, 'relu', 'relu', [sum], {})], {
      axes: [1, 2],
      keepDims: false,
    });
    return verify(builder.finish([norm('row', mean, parametersOf(builder, 'row', 2))]));
  }

  it('computes the same, folds into the ops before it, and can be trained', async () => {
    const graph = network();
    const input = random([1, 4, 4, 2]).data;
    const wanted = await run(graph, input);
    const { graph: separate, notes } = separateBatchNorms(graph);
    expectClose(await run(verify(separate), input), wanted);
    const frozen = runPasses({ ...separate, level: 'eval' }, freezePasses);
    expect(frozen.nodes.map(({ op }) => op)).not.toContain('batch_norm');
    expectClose(await run(frozen, input), wanted);
    const { updates } = verify(trainingForm(separate, 0.9));
    expect(new Set(updates.map(({ variable }) => variable)).size).toBe(2 * 5);
    expect(notes).toEqual(['batch norm "b" shares its parameters with another, and gets a copy of them']);
  });

  it('that follows a layer of its own stays as it is', () => {
    const builder = buildGraph('plain', 'float');
    const input = builder.input('x', { dtype: 'float32', shape: [1, 4, 4, 2] });
    const filter = builder.variable('conv/filter', random([2, 3, 3, 2]), 'weight');
    const conv = one(builder, 'conv_2d', 'conv', [input, filter], attrs);
    const norm = one(builder, 'batch_norm', 'norm', [conv, ...parametersOf(builder, 'norm', 2)], { epsilon: 1e-3 });
    const { graph } = separateBatchNorms(verify(builder.finish([norm])));
    expect(graph.nodes.map(({ op }) => op)).toEqual(['conv_2d', 'batch_norm']);
  });
});
