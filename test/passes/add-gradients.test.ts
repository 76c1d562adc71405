// Whole training graphs: the engine's gradients against central differences of the loss, which is computed in float64.
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { numElements } from '../../src/core/tensor.ts';
import { valueOf, variablesOf } from '../../src/graph/graph.ts';
import type { Layer } from '../../src/models/layers.ts';
import type { Loss } from '../../src/passes/index.ts';
import { floatTrainingPasses, runPasses } from '../../src/passes/index.ts';
import { add, conv, dense, network, pool, runSteps, scattered, trainingFeeds, uniform } from '../models/networks.ts';
import { buildModel } from '../models/forms.ts';
import { scalarIn, valuesUpToLoss } from './wide-values.ts';

const sgd = { kind: 'sgd', momentum: 0, nesterov: false, weightDecay: 0 } as const;

const networks: readonly (readonly [name: string, layers: readonly Layer[]])[] = [
  [
    'conv, batch norm, relu, pool, fully connected',
    [
      conv('conv1', 3, 3, { batch_norm: true }),
      pool('max_pool_2d', 'pool1'),
      conv('conv2', 4, 2, { stride: [2, 1], padding: 'valid', activation: 'relu6' }),
      dense('fc', 5, { activation: 'relu', batch_norm: true }),
      dense('logits', 3),
    ],
  ],
  [
    'a residual add, average pools and a final softmax',
    [
      conv('stem', 4, 3),
      conv('branch', 4, 3, { batch_norm: true, activation: 'none' }),
      add('join', 'stem'),
      pool('average_pool_2d', 'pool'),
      { kind: 'mean', name: 'mean' },
      dense('logits', 3),
      { kind: 'softmax', name: 'softmax' },
    ],
  ],
  [
    'a value that is read twice by one node and again by another',
    [
      conv('stem', 3, 3, { activation: 'none' }),
      add('twice', 'stem', 'none'),
      add('again', 'stem'),
      { kind: 'batch_norm', name: 'normal' },
      { kind: 'flatten', name: 'flat' },
      dense('logits', 3),
    ],
  ],
];

const maps: readonly Layer[] = [
  conv('conv1', 4, 3, { activation: 'relu' }),
  conv('logits', 3, 1, { activation: 'none' }),
];
const numbers: readonly Layer[] = [conv('conv1', 3, 3), { kind: 'flatten', name: 'flat' }, dense('values', 3)];
const answers: readonly Layer[] = [...numbers, { kind: 'activation', name: 'last', function: 'logistic' }];
const table = (rows: number, seed: number) => uniform(createRandom(seed, 'table'), [rows, 3], 0.2, 2);

/** What the loss reads instead of classes. */
const losses: readonly (readonly [name: string, layers: readonly Layer[], loss: Loss, below: number])[] = [
  ['classes of pixels', maps, { kind: 'softmax_cross_entropy', targets: null }, 3],
  ['classes of pixels, weighted', maps, { kind: 'softmax_cross_entropy', targets: table(3, 1) }, 3],
  ['yes or no', answers, { kind: 'sigmoid_cross_entropy', weights: null, smoothing: 0.1 }, 2],
  ['yes or no of pixels', maps, { kind: 'sigmoid_cross_entropy', weights: table(2, 2), smoothing: 0 }, 2],
  ['absolute error', numbers, { kind: 'error_of_targets', of: 'absolute' }, 3],
  ["Huber's error", numbers, { kind: 'error_of_targets', of: 'huber', delta: 0.4 }, 3],
];

describe('add-gradients', () => {
  it.each(networks)('gives the slopes of the loss for %s', (_name, layers) =>
    expectSlopes(layers, { kind: 'softmax_cross_entropy', targets: null }, 3),
  );

  it.each(losses)('gives the slopes of other losses: %s', (_name, layers, loss, below) =>
    expectSlopes(layers, loss, below),
  );

  async function expectSlopes(layers: readonly Layer[], loss: Loss, below: number): Promise<void> {
    const batch = 4;
    const model = buildModel(network(layers), batch, 'training', { kind: 'given', tensor: scattered(3) });
    const graph = runPasses(model, floatTrainingPasses(sgd, loss));
    expect(valueOf(graph, 'loss').type.shape).toEqual([]);
    const labels = createRandom(5, 'labels');
    const count = numElements(valueOf(graph, 'labels').type.shape);
    const feeds = new Map([
      ...trainingFeeds(graph, 5, batch, 0),
      ['labels', Float32Array.from({ length: count }, () => labels.below(below))] as const,
    ]);
    const variables = variablesOf(graph).filter(({ source }) => source.trainable);
    const gradientOf = (name: string) => `${name}/gradient`;
    const [step] = await runSteps({ ...graph, outputs: variables.map(({ name }) => gradientOf(name)) }, [feeds]);

    const random = createRandom(11, 'samples');
    let slopes = 0;
    for (const { name, source } of variables) {
      const gradient = step!.outputs.get(gradientOf(name))!;
      for (let sample = 0; sample < 5; sample++) {
        const index = random.below(source.initial.data.length);
        const h = 2e-4;
        const lossAt = (change: number) => scalarIn(valuesUpToLoss(graph, feeds, name, index, change), 'loss');
        const slope = (lossAt(h) - lossAt(-h)) / (2 * h);
        // The loss is rounded to float32 before it is divided by 4e-4, and a kink may lie within the step.
        expect(Math.abs(gradient[index]! - slope), `${name}[${index}]`).toBeLessThan(2e-4 + 5e-3 * Math.abs(slope));
        if (Math.abs(slope) > 1e-2) slopes++;
      }
    }
    // Else the comparison would say little.
    expect(slopes).toBeGreaterThan(2 * variables.length);
  }

  it('makes none for what no trainable variable reaches, and one for each that is trainable', () => {
    const model = buildModel(network(networks[0]![1]), 2, 'training', { kind: 'given', tensor: scattered(3) });
    const graph = runPasses(model, floatTrainingPasses(sgd));
    const gradients = graph.nodes.filter(({ name }) => name.endsWith('/gradient')).map(({ name }) => name);
    expect(gradients).toEqual(
      variablesOf(model)
        .filter(({ source }) => source.trainable)
        .map(({ name }) => `${name}/gradient`),
    );
    // The first layer's input is the image: its gradient would be thrown away.
    expect(graph.updates.some(({ variable }) => variable === 'conv1/moving_mean')).toBe(true);
    expect(gradients.every((name) => !name.includes('moving'))).toBe(true);
  });
});
