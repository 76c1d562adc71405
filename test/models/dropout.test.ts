import { describe, expect, it } from 'vitest';
import { createRandom, mixBits } from '../../src/core/random.ts';
import { floatTensor, zeros } from '../../src/core/tensor.ts';
import { wasmEngine } from '../../src/engine/wasm/index.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf, variablesOf } from '../../src/graph/graph.ts';
import { dropoutKeyInput } from '../../src/passes/index.ts';
import type { Layer } from '../../src/models/layers.ts';
import { dropout } from '../../src/ops/dropout.ts';
import { insertFakeQuant } from '../../src/passes/insert-fake-quant.ts';
import { conv, dense, network, pool, runSteps, trainingFeeds } from './networks.ts';
import { buildModel, trainingGraph } from './forms.ts';

const COUNT = 20_000;

/** The output for an input of ones. */
function masked(rate: number, key: readonly [number, number], stream = 1): Float32Array {
  const output = zeros('float32', [COUNT]);
  const input = floatTensor([COUNT], new Array<number>(COUNT).fill(1));
  dropout.float?.([input, floatTensor([2], key)], { rate, stream }, [output]);
  return output.data;
}

const shareOf = (values: ArrayLike<number>, test: (value: number, index: number) => boolean): number =>
  Array.from(values).filter(test).length / values.length;

describe('mixBits', () => {
  // MurmurHash3_x86_32 of the empty key is the finalizer of its seed; these are its widely published test vectors.
  it('is the finalizer of MurmurHash3', () => {
    expect(mixBits(0)).toBe(0);
    expect(mixBits(1)).toBe(0x514e28b7);
    expect(mixBits(0xffffffff)).toBe(0x81f16f39);
  });
});

describe('the mask of dropout', () => {
  it.each([0.1, 0.25, 0.5, 0.9])('drops a share of %f, and keeps the mean', (rate) => {
    const values = masked(rate, [3, 5]);
    // Five standard deviations of a binomial share: one chance in two million.
    const bound = 5 * Math.sqrt((rate * (1 - rate)) / COUNT);
    expect(Math.abs(shareOf(values, (x) => x === 0) - rate)).toBeLessThan(bound);
    const mean = values.reduce((sum, x) => sum + x, 0) / COUNT;
    expect(Math.abs(mean - 1)).toBeLessThan(bound / (1 - rate));
    expect(new Set(values)).toEqual(new Set([0, Math.fround(1 / (1 - rate))]));
  });

  it('is another for another key or stream, as unlike as chance has it', () => {
    const first = masked(0.5, [3, 5]);
    for (const other of [masked(0.5, [4, 5]), masked(0.5, [3, 6]), masked(0.5, [5, 3]), masked(0.5, [3, 5], 2)]) {
      const same = shareOf(other, (x, index) => x === first[index]);
      expect(Math.abs(same - 0.5)).toBeLessThan(5 * Math.sqrt(0.25 / COUNT));
    }
    expect(masked(0.5, [3, 5])).toEqual(first);
  });

  it('does not repeat from one element to the next', () => {
    const values = masked(0.5, [1, 0]);
    for (const distance of [1, 2, 16, 64, 1024]) {
      const same = shareOf(values.subarray(distance), (x, index) => x === values[index]);
      expect(Math.abs(same - 0.5), `distance ${distance}`).toBeLessThan(5 * Math.sqrt(0.25 / (COUNT - distance)));
    }
  });

  it('is that of the gradient', async () => {
    const builder = buildGraph('gradient', 'float');
    const x = builder.input('x', { dtype: 'float32', shape: [50] });
    const key = builder.input('key', { dtype: 'float32', shape: [2] });
    const attrs = { rate: 0.4, stream: 9 };
    const [y = x] = builder.node('dropout', 'y', [x, key], attrs);
    const [gradient] = dropout.vjp?.(builder, { inputs: [x, key], outputs: [y], attrs }, x) ?? [];
    const ones = new Float32Array(50).fill(1);
    const feeds = new Map([
      ['x', ones],
      ['key', Float32Array.of(1, 2)],
    ]);
    const [step] = await runSteps(builder.finish([y, gradient ?? x]), [feeds]);
    const outputs = [...step!.outputs.values()];
    expect(outputs[0]).not.toEqual(ones);
    expect(outputs[1]).toEqual(outputs[0]);
  });
});

const layers: readonly Layer[] = [
  conv('conv1', 4, 3, { activation: 'none' }),
  { kind: 'dropout', name: 'drop1', rate: 0.5 },
  { kind: 'activation', name: 'act', function: 'relu' },
  { kind: 'dropout', name: 'drop2', rate: 0.25 },
  pool('max_pool_2d', 'pool'),
  dense('logits', 3),
];
const loss = { kind: 'softmax_cross_entropy', targets: null } as const;
const sgd = { kind: 'sgd', momentum: 0.9, nesterov: false, weightDecay: 0 } as const;
const averages = { delay: 3, estimator: { kind: 'moving_average', decay: 0.5 }, merge: 'mean' } as const;
const quantization = {
  ...averages,
  observe: 'after_activation',
  dropout: 'always',
  scheme: 'int8',
  denseWeights: 'per_channel',
  batchNorm: { kind: 'kept' },
} as const;
const random = { kind: 'random', seed: 1 } as const;
const dropouts = (graph: Graph) => graph.nodes.filter(({ op }) => op === 'dropout');

