/** Activations that disappear into the layer before them. */
import type { Graph, Node } from '../../graph/graph.ts';
import { consumers, producers } from '../../graph/graph.ts';
import type { FusedActivation } from '../../ops/define.ts';
import { ops } from '../../ops/index.ts';

export interface Fusion {
  readonly activation: FusedActivation;
  /** The activation's own node. */
  readonly node: Node;
}

export interface FusedActivations {
  /** The activation that goes into a producer, by the producer's name. */
  readonly into: ReadonlyMap<string, Fusion>;
  /** Names of the activation nodes that disappear. */
  readonly gone: ReadonlySet<string>;
}

/**
 * An activation goes into its producer when nothing else reads what is between them. A quantizer between them is passed
 * over unless the activation has one of its own.
 */
export function fuseActivations(graph: Graph): FusedActivations {
  const makers = producers(graph);
  const readers = consumers(graph);
  const into = new Map<string, Fusion>();
  const gone = new Set<string>();
  const disappears = (name: string): boolean => readers.get(name)?.length === 1 && !graph.outputs.includes(name);
  const isQuantized = (name: string): boolean => readers.get(name)?.some(({ op }) => op === 'fake_quant') ?? false;
  for (const node of graph.nodes) {
    const rule = ops[node.op].quant;
    if (rule.kind !== 'activation') continue;
    const [input = ''] = node.inputs;
    const before = makers.get(input);
    const quantizer = before?.op === 'fake_quant' && !isQuantized(node.name) ? before : null;
    const output = quantizer?.inputs[0] ?? input;
    const producer = makers.get(output);
    if (producer === undefined || !disappears(input) || !disappears(output)) continue;
    const { kind } = ops[producer.op].quant;
    // An op with a shared scale cannot take it: the activation has a range of its own.
    if (kind !== 'affine' && kind !== 'independent') continue;
    if ('activation' in producer.attrs && producer.attrs.activation === 'none') {
      into.set(producer.name, { activation: rule.fused, node });
      gone.add(node.name);
    }
  }
  return { into, gone };
}
