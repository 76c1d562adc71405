import { internal } from '../core/assert.ts';
import type { Split } from '../data/dataset.ts';
import type { Normalization } from '../data/batches.ts';
import { inputWriter } from '../data/batches.ts';
import { numElements } from '../core/tensor.ts';
import type { Session } from '../engine/engine.ts';
import type { Graph } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import { logitsOf, setBatch } from '../passes/index.ts';
import { modelInput } from './graphs.ts';
import { evaluationBatch } from './memory.ts';

/** One output of a float graph for a split, [count, values] each; the task evaluates them. */
export interface Evaluation {
  readonly outputs: Float32Array;
  /** What the last function reads; otherwise the outputs. */
  readonly logits: Float32Array;
}

type LastFunction = 'softmax' | 'logistic';

/**
 * Runs a float or eval graph of one output over a split.
 *
 * @param graph inference form, any batch
 * @param open starts a session on the stage's engine
 * @param last the function before which the logits are
 */
export async function evaluate(
  graph: Graph,
  split: Split,
  normalize: Normalization,
  open: (graph: Graph) => Promise<Session>,
  signal: AbortSignal,
  last: LastFunction = 'softmax',
): Promise<Evaluation> {
  const [only] = await evaluateOutputs(graph, split, normalize, open, signal, [last]);
  return only ?? internal('the graph has no output');
}

/**
 * The same of every output.
 *
 * @param lasts by output, the function before which its logits are; null where they are the output
 */
export async function evaluateOutputs(
  graph: Graph,
  split: Split,
  normalize: Normalization,
  open: (graph: Graph) => Promise<Session>,
  signal: AbortSignal,
  lasts: readonly (LastFunction | null)[],
): Promise<readonly Evaluation[]> {
  const size = evaluationBatch(graph, split.count);
  const batched = setBatch(graph, size);
  const input = modelInput(batched);
  const named = batched.outputs.map((output, index) => {
    const last = lasts[index] ?? null;
    return { output, logits: last === null ? output : logitsOf(batched, last, index) };
  });
  const valuesOf = (name: string): number => numElements(valueOf(batched, name).type.shape.slice(1));
  const results = new Map(
    named
      .flatMap(({ output, logits }) => [output, logits])
      .map((name) => [name, new Float32Array(split.count * valuesOf(name))] as const),
  );
  const session = await open({ ...batched, outputs: [...results.keys()] });
  try {
    for (const chunk of chunks(split, normalize, size)) {
      signal.throwIfAborted();
      const result = await session.run(new Map([[input, chunk.inputs]]));
      for (const [name, all] of results) {
        const batch = result.get(name) ?? internal(`the engine gave no "${name}"`);
        const values = valuesOf(name);
        all.set(batch.subarray(0, chunk.count * values), chunk.start * values);
      }
    }
  } finally {
    await session.close();
  }
  const of = (name: string): Float32Array => results.get(name) ?? internal(`"${name}" was not evaluated`);
  return named.map(({ output, logits }) => ({ outputs: of(output), logits: of(logits) }));
}

interface Chunk {
  readonly start: number;
  readonly count: number;
  readonly inputs: Float32Array;
}

/**
 * Examples in an order, in pieces of one batch; the last is filled up with its own first ones.
 *
 * @param order indices into the split; default: all of it
 */
export function* chunks(
  split: Split,
  normalize: Normalization,
  batch: number,
  order: Uint32Array = Uint32Array.from({ length: split.count }, (_, index) => index),
): Generator<Chunk> {
  const inputs = new Float32Array(batch * split.inputs.size);
  const write = inputWriter(split.inputs, normalize);
  for (let start = 0; start < order.length; start += batch) {
    const count = Math.min(batch, order.length - start);
    for (let index = 0; index < batch; index++) {
      write(order[start + (index % count)]!, inputs, index * split.inputs.size);
    }
    yield { start, count, inputs };
  }
}
