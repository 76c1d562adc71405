/** The training examples that a model is calibrated on, and how graphs run over them. */
import { internal } from '../core/assert.ts';
import { createRandom } from '../core/random.ts';
import type { Normalization } from '../data/batches.ts';
import type { Split } from '../data/dataset.ts';
import type { Session } from '../engine/engine.ts';
import { chunks } from '../evaluation/evaluate.ts';
import { modelInput } from '../evaluation/graphs.ts';
import { evaluationBatch } from '../evaluation/memory.ts';
import type { Graph } from '../graph/graph.ts';
import { prune, setBatch } from '../passes/index.ts';

export interface CalibrationExamples {
  readonly split: Split;
  readonly normalize: Normalization;
  /** Indices into the split, ascending. */
  readonly order: Uint32Array;
  /** Starts a session on the stage's engine. */
  readonly open: (graph: Graph) => Promise<Session>;
  /** Called with each number of examples that a graph has run over; throws when the stage is to stop. */
  readonly ran: (examples: number) => void;
}

/** A random part of a split, or all of it where it has no more. */
export function chooseExamples(count: number, wanted: number, seed: number): Uint32Array {
  return createRandom(seed, 'calibration').permutation(count).slice(0, wanted).sort();
}

/**
 * Runs a graph over the examples.
 *
 * @param graph inference form, batch 1
 * @param names of the values to see
 * @param visit gets the values of some examples, [examples, ...], in the order of the examples; good until it returns
 */
export async function runOver(
  graph: Graph,
  names: readonly string[],
  { split, normalize, order, open, ran }: CalibrationExamples,
  visit: (name: string, values: Float32Array) => void,
): Promise<void> {
  if (names.length === 0) return;
  const wanted = prune({ ...graph, outputs: [...new Set(names)] });
  const batch = evaluationBatch(wanted, order.length);
  const batched = setBatch(wanted, batch);
  const session = await open(batched);
  try {
    for (const { count, inputs } of chunks(split, normalize, batch, order)) {
      const values = await session.run(new Map([[modelInput(batched), inputs]]));
      for (const name of batched.outputs) {
        const all = values.get(name) ?? internal(`the engine gave no "${name}"`);
        visit(name, all.subarray(0, (all.length / batch) * count));
      }
      ran(count);
    }
  } finally {
    await session.close();
  }
}
