import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { floatTensor } from '../../src/core/tensor.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { Graph, Node } from '../../src/graph/graph.ts';
import { valueOf, variablesOf } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import type { Layer } from '../../src/models/layers.ts';
import { float32 } from '../../src/ops/define.ts';
import { insertFakeQuant } from '../../src/passes/insert-fake-quant.ts';
import type { Ranges } from '../../src/passes/insert-fake-quant.ts';
import { evalPasses, floatTrainingPasses, qatPasses, runPasses, trainedRanges } from '../../src/passes/index.ts';
import {
  add,
  conv,
  dense,
  largestDifference,
  network,
  pool,
  runSteps,
  scattered,
  trainingFeeds,
} from '../models/networks.ts';
import { buildModel } from '../models/forms.ts';

const sgd = { kind: 'sgd', momentum: 0.9, nesterov: false, weightDecay: 1e-3 } as const;
const pixels = { min: 0, max: 1 };
const f32 = Math.fround;

const observed = (delay: number, decay = 0.9, merge: 'mean' | 'min_max' = 'mean'): Ranges => ({
  kind: 'observed',
  delay,
  estimator: { kind: 'moving_average', decay },
  merge,
});

const layers: readonly Layer[] = [
  conv('conv1', 4, 3),
  conv('conv2', 4, 3, { batch_norm: true, activation: 'none' }),
  add('join', 'conv1'),
  pool('max_pool_2d', 'largest'),
  pool('average_pool_2d', 'average'),
  dense('fc1', 5, { activation: 'relu6' }),
  dense('logits', 3),
  { kind: 'softmax', name: 'softmax' },
];

function model(of: readonly Layer[], batch: number): Graph {
  return buildModel(network(of), batch, 'training', { kind: 'given', tensor: scattered(3) });
}

const quantizersOf = (graph: Graph): readonly Node<'fake_quant'>[] =>
  graph.nodes.flatMap((node) => (node.op === 'fake_quant' ? [node] : []));

const quantizer = (graph: Graph, name: string): Node<'fake_quant'> =>
  quantizersOf(graph).find((node) => node.name === name)!;

const constant = (graph: Graph, name: string): number => {
  const { source } = valueOf(graph, name);
  return source.kind === 'constant' ? Number(source.data.data[0]) : NaN;
};