describe('a network with dropout', () => {
  const key = (step: number, replicas: number) =>
    Float32Array.from({ length: 2 * replicas }, (_, index) => 100 * step + index);

  /** Trains from one step to another, from given variables on; gives all variables. */
  async function train(graph: Graph, replicas: number, threads: number, steps: readonly number[], from = new Map()) {
    const session = await wasmEngine.open(graph, { replicas, threads });
    try {
      for (const [name, data] of from as Map<string, Float32Array>) session.write(name, data);
      for (const step of steps) {
        const feeds = trainingFeeds(graph, step, 4 * replicas, 0.05);
        await session.run(new Map([...feeds, [dropoutKeyInput, key(step, replicas)]]));
      }
      return new Map(variablesOf(graph).map(({ name }) => [name, session.read(name)]));
    } finally {
      await session.close();
    }
  }

  it('has none at inference', () => {
    const graph = buildModel(network(layers), 2, 'inference', { kind: 'random', random: createRandom(1) });
    expect(dropouts(graph)).toEqual([]);
    expect(graph.inputs).toEqual(['input']);
  });

  it('gives the same bytes on one thread and on two, and when training goes on from a checkpoint', async () => {
    const graph = trainingGraph(network(layers), 4, random, quantization, sgd, loss);
    const whole = await train(graph, 1, 1, [0, 1, 2, 3, 4, 5]);
    expect(await train(graph, 1, 2, [0, 1, 2, 3, 4, 5])).toEqual(whole);
    const first = await train(graph, 1, 2, [0, 1, 2]);
    expect(await train(graph, 1, 2, [3, 4, 5], first)).toEqual(whole);
  });

  it('has masks of its own on each replica', async () => {
    const builder = buildGraph('replicas', 'float');
    const x = builder.input('x', { dtype: 'float32', shape: [40] });
    const keys = builder.input('key', { dtype: 'float32', shape: [2] });
    const [y = x] = builder.node('dropout', 'y', [x, keys], { rate: 0.5, stream: 0 });
    const feeds = new Map([
      ['x', new Float32Array(80).fill(1)],
      ['key', key(1, 2)],
    ]);
    const [step] = await runSteps(builder.finish([y]), [feeds], 2);
    const values = step!.outputs.get('y')!;
    expect(values.slice(0, 40)).not.toEqual(values.slice(40));
  });

  it('is quantized in the groups of its inference graph', () => {
    const names = (form: 'training' | 'inference') => {
      const model = buildModel(network(layers), 2, form, { kind: 'random', random: createRandom(1) });
      const ranges = {
        kind: 'observed',
        delay: 0,
        estimator: { kind: 'moving_average', decay: 0.5 },
        merge: 'mean',
      } as const;
      const graph = insertFakeQuant(model, { ranges, input: { min: 0, max: 1 } });
      return [...graph.values.keys()].filter((name) => name.endsWith('quant/min'));
    };
    expect(names('training')).toEqual(names('inference'));
    expect(names('training')).toContain('act/act_quant/min');
    expect(names('training')).not.toContain('conv1/act_quant/min');
    expect(names('training')).not.toContain(`${dropoutKeyInput}_quant/min`);
  });

  it('can drop until quantization is applied and no longer', async () => {
    const graph = trainingGraph(network(layers), 4, random, { ...quantization, dropout: 'off_after_delay' }, sgd, loss);
    const watched = { ...graph, outputs: dropouts(graph).flatMap(({ name, inputs }) => [name, inputs[0]!]) };
    const feeds = [0, 1, 2, 3].map((step) => {
      return new Map([...trainingFeeds(graph, step, 4, 0.05), [dropoutKeyInput, key(step, 1)] as const]);
    });
    const steps = await runSteps(watched, feeds);
    // Steps count from 1: the delay of 3 leaves two with dropout.
    const passes = steps.map(({ outputs }) => {
      const [after, before] = [outputs.get(watched.outputs[0]!), outputs.get(watched.outputs[1]!)];
      return [...after!].every((value, index) => value === before![index]);
    });
    expect(passes).toEqual([false, false, true, true]);

    const never = trainingGraph(
      network(layers),
      4,
      random,
      { ...quantization, delay: 0, dropout: 'off_after_delay' },
      sgd,
      loss,
    );
    expect(dropouts(never)).toEqual([]);
    expect(never.inputs).not.toContain(dropoutKeyInput);
  });

  it('has a rate below 1', () => {
    const all: Layer = { kind: 'dropout', name: 'drop', rate: 1 };
    expect(() => trainingGraph(network([all, dense('logits', 3)]), 4, random, null, sgd, loss)).toThrow(
      'the rate is 1',
    );
    const graph = trainingGraph(network(layers), 4, random, null, sgd, loss);
    expect(valueOf(graph, dropoutKeyInput).type.shape).toEqual([2]);
  });
});
