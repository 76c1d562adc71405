import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { FloatTensor, Shape } from '../../src/core/tensor.ts';
import { expectDType, floatTensor } from '../../src/core/tensor.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import { float32 } from '../../src/ops/define.ts';
import { foldBatchNorm } from '../../src/passes/fold-batch-norm.ts';
import { freezeVariables } from '../../src/passes/freeze-variables.ts';
import { evalPasses, freezePasses, removeFakeQuant, runPasses, trainedRanges } from '../../src/passes/index.ts';
import { add, conv, dense, infer, largestDifference, network, pool, scattered, uniform } from '../models/networks.ts';
import { buildModel } from '../models/forms.ts';

const values = (graph: Graph, name: string): number[] => {
  const { source } = valueOf(graph, name);
  return source.kind === 'constant' ? [...expectDType(source.data, 'float32').data] : [];
};

/** A 1x1 convolution of one weight, then batch norm, with the numbers of quantization.md G15. */
function oneWeight(bias: number | null): Graph {
  const builder = buildGraph('g15', 'float');
  const input = builder.input('input', float32([1, 1, 1, 1]));
  const constant = (name: string, value: number, shape: Shape = [1]) =>
    builder.constant(name, floatTensor(shape, [value]));
  const operands = [input, constant('w', 0.4, [1, 1, 1, 1]), ...(bias === null ? [] : [constant('b', bias)])];
  const [y] = builder.node('conv_2d', 'conv', operands, {
    strides: [1, 1],
    dilations: [1, 1],
    padding: { kind: 'valid' },
    activation: 'none',
  });
  const statistics = [constant('gamma', 1.2), constant('beta', 0.3), constant('mean', 0.5), constant('variance', 0.25)];
  return builder.finish(builder.node('batch_norm', 'bn', [y!, ...statistics], { epsilon: 0.001 }));
}

describe('fold-batch-norm', () => {
  it('gives the numbers of golden G15', () => {
    const folded = verify(foldBatchNorm(oneWeight(null), { kind: 'scaled' }));
    expect(folded.nodes.map(({ op }) => op)).toEqual(['conv_2d']);
    const [, filter = '', bias = ''] = folded.nodes[0]!.inputs;
    // Two roundings to float32.
    expect(Math.abs(values(folded, filter)[0]! - 0.9580857408669591)).toBeLessThan(1.2e-7);
    expect(Math.abs(values(folded, bias)[0]! + 0.8976071760836988)).toBeLessThan(1.2e-7);
    expect(folded.outputs).toEqual(['conv']);
  });

  it('takes a bias before the batch norm along', () => {
    const folded = foldBatchNorm(oneWeight(0.25), { kind: 'scaled' });
    // beta + (0.25 - 0.5) * 2.3952143521673976
    expect(values(folded, folded.nodes[0]!.inputs[2]!)[0]).toBeCloseTo(0.3 - 0.25 * 2.3952143521673976, 6);
  });

  const layers = [
    conv('conv1', 4, 3, { batch_norm: true }),
    conv('conv2', 4, 3, { batch_norm: true, activation: 'none' }),
    add('join', 'conv1'),
    pool('max_pool_2d', 'pool'),
    dense('fc', 6, { batch_norm: true, activation: 'relu6' }),
    dense('logits', 3),
  ];
  /** Every second channel's gamma is negative: the folded weights change their sign there. */
  const positive = scattered(8);
  const tensor = (name: string, shape?: Shape): FloatTensor => {
    const value = positive(name, shape);
    if (!name.endsWith('/gamma')) return value;
    return floatTensor(
      value.shape,
      value.data.map((x, at) => (at % 2 === 0 ? x : -x)),
    );
  };
  const input = uniform(createRandom(4), [5, 6, 6, 2], 0, 1).data;
  const model = buildModel(network(layers), 5, 'inference', { kind: 'given', tensor });

  it('leaves no batch norm and the same results on random input, negative gammas included', async () => {
    const folded = verify(foldBatchNorm(freezeVariables(model), { kind: 'scaled' }));
    expect(folded.nodes.some(({ op }) => op === 'batch_norm')).toBe(false);
    expect(largestDifference(await infer(folded, input), await infer(model, input))).toBeLessThan(1e-5);
  });

  it('keeps the results of fake-quantized weights: their integers stay, only scales change', async () => {
    const evalGraph = runPasses(model, evalPasses({ ranges: trainedRanges(tensor), input: { min: 0, max: 1 } }));
    const folded = runPasses(evalGraph, freezePasses);
    expect(folded.nodes.filter(({ op }) => op === 'fake_quant')).toHaveLength(
      evalGraph.nodes.filter(({ op }) => op === 'fake_quant').length,
    );
    // The first layer up to its activation: no later rounding of activations can hide or enlarge a difference.
    const first = (graph: Graph, output: string) => infer({ ...graph, outputs: [output] }, input);
    const before = await first(evalGraph, 'conv1/relu');
    expect(largestDifference(await first(folded, 'conv1/relu'), before)).toBeLessThan(1e-5);
    expect(largestDifference(await infer(folded, input), await infer(evalGraph, input))).toBeLessThan(1e-5);
    // And quantization did something.
    expect(largestDifference(before, await first(model, 'conv1/relu'))).toBeGreaterThan(1e-4);
  });

  it('works beside removed quantizers too: the float graph under the eval graph is the float model', async () => {
    const evalGraph = runPasses(model, evalPasses({ ranges: trainedRanges(tensor), input: { min: 0, max: 1 } }));
    const under = verify(removeFakeQuant(evalGraph));
    expect(under.level).toBe('float');
    expect([...(await infer(under, input))]).toEqual([...(await infer(model, input))]);
  });

  it('refuses a batch norm that follows no layer of its own', () => {
    const builder = buildGraph('alone', 'float');
    const statistics = ['gamma', 'beta', 'mean', 'variance'].map((name) =>
      builder.constant(name, floatTensor([2], [1, 2])),
    );
    const input = builder.input('input', float32([1, 2, 2, 2]));
    const alone = builder.finish(builder.node('batch_norm', 'bn', [input, ...statistics], { epsilon: 1e-3 }));
    expect(() => foldBatchNorm(alone, { kind: 'scaled' })).toThrow('batch_norm "bn" does not follow a layer');
  });
});