describe('where quantizers are', () => {
  const graph = verify(insertFakeQuant(model(layers, 2), { ranges: observed(0), input: pixels }));

  it('is after each activation, on the bypass, on the last layer and on every weight; not on values only moved', () => {
    expect(quantizersOf(graph).map(({ name, inputs }) => [name, inputs[0]])).toEqual([
      ['input_quant/fake_quant', 'input'],
      ['conv1/weights_quant/fake_quant', 'conv1/filter'],
      ['conv1/act_quant/fake_quant', 'conv1/relu'],
      ['conv2/weights_quant/fake_quant', 'conv2/filter'],
      // A linear layer that feeds an add has no activation to wait for.
      ['conv2/act_quant/fake_quant', 'conv2/batch_norm'],
      ['join/act_quant/fake_quant', 'join/relu'],
      // Nothing for largest/max_pool_2d and fc1/reshape; an average is off the grid of its input.
      ['average/act_quant', 'average/average_pool_2d'],
      ['fc1/weights_quant/fake_quant', 'fc1/filter'],
      ['fc1/act_quant/fake_quant', 'fc1/relu6'],
      ['logits/weights_quant/fake_quant', 'logits/filter'],
      ['logits/act_quant/fake_quant', 'logits/fully_connected'],
      ['softmax/act_quant/fake_quant', 'softmax/softmax'],
    ]);
  });

  it('is between a layer and its activation with before_activation, and nothing follows the activation', () => {
    const options = { ranges: observed(0), input: pixels, observe: 'before_activation' } as const;
    const before = verify(insertFakeQuant(model([conv('conv0', 4, 3, { batch_norm: true }), ...layers], 2), options));
    const onActivations = quantizersOf(before).filter(({ name }) => !name.includes('weights_quant'));
    expect(onActivations.map(({ name, inputs }) => [name, inputs[0]])).toEqual([
      ['input_quant/fake_quant', 'input'],
      ['conv0/act_quant/fake_quant', 'conv0/batch_norm'],
      ['conv1/act_quant/fake_quant', 'conv1/conv_2d'],
      ['conv2/act_quant/fake_quant', 'conv2/batch_norm'],
      ['join/act_quant/fake_quant', 'join/add'],
      ['average/act_quant', 'average/average_pool_2d'],
      ['fc1/act_quant/fake_quant', 'fc1/fully_connected'],
      ['logits/act_quant/fake_quant', 'logits/fully_connected'],
      ['softmax/act_quant/fake_quant', 'softmax/softmax'],
    ]);
    const inputsOf = (name: string) => before.nodes.find((node) => node.name === name)?.inputs;
    expect(inputsOf('conv1/relu')).toEqual(['conv1/act_quant/fake_quant']);
    expect(inputsOf('join/add')).toEqual(['conv2/act_quant/fake_quant', 'conv1/relu']);
    expect(inputsOf('largest/max_pool_2d')).toEqual(['join/relu']);
    expect(inputsOf('logits/fully_connected')?.[0]).toBe('fc1/relu6');
    // The observer sees what the quantizer rounds.
    expect(inputsOf('conv1/act_quant/observed')).toEqual(['conv1/conv_2d']);
    // Ops that share their input's scale take it from before the activation.
    expect(inputsOf('average/act_quant')?.slice(1)).toEqual(inputsOf('join/act_quant/fake_quant')?.slice(1));
  });

  it('has readers take the rounded value', () => {
    const inputsOf = (name: string) => graph.nodes.find((node) => node.name === name)?.inputs;
    expect(inputsOf('conv1/conv_2d')).toEqual([
      'input_quant/fake_quant',
      'conv1/weights_quant/fake_quant',
      'conv1/bias',
    ]);
    expect(inputsOf('join/add')).toEqual(['conv2/act_quant/fake_quant', 'conv1/act_quant/fake_quant']);
    expect(inputsOf('largest/max_pool_2d')).toEqual(['join/act_quant/fake_quant']);
    expect(inputsOf('average/average_pool_2d')).toEqual(['largest/max_pool_2d']);
    expect(inputsOf('fc1/reshape')).toEqual(['average/act_quant']);
    expect(graph.outputs).toEqual(['softmax/act_quant/fake_quant']);
  });

  it('gives weights a narrow range for each output channel and activations one range of all 256 codes', () => {
    for (const node of quantizersOf(graph)) {
      const isWeight = node.name.includes('weights_quant');
      expect(node.attrs).toEqual({ bits: 8, narrowRange: isWeight, axis: isWeight ? 0 : null });
    }
  });

  it('shares the range of an average pool with what the pool reads', () => {
    const join = quantizer(graph, 'join/act_quant/fake_quant');
    expect(quantizer(graph, 'average/act_quant').inputs.slice(1)).toEqual(join.inputs.slice(1));
  });

  it('fixes the ranges of the input and of softmax', () => {
    const [, low = '', high = ''] = quantizer(graph, 'softmax/act_quant/fake_quant').inputs;
    expect([constant(graph, low), constant(graph, high)]).toEqual([0, 255 / 256]);
    const [, black = '', white = ''] = quantizer(graph, 'input_quant/fake_quant').inputs;
    expect([constant(graph, black), constant(graph, white)]).toEqual([0, 1]);
  });

  it('is the same in the eval graph, with ranges as variables and no delay, observer or counter', () => {
    const tensor = scattered(9);
    const inference = buildModel(network(layers), 1, 'inference', { kind: 'given', tensor });
    const evalGraph = runPasses(inference, evalPasses({ ranges: trainedRanges(tensor), input: pixels }));
    expect(quantizersOf(evalGraph).map(({ name, inputs }) => [name, inputs[0], inputs.length])).toEqual(
      quantizersOf(graph).map(({ name, inputs }) => [name, inputs[0], 3]),
    );
    expect(quantizer(evalGraph, 'conv1/act_quant/fake_quant').inputs.slice(1)).toEqual([
      'conv1/act_quant/min',
      'conv1/act_quant/max',
    ]);
    expect(valueOf(evalGraph, 'conv1/act_quant/max').source).toMatchObject({
      initial: scattered(9)('conv1/act_quant/max'),
    });
    expect(evalGraph.updates).toEqual([]);
  });

  it('takes weight ranges of the eval graph from the final weights', () => {
    const weights = floatTensor([3, 2], [0.5, -2, 0, 0, 0.25, 0.125]);
    const others = scattered(9);
    const tensor: typeof others = (name, shape) => (name === 'logits/filter' ? weights : others(name, shape));
    const tiny = buildModel(network([dense('logits', 3)], [1, 1, 2]), 1, 'inference', { kind: 'given', tensor });
    const evalGraph = runPasses(tiny, evalPasses({ ranges: trainedRanges(tensor), input: pixels }));
    const range = (end: 'min' | 'max') => {
      const { source } = valueOf(evalGraph, `logits/weights_quant/${end}`);
      return source.kind === 'variable' ? [...source.initial.data] : [];
    };
    // A channel of zeros gets LiteRT's least half-range.
    expect(range('max')).toEqual([2, f32(5e-7), 0.25]);
    expect(range('min')).toEqual([-2, -f32(5e-7), -0.25]);
  });
});

