import { floatTensor, numElements } from '../../core/tensor.ts';
import type { GraphBuilder } from '../../graph/builder.ts';
import { buildGraph, copyNode, copySources } from '../../graph/builder.ts';
import type { Graph, Node } from '../../graph/graph.ts';
import { consumers, producers } from '../../graph/graph.ts';
import type { ValueRef } from '../../ops/define.ts';
import { ops } from '../../ops/index.ts';

/**
 * Gives a layer to each batch norm that no layer before it can take into its weights: a depthwise convolution of one
 * pixel that multiplies by 1. Values that are no images are images of it for as long.
 */
export function withLayersForBatchNorms(graph: Graph): Graph {
  const makers = producers(graph);
  const readers = consumers(graph);
  const isAlone = (node: Node): node is Node<'batch_norm'> => {
    const input = node.inputs[0] ?? '';
    const maker = makers.get(input);
    const others = (readers.get(input)?.length ?? 0) > 1 || graph.outputs.includes(input);
    return node.op === 'batch_norm' && (maker === undefined || ops[maker.op].quant.kind !== 'affine' || others);
  };
  if (!graph.nodes.some(isAlone)) return graph;
  const builder = buildGraph(graph.name, graph.level);
  copySources(builder, graph);
  for (const node of graph.nodes) {
    if (isAlone(node)) addAlone(builder, node);
    else copyNode(builder, node, (input) => input);
  }
  return builder.finish(graph.outputs.map((output) => builder.ref(output)));
}

function addAlone(builder: GraphBuilder, node: Node<'batch_norm'>): void {
  const layer = node.name.replace(/\/batch_norm(_\d+)?$/, '');
  const [input, ...parameters] = node.inputs.map((name) => builder.ref(name)) as [ValueRef, ...ValueRef[]];
  const { shape } = input.type;
  const channels = shape.at(-1) ?? 1;
  const isImage = shape.length === 4;
  const image = isImage
    ? input
    : one(
        builder.node('reshape', `${layer}/image`, [input], {
          shape: [-1, 1, numElements(shape.slice(1, -1)), channels],
        }),
      );
  const filter = builder.constant(
    `${layer}/ones`,
    floatTensor([1, 1, 1, channels], new Float32Array(channels).fill(1)),
  );
  const same = builder.node('depthwise_conv_2d', `${layer}/depthwise_conv_2d`, [image, filter], {
    ...{ strides: [1, 1], dilations: [1, 1], padding: { kind: 'valid' }, activation: 'none' },
  });
  const normalized = builder.node(
    'batch_norm',
    isImage ? node.name : `${layer}/normalized`,
    [one(same), ...parameters],
    node.attrs,
  );
  if (!isImage) builder.node('reshape', node.name, [one(normalized)], { shape: [-1, ...shape.slice(1)] });
}

const one = ([value]: readonly ValueRef[]): ValueRef => value!; // these ops have one output
