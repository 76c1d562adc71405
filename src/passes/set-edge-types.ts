import { internal } from '../core/assert.ts';
import type { QuantParams } from '../core/affine.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import { buildGraph, copyNode, copyParameters } from '../graph/builder.ts';
import type { Graph } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import type { ValueRef } from '../ops/define.ts';

/** Type of a model's input or output: stored integers, or real numbers. */
export type EdgeType = 'int8' | 'uint8' | 'float32';

export interface EdgeTypes {
  readonly input: EdgeType;
  readonly output: EdgeType;
}

/**
 * Puts QUANTIZE behind each input and QUANTIZE or DEQUANTIZE behind each output that has another type. int8 and uint8
 * stand for the same reals: the scale stays and the zero point moves by 128, so nothing is lost between them.
 *
 * @param graph level int8
 */
export function setEdgeTypes(graph: Graph, types: EdgeTypes): Graph {
  const builder = buildGraph(graph.name, graph.level);
  const renamed = new Map<string, string>();
  for (const name of graph.inputs) {
    const { type, quant } = valueOf(graph, name);
    const inside = integerType(graph, name);
    const edge = builder.input(name, { dtype: types.input, shape: type.shape }, edgeQuant(quant, inside, types.input));
    if (types.input === inside) continue;
    const [quantized] = builder.node('quantize', `${name}/quantized`, [edge], { dtype: inside }, quant);
    renamed.set(name, quantized?.name ?? internal(`${name} has no quantized value`));
  }
  copyParameters(builder, graph);
  for (const node of graph.nodes) {
    copyNode(builder, node, (input) => renamed.get(input) ?? input, valueOf(graph, node.name).quant);
  }
  const outputs = graph.outputs.map((name) => {
    const inside = builder.ref(renamed.get(name) ?? name);
    return types.output === integerType(graph, name) ? inside : outputEdge(builder, graph, name, inside, types.output);
  });
  return builder.finish(outputs);
}

function outputEdge(builder: GraphBuilder, graph: Graph, name: string, inside: ValueRef, type: EdgeType): ValueRef {
  const quant = edgeQuant(valueOf(graph, name).quant, integerType(graph, name), type);
  const [edge] =
    type === 'float32'
      ? builder.node('dequantize', `${name}/dequantized`, [inside], {})
      : builder.node('quantize', `${name}/${type}`, [inside], { dtype: type }, quant);
  return edge ?? internal(`${name} has no edge`);
}

function integerType(graph: Graph, name: string): 'int8' | 'uint8' {
  const { dtype } = valueOf(graph, name).type;
  return dtype === 'int8' || dtype === 'uint8' ? dtype : internal(`"${name}" is ${dtype} before its edge type is set`);
}

function edgeQuant(quant: QuantParams | null, from: 'int8' | 'uint8', to: EdgeType): QuantParams | null {
  if (to === 'float32') return null;
  if (quant?.kind !== 'per_tensor') return internal('an edge of the model has no scale and zero point');
  const shift = from === to ? 0 : to === 'uint8' ? 128 : -128;
  return { ...quant, zeroPoint: quant.zeroPoint + shift };
}
