import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { numElements } from '../../src/core/tensor.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf, variablesOf } from '../../src/graph/graph.ts';
import { completeLayers } from '../../src/models/config.ts';
import { lenet5, mlp } from '../../src/models/presets.ts';
import { ShapeError } from '../../src/ops/define.ts';
import { add, conv, dense, network, pool } from './networks.ts';
import { buildModel } from './forms.ts';

const seeded = (seed: number) => ({ kind: 'random', random: createRandom(seed, 'weights') }) as const;

function shapes(graph: Graph): Record<string, readonly number[]> {
  return Object.fromEntries(graph.nodes.map(({ name }) => [name, valueOf(graph, name).type.shape]));
}

function parameters(graph: Graph): number {
  return variablesOf(graph)
    .filter(({ source }) => source.trainable)
    .reduce((sum, { type }) => sum + numElements(type.shape), 0);
}

describe('lenet5', () => {
  const graph = buildModel(network(lenet5(10), [28, 28, 1]), 7, 'training', seeded(1));

  it('has the layer shapes of the paper on 28x28 images', () => {
    expect(shapes(graph)).toEqual({
      'conv1/conv_2d': [7, 28, 28, 6],
      'conv1/relu': [7, 28, 28, 6],
      'pool1/max_pool_2d': [7, 14, 14, 6],
      'conv2/conv_2d': [7, 10, 10, 16],
      'conv2/relu': [7, 10, 10, 16],
      'pool2/max_pool_2d': [7, 5, 5, 16],
      'flatten/reshape': [7, 400],
      'fc1/fully_connected': [7, 120],
      'fc1/relu': [7, 120],
      'fc2/fully_connected': [7, 84],
      'fc2/relu': [7, 84],
      'logits/fully_connected': [7, 10],
    });
    expect(graph.outputs).toEqual(['logits/fully_connected']);
  });

  it('has 61,706 parameters', () => {
    // 6*25+6, 16*150+16, 120*400+120, 84*120+84, 10*84+10.
    expect(parameters(graph)).toBe(156 + 2416 + 48120 + 10164 + 850);
    expect(parameters(graph)).toBe(61706);
  });

  it('starts with weights inside the He bound, spread over all of it, and with zero biases', () => {
    const bounds = { conv1: 25, conv2: 150, fc1: 400, fc2: 120, logits: 84 };
    for (const [layer, fanIn] of Object.entries(bounds)) {
      const { source } = valueOf(graph, `${layer}/filter`);
      const weights = source.kind === 'variable' ? Array.from(source.initial.data, Number) : [];
      const bound = Math.sqrt(6 / fanIn);
      const largest = Math.max(...weights.map(Math.abs));
      expect(largest).toBeLessThanOrEqual(bound);
      expect(largest).toBeGreaterThan(0.9 * bound);
      expect(Math.min(...weights)).toBeLessThan(-0.9 * bound);
      const bias = valueOf(graph, `${layer}/bias`).source;
      expect(bias.kind === 'variable' && [...bias.initial.data].every((value) => value === 0)).toBe(true);
    }
  });

  it('has the same weights for the same seed, whatever the batch and the form, and others for another', () => {
    const filter = (built: Graph, name: string) => {
      const { source } = valueOf(built, name);
      return source.kind === 'variable' ? [...source.initial.data] : [];
    };
    const again = buildModel(network(lenet5(10), [28, 28, 1]), 1, 'inference', seeded(1));
    const other = buildModel(network(lenet5(10), [28, 28, 1]), 1, 'inference', seeded(2));
    expect(filter(again, 'conv2/filter')).toEqual(filter(graph, 'conv2/filter'));
    expect(filter(other, 'conv2/filter')).not.toEqual(filter(graph, 'conv2/filter'));
    expect(filter(graph, 'fc1/filter').slice(0, 8)).not.toEqual(filter(graph, 'fc2/filter').slice(0, 8));
  });
});

describe('mlp', () => {
  it('is one layer per hidden size and the logits', () => {
    const graph = buildModel(network(mlp([32, 16], 3), [4, 5, 2]), 2, 'training', seeded(1));
    expect(shapes(graph)).toEqual({
      'flatten/reshape': [2, 40],
      'fc1/fully_connected': [2, 32],
      'fc1/relu': [2, 32],
      'fc2/fully_connected': [2, 16],
      'fc2/relu': [2, 16],
      'logits/fully_connected': [2, 3],
    });
    expect(parameters(graph)).toBe(40 * 32 + 32 + 32 * 16 + 16 + 16 * 3 + 3);
  });
});

