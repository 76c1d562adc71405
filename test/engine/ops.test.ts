import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { FloatTensor } from '../../src/core/tensor.ts';
import { zeros } from '../../src/core/tensor.ts';
import type { Engine, FloatOp } from '../../src/engine/engine.ts';
import { wasmEngine } from '../../src/engine/wasm/index.ts';
import { kernels } from '../../src/engine/wasm/kernels.ts';
import type { ValueRef } from '../../src/ops/define.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import { operandData, samples } from '../contract/samples.ts';
import { runFloat } from '../contract/evaluate.ts';
import { tensorflowEngine, tensorflowEngines } from './engines.ts';
import { largerSamples } from './samples.ts';

/** Ops that move or round values must agree bit for bit; so must those that follow a float32 recipe of TensorFlow. */
const exactOps: ReadonlySet<FloatOp> = new Set<FloatOp>([
  ...(['relu', 'relu6', 'relu_grad', 'max_pool_2d', 'broadcast_grad', 'reshape', 'add'] as const),
  ...(['fake_quant', 'fake_quant_grad', 'observe_range', 'increment', 'reached', 'cross_replica'] as const),
  ...(['dropout', 'moving_average', 'top_1_count'] as const),
]);

/** On our own kernels also what they compute by the same functions and in the same order as the loops. */
const exactKernels: ReadonlySet<FloatOp> = new Set<FloatOp>([
  ...exactOps,
  ...(['softmax', 'softmax_cross_entropy', 'softmax_cross_entropy_grad'] as const),
  ...(['sigmoid_cross_entropy', 'sigmoid_cross_entropy_grad'] as const),
  ...(['mean_squared_error_grad', 'mean_absolute_error_grad', 'mean_huber_error_grad'] as const),
  ...(['max_pool_2d_grad', 'zero_debias', 'momentum_update', 'adam_update'] as const),
]);

/**
 * Sums of up to a few thousand products are float32 at every addition here and float64 in the reference: the error
 * grows with the root of the count, about 1e-6 of the largest result.
 */
const SUM_TOLERANCE = 1e-5;

const floatOps = Object.keys(kernels) as FloatOp[]; // Object.keys loses the key type

describe('the WASM engine computes what the reference loops compute', () => {
  it.each(floatOps)('%s', (op) => compare(op, wasmEngine, exactKernels));
});

describe.skipIf(tensorflowEngine === null).each(tensorflowEngines)(
  'the engine (%s) computes what the reference loops compute',
  (_name, engine) => {
    it.each(floatOps)('%s', (op) => compare(op, engine!, exactOps));
  },
);

async function compare(op: FloatOp, engine: Engine, exact: ReadonlySet<FloatOp>): Promise<void> {
  const { actual, expected } = await runSamples(op, engine);
  for (const [name, outputs] of expected) {
    for (const [index, output] of outputs.entries()) {
      const result = actual.get(index === 0 ? name : `${name}:${index}`)!;
      const scale = Math.max(1, ...output.data.map(Math.abs));
      const tolerance = exact.has(op) ? 0 : SUM_TOLERANCE * scale;
      expect(result.length, name).toBe(output.data.length);
      for (let at = 0; at < result.length; at++) {
        const difference = Math.abs(result[at]! - output.data[at]!);
        if (!(difference <= tolerance)) {
          expect.fail(`${name}, output ${index} at ${at}: ${result[at]} instead of ${output.data[at]}`);
        }
      }
    }
  }
}

/** All samples of an op as nodes of one graph, run on two threads; and each by the op's own loops. */
async function runSamples<K extends FloatOp>(op: K, engine: Engine) {
  const builder = buildGraph(op, 'qat');
  const feeds = new Map<string, Float32Array>();
  const expected = new Map<string, readonly FloatTensor[]>();
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
    expected.set(name, references);
  }
  const session = await engine.open(builder.finish(outputs), { replicas: 1, threads: 2 });
  try {
    return { actual: await session.run(feeds), expected };
  } finally {
    await session.close();
  }
}
