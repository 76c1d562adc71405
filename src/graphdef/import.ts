import { internal } from '../core/assert.ts';
import type { UserError } from '../core/diagnostic.ts';
import { userError } from '../core/diagnostic.ts';
import type { Shape, Tensor } from '../core/tensor.ts';
import { hasDType, transposeTensor } from '../core/tensor.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import { buildGraph } from '../graph/builder.ts';
import type { Graph } from '../graph/graph.ts';
import type { FakeQuantAttrs } from '../ops/fake_quant.ts';
import type { GraphDefRead, ValueRef } from '../ops/define.ts';
import { ShapeError } from '../ops/define.ts';
import type { Attrs, OpName } from '../ops/index.ts';
import { opNames, ops } from '../ops/index.ts';
import type { GraphDef, NodeDef } from '../protobuf/graph-def.ts';
import { parseInput, requireNoFunctions } from '../protobuf/graph-def.ts';
import { invertPermutation, movedAxis } from './layout.ts';

/** Nodes that hand their first input on. */
const transparent = new Set(['Identity', 'StopGradient', 'PreventGradient', 'CheckNumerics', 'Snapshot']);

/**
 * Reads an inference graph: one placeholder, constants or variables, the ops of the table, one output. The batch
 * becomes 1; filters change to our layout; biases join the op before them.
 *
 * @param variables values of the graph's variables by name, in TensorFlow's layout
 * @param path of the file, for errors
 * @returns a graph of level eval when it holds fake quant, else float
 * @throws UserError naming the node
 */
export function importGraphDef(graphDef: GraphDef, variables: ReadonlyMap<string, Tensor>, path: string): Graph {
  requireNoFunctions(graphDef, path);
  const sorted = sortNodes(graphDef, path);
  const quantized = sorted.some((node) => node.op.startsWith('FakeQuant'));
  const builder = buildGraph(path.replace(/^.*[\\/]/, ''), quantized ? 'eval' : 'float');
  const importer: Importer = { builder, path, variables, imported: new Map(), constants: new Map() };
  for (const node of sorted) {
    naming(path, node, () => importer.imported.set(node.name, importNode(importer, node)));
  }
  const last = outputOf(importer, sorted);
  return builder.finish([naming(path, last, () => operand(importer, last.name, null))]);
}

/** What does not fit together is the file's mistake, and the node's. */
function naming<Result>(path: string, node: NodeDef, body: () => Result): Result {
  try {
    return body();
  } catch (error) {
    if (error instanceof ShapeError) throw problem(path, node, error.message);
    throw error;
  }
}

/** What a TensorFlow node has become. Sources wait until a reader says in which layout it wants them. */
type Imported =
  | { readonly kind: 'value'; readonly ref: ValueRef }
  | { readonly kind: 'constant'; readonly name: string; readonly tensor: Tensor }
  | {
      readonly kind: 'quantized_constant';
      readonly name: string;
      readonly source: Extract<Imported, { kind: 'constant' }>;
      readonly ranges: readonly string[];
      readonly attrs: FakeQuantAttrs;
    }
  /** An affine op whose bias may still come: nothing has read it yet. */
  | {
      readonly kind: 'affine';
      readonly op: OpName;
      readonly name: string;
      readonly inputs: readonly string[];
      readonly attrs: Attrs[OpName];
    }
  | { readonly kind: 'handle'; readonly variable: string };

interface Importer {
  readonly builder: GraphBuilder;
  readonly path: string;
  readonly variables: ReadonlyMap<string, Tensor>;
  readonly imported: Map<string, Imported>;
  /** Constants that are in the graph already, by name and layout. */
  readonly constants: Map<string, ValueRef>;
}

function problem(path: string, node: NodeDef, message: string): UserError {
  return userError(
    path,
    'bad-graph-def',
    `node "${node.name}" (${node.op}): ${message}`,
    'qpipe reads inference graphs of the ops in `qpipe inspect --ops`; freeze the graph with its own tools first',
  );
}

/** Ends the import of the node at hand; the caller adds its name. */
function fail(message: string): never {
  throw new ShapeError(message);
}

function dataInputs(node: NodeDef): readonly string[] {
  return node.inputs.flatMap((input) => {
    const parsed = parseInput(input);
    return parsed.kind === 'data' ? [parsed.node] : [];
  });
}

