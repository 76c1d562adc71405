import { describe, expect, it } from 'vitest';
import type { OptimizerSpec } from '../../src/passes/index.ts';
import { floatTrainingPasses, runPasses } from '../../src/passes/index.ts';
import { prune } from '../../src/passes/prune.ts';
import { dense, network, runSteps, scattered, trainingFeeds } from '../models/networks.ts';
import { buildModel } from '../models/forms.ts';

const layers = [dense('fc', 4, { batch_norm: true, activation: 'relu' }), dense('logits', 3)];

/** Variables before the first step, its gradients, and the variables after each of two steps. */
async function twoSteps(optimizer: OptimizerSpec, rate: number) {
  const model = buildModel(network(layers), 4, 'training', { kind: 'given', tensor: scattered(3) });
  const graph = runPasses(model, floatTrainingPasses(optimizer));
  const names = ['fc/filter', 'fc/gamma', 'logits/filter', 'logits/bias'];
  const outputs = names.map((name) => `${name}/gradient`);
  const feeds = [trainingFeeds(graph, 5, 4, rate), trainingFeeds(graph, 6, 4, rate)];
  const steps = await runSteps({ ...graph, outputs }, feeds);
  return names.map((name) => {
    const shape = graph.values.get(name)!.type.shape;
    return {
      name,
      before: scattered(3)(name, shape).data,
      steps: steps.map((step) => ({ gradient: step.outputs.get(`${name}/gradient`)!, after: step.read(name) })),
    };
  });
}

describe('add-optimizer', () => {
  it('takes steps of sgd with momentum, and decays filters only', async () => {
    const spec = { kind: 'sgd', momentum: 0.9, nesterov: false, weightDecay: 0.1 } as const;
    for (const { name, before, steps } of await twoSteps(spec, 0.5)) {
      const decay = name.endsWith('/filter') ? 0.1 : 0;
      let velocity = new Float64Array(before.length);
      let weights = Float64Array.from(before);
      for (const { gradient, after } of steps) {
        velocity = velocity.map((speed, at) => 0.9 * speed + gradient[at]! + decay * weights[at]!);
        weights = weights.map((weight, at) => weight - 0.5 * velocity[at]!);
        for (const [at, weight] of weights.entries()) expect(after[at], name).toBeCloseTo(weight, 5);
      }
    }
  });

  it('takes steps of adam with both bias corrections', async () => {
    const spec = { kind: 'adam', beta1: 0.8, beta2: 0.95, epsilon: 1e-7, weightDecay: 0 } as const;
    for (const { name, before, steps } of await twoSteps(spec, 0.01)) {
      let [first, second] = [new Float64Array(before.length), new Float64Array(before.length)];
      let weights = Float64Array.from(before);
      for (const [index, { gradient, after }] of steps.entries()) {
        first = first.map((mean, at) => 0.8 * mean + 0.2 * gradient[at]!);
        second = second.map((square, at) => 0.95 * square + 0.05 * gradient[at]! ** 2);
        const rate = (0.01 * Math.sqrt(1 - 0.95 ** (index + 1))) / (1 - 0.8 ** (index + 1));
        weights = weights.map((weight, at) => weight - (rate * first[at]!) / (Math.sqrt(second[at]!) + 1e-7));
        for (const [at, weight] of weights.entries()) expect(after[at], name).toBeCloseTo(weight, 5);
      }
    }
  });
});

describe('prune', () => {
  it('keeps inputs, outputs and updates, and drops what nothing needs', () => {
    const model = buildModel(network(layers), 4, 'inference', { kind: 'given', tensor: scattered(3) });
    const cut = prune({ ...model, outputs: ['fc/relu'] });
    expect(cut.nodes.map(({ name }) => name)).toEqual(['fc/reshape', 'fc/fully_connected', 'fc/batch_norm', 'fc/relu']);
    expect([...cut.values.keys()].some((name) => name.startsWith('logits/'))).toBe(false);
    expect(cut.inputs).toEqual(['input']);
  });
});
