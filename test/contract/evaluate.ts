/** The plainest way to run a float graph: every node by its op's own loops. */
import { internal, present } from '../../src/core/assert.ts';
import type { DataOf, FloatTensor, Shape } from '../../src/core/tensor.ts';
import { numElements } from '../../src/core/tensor.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import type { Attrs, OpName } from '../../src/ops/index.ts';
import { ops } from '../../src/ops/index.ts';

/** Loops only index their data, so float64 storage makes them compute in float64, but for their own roundings. */
export function wideTensor(shape: Shape, values?: ArrayLike<number>): FloatTensor {
  const data = values === undefined ? new Float64Array(numElements(shape)) : Float64Array.from(values);
  // Index access, subarray, set and fill are the same on both array types.
  return { dtype: 'float32', shape, data: data as unknown as DataOf['float32'] };
}

export function runFloat<K extends OpName>(
  op: K,
  inputs: readonly FloatTensor[],
  attrs: Attrs[K],
  outputs: readonly FloatTensor[],
): void {
  const { float } = ops[op];
  if (float === null) return internal(`${op} has no float form`);
  float(inputs, attrs, outputs);
}

/** Every value of the graph, in float64. */
export function evaluate(graph: Graph, feeds: ReadonlyMap<string, FloatTensor>): ReadonlyMap<string, FloatTensor> {
  const values = new Map(feeds);
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => present(values.get(input), input));
    const outputs = node.outputs.map((output) => wideTensor(valueOf(graph, output).type.shape));
    runFloat(node.op, inputs, node.attrs, outputs);
    for (const [index, output] of node.outputs.entries()) values.set(output, outputs[index]!);
  }
  return values;
}