/** An order in which every node follows its inputs; a cycle or an unknown input is the file's mistake. */
function sortNodes(graphDef: GraphDef, path: string): readonly NodeDef[] {
  const byName = new Map<string, NodeDef>();
  for (const node of graphDef.nodes) {
    if (byName.has(node.name)) throw problem(path, node, 'its name is used twice');
    byName.set(node.name, node);
  }
  const waiting = new Map<string, number>();
  const readers = new Map<string, NodeDef[]>();
  const ready: NodeDef[] = [];
  for (const node of graphDef.nodes) {
    const inputs = dataInputs(node);
    // Of the ops we read, only training forms give anything but their first output.
    const second = node.inputs.find((input) => {
      const parsed = parseInput(input);
      return parsed.kind === 'data' && parsed.output > 0;
    });
    if (second !== undefined) throw problem(path, node, `it reads "${second}"; only first outputs are supported`);
    for (const input of inputs) {
      if (!byName.has(input)) throw problem(path, node, `its input "${input}" does not exist`);
      const known = readers.get(input);
      if (known === undefined) readers.set(input, [node]);
      else known.push(node);
    }
    if (inputs.length === 0) ready.push(node);
    waiting.set(node.name, inputs.length);
  }
  for (let index = 0; index < ready.length; index++) {
    const node = ready[index] ?? internal('the queue has a hole');
    for (const reader of readers.get(node.name) ?? []) {
      const left = (waiting.get(reader.name) ?? 0) - 1;
      waiting.set(reader.name, left);
      if (left === 0) ready.push(reader);
    }
  }
  const stuck = graphDef.nodes.find((node) => (waiting.get(node.name) ?? 0) > 0);
  if (stuck !== undefined) throw problem(path, stuck, 'it is part of a cycle');
  return ready;
}

function importNode(importer: Importer, node: NodeDef): Imported {
  const { builder, path, variables } = importer;
  const inputs = dataInputs(node);
  const first = inputs[0] === undefined ? undefined : importer.imported.get(inputs[0]);
  if (transparent.has(node.op)) return first ?? fail('it has no input');
  switch (node.op) {
    case 'Placeholder': {
      const type = node.attributes.get('dtype');
      const shape = node.attributes.get('shape');
      if (type?.kind !== 'type' || type.value !== 'float32')
        throw problem(path, node, 'expected a float32 placeholder');
      if (shape?.kind !== 'shape' || shape.value === null || shape.value.length === 0) {
        throw problem(path, node, 'its shape is unknown');
      }
      const [, ...rest] = shape.value;
      if (rest.some((size) => size < 1)) throw problem(path, node, 'only the batch may be unknown in its shape');
      return { kind: 'value', ref: builder.input(node.name, { dtype: 'float32', shape: [1, ...rest] }) };
    }
    case 'Const': {
      const value = node.attributes.get('value');
      if (value?.kind !== 'tensor' || value.value.kind !== 'numeric') {
        throw problem(path, node, `its value is of a type we do not compute with`);
      }
      return { kind: 'constant', name: node.name, tensor: value.value.tensor };
    }
    case 'VarHandleOp':
      return { kind: 'handle', variable: node.name };
    case 'ReadVariableOp': {
      if (first?.kind !== 'handle') throw problem(path, node, 'it does not read a variable');
      const tensor = variables.get(first.variable);
      if (tensor === undefined) throw problem(path, node, `the checkpoint has no value for "${first.variable}"`);
      return { kind: 'constant', name: first.variable, tensor };
    }
    case 'BiasAdd':
      if (first?.kind === 'affine' && inputs[1] !== undefined) {
        return { kind: 'value', ref: addAffine(importer, first, node.name, inputs[1]) };
      }
      throw problem(path, node, 'it does not follow a layer whose bias it could be');
    default:
      return importOp(importer, node, inputs);
  }
}

interface Reader {
  readonly op: OpName;
  readonly read: GraphDefRead<Attrs[OpName]>;
}

/** Every TensorFlow op that a row of the table reads. */
const readersByOp: ReadonlyMap<string, Reader> = new Map(
  opNames.flatMap((op) =>
    Object.entries(ops[op].graphdef?.reads ?? {}).map(
      // The row's name and its attributes belong together; the map forgets which row it was.
      ([tensorflowOp, read]) => [tensorflowOp, { op, read: read }] as const,
    ),
  ),
);

function importOp(importer: Importer, node: NodeDef, inputs: readonly string[]): Imported {
  const reader = readersByOp.get(node.op);
  if (reader === undefined) {
    throw problem(importer.path, node, `the op is not supported; supported are ${[...readersByOp.keys()].join(', ')}`);
  }
  const { op } = reader;
  const required = ops[op].operands.filter((operand) => operand.optional !== true).length;
  if (inputs.length < required) fail(`it has ${inputs.length} inputs; expected ${required}`);
  const read = reader.read(node, {
    inputs,
    shapeOf: (input) => shapeOf(importer, input),
    constant: (input) => {
      const value = importer.imported.get(input);
      if (value?.kind === 'constant') return value.tensor;
      throw new ShapeError(`its input "${input}" must be constant`);
    },
  });
  const source = importer.imported.get(read.inputs[0] ?? '');
  if (op === 'fake_quant' && source?.kind === 'constant') {
    // The reader of op fake_quant gives its attributes.
    return {
      kind: 'quantized_constant',
      name: node.name,
      source,
      ranges: read.inputs.slice(1),
      attrs: read.attrs as FakeQuantAttrs,
    };
  }
  if (ops[op].quant.kind === 'affine')
    return { kind: 'affine', op, name: node.name, inputs: read.inputs, attrs: read.attrs };
  const layouts = ops[op].graphdef?.layouts ?? {};
  const operands = read.inputs.map((input, index) => operand(importer, input, layouts[index] ?? null));
  const [output] = importer.builder.node(op, node.name, operands, read.attrs);
  return { kind: 'value', ref: output ?? internal(`${op} has no output`) };
}

