import type { Graph, Value } from './graph.ts';
import { valueOf, variablesOf } from './graph.ts';

/** The graph as text, one line a node, for people and for diffs between passes. */
export function printGraph(graph: Graph): string {
  const lines = [`graph ${graph.name} (${graph.level})`];
  for (const name of graph.inputs) lines.push(`  input    ${describeValue(valueOf(graph, name))}`);
  for (const value of variablesOf(graph)) {
    lines.push(`  ${value.source.trainable ? 'variable' : 'state   '} ${describeValue(value)}`);
  }
  for (const value of graph.values.values()) {
    if (value.source.kind === 'constant') lines.push(`  constant ${describeValue(value)}`);
  }
  for (const node of graph.nodes) {
    const outputs = node.outputs.map((output) => describeValue(valueOf(graph, output))).join(', ');
    lines.push(`  ${outputs} = ${node.op}(${node.inputs.join(', ')})${describeAttrs(node.attrs)}`);
  }
  for (const update of graph.updates) lines.push(`  update   ${update.variable} <- ${update.value}`);
  lines.push(`  output   ${graph.outputs.join(', ')}`);
  return `${lines.join('\n')}\n`;
}

function describeValue({ name, type, quant }: Value): string {
  const parameters =
    quant === null
      ? ''
      : quant.kind === 'per_tensor'
        ? ` {scale ${quant.scale}, zero point ${quant.zeroPoint}}`
        : ` {${quant.scales.length} scales on axis ${quant.axis}}`;
  return `${name}: ${type.dtype}[${type.shape.join(',')}]${parameters}`;
}

function describeAttrs(attrs: object): string {
  const entries = Object.entries(attrs);
  if (entries.length === 0) return '';
  return ` ${entries.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(' ')}`;
}