describe('the delay', () => {
  const trained: readonly Layer[] = [
    conv('conv1', 3, 3, { batch_norm: true }),
    pool('max_pool_2d', 'pool'),
    dense('logits', 3),
  ];
  const float = runPasses(model(trained, 4), floatTrainingPasses(sgd));
  const quantized = (ranges: Ranges) => runPasses(model(trained, 4), qatPasses({ ranges, input: pixels }, sgd));
  const feeds = [1, 2, 3, 4, 5].map((seed) => trainingFeeds(float, seed, 4, 0.05));
  const lossOf = (step: Awaited<ReturnType<typeof runSteps>>[number]) => step.outputs.get('loss')![0];

  it('leaves training exactly as it is before step N, and quantizes from the N-th execution on', async () => {
    const plain = await runSteps(float, feeds);
    const delayed = await runSteps(quantized(observed(3)), feeds);
    const names = variablesOf(float).map(({ name }) => name);
    for (const step of [0, 1]) {
      expect(lossOf(delayed[step]!)).toBe(lossOf(plain[step]!));
      for (const name of names) expect(delayed[step]!.read(name), name).toEqual(plain[step]!.read(name));
    }
    expect(lossOf(delayed[2]!)).not.toBe(lossOf(plain[2]!));
    expect(delayed[2]!.read('logits/filter')).not.toEqual(plain[2]!.read('logits/filter'));
  });

  it('of 0 or 1 quantizes the first execution', async () => {
    const [plain] = await runSteps(float, feeds.slice(0, 1));
    const [none] = await runSteps(quantized(observed(0)), feeds.slice(0, 1));
    const [one] = await runSteps(quantized(observed(1)), feeds.slice(0, 1));
    expect(lossOf(none!)).not.toBe(lossOf(plain!));
    expect(lossOf(one!)).toBe(lossOf(none!));
  });

  it('does not keep ranges from being observed from step 1', async () => {
    const [first] = await runSteps(quantized(observed(100)), feeds.slice(0, 1));
    expect(first!.read('conv1/act_quant/max')[0]).toBeGreaterThan(0);
    expect(first!.read('conv1/act_quant/min')[0]).toBe(0);
    expect(first!.read('logits/act_quant/min')[0]).toBeLessThan(0);
    expect(first!.read('conv1/weights_quant/max').every((value) => value > 0)).toBe(true);
    expect(first!.read('fake_quantization_step')[0]).toBe(1);
  });

  it('records the range of the weights that the step used', async () => {
    const [first] = await runSteps(quantized(observed(100)), feeds.slice(0, 1));
    const weights = scattered(3)('logits/filter', [3, 27]).data;
    const largest = [0, 1, 2].map((row) => Math.max(...weights.subarray(27 * row, 27 * row + 27).map(Math.abs)));
    expect([...first!.read('logits/weights_quant/max')]).toEqual(largest);
    expect([...first!.read('logits/weights_quant/min')]).toEqual(largest.map((value) => -value));
  });
});