/** The shape in TensorFlow's layout. */
function shapeOf(importer: Importer, name: string): Shape {
  const value = importer.imported.get(name);
  switch (value?.kind) {
    case 'constant':
      return value.tensor.shape;
    case 'quantized_constant':
      return value.source.tensor.shape;
    case 'handle':
      return fail(`its input "${name}" is a variable that is not read`);
    case undefined:
      return internal(`"${name}" has no shape`);
    case 'value':
    case 'affine':
      return operand(importer, name, null).type.shape;
  }
}

function addAffine(
  importer: Importer,
  affine: Extract<Imported, { kind: 'affine' }>,
  name: string,
  bias: string | null,
): ValueRef {
  const layouts = ops[affine.op].graphdef?.layouts ?? {};
  const operands = affine.inputs.map((input, index) => operand(importer, input, layouts[index] ?? null));
  const withBias = bias === null ? operands : [...operands, operand(importer, bias, null)];
  const [output] = importer.builder.node(affine.op, name, withBias, affine.attrs);
  return output ?? internal(`${affine.op} has no output`);
}

/** A value of our graph for a TensorFlow name, laid out for its reader. */
function operand(importer: Importer, name: string, layout: readonly number[] | null): ValueRef {
  const { builder } = importer;
  const value = importer.imported.get(name) ?? internal(`"${name}" was not imported`);
  switch (value.kind) {
    case 'value':
      if (layout !== null) throw new ShapeError(`its weights "${name}" are computed; expected a constant`);
      return value.ref;
    case 'affine': {
      const ref = addAffine(importer, value, value.name, null);
      importer.imported.set(name, { kind: 'value', ref });
      return ref;
    }
    case 'constant':
      return addConstant(importer, value.name, value.tensor, layout);
    case 'quantized_constant': {
      if (builder.has(value.name)) return builder.ref(value.name);
      const inverse = layout === null ? null : invertPermutation(layout);
      const { axis } = value.attrs;
      const operands = [
        addConstant(importer, value.source.name, value.source.tensor, layout),
        ...value.ranges.map((range) => operand(importer, range, null)),
      ];
      const attrs = { ...value.attrs, axis: axis === null || inverse === null ? axis : movedAxis(axis, inverse) };
      const [output] = builder.node('fake_quant', value.name, operands, attrs);
      return output ?? internal('fake_quant has no output');
    }
    case 'handle':
      return fail(`its input "${name}" is a variable that is not read`);
  }
}

function addConstant(
  { builder, constants }: Importer,
  name: string,
  value: Tensor,
  layout: readonly number[] | null,
): ValueRef {
  const key = JSON.stringify([name, layout]);
  const known = constants.get(key);
  if (known !== undefined) return known;
  if (!hasDType(value, 'float32')) throw new ShapeError(`constant "${name}" is ${value.dtype}; expected float32`);
  if (layout !== null && layout.length !== value.shape.length) {
    throw new ShapeError(`constant "${name}" is [${value.shape.join(',')}]; expected ${layout.length} dimensions`);
  }
  const added = builder.constant(
    builder.has(name) ? `${name}/${layout === null ? 'stored' : layout.join('')}` : name,
    layout === null ? value : transposeTensor(value, invertPermutation(layout)),
  );
  constants.set(key, added);
  return added;
}

/** The one node that nothing reads. */
function outputOf(importer: Importer, nodes: readonly NodeDef[]): NodeDef {
  const read = new Set(nodes.flatMap(dataInputs));
  const ends = nodes.filter((node) => !read.has(node.name) && node.op !== 'NoOp');
  const [last, ...others] = ends;
  if (last === undefined || others.length > 0) {
    throw userError(
      importer.path,
      'bad-graph-def',
      `the graph has ${ends.length} outputs (${ends
        .map((node) => node.name)
        .slice(0, 4)
        .join(', ')}); expected one`,
      'cut the graph to the output that is to be converted',
    );
  }
  return last;
}
