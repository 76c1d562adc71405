/** Runs imported networks on what the oracle ran theirs on. */
import { internal } from '../../src/core/assert.ts';
import type { FloatTensor } from '../../src/core/tensor.ts';
import { sameShape } from '../../src/core/tensor.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import { setBatch } from '../../src/passes/index.ts';
import { runSteps } from '../models/networks.ts';
import { floatOf, relativeError } from './closeness.ts';
import type { OracleValue } from './oracle.ts';
import { expectList } from './oracle.ts';

/** Of the output's range: both sides add float32 products, in different orders. */
const TOLERANCE = 1e-4;

/** For each example, the values of all inputs; the same for outputs. */
export interface Examples {
  readonly inputs: readonly (readonly FloatTensor[])[];
  readonly outputs: readonly (readonly FloatTensor[])[];
}

export function fieldsOf(value: OracleValue): { readonly [name: string]: OracleValue } {
  const isRecord =
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
  return isRecord ? (value as { readonly [name: string]: OracleValue }) : internal('the oracle gave no network');
}

export function examplesOf(value: OracleValue): Examples {
  const { inputs, outputs } = fieldsOf(value);
  const tensors = (list: OracleValue | undefined) => expectList(list).map((values) => expectList(values).map(floatOf));
  return { inputs: tensors(inputs), outputs: tensors(outputs) };
}

/** The position among the oracle's inputs of each of the graph's: theirs come in any order, but differ in shape. */
function orderOf(graph: Graph, values: readonly FloatTensor[]): readonly number[] {
  const taken = new Set<number>();
  return graph.inputs.map((name) => {
    const at = values.findIndex(
      ({ shape }, index) => !taken.has(index) && sameShape(shape, valueOf(graph, name).type.shape),
    );
    taken.add(at);
    return at;
  });
}

/** What is wrong, if anything: both examples run as one batch, since nothing in a graph depends on it being one. */
export async function failuresOf(
  graph: Graph,
  { inputs, outputs }: Examples,
  name: string,
): Promise<readonly string[]> {
  const order = orderOf(graph, inputs[0] ?? []);
  const batched = setBatch(verify(graph), inputs.length);
  const feeds = graph.inputs.map((input, index) => {
    const parts = inputs.map((values) => values[order[index] ?? 0]?.data ?? new Float32Array());
    return [input, Float32Array.from(parts.flatMap((part) => Array.from(part)))] as const;
  });
  const [step] = await runSteps(batched, [new Map(feeds)]);
  const found = graph.outputs.map((output) => step?.outputs.get(output) ?? new Float32Array());
  const expected = (outputs[0] ?? []).map((_, index) =>
    Float32Array.from(outputs.flatMap((values) => Array.from(values[index]?.data ?? []))),
  );
  if (found.length !== expected.length) return [`${name} has ${found.length} outputs; expected ${expected.length}`];
  // Outputs come in any order, too.
  const left = [...expected];
  return found.flatMap((values, index) => {
    const errors = left.map((wanted) => relativeError(values, wanted));
    const best = errors.indexOf(Math.min(...errors));
    left.splice(best, 1);
    const error = errors[best] ?? Infinity;
    return error < TOLERANCE ? [] : [`${name}, output ${index}: ${error}`];
  });
}