/** The moving average as quantization.md G3 orders its roundings, written independently. */
function movingRange(decay: number) {
  const rate = f32(1 - decay);
  const kept = f32(1 - rate);
  let [biased, count] = [0, 0];
  return (value: number): number => {
    biased = f32(biased - f32(f32(biased - value) * rate));
    count++;
    return f32(biased / f32(1 - f32(kept ** count)));
  };
}

const minimum = (values: Float32Array) => values.reduce((least, value) => Math.min(least, value), 0);
const maximum = (values: Float32Array) => values.reduce((most, value) => Math.max(most, value), 0);

describe('observed ranges', () => {
  it('follow golden G3', async () => {
    const builder = buildGraph('g3', 'float');
    const input = builder.input('input', float32([1]));
    const zero = builder.constant('zero', floatTensor([], [0]));
    const graph = builder.finish(builder.node('add', 'layer/add', [input, zero], { activation: 'none' }));
    const qat = verify(insertFakeQuant(graph, { ranges: observed(100, 0.999), input: pixels }));
    const steps = await runSteps(
      qat,
      [-1, -2, -1.5, -3].map((value) => new Map([['input', Float32Array.of(value)]])),
    );
    expect(steps.map((step) => step.read('layer/act_quant/min')[0])).toEqual([
      -1.0000128746032715, -1.5002795457839966, -1.5001767873764038, -1.8757236003875732,
    ]);
    // Always with zero inside.
    expect(steps.map((step) => step.read('layer/act_quant/max')[0])).toEqual([0, 0, 0, 0]);
  });

  it('are moving averages without the pull of their start, rounded to float32 at every step', async () => {
    const graph = runPasses(
      model([conv('conv1', 3, 3), dense('logits', 3)], 4),
      qatPasses({ ranges: observed(3, 0.9), input: pixels }, sgd),
    );
    const watched = ['conv1/relu', 'logits/fully_connected'];
    const feeds = Array.from({ length: 8 }, (_, seed) => trainingFeeds(graph, seed, 4, 0.05));
    const steps = await runSteps({ ...graph, outputs: watched }, feeds);
    const [low, high, top] = [movingRange(0.9), movingRange(0.9), movingRange(0.9)];
    for (const step of steps) {
      const logits = step.outputs.get('logits/fully_connected')!;
      expect(step.read('logits/act_quant/min')[0]).toBe(low(minimum(logits)));
      expect(step.read('logits/act_quant/max')[0]).toBe(high(maximum(logits)));
      expect(step.read('conv1/act_quant/max')[0]).toBe(top(maximum(step.outputs.get('conv1/relu')!)));
    }
  });
});

describe('running extremes', () => {
  const running = (decay: number): Ranges => ({
    kind: 'observed',
    delay: 1000,
    estimator: { kind: 'running_extremes', decay },
    merge: 'min_max',
  });

  /** The range after each step of a graph that passes its values on. */
  async function rangesAfter(values: readonly (readonly number[])[], decay: number) {
    const batch = values[0]!.length;
    const builder = buildGraph('running', 'float');
    const input = builder.input('input', float32([batch]));
    const zero = builder.constant('zero', floatTensor([], [0]));
    const graph = builder.finish(builder.node('add', 'layer/add', [input, zero], { activation: 'none' }));
    const qat = verify(insertFakeQuant(graph, { ranges: running(decay), input: pixels }));
    const steps = await runSteps(
      qat,
      values.map((each) => new Map([['input', Float32Array.from(each)]])),
    );
    return steps.map((step) => [step.read('layer/act_quant/min')[0]!, step.read('layer/act_quant/max')[0]!] as const);
  }

  it('take a wider value at once and fade in every other step', async () => {
    const ranges = await rangesAfter([[1], [3], [-2], [0.5], [0.5]], 0.5);
    // 3 fades to 1.5, 0.75 and, as 0.5 is wider than 0.375, to 0.5; -2 fades to -1 and -0.5.
    expect(ranges).toEqual([
      [0, 1],
      [0, 3],
      [-2, 1.5],
      [-1, 0.75],
      [-0.5, 0.5],
    ]);
  });

  it('do not depend on the batch, but for what fades within one', async () => {
    const random = createRandom(7, 'running extremes');
    const values = Array.from({ length: 512 }, () => 2 * random.float() - 1);
    const window = 1000;
    const last = async (batch: number) => {
      const steps = Array.from({ length: values.length / batch }, (_, step) =>
        values.slice(step * batch, (step + 1) * batch),
      );
      return (await rangesAfter(steps, Math.exp(-batch / window))).at(-1)!;
    };
    const [min, max] = await last(1);
    // By hand: each value fades from its own place to the end.
    const faded = values.map((value, index) => value * Math.exp(-(values.length - 1 - index) / window));
    expect(min).toBeCloseTo(Math.min(...faded), 4);
    expect(max).toBeCloseTo(Math.max(...faded), 4);
    for (const batch of [8, 64]) {
      const [low, high] = await last(batch);
      for (const ratio of [low / min, high / max]) {
        // An extreme that came first in its batch has faded by up to a batch less.
        expect(ratio).toBeGreaterThan(Math.exp(-batch / window));
        expect(ratio).toBeLessThan(Math.exp(batch / window));
      }
    }
  });

  it('of a layer that dies end at zero, where every value is zero, and not beside it', async () => {
    const ranges = await rangesAfter([[1], ...Array.from({ length: 30 }, () => [0])], 0.5);
    // 2^-20 is 9.5e-7, and 2^-21 lies below the smallest range of 5e-7.
    expect(ranges[20]![1]).toBe(2 ** -20);
    expect(ranges[21]![1]).toBe(0);
    expect(ranges.at(-1)![1]).toBe(0);
  });
});

