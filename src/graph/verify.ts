import { internal } from '../core/assert.ts';
import { sameShape } from '../core/tensor.ts';
import type { Operand } from '../ops/define.ts';
import { runsWithoutScale } from '../ops/define.ts';
import { ops } from '../ops/index.ts';
import { inferTypes } from './builder.ts';
import type { Graph, Level, Node } from './graph.ts';
import { valueOf } from './graph.ts';

/** Checks everything that a graph of its level promises. A violation is our mistake: the pass before it is wrong. */
export function verify(graph: Graph): Graph {
  const defined = new Set<string>();
  for (const value of graph.values.values()) {
    if (value.source.kind !== 'node') defined.add(value.name);
    if ((value.source.kind === 'input') !== graph.inputs.includes(value.name)) {
      internal(`"${value.name}" of graph "${graph.name}" is an input in one place and not in the other`);
    }
  }
  for (const node of graph.nodes) {
    for (const input of node.inputs) {
      if (!defined.has(input)) internal(`${describe(node)} reads "${input}" before it is made (graph "${graph.name}")`);
    }
    checkOperandCount(node);
    checkTypes(graph, node);
    checkLevel(graph, node);
    for (const output of node.outputs) {
      if (defined.has(output)) internal(`"${output}" is made twice, the second time by ${describe(node)}`);
      defined.add(output);
    }
  }
  for (const name of [...graph.inputs, ...graph.outputs]) {
    if (!defined.has(name)) internal(`graph "${graph.name}" names "${name}", which nothing makes`);
  }
  const updated = new Set<string>();
  for (const update of graph.updates) {
    const variable = valueOf(graph, update.variable);
    if (variable.source.kind !== 'variable') internal(`the update of "${variable.name}" is not to a variable`);
    if (updated.has(variable.name)) internal(`"${variable.name}" is updated twice`);
    updated.add(variable.name);
    if (!defined.has(update.value)) internal(`"${variable.name}" takes "${update.value}", which nothing makes`);
    if (!sameShape(variable.type.shape, valueOf(graph, update.value).type.shape)) {
      internal(`the update of "${variable.name}" has another shape`);
    }
  }
  return graph;
}

function describe(node: Node): string {
  return `${node.op} "${node.name}"`;
}

function checkOperandCount(node: Node): void {
  const { operands, variadic } = ops[node.op];
  const required = operands.filter((operand: Operand) => operand.optional !== true).length;
  const most = variadic === true ? Infinity : operands.length;
  if (node.inputs.length < required || node.inputs.length > most) {
    internal(`${describe(node)} has ${node.inputs.length} inputs; expected ${required} to ${most}`);
  }
}

function checkTypes(graph: Graph, node: Node): void {
  const inferred = inferTypes(
    node.op,
    node.name,
    node.inputs.map((input) => valueOf(graph, input)),
    node.attrs,
  );
  if (node.outputs.length !== inferred.length) {
    internal(`${describe(node)} has ${node.outputs.length} outputs; its op makes ${inferred.length}`);
  }
  for (const [index, output] of node.outputs.entries()) {
    const { type } = valueOf(graph, output);
    const expected = inferred[index]!;
    if (type.dtype !== expected.dtype || !sameShape(type.shape, expected.shape)) {
      internal(
        `"${output}" of ${describe(node)} is ${type.dtype}[${type.shape.join(',')}]; ` +
          `its op makes ${expected.dtype}[${expected.shape.join(',')}]`,
      );
    }
  }
}

/** Which nodes each level may hold, read from the op's own record. */
function checkLevel(graph: Graph, node: Node): void {
  const reason = illegality(graph.level, node);
  if (reason !== null) internal(`${describe(node)} is not legal at level ${graph.level}: ${reason}`);
  for (const name of [...node.inputs, ...node.outputs]) {
    const { type, quant } = valueOf(graph, name);
    if (graph.level !== 'int8' && type.dtype !== 'float32') {
      internal(`"${name}" is ${type.dtype}; level ${graph.level} holds float32 only`);
    }
    if (graph.level !== 'int8' && quant !== null) {
      internal(`"${name}" has a scale and zero point; level ${graph.level} has them in fake quantizers only`);
    }
    if (graph.level === 'int8' && type.dtype === 'float32' && ops[node.op].quant.kind !== 'quantizer') {
      internal(`"${name}" at ${describe(node)} is float32; at level int8 only quantize and dequantize touch floats`);
    }
    const isData = type.dtype === 'int8' || type.dtype === 'uint8';
    if (graph.level === 'int8' && isData && quant === null && !runsWithoutScale(ops[node.op].quant, type.dtype)) {
      internal(`"${name}" at ${describe(node)} has no scale and zero point; the quantize pass should have given them`);
    }
  }
}

function illegality(level: Level, node: Node): string | null {
  const definition = ops[node.op];
  switch (level) {
    case 'float':
    case 'qat':
      if (definition.float === null) return 'it has no float form';
      return level === 'float' && node.op === 'fake_quant' ? 'fake quant belongs to qat and eval' : null;
    case 'eval':
      if (node.op === 'fake_quant' && node.inputs.length > 3) return 'the delay belongs to qat';
      return definition.quant.kind === 'float_only' ? 'it exists in training only' : null;
    case 'int8':
      return definition.int8 === null ? 'it has no integer kernel' : null;
  }
}
