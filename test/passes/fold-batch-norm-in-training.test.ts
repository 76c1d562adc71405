import { describe, expect, it } from 'vitest';
import { present } from '../../src/core/assert.ts';
import { createRandom } from '../../src/core/random.ts';
import type { FloatTensor } from '../../src/core/tensor.ts';
import { floatTensor } from '../../src/core/tensor.ts';
import { referenceEngine } from '../../src/engine/reference.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { variablesOf } from '../../src/graph/graph.ts';
import { learningRateInput, lossNames } from '../../src/passes/index.ts';
import type { TensorSource } from '../../src/evaluation/graphs.ts';
import { runFloat } from '../contract/evaluate.ts';
import { conv, dense, network, uniform } from '../models/networks.ts';
import { evalGraph, trainingGraph } from '../models/forms.ts';

const BATCH = 6;
const spec = network(
  [
    conv('conv', 4, 3, { batch_norm: true, activation: 'relu' }),
    {
      ...{ kind: 'depthwise_conv_2d', name: 'depthwise', multiplier: 1, kernel: [3, 3], stride: [1, 1] },
      ...{ dilation: [1, 1], padding: 'same', bias: true, batch_norm: true, activation: 'relu6' },
    },
    { kind: 'flatten', name: 'flatten' },
    dense('hidden', 5, { batch_norm: true, activation: 'none' }),
    dense('logits', 3),
  ],
  [5, 5, 2],
);
const loss = { kind: 'softmax_cross_entropy', targets: null } as const;
const sgd = { kind: 'sgd', momentum: 0.9, nesterov: false, weightDecay: 0 } as const;
const form = { scheme: 'int8', denseWeights: 'per_channel', observe: 'after_activation' } as const;
const common = {
  ...form,
  estimator: { kind: 'moving_average', decay: 0.9 },
  merge: 'mean',
  dropout: 'always',
} as const;

/** Gamma and the moving statistics away from 1 and 0, so that nothing cancels by chance. */
const weights: TensorSource = (name, shape = []) => {
  const random = createRandom(7, name);
  if (name.endsWith('/moving_variance')) return uniform(random, shape, 0.3, 2);
  if (name.endsWith('/gamma')) return uniform(random, shape, 0.5, 1.5);
  if (name.endsWith('/filter')) return uniform(random, shape, -0.5, 0.5);
  return uniform(random, shape, -0.3, 0.3);
};

const images = uniform(createRandom(7, 'images'), [BATCH, 5, 5, 2], 0, 1);
const feeds = new Map([
  ['input', images.data],
  [lossNames.labels, Float32Array.from({ length: BATCH }, (_, index) => index % 3)],
  [learningRateInput, Float32Array.of(0.05)],
]);

/** Runs steps on one batch and returns the losses and the variables after them. */
async function steps(graph: Graph, count: number) {
  const session = await referenceEngine.open(graph, { replicas: 1, threads: 1 });
  const losses: number[] = [];
  for (let step = 0; step < count; step++) {
    losses.push(present((await session.run(feeds)).get(lossNames.loss)?.[0], 'the loss'));
  }
  const variables = new Map(variablesOf(graph).map(({ name }) => [name, session.read(name)] as const));
  await session.close();
  return { losses, variables };
}

const given = { kind: 'given', tensor: weights } as const;
const training = (quantization: Parameters<typeof trainingGraph>[3]) =>
  trainingGraph(spec, BATCH, given, quantization, sgd, loss);

function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what: string): void {
  expect(found.length, what).toBe(expected.length);
  for (let index = 0; index < expected.length; index++) {
    expect(Math.abs(found[index]! - expected[index]!), `${what} at ${index}`).toBeLessThan(tolerance);
  }
}

