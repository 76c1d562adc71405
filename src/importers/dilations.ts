/** Convolutions between blocks of an image, made one dilated convolution. */
import { buildGraph, copySources } from '../graph/builder.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { consumers, producers, valueOf } from '../graph/graph.ts';
import type { Conv2dAttrs } from '../ops/conv_2d.ts';
import { paddingOf } from './tensorflow/rules/layers.ts';

interface Dilated {
  readonly before: Node;
  readonly after: Node;
  readonly attrs: Conv2dAttrs;
}

type Convolution = Extract<Node, { readonly op: 'conv_2d' | 'depthwise_conv_2d' }>;

const isConvolution = (node: Node): node is Convolution => node.op === 'conv_2d' || node.op === 'depthwise_conv_2d';

/**
 * The same function. Reshapes leave the first size open, which is the batch or goes with it.
 *
 * @param graph level float, batch 1
 */
export function withDilations(graph: Graph): Graph {
  const [makers, readers] = [producers(graph), consumers(graph)];
  const layers = new Map<string, Dilated>();
  for (const node of graph.nodes) {
    const found = isConvolution(node) ? dilated(graph, node, makers, readers) : null;
    if (found !== null) layers.set(node.name, found);
  }
  const dropped = new Set([...layers.values()].flatMap(({ before, after }) => [before.name, after.name]));
  const builder = buildGraph(graph.name, graph.level);
  // Shapes that were computed while the file was read are constants that nothing reads.
  const unread = [...graph.values.keys()].filter((name) => !readers.has(name) && !graph.outputs.includes(name));
  copySources(builder, graph, new Set(unread));
  const renamed = new Map<string, string>();
  const current = (name: string): string => renamed.get(name) ?? name;
  for (const node of graph.nodes) {
    if (dropped.has(node.name)) {
      renamed.set(node.name, current(node.inputs[0] ?? ''));
      continue;
    }
    const attrs =
      layers.get(node.name)?.attrs ?? (node.op === 'reshape' ? { shape: openShape(graph, node) } : node.attrs);
    builder.node(
      node.op,
      node.name,
      node.inputs.map((name) => builder.ref(current(name))),
      attrs,
    );
  }
  return builder.finish(graph.outputs.map((name) => builder.ref(current(name))));
}

function openShape(graph: Graph, { name }: Node): readonly number[] {
  return valueOf(graph, name).type.shape.map((size, axis) => (axis === 0 ? -1 : size));
}

/** The layer that a convolution of blocks stands for; null for any other. */
function dilated(
  graph: Graph,
  node: Convolution,
  makers: ReadonlyMap<string, Node>,
  readers: ReadonlyMap<string, readonly Node[]>,
): Dilated | null {
  const before = makers.get(node.inputs[0] ?? '');
  const after = nextBlocks(node, readers);
  if (before?.op !== 'space_to_batch_nd' || after?.op !== 'batch_to_space_nd') return null;
  const [height, width, ...others] = before.attrs.blockSizes;
  const { attrs } = node;
  const isPlain = attrs.padding.kind === 'valid' && attrs.strides.every((stride) => stride === 1);
  const isAlone = readers.get(before.name)?.length === 1 && !graph.outputs.includes(before.name);
  if (height === undefined || width === undefined || others.length > 0 || !isPlain || !isAlone) return null;
  const crops = after.attrs.frame;
  const isCutAtEnd = before.attrs.frame.every(([, added], axis) => {
    const [start = 0, end = 0] = crops[axis] ?? [];
    return start === 0 && end <= added;
  });
  if (!isCutAtEnd) return null;
  const [, rows = 1, columns = 1] = valueOf(graph, node.inputs[1] ?? '').type.shape;
  const padding = paddingOf(before.attrs.frame, crops, [rows, columns], [height, width]);
  return { before, after, attrs: { ...attrs, padding, dilations: [height, width] } };
}

const perElement: ReadonlySet<string> = new Set(['relu', 'relu6', 'minimum', 'maximum']);

/** Where blocks become an image again: behind the layer, or behind the activation that it had. */
function nextBlocks(node: Node, readers: ReadonlyMap<string, readonly Node[]>): Node | null {
  const [next, ...others] = readers.get(node.name) ?? [];
  if (next === undefined || others.length > 0) return null;
  if (next.op === 'batch_to_space_nd') return next;
  return perElement.has(next.op) ? nextBlocks(next, readers) : null;
}
