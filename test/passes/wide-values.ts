import type { FloatTensor } from '../../src/core/tensor.ts';
import { expectDType } from '../../src/core/tensor.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { evaluate, wideTensor } from '../contract/evaluate.ts';

/** Every value up to the loss in float64, with one element of a variable changed. */
export function valuesUpToLoss(
  graph: Graph,
  feeds: ReadonlyMap<string, Float32Array>,
  variable = '',
  index = 0,
  change = 0,
): ReadonlyMap<string, FloatTensor> {
  const values = new Map<string, FloatTensor>();
  for (const { name, type, source } of graph.values.values()) {
    if (source.kind === 'input') values.set(name, wideTensor(type.shape, feeds.get(name)));
    if (source.kind === 'constant') values.set(name, wideTensor(type.shape, expectDType(source.data, 'float32').data));
    if (source.kind !== 'variable') continue;
    const data = Float64Array.from(expectDType(source.initial, 'float32').data);
    if (name === variable) data[index]! += change;
    values.set(name, wideTensor(type.shape, data));
  }
  const end = 1 + graph.nodes.findIndex(({ name }) => name === 'loss');
  return evaluate({ ...graph, nodes: graph.nodes.slice(0, end) }, values);
}

export const scalarIn = (values: ReadonlyMap<string, FloatTensor>, name: string): number =>
  values.get(name)?.data[0] ?? NaN;