describe('batch norm folded in training', () => {
  it('corrects by the numbers of golden G15', () => {
    // A batch of mean 0.7 and biased variance 0.36.
    const unfolded = floatTensor([2, 1], [0.1, 1.3]);
    const folded = floatTensor([2, 1], [1, -2]);
    const statistics = [1.2, 0.3, 0.5, 0.25].map((value) => floatTensor([1], [value]));
    const correct = (frozen: number): readonly number[] => {
      const outputs = [floatTensor([2, 1], [0, 0]), floatTensor([1], [0]), floatTensor([1], [0])];
      const operands = [folded, unfolded, ...statistics, floatTensor([], [frozen])];
      runFloat('fold_correct', operands, { epsilon: 0.001 }, outputs);
      return outputs.flatMap(({ data }) => [...data]);
    };
    const [scale, shift, frozenShift] = [0.8338410272502557, -1.0980595971270728, -0.8976071760836988];
    expectClose(correct(0), [scale + shift, -2 * scale + shift, 0.7, 0.36], 1e-6, 'training');
    expectClose(correct(1), [1 + frozenShift, -2 + frozenShift, 0.5, 0.25], 1e-6, 'frozen');
  });

  it('trains as ordinary batch norm does until quantization is applied', async () => {
    const float = await steps(training(null), 4);
    const folded = await steps(
      training({ ...common, delay: 100, batchNorm: { kind: 'folded', freezeDelay: null } }),
      4,
    );
    // Float32 rounding of another order of the same products.
    expectClose(folded.losses, float.losses, 1e-5, 'losses');
    for (const { name } of variablesOf(training(null))) {
      const expected = present(float.variables.get(name), name);
      expectClose(present(folded.variables.get(name), name), expected, 2e-5, name);
    }
  });

  it('quantizes the weights at the scale of the moving variance', async () => {
    const graph = training({ ...common, delay: 0, batchNorm: { kind: 'folded', freezeDelay: null } });
    const { variables } = await steps(graph, 1);
    const filter = weights('conv/filter', [4, 3, 3, 2]);
    const [gamma, variance] = [weights('conv/gamma', [4]), weights('conv/moving_variance', [4])];
    const expected = Array.from({ length: 4 }, (_, channel) => {
      const own = filter.data.subarray(channel * 18, (channel + 1) * 18);
      return Math.max(...own.map(Math.abs)) * (gamma.data[channel]! / Math.sqrt(variance.data[channel]! + 1e-3));
    });
    expectClose(present(variables.get('conv/weights_quant/max'), 'range'), expected, 1e-6, 'largest folded weights');
  });

  it('frozen, leaves the moving statistics alone and is the eval graph', async () => {
    const graph = training({ ...common, delay: 0, batchNorm: { kind: 'folded', freezeDelay: 3 } });
    const [before, after] = [await steps(graph, 2), await steps(graph, 5)];
    for (const name of ['conv/moving_mean', 'depthwise/moving_variance', 'hidden/moving_mean']) {
      expect([...present(after.variables.get(name), name)]).toEqual([...present(before.variables.get(name), name)]);
    }
    // The forward pass of the sixth step against the eval graph with the ranges and weights of that step.
    const logits = 'logits/act_quant/fake_quant';
    const session = await referenceEngine.open({ ...graph, outputs: [logits] }, { replicas: 1, threads: 1 });
    for (const [name, data] of after.variables) session.write(name, data);
    const trained = present((await session.run(feeds)).get(logits), 'logits');
    const shapes = new Map(variablesOf(graph).map(({ name, type }) => [name, type.shape] as const));
    // This step moved the ranges; its weights are those from before its update.
    const tensor = (name: string): FloatTensor => {
      const data = name.includes('/act_quant/') ? session.read(name) : present(after.variables.get(name), name);
      return floatTensor(present(shapes.get(name), name), data);
    };
    const evaluated = evalGraph(spec, BATCH, tensor, { ...form, batchNorm: 'folded' });
    const evalSession = await referenceEngine.open(evaluated, { replicas: 1, threads: 1 });
    const output = evaluated.outputs[0] ?? '';
    const inferred = present((await evalSession.run(new Map([['input', images.data]]))).get(output), 'output');
    // Both are on the same grid: float32 rounding alone is left, and no value sits at the edge of a code.
    expectClose(inferred, trained, 1e-5, 'logits');
    expect(evaluated.nodes.map(({ op }) => op)).not.toContain('batch_norm');
  });
});
