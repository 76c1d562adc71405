import { internal } from '../core/assert.ts';
import type { Tensor } from '../core/tensor.ts';
import { transposeTensor } from '../core/tensor.ts';
import type { Graph, Node, Value } from '../graph/graph.ts';
import { producers, valueOf } from '../graph/graph.ts';
import type { GraphDefBinding, GraphDefWriter } from '../ops/define.ts';
import { ops } from '../ops/index.ts';
import type { AttributeValue } from '../formats/protobuf/attribute-value.ts';
import { textAttribute } from '../formats/protobuf/attribute-value.ts';
import type { GraphDef, NodeDef } from '../formats/protobuf/graph-def.ts';
import { expandComposites } from './composites.ts';
import { movedAxis } from './layout.ts';

/**
 * The name of the last node, which `freeze_graph` and similar tools ask for; those of further outputs are `output_1` and
 * so on, as TensorFlow makes a name unique.
 */
export const outputNode = (index: number): string => (index === 0 ? 'output' : `output_${index}`);

export interface ExportedGraph {
  readonly graphDef: GraphDef;
  /** The value of each variable by its TensorFlow name, in TensorFlow's layout. */
  readonly variables: ReadonlyMap<string, Tensor>;
}

/**
 * Writes a graph as TensorFlow nodes. Filters change from our layout to TensorFlow's, the batch becomes unknown, and
 * variables are VarHandleOps read once.
 */
export function exportGraphDef(graph: Graph): ExportedGraph {
  const nodes: NodeDef[] = [];
  const variables = new Map<string, Tensor>();
  const layouts = operandLayouts(graph);
  /** The TensorFlow name of each of our values. */
  const names = new Map<string, string>();

  const writer: GraphDefWriter = {
    node(op, name, inputs, attributes) {
      nodes.push({ name, op, inputs, device: '', attributes: new Map(Object.entries(attributes)) });
      return name;
    },
    constant(name, value) {
      if (value.dtype === 'uint8' || value.dtype === 'int8') internal(`constant "${name}" is ${value.dtype}`);
      return writer.node('Const', name, [], {
        dtype: dataType(value),
        value: { kind: 'tensor', value: { kind: 'numeric', type: value.dtype, tensor: value } },
      });
    },
  };

  for (const value of graph.values.values()) {
    const written = writeSource(writer, value, layouts.get(value.name) ?? null, variables);
    if (written !== null) names.set(value.name, written);
  }
  for (const node of graph.nodes) {
    // The op's own record made these attributes, so its own binding reads them.
    const binding: GraphDefBinding<Node['attrs']> | null = ops[node.op].graphdef;
    if (binding === null) return internal(`${node.op} "${node.name}" has no TensorFlow form`);
    const layout = layouts.get(node.name);
    const outputs = binding.write(writer, {
      name: node.name,
      inputs: node.inputs.map((input) => names.get(input) ?? internal(`"${input}" was not written`)),
      inputTypes: node.inputs.map((input) => {
        const { type } = valueOf(graph, input);
        const permutation = layouts.get(input);
        return permutation === undefined ? type : { ...type, shape: permutation.map((axis) => type.shape[axis]!) };
      }),
      outputTypes: node.outputs.map((output) => valueOf(graph, output).type),
      attrs: layout === undefined ? node.attrs : permuteAttrs(node, layout),
    });
    for (const [index, output] of node.outputs.entries()) names.set(output, outputs[index] ?? internal('no output'));
  }
  for (const [index, output] of graph.outputs.entries()) {
    writer.node('Identity', outputNode(index), [names.get(output) ?? internal('an output was not written')], {
      T: { kind: 'type', value: 'float32' },
    });
  }
  // Producer 1286 is TensorFlow 2.12's; nothing here needs more than the oldest consumer that reads V3 batch norm.
  return {
    graphDef: { nodes: expandComposites(nodes), versions: { producer: 1286, minConsumer: 12 }, functionNames: [] },
    variables,
  };
}

function dataType(value: Tensor): AttributeValue {
  return { kind: 'type', value: value.dtype };
}

/** Writes an input, a constant or a variable; null for what a node makes. */
function writeSource(
  writer: GraphDefWriter,
  value: Value,
  layout: readonly number[] | null,
  variables: Map<string, Tensor>,
): string | null {
  const permuted = (data: Tensor): Tensor => (layout === null ? data : transposeTensor(data, layout));
  switch (value.source.kind) {
    case 'node':
      return null;
    case 'input':
      return writer.node('Placeholder', value.name, [], {
        dtype: { kind: 'type', value: 'float32' },
        shape: { kind: 'shape', value: [-1, ...value.type.shape.slice(1)] },
      });
    case 'constant':
      return writer.constant(value.name, permuted(value.source.data));
    case 'variable': {
      const initial = permuted(value.source.initial);
      variables.set(value.name, initial);
      const handle = writer.node('VarHandleOp', value.name, [], {
        dtype: dataType(initial),
        shape: { kind: 'shape', value: initial.shape },
        shared_name: textAttribute(value.name),
        container: textAttribute(''),
      });
      return writer.node('ReadVariableOp', `${value.name}/Read/ReadVariableOp`, [handle], { dtype: dataType(initial) });
    }
  }
}

/** The permutation of every value that an op wants in TensorFlow's layout, back through fake quant to its source. */
function operandLayouts(graph: Graph): ReadonlyMap<string, readonly number[]> {
  const layouts = new Map<string, readonly number[]>();
  const makers = producers(graph);
  for (const node of graph.nodes) {
    const binding = ops[node.op].graphdef;
    for (const [index, permutation] of Object.entries(binding?.storedLayouts ?? binding?.layouts ?? {})) {
      if (permutation === 'merged') return internal(`${node.op} does not say how its operand is stored`);
      let name: string | undefined = node.inputs[Number(index)];
      while (name !== undefined) {
        const known = layouts.get(name);
        if (known !== undefined && known.join() !== permutation.join()) {
          internal(`"${name}" is read in two layouts, [${known.join(',')}] and [${permutation.join(',')}]`);
        }
        layouts.set(name, permutation);
        const maker = makers.get(name);
        if (maker !== undefined && maker.op !== 'fake_quant') {
          internal(`"${name}" needs another layout, but ${maker.op} "${maker.name}" computes it`);
        }
        name = maker?.inputs[0];
      }
    }
  }
  return layouts;
}

/** Fake quant per channel names an axis, which moves with the layout. */
function permuteAttrs(node: Node, layout: readonly number[]): Node['attrs'] {
  if (node.op !== 'fake_quant' || node.attrs.axis === null) return node.attrs;
  return { ...node.attrs, axis: movedAxis(node.attrs.axis, layout) };
}
