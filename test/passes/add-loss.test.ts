// The losses of whole graphs against their formulas in float64.
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { Shape } from '../../src/core/tensor.ts';
import { floatTensor, numElements } from '../../src/core/tensor.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import type { Loss } from '../../src/passes/add-loss.ts';
import { addLoss, logitsOf } from '../../src/passes/add-loss.ts';
import { runSteps, uniform } from '../models/networks.ts';

type Last = 'softmax' | 'logistic' | null;

/** A model whose logits are its inputs. */
function model(shape: Shape, last: Last, quantized = false): Graph {
  const builder = buildGraph('model', 'qat');
  let value = builder.input('input', { dtype: 'float32', shape });
  if (last === 'softmax') value = builder.node('softmax', 'last', [value], { beta: 1 })[0]!;
  if (last === 'logistic') value = builder.node('logistic', 'last', [value], {})[0]!;
  if (quantized) {
    const range = [0, 1].map((end) => builder.constant(`range/${end}`, floatTensor([], [end])));
    const attrs = { bits: 8, narrowRange: false, axis: null };
    value = builder.node('fake_quant', 'quantized', [value, ...range], attrs)[0]!;
  }
  return builder.finish([value]);
}

const random = createRandom(7, 'losses');
const whole = (count: number, below: number): number[] => Array.from({ length: count }, () => random.below(below));
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;

async function run(graph: Graph, loss: Loss, input: Float32Array, labels: readonly number[] | null) {
  const training = verify(addLoss(graph, loss));
  const feeds = new Map([
    ['input', input],
    ...(labels === null ? [] : ([['labels', Float32Array.from(labels)]] as const)),
  ]);
  const [step] = await runSteps(training, [feeds]);
  const scalar = (name: string): number => step!.outputs.get(name)?.[0] ?? NaN;
  const labelShape = labels === null ? null : valueOf(training, 'labels').type.shape;
  return { loss: scalar('loss'), top1: scalar('top_1'), labelShape };
}

const rowsOf = ({ data }: { data: Float32Array }, depth: number): number[][] =>
  Array.from({ length: data.length / depth }, (_, row) => Array.from(data.subarray(row * depth, (row + 1) * depth)));

/** -log of the softmax. */
const surprises = (logits: readonly number[]): number[] => {
  const total = Math.log(sum(logits.map(Math.exp)));
  return logits.map((logit) => total - logit);
};

describe('softmax cross entropy', () => {
  const cases: readonly (readonly [Shape, Last, boolean])[] = [
    [[5, 3], null, false],
    [[5, 3], 'softmax', false],
    [[5, 3], 'softmax', true],
    [[2, 3, 4, 3], null, false],
    [[2, 3, 4, 3], 'softmax', true],
  ];
  it.each(cases)('of logits %j, last function %s, quantized %s', async (shape, last, quantized) => {
    const input = uniform(random, shape, -4, 4);
    const rows = rowsOf(input, 3);
    const labels = whole(rows.length, 3);
    const plain = await run(model(shape, last, quantized), plainLoss, input.data, labels);
    expect(plain.labelShape).toEqual([numElements(shape) / 3]);
    expect(plain.loss).toBeCloseTo(mean(rows.map((row, at) => surprises(row)[labels[at]!]!)), 5);
    const best = rows.map((row) => row.indexOf(Math.max(...row)));
    expect(plain.top1).toBe(best.filter((index, at) => index === labels[at]).length);

    const targets = uniform(random, [3, 3], 0, 2);
    const table = rowsOf(targets, 3);
    const loss = { kind: 'softmax_cross_entropy', targets } as const;
    const weighted = await run(model(shape, last, quantized), loss, input.data, labels);
    const expected = rows.map((row, at) => sum(surprises(row).map((value, c) => value * table[labels[at]!]![c]!)));
    expect(weighted.loss).toBeCloseTo(mean(expected), 5);
    expect(weighted.top1).toBe(plain.top1);
  });

  it('takes a final logistic for a part of the model', async () => {
    const input = uniform(random, [5, 3], -4, 4);
    const labels = whole(5, 3);
    const rows = rowsOf(input, 3).map((row) => row.map((logit) => 1 / (1 + Math.exp(-logit))));
    const { loss } = await run(model([5, 3], 'logistic'), plainLoss, input.data, labels);
    expect(loss).toBeCloseTo(mean(rows.map((row, at) => surprises(row)[labels[at]!]!)), 5);
  });
});

