// The loss of several outputs: the weighted sum, whose slopes the gradients of the engine are.
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { numElements } from '../../src/core/tensor.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf, variablesOf } from '../../src/graph/graph.ts';
import { floatTrainingPasses, runPasses } from '../../src/passes/index.ts';
import { buildModel } from '../models/forms.ts';
import { conv, dense, network, runSteps, scattered, trainingFeeds } from '../models/networks.ts';
import { scalarIn, valuesUpToLoss } from './wide-values.ts';

const sgd = { kind: 'sgd', momentum: 0, nesterov: false, weightDecay: 0 } as const;
const output = (name: string) => ({ output: name, task: 'regress', classes: [] }) as const;

/** Layer `flat` is read by three heads, one of which is read again by another. */
function training(weights: readonly [number, number, number]): Graph {
  const spec = {
    ...network([
      conv('conv', 3, 3, { activation: 'relu' }),
      { kind: 'flatten', name: 'flat' },
      dense('classes', 3),
      { ...dense('numbers', 2), input: 'flat' },
      { ...dense('answers', 2), input: 'numbers' },
      { kind: 'activation', name: 'yes', function: 'logistic' },
    ]),
    outputs: [output('classes'), output('numbers'), output('yes')],
  };
  const model = buildModel(spec, 4, 'training', { kind: 'given', tensor: scattered(3) });
  const [first, second, third] = weights;
  return runPasses(
    model,
    floatTrainingPasses(sgd, [
      { name: 'classes', weight: first, loss: { kind: 'softmax_cross_entropy', targets: null } },
      { name: 'numbers', weight: second, loss: { kind: 'error_of_targets', of: 'squared' } },
      { name: 'yes', weight: third, loss: { kind: 'sigmoid_cross_entropy', weights: null, smoothing: 0 } },
    ]),
  );
}

function feedsOf(graph: Graph): ReadonlyMap<string, Float32Array> {
  const random = createRandom(5, 'answers');
  const answers = (name: string, below: number) =>
    Float32Array.from({ length: numElements(valueOf(graph, name).type.shape) }, () => random.below(below));
  return new Map([
    ...[...trainingFeeds(graph, 5, 4, 0)].filter(([name]) => graph.inputs.includes(name)),
    ['classes/labels', answers('classes/labels', 3)] as const,
    ['numbers/labels', answers('numbers/labels', 3)] as const,
    ['yes/labels', answers('yes/labels', 2)] as const,
  ]);
}

describe('the loss of several outputs', () => {
  const weights = [0.5, 3, 1.5] as const;
  const graph = training(weights);
  const feeds = feedsOf(graph);

  it('is the sum of the losses, each times its weight', async () => {
    const values = valuesUpToLoss(graph, feeds);
    const parts = ['classes', 'numbers', 'yes'].map((name) => scalarIn(values, `${name}/loss`));
    const sum = parts.reduce((total, part, index) => total + weights[index]! * part, 0);
    expect(scalarIn(values, 'loss')).toBeCloseTo(sum, 5);
    expect(parts.every((part) => part > 0.1)).toBe(true);
    const [step] = await runSteps(graph, [feeds]);
    expect(step!.outputs.get('loss')?.[0]).toBeCloseTo(sum, 5);
    expect(step!.outputs.get('numbers/loss')?.[0]).toBeCloseTo(parts[1]!, 5);
    expect(step!.outputs.has('classes/top_1')).toBe(true);
  });

  it('has the gradients that the engine computes', async () => {
    const variables = variablesOf(graph).filter(({ source }) => source.trainable);
    const names = variables.map(({ name }) => `${name}/gradient`);
    const [step] = await runSteps({ ...graph, outputs: names }, [feeds]);
    const random = createRandom(11, 'samples');
    let slopes = 0;
    for (const { name, source } of variables) {
      const gradient = step!.outputs.get(`${name}/gradient`)!;
      for (let sample = 0; sample < 5; sample++) {
        const index = random.below(source.initial.data.length);
        const h = 2e-4;
        const lossAt = (change: number) => scalarIn(valuesUpToLoss(graph, feeds, name, index, change), 'loss');
        const slope = (lossAt(h) - lossAt(-h)) / (2 * h);
        expect(Math.abs(gradient[index]! - slope), `${name}[${index}]`).toBeLessThan(1e-3 + 5e-3 * Math.abs(slope));
        if (Math.abs(slope) > 1e-2) slopes++;
      }
    }
    expect(slopes).toBeGreaterThan(2 * variables.length);
  });

  it('moves nothing by an output whose weight is 0', async () => {
    const silent = training([0, 0, 1]);
    const [step] = await runSteps({ ...silent, outputs: ['classes/filter/gradient', 'answers/filter/gradient'] }, [
      feedsOf(silent),
    ]);
    expect(step!.outputs.get('classes/filter/gradient')?.every((value) => value === 0)).toBe(true);
    expect(step!.outputs.get('answers/filter/gradient')?.some((value) => value !== 0)).toBe(true);
  });
});