describe('two replicas', () => {
  const plainLayers: readonly Layer[] = [
    conv('conv1', 3, 3),
    pool('average_pool_2d', 'pool'),
    dense('fc1', 6, { activation: 'relu' }),
    dense('logits', 3),
  ];
  const graphOf = (batch: number, ranges: Ranges) =>
    runPasses(model(plainLayers, batch), qatPasses({ ranges, input: pixels }, sgd));
  const weightNames = ['conv1/filter', 'conv1/bias', 'fc1/filter', 'logits/filter', 'logits/bias'];
  const gradients = weightNames.map((name) => `${name}/gradient`);
  const watch = (graph: Graph): Graph => ({
    ...graph,
    outputs: ['loss', ...gradients, 'logits/fully_connected', 'conv1/relu'],
  });
  const feeds = [1, 2, 3, 4].map((seed) => trainingFeeds(graphOf(8, observed(2)), seed, 8, 0.05));

  it('with min_max have the whole batch’s ranges, gradients and weights', async () => {
    const ranges = observed(2, 0.9, 'min_max');
    const one = await runSteps(watch(graphOf(8, ranges)), feeds);
    const two = await runSteps(watch(graphOf(4, ranges)), feeds, 2);
    for (const [index, step] of one.entries()) {
      const other = two[index]!;
      expect(other.read('fake_quantization_step')[0]).toBe(index + 1);
      // Sums over 4 + 4 images round otherwise than sums over 8.
      for (const name of ['loss', ...gradients]) {
        expect(largestDifference(other.outputs.get(name)!, step.outputs.get(name)!), name).toBeLessThan(1e-6);
      }
      for (const name of weightNames) {
        expect(largestDifference(other.read(name), step.read(name)), name).toBeLessThan(1e-6);
      }
      for (const name of ['conv1/act_quant/max', 'fc1/act_quant/max', 'logits/act_quant/min', 'logits/act_quant/max']) {
        expect(largestDifference(other.read(name), step.read(name)), name).toBeLessThan(1e-6);
      }
    }
    // The first step's weights are equal, so its ranges are to the bit.
    expect(two[0]!.read('logits/act_quant/max')).toEqual(one[0]!.read('logits/act_quant/max'));
    expect(two[0]!.read('conv1/act_quant/max')).toEqual(one[0]!.read('conv1/act_quant/max'));
  });

  it('with mean average the ranges of their parts, and count each step once', async () => {
    const steps = await runSteps(watch(graphOf(4, observed(2, 0.9, 'mean'))), feeds, 2);
    const [low, high, top] = [movingRange(0.9), movingRange(0.9), movingRange(0.9)];
    for (const [index, step] of steps.entries()) {
      const meanOf = (name: string, reduce: (values: Float32Array) => number) => {
        // The parts lie one after the other.
        const values = step.outputs.get(name)!;
        const half = values.length / 2;
        return f32(f32(reduce(values.subarray(0, half)) + reduce(values.subarray(half))) / 2);
      };
      expect(step.outputs.get('logits/fully_connected')).toHaveLength(8 * 3);
      expect(step.read('logits/act_quant/min')[0]).toBe(low(meanOf('logits/fully_connected', minimum)));
      expect(step.read('logits/act_quant/max')[0]).toBe(high(meanOf('logits/fully_connected', maximum)));
      expect(step.read('conv1/act_quant/max')[0]).toBe(top(meanOf('conv1/relu', maximum)));
      expect(step.read('fake_quantization_step')[0]).toBe(index + 1);
    }
  });

  it('have gradients of the whole batch with mean too, as long as nothing is quantized', async () => {
    const ranges = observed(100, 0.9, 'mean');
    const one = await runSteps(watch(graphOf(8, ranges)), feeds);
    const two = await runSteps(watch(graphOf(4, ranges)), feeds, 2);
    for (const [index, step] of one.entries()) {
      for (const name of gradients) {
        expect(largestDifference(two[index]!.outputs.get(name)!, step.outputs.get(name)!), name).toBeLessThan(1e-6);
      }
    }
  });
});

