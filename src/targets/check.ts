/** Whether a target takes an integer graph, op by op. */
import type { Graph, Node } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import { ops } from '../ops/index.ts';
import type { Refusal, Rule, TargetNode, TargetRow } from './define.ts';
import { isFileOp } from './define.ts';

/** An op that a target does not take. */
export interface Finding {
  readonly node: Node;
  readonly refusal: Refusal;
  /** What runs the op instead; null where nothing does, so the file cannot run there. */
  readonly instead: TargetRow | null;
}

/**
 * The ops that a target does not take, in the order of the graph.
 *
 * @param graph level int8, with the types of its edges set
 * @param isTrained false where scales are not yet those of the file, so that nothing is said of them
 */
export function checkTarget(row: TargetRow, graph: Graph, isTrained: boolean): readonly Finding[] {
  return graph.nodes.flatMap((node): readonly Finding[] => {
    const refusal = refusalOf(row, graph, node, isTrained);
    if (refusal === null) return [];
    const { fallback } = row;
    const instead = fallback !== null && refusalOf(fallback, graph, node, isTrained) === null ? fallback : null;
    return [{ node, refusal, instead }];
  });
}

function refusalOf(row: TargetRow, graph: Graph, node: Node, isTrained: boolean): Refusal | null {
  if (!isFileOp(node.op)) return missing(node);
  const rules = row.ops[node.op] as readonly Rule[] | null; // the table pairs ops with rules; by index it forgets which
  if (rules === null) return missing(node);
  const seen: TargetNode = {
    inputs: node.inputs.map((name) => valueOf(graph, name)),
    outputs: node.outputs.map((name) => valueOf(graph, name)),
    attrs: node.attrs,
  };
  for (const rule of rules) {
    const refusal = rule(seen);
    if (refusal !== null) return refusal;
  }
  return versionRefusal(row, node, seen) ?? (isTrained ? multiplierRefusal(row, node, seen) : null);
}

const missing = ({ op }: Node): Refusal => ({
  found: `is ${op.toUpperCase()}`,
  expected: 'no such op',
  remedy: 'use another layer',
});

/** Older runtimes refuse later versions of an op, or compute other codes (docs/decisions/0014). */
function versionRefusal({ release }: TargetRow, { op }: Node, seen: TargetNode): Refusal | null {
  if (release === null) return null;
  // The op's own binding reads the attributes that its own record made.
  const binding = ops[op].tflite as { version: (node: TargetNode) => { minimumRuntime: string } } | null;
  const minimum = binding?.version(seen).minimumRuntime ?? release;
  if (!isLater(minimum, release)) return null;
  const isDense = op === 'fully_connected';
  return {
    found: `needs TensorFlow Lite ${minimum}`,
    expected: `what ${release} has`,
    ...(isDense
      ? { remedy: 'use `dense_weights: per_tensor`', setting: 'dense_weights' }
      : { remedy: 'use another layer or other parameters' }),
  };
}

function isLater(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split('.').map(Number));
  const differing = [0, 1, 2].find((part) => a?.[part] !== b?.[part]);
  return differing !== undefined && (a?.[differing] ?? 0) > (b?.[differing] ?? 0);
}

/** The factors of a convolution or a dense layer: input * weights / output, for each channel. */
function multiplierRefusal({ multipliers }: TargetRow, { op }: Node, seen: TargetNode): Refusal | null {
  const rule = ops[op].quant;
  if (rule.kind !== 'affine') return null;
  const [input, weights, output] = [seen.inputs[0], seen.inputs[rule.weight], seen.outputs[0]].map((at) => at?.quant);
  if (input?.kind !== 'per_tensor' || output?.kind !== 'per_tensor' || weights == null) return null;
  const scales = weights.kind === 'per_tensor' ? [weights.scale] : [...weights.scales];
  const factors = scales.map((scale) => (input.scale * scale) / output.scale);
  const [least, most] = [Math.min(...factors), Math.max(...factors)];
  if (least >= multipliers.least && most < multipliers.below) return null;
  return {
    found: `scales its sums by ${(most >= multipliers.below ? most : least).toPrecision(3)}`,
    expected: `factors from ${multipliers.least.toPrecision(3)} to below ${multipliers.below}`,
    remedy: 'train longer, so that the ranges of its weights and its output fit each other',
  };
}
