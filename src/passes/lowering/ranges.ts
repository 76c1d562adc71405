/** The ranges of an eval graph's fake quantizers, all of them constant. */
import { internal } from '../../core/assert.ts';
import type { NudgedRange } from '../../core/affine.ts';
import { nudgeRange } from '../../core/affine.ts';
import type { FloatTensor } from '../../core/tensor.ts';
import { expectDType } from '../../core/tensor.ts';
import type { Graph, Node } from '../../graph/graph.ts';
import { valueOf } from '../../graph/graph.ts';

export function isConstant(graph: Graph, name: string): boolean {
  return valueOf(graph, name).source.kind === 'constant';
}

export function floatConstant(graph: Graph, name: string, node: Node): FloatTensor {
  const { source } = valueOf(graph, name);
  if (source.kind !== 'constant') return internal(`"${name}" of ${node.op} "${node.name}" is not constant`);
  return expectDType(source.data, 'float32');
}

export function rangeOf(graph: Graph, node: Node<'fake_quant'>): readonly NudgedRange[] {
  const [, min = '', max = ''] = node.inputs;
  const lows = floatConstant(graph, min, node);
  const highs = floatConstant(graph, max, node);
  const { bits, narrowRange } = node.attrs;
  return Array.from(lows.data, (low, index) => nudgeRange(low, highs.data[index]!, bits, narrowRange));
}

export function activationRange(graph: Graph, node: Node<'fake_quant'>): NudgedRange {
  const [range, ...others] = rangeOf(graph, node);
  if (range === undefined || others.length > 0) {
    return internal(`fake_quant "${node.name}" covers an activation per channel`);
  }
  return range;
}