describe('what an op of two operands reads beside what is computed from examples', () => {
  const layersWithParameters: readonly Layer[] = [
    conv('conv1', 4, 3, { activation: 'prelu' }),
    { kind: 'add', name: 'shifted', with: [0.5, -1, 2, 0], activation: 'none' },
    { kind: 'mul', name: 'scaled', with: 3, activation: 'none' },
    dense('logits', 3),
  ];
  const rangesOf = (graph: Graph, ending: string) =>
    graph.nodes.flatMap((node) => {
      if (node.op !== 'fake_quant' || !node.name.endsWith(`${ending}/fake_quant`)) return [];
      const [min, max] = node.inputs.slice(1, 3).map((name) => {
        const { source } = valueOf(graph, name);
        return source.kind === 'constant' || source.kind === 'variable'
          ? Number((source.kind === 'constant' ? source.data : source.initial).data[0])
          : NaN;
      });
      return [{ name: node.name, min, max, ...node.attrs }];
    });

  it('has a range of its own: numbers theirs with 0, slopes one as weights have', () => {
    const tensor = (name: string, shape: readonly number[]) =>
      name.endsWith('/alpha') ? floatTensor(shape, [0.25, -0.5, 0.1, 0]) : scattered(3)(name, shape);
    const built = buildModel(network(layersWithParameters), 1, 'inference', { kind: 'given', tensor });
    const ranges: Ranges = {
      kind: 'trained',
      range: () => ({ min: floatTensor([], [-1]), max: floatTensor([], [1]) }),
    };
    const graph = verify(insertFakeQuant(built, { ranges, input: pixels }));
    expect(rangesOf(graph, 'constant_quant')).toEqual([
      { name: 'shifted/constant_quant/fake_quant', min: -1, max: 2, bits: 8, narrowRange: false, axis: null },
      { name: 'scaled/constant_quant/fake_quant', min: 0, max: 3, bits: 8, narrowRange: false, axis: null },
    ]);
    expect(rangesOf(graph, 'alpha/weights_quant')).toEqual([
      { name: 'conv1/alpha/weights_quant/fake_quant', min: -0.5, max: 0.5, bits: 8, narrowRange: true, axis: null },
    ]);
  });

  it('is not quantized where it only makes a parameter', () => {
    const channels = [1, 2].map((at) => ({ name: `${at}`, mean: 100, deviation: 50 * at }));
    const spec = { ...network([conv('conv1', 4, 3), dense('logits', 3)]), pixels: channels };
    const built = buildModel(spec, 1, 'training', { kind: 'random', random: createRandom(1, 'weights') });
    expect(built.nodes.some(({ op }) => op === 'mul')).toBe(true);
    const graph = verify(insertFakeQuant(built, { ranges: observed(0), input: pixels }));
    expect(rangesOf(graph, 'constant_quant')).toEqual([]);
    expect(graph.nodes.filter(({ name }) => name.endsWith('weights_quant/fake_quant'))).toHaveLength(2);
  });
});
