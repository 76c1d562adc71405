// Cross-layer equalization: factors by hand, and the function of the network as it was.
import { describe, expect, it } from 'vitest';
import { present } from '../../src/core/assert.ts';
import { expectDType, floatTensor } from '../../src/core/tensor.ts';
import { parameterOf, variablesOf } from '../../src/graph/graph.ts';
import { withVariables } from '../../src/graph/variables.ts';
import type { Layer, ModelSpec } from '../../src/models/layers.ts';
import { equalizeLayers, removeDropout } from '../../src/passes/index.ts';
import { newModel } from '../../src/models/build.ts';
import { createRandom } from '../../src/core/random.ts';
import { referenceEngine } from '../../src/engine/reference.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { conv, dense, network, pool } from '../models/networks.ts';

const depthwise = (name: string, options: Partial<Extract<Layer, { kind: 'depthwise_conv_2d' }>> = {}): Layer => ({
  ...{ kind: 'depthwise_conv_2d', name, kernel: [3, 3], stride: [1, 1], dilation: [1, 1], padding: 'same' },
  ...{ multiplier: 1, bias: true, batch_norm: false, activation: 'relu' },
  ...options,
});

/** A network whose channels differ by up to a thousand times, batch norm with statistics among them. */
function uneven(spec: ModelSpec): Graph {
  const random = createRandom(3, 'uneven');
  return withVariables(newModel(spec, 1).graph, ({ source: { initial, role } }) => {
    const { shape } = initial;
    const data = expectDType(initial, 'float32').data.map((value) => {
      if (role === 'moving_variance') return 0.1 + random.float();
      if (role === 'weight') return value;
      return random.float() - 0.3;
    });
    const channels = shape[0] ?? 1;
    if (role === 'weight')
      data.forEach((value, at) => (data[at] = value * 10 ** ((Math.floor(at / (data.length / channels)) % 4) - 2)));
    return floatTensor(shape, data);
  });
}

async function outputOf(graph: Graph, input: Float32Array): Promise<Float32Array> {
  const session = await referenceEngine.open(removeDropout(graph), { replicas: 1, threads: 1 });
  const results = await session.run(new Map([[graph.inputs[0] ?? '', input]]));
  await session.close();
  return present(results.get(graph.outputs[0] ?? ''), 'the output');
}

const image = Float32Array.from({ length: 6 * 6 * 2 }, (_, index) => ((index * 37) % 64) / 32 - 1);

function largestDifference(a: Float32Array, b: Float32Array): number {
  const scale = Math.max(...a.map(Math.abs));
  return Math.max(...a.map((value, index) => Math.abs(value - b[index]!))) / scale;
}

describe('equalizeLayers', () => {
  it('gives both layers the geometric mean of their ranges, by hand', () => {
    const spec = network(
      [conv('one', 2, 1, { activation: 'relu' }), conv('two', 1, 1, { activation: 'none' })],
      [1, 1, 1],
    );
    const values: Record<string, number[]> = {
      'one/filter': [8, 0.5],
      'one/bias': [4, 1],
      'two/filter': [2, 2],
      'two/bias': [3],
    };
    const graph = withVariables(newModel(spec, 1).graph, ({ name, source }) =>
      floatTensor(source.initial.shape, values[name] ?? []),
    );
    const { graph: equalized, pairs } = equalizeLayers(graph);
    expect(pairs).toHaveLength(1);
    // s = sqrt(8 / 2) = 2 and sqrt(0.5 / 2) = 0.5: both ranges become 4 and 1.
    expect([...parameterOf(equalized, 'one/filter').data]).toEqual([4, 1]);
    expect([...parameterOf(equalized, 'one/bias').data]).toEqual([2, 2]);
    expect([...parameterOf(equalized, 'two/filter').data]).toEqual([4, 1]);
    expect([...parameterOf(equalized, 'two/bias').data]).toEqual([3]);
  });

  it.each([
    [
      'convolutions, depthwise too, and a pool',
      [conv('a', 4, 3), depthwise('b'), conv('c', 6, 1), pool('max_pool_2d', 'p'), conv('d', 3, 1)],
      3,
    ],
    ['flattened channels', [conv('a', 4, 3), pool('average_pool_2d', 'p'), dense('b', 5), dense('c', 3)], 2],
    [
      'batch norm',
      [
        conv('a', 4, 3, { batch_norm: true, bias: false }),
        depthwise('b', { batch_norm: true, bias: false }),
        conv('c', 3, 1),
      ],
      2,
    ],
    ['a depthwise multiplier', [conv('a', 3, 3), depthwise('b', { multiplier: 2 }), conv('c', 3, 1)], 2],
  ] as const)('leaves the function as it was: %s', async (_name, layers, count) => {
    const graph = uneven(network([...layers, dense('logits', 3)]));
    const { graph: equalized, pairs } = equalizeLayers(graph);
    expect(pairs.length).toBeGreaterThanOrEqual(count);
    const changed = variablesOf(graph).filter(
      ({ name }) => String(parameterOf(graph, name).data) !== String(parameterOf(equalized, name).data),
    );
    expect(changed.length).toBeGreaterThan(2);
    expect(largestDifference(await outputOf(graph, image), await outputOf(equalized, image))).toBeLessThan(1e-5);
  });

  it('equalizes nothing across relu6, a value that two layers read, or the last layer', () => {
    const relu6 = uneven(network([conv('a', 4, 3, { activation: 'relu6' }), conv('b', 3, 1, { activation: 'none' })]));
    expect(equalizeLayers(relu6).pairs).toEqual([]);
    const forked = uneven(
      network([conv('a', 4, 3), conv('b', 4, 3), { kind: 'add', name: 'sum', with: 'a', activation: 'relu' }]),
    );
    expect(equalizeLayers(forked).pairs).toEqual([]);
  });
});
