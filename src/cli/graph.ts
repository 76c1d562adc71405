import { loadPipeline } from '../config/load.ts';
import { pipelineGraphs } from '../config/graphs.ts';
import type { Level } from '../graph/graph.ts';
import { printGraph } from '../graph/print.ts';

export interface GraphOptions {
  readonly pipeline: string;
  readonly set?: readonly string[];
  /** Folder with data sets for which the pipeline gives no path; default: see `loadPipeline`. */
  readonly data?: string;
  readonly level: Level;
  /** The last graph of the level, or the graph after every pass on the way to it. */
  readonly passes?: 'last' | 'each';
}

/** A pipeline's network as text at one of its four levels, with fresh weights: nothing is trained. */
export async function graphText({ pipeline, set = [], data, level, passes = 'last' }: GraphOptions): Promise<string> {
  const graphs = await pipelineGraphs(await loadPipeline(pipeline, set, data), level);
  const shown = passes === 'each' ? graphs : graphs.slice(-1);
  return shown.map(({ pass, graph }) => `# after ${pass}\n${printGraph(graph)}`).join('\n');
}
