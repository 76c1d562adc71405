import { internal } from '../core/assert.ts';
import { tensor } from '../core/tensor.ts';
import type { Session } from '../engine/engine.ts';
import type { Graph } from '../graph/graph.ts';
import { movingStatistics } from '../graph/variables.ts';
import type { BatchFeeds } from './feeds.ts';
import type { Variables } from './state.ts';

/**
 * Re-estimates the statistics of batch norm as the plain mean over batches with the final weights: short training
 * leaves moving averages behind the weights, and inference uses them.
 *
 * @param graph a training graph; its training ops are not run
 * @param variables of that graph, with their final values
 * @param feeds of each batch to look at, in their order
 */
export async function reestimateBatchNorm(
  graph: Graph,
  variables: Variables,
  feeds: readonly (() => ReturnType<BatchFeeds['next']>)[],
  open: (graph: Graph) => Promise<Session>,
): Promise<Variables> {
  const statistics = movingStatistics(graph);
  if (statistics.length === 0) return variables;
  const session = await open({ ...graph, outputs: statistics.map(({ agreed }) => agreed), updates: [] });
  const sums = new Map(statistics.map(({ variable }) => [variable, new Float64Array(sizeOf(variables, variable))]));
  let batches = 0;
  try {
    for (const [name, { data }] of variables) session.write(name, data as Float32Array); // training variables are float32
    for (const feed of feeds) {
      batches++;
      const result = await session.run(await feed());
      for (const { variable, agreed } of statistics) {
        const sum = sums.get(variable)!;
        (result.get(agreed) ?? internal(`the engine gave no "${agreed}"`)).forEach((x, index) => (sum[index]! += x));
      }
    }
  } finally {
    await session.close();
  }
  const means = [...sums].map(([name, sum]) => {
    const mean = Float32Array.from(sum, (total) => total / batches);
    return [name, tensor('float32', [mean.length], mean)] as const;
  });
  return new Map([...variables, ...means]);
}

const sizeOf = (variables: Variables, name: string): number =>
  variables.get(name)?.data.length ?? internal(`training has no variable "${name}"`);
