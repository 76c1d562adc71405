import { describe, expect, it } from 'vitest';
import type { Engine, FloatOp } from '../../src/engine/engine.ts';
import { wasmEngine } from '../../src/engine/wasm/index.ts';
import { tensorflowEngine, tensorflowEngines } from './engines.ts';
import { disagreements, exactOps, floatOps, sampleRun } from './op-samples.ts';

/** On our own kernels also what they compute by the same functions and in the same order as the loops. */
const exactKernels: ReadonlySet<FloatOp> = new Set<FloatOp>([
  ...exactOps,
  ...(['softmax', 'softmax_cross_entropy', 'softmax_cross_entropy_grad'] as const),
  ...(['sigmoid_cross_entropy', 'sigmoid_cross_entropy_grad'] as const),
  ...(['mean_squared_error_grad', 'mean_absolute_error_grad', 'mean_huber_error_grad'] as const),
  ...(['max_pool_2d_grad', 'zero_debias', 'momentum_update', 'adam_update'] as const),
]);

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
  const { graph, feeds, expected } = sampleRun(op);
  const session = await engine.open(graph, { replicas: 1, threads: 2 });
  try {
    expect(disagreements(await session.run(feeds), expected, exact.has(op))).toEqual([]);
  } finally {
    await session.close();
  }
}
