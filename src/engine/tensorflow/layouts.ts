/** In which order of axes values are kept and handed on. */
import { sameShape, transposeTensor } from '../../core/tensor.ts';
import type { Shape, Tensor } from '../../core/tensor.ts';
import type { Graph, Node } from '../../graph/graph.ts';
import { producers, valueOf } from '../../graph/graph.ts';
import type { FloatOp } from '../engine.ts';
import type { Lowering, Lowerings, Permutation } from './lower.ts';
import { loweringOf } from './lower.ts';

export function sameLayout(a: Permutation | null, b: Permutation | null): boolean {
  return a === b || (a !== null && b !== null && a.join() === b.join());
}

export function storedShape(shape: Shape, layout: Permutation | null): Shape {
  return layout === null ? shape : layout.map((axis) => shape[axis]!);
}

export function inStoredOrder(data: Tensor, layout: Permutation | null): Tensor {
  return layout === null ? data : transposeTensor(data, layout);
}

export interface NodeLayouts {
  /** Of each operand. */
  readonly layouts: readonly (Permutation | null)[];
  readonly common: Permutation | null;
  readonly outputs: readonly (Permutation | null)[];
}

export function operandLayouts(
  graph: Graph,
  node: Node,
  lowering: Lowering<FloatOp> | 'graphdef',
  layoutOf: (name: string) => Permutation | null,
): NodeLayouts {
  const plain = { layouts: node.inputs.map(() => null), common: null, outputs: node.outputs.map(() => null) };
  if (lowering === 'graphdef') return plain;
  const shapeOf = (name: string): Shape => valueOf(graph, name).type.shape;
  const members = (lowering.common ?? []).flatMap((index) => node.inputs[index] ?? []);
  const [first = ''] = members;
  const agree = members.every((name) => sameShape(shapeOf(name), shapeOf(first)));
  const common = agree ? (members.map(layoutOf).find((layout) => layout !== null) ?? null) : null;
  const layouts = node.inputs.map(
    (_, index) => lowering.layouts?.[index] ?? (lowering.common?.includes(index) === true ? common : null),
  );
  const outputs = node.outputs.map((output, index) => {
    if (lowering.outputLayout !== undefined) {
      return index === 0 ? lowering.outputLayout(node.attrs) : null;
    }
    return common !== null && sameShape(shapeOf(output), shapeOf(first)) ? common : null;
  });
  return { layouts, common, outputs };
}

/**
 * The order of axes in which variables and constants are kept: as the op behind them wants its filter, so that nothing
 * is transposed in a step; what an optimizer keeps for a filter follows it.
 */
export function sourceLayouts(
  table: Lowerings,
  graph: Graph,
  nodes: readonly Node[],
): ReadonlyMap<string, Permutation> {
  const result = new Map<string, Permutation>();
  const makers = producers(graph);
  for (const node of nodes) {
    const lowering = loweringOf(table, node.op);
    if (lowering === 'graphdef') continue;
    for (const [index, layout] of Object.entries(lowering.layouts ?? {})) {
      let name = node.inputs[Number(index)];
      while (name !== undefined) {
        const maker = makers.get(name);
        if (maker === undefined) {
          if (valueOf(graph, name).source.kind !== 'input') result.set(name, result.get(name) ?? layout);
          break;
        }
        const form = loweringOf(table, maker.op);
        name = form !== 'graphdef' && form.common?.includes(0) === true ? maker.inputs[0] : undefined;
      }
    }
  }
  for (const node of nodes) {
    const lowering = loweringOf(table, node.op);
    const members = lowering === 'graphdef' ? [] : (lowering.common ?? []).flatMap((index) => node.inputs[index] ?? []);
    const layout = members.map((name) => result.get(name)).find((known) => known !== undefined);
    if (layout === undefined) continue;
    for (const name of members) {
      const { source, type } = valueOf(graph, name);
      if (source.kind === 'variable' && type.shape.length === layout.length && !result.has(name)) {
        result.set(name, layout);
      }
    }
  }
  return result;
}