const plainLoss = { kind: 'softmax_cross_entropy', targets: null } as const;

describe('sigmoid cross entropy', () => {
  const cases: readonly (readonly [Shape, Last, boolean])[] = [
    [[5, 4], null, false],
    [[5, 4], 'logistic', true],
    [[2, 3, 3, 1], 'logistic', false],
  ];
  it.each(cases)('of logits %j, last function %s, quantized %s', async (shape, last, quantized) => {
    const answers = shape.at(-1)!;
    const input = uniform(random, shape, -4, 4);
    const labels = whole(input.data.length, 2);
    const losses = (smoothing: number) =>
      Array.from(input.data, (logit, at) => {
        const yes = 1 / (1 + Math.exp(-logit));
        const label = labels[at]! * (1 - smoothing) + smoothing / 2;
        return -label * Math.log(yes) - (1 - label) * Math.log(1 - yes);
      });
    const plain = { kind: 'sigmoid_cross_entropy', weights: null, smoothing: 0 } as const;
    const graph = model(shape, last, quantized);
    const result = await run(graph, plain, input.data, labels);
    expect(result.loss).toBeCloseTo(mean(losses(0)), 5);
    expect(result.labelShape).toEqual([input.data.length / answers, answers]);

    const weights = uniform(random, [2, answers], 0, 3);
    const weighted = { kind: 'sigmoid_cross_entropy', weights, smoothing: 0.2 } as const;
    const expected = losses(0.2).map((loss, at) => loss * weights.data[labels[at]! * answers + (at % answers)]!);
    expect((await run(graph, weighted, input.data, labels)).loss).toBeCloseTo(mean(expected), 5);
  });
});

describe('errors', () => {
  const input = uniform(random, [6, 2], -2, 2);
  const targets = Array.from(uniform(random, [6, 2], -2, 2).data);
  const differences = targets.map((target, at) => Math.abs(input.data[at]! - target));
  const huber = (delta: number) =>
    differences.map((size) => (size <= delta ? size ** 2 / 2 : delta * size - delta ** 2 / 2));
  const cases: readonly (readonly [Loss, number])[] = [
    [{ kind: 'error_of_targets', of: 'squared' }, mean(differences.map((size) => size ** 2))],
    [{ kind: 'error_of_targets', of: 'absolute' }, mean(differences)],
    [{ kind: 'error_of_targets', of: 'huber', delta: 0.7 }, mean(huber(0.7))],
    [{ kind: 'error_of_targets', of: 'huber', delta: 10 }, mean(differences.map((size) => size ** 2)) / 2],
  ];
  it.each(cases)('%j', async (loss, expected) => {
    const result = await run(model([6, 2], null), loss, input.data, targets);
    expect(result.loss).toBeCloseTo(expected, 5);
    expect(result.labelShape).toEqual([6, 2]);
  });

  it('are those of the output itself, after a final function', async () => {
    const outputs = Array.from(input.data, (value) => 1 / (1 + Math.exp(-value)));
    const { loss } = await run(model([6, 2], 'logistic'), cases[0]![0], input.data, targets);
    expect(loss).toBeCloseTo(mean(outputs.map((value, at) => (value - targets[at]!) ** 2)), 5);
    const ofInput = await run(model([6, 2], 'logistic'), { kind: 'squared_error_of_input' }, input.data, null);
    expect(ofInput.loss).toBeCloseTo(mean(outputs.map((value, at) => (value - input.data[at]!) ** 2)), 5);
  });
});

describe('logitsOf', () => {
  it.each(['softmax', 'logistic'] as const)('looks behind a final %s and its quantizer, and no other', (last) => {
    const other = last === 'softmax' ? 'logistic' : 'softmax';
    for (const quantized of [false, true]) {
      const graph = model([2, 3], last, quantized);
      expect(logitsOf(graph, last)).toBe('input');
      expect(logitsOf(graph, other)).toBe(graph.outputs[0]);
    }
    expect(logitsOf(model([2, 3], null), last)).toBe('input');
  });
});