describe('a list of layers', () => {
  const layers = [
    conv('stem', 4, 3, { batch_norm: true }),
    conv('branch', 4, 3, { batch_norm: true, activation: 'none' }),
    add('join', 'stem'),
    conv('wide', 8, 3, { stride: [2, 1], dilation: [1, 2], padding: 'valid', activation: 'relu6', bias: false }),
    pool('average_pool_2d', 'pool'),
    { kind: 'mean', name: 'mean' },
    dense('logits', 3),
    { kind: 'softmax', name: 'softmax' },
  ] as const;

  it('becomes nodes named by layer, with shapes by hand', () => {
    const graph = buildModel(network(layers, [9, 12, 2]), 2, 'inference', seeded(1));
    expect(shapes(graph)).toEqual({
      'stem/conv_2d': [2, 9, 12, 4],
      'stem/batch_norm': [2, 9, 12, 4],
      'stem/relu': [2, 9, 12, 4],
      'branch/conv_2d': [2, 9, 12, 4],
      'branch/batch_norm': [2, 9, 12, 4],
      'join/add': [2, 9, 12, 4],
      'join/relu': [2, 9, 12, 4],
      // (9 - 3) / 2 + 1 rows; the dilated filter covers 5 columns: 12 - 5 + 1.
      'wide/conv_2d': [2, 4, 8, 8],
      'wide/relu6': [2, 4, 8, 8],
      'pool/average_pool_2d': [2, 2, 4, 8],
      'mean/mean': [2, 8],
      'logits/fully_connected': [2, 3],
      'softmax/softmax': [2, 3],
    });
    expect(graph.nodes.find(({ name }) => name === 'join/add')?.inputs).toEqual(['branch/batch_norm', 'stem/relu']);
  });

  it('has no bias before a batch norm and none where it is turned off', () => {
    const graph = buildModel(network(layers, [9, 12, 2]), 2, 'training', seeded(1));
    expect(variablesOf(graph).map(({ name }) => name)).toEqual([
      ...['filter', 'gamma', 'beta', 'moving_mean', 'moving_variance'].map((name) => `stem/${name}`),
      ...['filter', 'gamma', 'beta', 'moving_mean', 'moving_variance'].map((name) => `branch/${name}`),
      'wide/filter',
      'logits/filter',
      'logits/bias',
    ]);
    // Moving averages are state: 2 * (4*9*2 or 4*9*4) filters, gammas and betas, 8*9*4, 3*8 + 3.
    expect(parameters(graph)).toBe(72 + 8 + 144 + 8 + 288 + 27);
  });

  it('updates the moving averages in training form only', () => {
    const updated = (form: 'training' | 'inference') =>
      buildModel(network(layers, [9, 12, 2]), 2, form, seeded(1)).updates.map(({ variable }) => variable);
    expect(updated('training')).toEqual([
      'stem/moving_mean',
      'stem/moving_variance',
      'branch/moving_mean',
      'branch/moving_variance',
    ]);
    expect(updated('inference')).toEqual([]);
  });

  it.each([
    ['conv9', [conv('conv9', 4, 7, { padding: 'valid' })]],
    ['join', [conv('first', 4, 3), pool('max_pool_2d', 'half'), add('join', 'first')]],
    ['pool3', [pool('max_pool_2d', 'p1'), pool('max_pool_2d', 'p2'), pool('max_pool_2d', 'pool3')]],
    ['average', [dense('fc', 4), { kind: 'mean', name: 'average' } as const]],
  ])('that does not fit is a ShapeError naming the layer %s', (name, misfit) => {
    const build = () => buildModel(network(misfit), 1, 'training', seeded(1));
    expect(build).toThrow(ShapeError);
    expect(build).toThrow(`"${name}/`);
  });

  it('gets names by kind past those that are taken, and pools the stride of their window', () => {
    const { name: _, ...unnamed } = dense('', 4);
    const { stride: _stride, ...strideless } = { ...pool('max_pool_2d', 'pool'), window: [3, 2] as const } as Extract<
      ReturnType<typeof pool>,
      { kind: 'max_pool_2d' | 'average_pool_2d' }
    >;
    const completed = completeLayers([
      unnamed as ReturnType<typeof dense>,
      dense('fully_connected_2', 5),
      unnamed as ReturnType<typeof dense>,
      strideless as ReturnType<typeof pool>,
    ]);
    expect(completed.map(({ name }) => name)).toEqual([
      'fully_connected_1',
      'fully_connected_2',
      'fully_connected_3',
      'pool',
    ]);
    expect(completed[3]).toMatchObject({ stride: [3, 2] });
  });
});
