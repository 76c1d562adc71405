import { internal } from '../core/assert.ts';
import { tensor } from '../core/tensor.ts';
import type { Session } from '../engine/engine.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { producers } from '../graph/graph.ts';
import type { BatchFeeds, Variables } from './train-loop.ts';

/**
 * Re-estimates the statistics of batch norm as the plain mean over batches with the final weights: short training
 * leaves moving averages behind the weights, and inference uses them.
 *
 * @param graph a training graph; its training ops are not run
 * @param variables of that graph, with their final values
 * @param feeds of the batches to look at
 */
export async function reestimateBatchNorm(
  graph: Graph,
  variables: Variables,
  feeds: Iterable<ReturnType<BatchFeeds>>,
  open: (graph: Graph) => Promise<Session>,
): Promise<Variables> {
  const statistics = movingStatistics(graph);
  if (statistics.length === 0) return variables;
  const session = await open({ ...graph, outputs: statistics.map(({ batch }) => batch), updates: [] });
  const sums = new Map(statistics.map(({ variable }) => [variable, new Float64Array(sizeOf(variables, variable))]));
  let batches = 0;
  try {
    for (const [name, { data }] of variables) session.write(name, data as Float32Array); // training variables are float32
    for (const feed of feeds) {
      batches++;
      const result = await session.run(feed);
      for (const { variable, batch } of statistics) {
        const sum = sums.get(variable)!;
        (result.get(batch) ?? internal(`the engine gave no "${batch}"`)).forEach((x, index) => (sum[index]! += x));
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

/** Each moving statistic with the value of the batch, agreed on by all replicas, that moves it. */
function movingStatistics(graph: Graph): readonly { readonly variable: string; readonly batch: string }[] {
  const makers = producers(graph);
  const isStatistic = (node: Node | undefined) => node?.op === 'batch_norm_train' || node?.op === 'fold_correct';
  return graph.updates.flatMap(({ variable, value }) => {
    const batch = makers.get(value)?.inputs[1] ?? '';
    return isStatistic(makers.get(makers.get(batch)?.inputs[0] ?? '')) ? [{ variable, batch }] : [];
  });
}
