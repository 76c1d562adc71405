/** All samples of an op as one graph, what the op's own loops make of them, and how close an engine has to come. */
import { createRandom } from '../../src/core/random.ts';
import type { FloatTensor } from '../../src/core/tensor.ts';
import { zeros } from '../../src/core/tensor.ts';
import type { FloatOp } from '../../src/engine/engine.ts';
import { kernels } from '../../src/engine/wasm/kernels.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import type { ValueRef } from '../../src/ops/define.ts';
import { runFloat } from '../contract/evaluate.ts';
import { operandData, samples } from '../contract/samples.ts';
import { largerSamples } from './samples.ts';

export const floatOps = Object.keys(kernels) as FloatOp[]; // Object.keys loses the key type

/** Ops that move or round values must agree bit for bit; so must those that follow a float32 recipe of TensorFlow. */
export const exactOps: ReadonlySet<FloatOp> = new Set<FloatOp>([
  ...(['relu', 'relu6', 'relu_grad', 'max_pool_2d', 'broadcast_grad', 'reshape', 'add'] as const),
  ...(['fake_quant', 'fake_quant_grad', 'observe_range', 'increment', 'reached', 'cross_replica'] as const),
  ...(['dropout', 'moving_average', 'top_1_count'] as const),
]);

/**
 * Sums of up to a few thousand products are float32 at every addition here and float64 in the reference: the error
 * grows with the root of the count, about 1e-6 of the largest result.
 */
const SUM_TOLERANCE = 1e-5;

export interface SampleRun {
  readonly graph: Graph;
  readonly feeds: ReadonlyMap<string, Float32Array>;
  /** By the name of the graph's output. */
  readonly expected: ReadonlyMap<string, FloatTensor>;
}

export function sampleRun<K extends FloatOp>(op: K): SampleRun {
  const builder = buildGraph(op, 'qat');
  const feeds = new Map<string, Float32Array>();
  const expected = new Map<string, FloatTensor>();
  const outputs: ValueRef[] = [];
  for (const { name, inputs, attrs } of [...samples[op], ...(largerSamples[op] ?? [])]) {
    const random = createRandom(1, op, name);
    const operands = inputs.map((input, index) => operandData(input, random.split(`operand ${index}`)));
    const values = operands.map(({ shape, data }, index) => {
      feeds.set(`${name}/${index}`, data);
      return builder.input(`${name}/${index}`, { dtype: 'float32', shape });
    });
    const results = builder.node(op, name, values, attrs);
    outputs.push(...results);
    const references = results.map(({ type }) => zeros('float32', type.shape));
    runFloat(op, operands, attrs, references);
    results.forEach((result, index) => expected.set(result.name, references[index]!));
  }
  return { graph: builder.finish(outputs), feeds, expected };
}

/** What is too far from the loops' own results, in words. */
export function disagreements(
  actual: ReadonlyMap<string, ArrayLike<number>>,
  expected: SampleRun['expected'],
  isExact: boolean,
): readonly string[] {
  return [...expected].flatMap(([name, { data }]) => {
    const result = actual.get(name);
    if (result?.length !== data.length) return [`${name} has ${String(result?.length)} values of ${data.length}`];
    const tolerance = isExact ? 0 : SUM_TOLERANCE * data.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    const at = data.findIndex((value, index) => !(Math.abs(result[index]! - value) <= tolerance));
    return at < 0 ? [] : [`${name} at ${at}: ${result[at]!} instead of ${data[at]!}`];
  });
}
