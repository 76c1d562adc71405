import { internal } from '../core/assert.ts';
import type { UserError } from '../core/diagnostic.ts';
import { userError } from '../core/diagnostic.ts';
import type { Shape, Tensor } from '../core/tensor.ts';
import { hasDType, sameShape, tensor, transposeTensor } from '../core/tensor.ts';
import { counted } from '../core/words.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import { buildGraph } from '../graph/builder.ts';
import type { Graph } from '../graph/graph.ts';
import type { FakeQuantAttrs } from '../ops/fake_quant.ts';
import type { GraphDefRead, Layout, ValueRef } from '../ops/define.ts';
import { ShapeError } from '../ops/define.ts';
import type { Attrs, OpName } from '../ops/index.ts';
import { opNames, ops } from '../ops/index.ts';
import type { GraphDef, NodeDef } from '../formats/protobuf/graph-def.ts';
import { parseInput, requireNoFunctions } from '../formats/protobuf/graph-def.ts';
import { recognizeComposites } from './composites.ts';
import { outputNode } from './export.ts';
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
  const nameless = graphDef.nodes.findIndex(({ name }) => name === '');
  if (nameless >= 0) {
    throw userError(
      path,
      'bad-graph-def',
      `node ${nameless} has no name`,
      'the file is damaged; write or copy it again',
    );
  }
  const sorted = sortNodes(recognizeComposites(graphDef.nodes), path);
  const quantized = sorted.some((node) => node.op.startsWith('FakeQuant'));
  const builder = buildGraph(path.replace(/^.*[\\/]/, ''), quantized ? 'eval' : 'float');
  const importer: Importer = { builder, path, variables, imported: new Map(), constants: new Map() };
  for (const node of sorted) {
    // Nodes that others only wait for.
    if (node.op === 'NoOp') continue;
    naming(path, node, () => importer.imported.set(node.name, importNode(importer, node)));
  }
  const ends = outputsOf(importer, sorted);
  return builder.finish(ends.map((end) => naming(path, end, () => operand(importer, end.name, null))));
}

/** Shapes that do not fit are a mistake in the file, reported with the node. */
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
      /** The shape after a Reshape that follows the fake quantizer, if there is one. */
      readonly shape: Shape;
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
    'qpipe reads frozen inference graphs; freeze the graph with the tools that made it, and see its ops with `qpipe inspect`',
  );
}

/** Ends the import of the node at hand; the caller adds its name. */
function fail(message: string): never {
  throw new ShapeError(message);
}

/** The values that a node reads: `node`, or `node:k` for a further output. */
function dataInputs(node: NodeDef): readonly string[] {
  return node.inputs.flatMap((input) => {
    const parsed = parseInput(input);
    if (parsed.kind !== 'data') return [];
    return [parsed.output === 0 ? parsed.node : `${parsed.node}:${parsed.output}`];
  });
}

const producerOf = (value: string): string => value.replace(/:\d+$/, '');

/** An order in which every node follows its inputs; a cycle or an unknown input is the file's mistake. */
function sortNodes(nodes: readonly NodeDef[], path: string): readonly NodeDef[] {
  const byName = new Map<string, NodeDef>();
  for (const node of nodes) {
    if (byName.has(node.name)) throw problem(path, node, 'its name is used twice');
    byName.set(node.name, node);
  }
  const waiting = new Map<string, number>();
  const readers = new Map<string, NodeDef[]>();
  const ready: NodeDef[] = [];
  for (const node of nodes) {
    const inputs = dataInputs(node).map(producerOf);
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
  const stuck = nodes.find((node) => (waiting.get(node.name) ?? 0) > 0);
  if (stuck !== undefined) throw problem(path, stuck, 'it is part of a cycle');
  return ready;
}

function importNode(importer: Importer, node: NodeDef): Imported {
  const { builder, path, variables } = importer;
  const inputs = dataInputs(node);
  // Of an op in training form, for example, only the first output is computed.
  const unknown = inputs.find((input) => !importer.imported.has(input));
  if (unknown !== undefined) fail(`it reads "${unknown}", which is not among the outputs that qpipe computes`);
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
    case 'Reshape':
      if (first?.kind === 'constant') return { ...first, tensor: reshaped(first.tensor, shapeAfter(importer, node)) };
      if (first?.kind === 'quantized_constant') return { ...first, shape: shapeAfter(importer, node) };
      return importOp(importer, node, inputs);
    case 'Transpose':
      if (first?.kind === 'constant' || first?.kind === 'quantized_constant')
        return transposed(importer, first, inputs[1]);
      return importOp(importer, node, inputs);
    case 'BiasAdd':
      if (first?.kind === 'affine' && inputs[1] !== undefined) {
        return { kind: 'value', ref: addAffine(importer, first, node.name, inputs[1]) };
      }
      throw problem(path, node, 'it does not follow a layer whose bias it could be');
    default:
      return importOp(importer, node, inputs);
  }
}

function reshaped(value: Tensor, shape: Shape): Tensor {
  return { ...value, shape };
}

/** The axes may be exchanged before fake quant instead of after it: its own axis goes with them. */
function transposed(
  importer: Importer,
  value: Extract<Imported, { kind: 'constant' | 'quantized_constant' }>,
  by: string | undefined,
): Imported {
  const wanted = importer.imported.get(by ?? '');
  if (wanted?.kind !== 'constant') return fail('its permutation must be constant');
  const permutation = Array.from(wanted.tensor.data, Number);
  const { tensor: data } = value.kind === 'constant' ? value : value.source;
  // Refuses anything that is not a permutation of the axes.
  ops.transpose.infer([data], { permutation });
  const moved = transposeTensor(data, permutation);
  if (value.kind === 'constant') return { ...value, tensor: moved };
  if (!sameShape(value.shape, data.shape)) fail('its weights are reshaped and transposed after they are quantized');
  const { axis } = value.attrs;
  return {
    ...value,
    source: { ...value.source, tensor: moved },
    attrs: { ...value.attrs, axis: axis === null ? null : movedAxis(axis, permutation) },
    shape: moved.shape,
  };
}

/** The shape that a Reshape gives its input. */
function shapeAfter(importer: Importer, node: NodeDef): Shape {
  const [input = '', shape = ''] = dataInputs(node);
  const wanted = importer.imported.get(shape);
  if (wanted?.kind !== 'constant') return fail('its shape must be constant');
  const type = { dtype: 'float32', shape: shapeOf(importer, input) } as const;
  const [output] = ops.reshape.infer([type], { shape: Array.from(wanted.tensor.data, Number) });
  return output?.shape ?? internal('a reshape has no output');
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
  if (inputs.length < required) fail(`it has ${counted(inputs.length, 'input')}; expected ${required}`);
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
      shape: source.tensor.shape,
    };
  }
  if (ops[op].quant.kind === 'affine')
    return { kind: 'affine', op, name: node.name, inputs: read.inputs, attrs: read.attrs };
  const layouts = ops[op].graphdef?.layouts ?? {};
  const operands = read.inputs.map((input, index) => operand(importer, input, layouts[index] ?? null));
  const [output, ...others] = importer.builder.node(op, node.name, operands, read.attrs);
  for (const [index, ref] of others.entries())
    importer.imported.set(`${node.name}:${index + 1}`, { kind: 'value', ref });
  return { kind: 'value', ref: output ?? internal(`${op} has no output`) };
}

/** The shape in TensorFlow's layout. */
function shapeOf(importer: Importer, name: string): Shape {
  const value = importer.imported.get(name);
  switch (value?.kind) {
    case 'constant':
      return value.tensor.shape;
    case 'quantized_constant':
      return value.shape;
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
function operand(importer: Importer, name: string, layout: Layout | null): ValueRef {
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
    case 'quantized_constant':
      return builder.has(value.name) ? builder.ref(value.name) : addQuantized(importer, value, layout);
    case 'handle':
      return fail(`its input "${name}" is a variable that is not read`);
  }
}

function addQuantized(
  importer: Importer,
  value: Extract<Imported, { kind: 'quantized_constant' }>,
  layout: Layout | null,
): ValueRef {
  const { axis } = value.attrs;
  const add = (filter: ValueRef, ranges: readonly ValueRef[], movedTo: number | null): ValueRef => {
    const [output] = importer.builder.node('fake_quant', value.name, [filter, ...ranges], {
      ...value.attrs,
      axis: movedTo,
    });
    return output ?? internal('fake_quant has no output');
  };
  const ranges = (): readonly ValueRef[] => value.ranges.map((range) => operand(importer, range, null));
  if (layout === 'merged') {
    const filter = addConstant(importer, value.source.name, reshaped(value.source.tensor, value.shape), layout);
    const channels = filter.type.shape[3] ?? internal('a merged filter has four axes');
    const numRanges = value.source.tensor.shape.at(-1) ?? 0;
    if (axis === null || numRanges === channels) return add(filter, ranges(), axis === null ? null : 3);
    // Quantized as [height, width, channels, multiplier]: every channel has the same few ranges.
    if (numRanges !== value.shape[3]) fail(`it quantizes an axis of ${numRanges}; the filter has ${channels} channels`);
    const repeated = value.ranges.map((range) => repeatedConstant(importer, range, channels));
    return add(filter, repeated, 3);
  }
  if (!sameShape(value.shape, value.source.tensor.shape)) {
    fail(`its weights "${value.source.name}" are reshaped after they are quantized; only depthwise filters may be`);
  }
  const filter = addConstant(importer, value.source.name, value.source.tensor, layout);
  const movedTo = axis === null || layout === null ? axis : movedAxis(axis, invertPermutation(layout));
  return add(filter, ranges(), movedTo);
}

/** A constant vector, repeated up to `length`. */
function repeatedConstant(importer: Importer, name: string, length: number): ValueRef {
  const value = importer.imported.get(name);
  if (value?.kind !== 'constant' || !hasDType(value.tensor, 'float32'))
    return fail(`its range "${name}" must be constant`);
  const { data } = value.tensor;
  const values = Float32Array.from({ length }, (_, index) => data[index % data.length]!);
  return addConstant(importer, `${value.name}/repeated`, tensor('float32', [length], values), null);
}

function addConstant({ builder, constants }: Importer, name: string, value: Tensor, layout: Layout | null): ValueRef {
  const key = JSON.stringify([name, layout, value.shape]);
  const known = constants.get(key);
  if (known !== undefined) return known;
  if (!hasDType(value, 'float32')) throw new ShapeError(`constant "${name}" is ${value.dtype}; expected float32`);
  const rank = layout === 'merged' ? 4 : layout?.length;
  if (rank !== undefined && value.shape.length !== rank) {
    throw new ShapeError(`constant "${name}" is [${value.shape.join(',')}]; expected ${rank} dimensions`);
  }
  const added = builder.constant(builder.has(name) ? `${name}/${value.shape.join('x')}` : name, inOurs(value, layout));
  constants.set(key, added);
  return added;
}

function inOurs(value: Tensor, layout: Layout | null): Tensor {
  if (layout === null) return value;
  if (layout !== 'merged') return transposeTensor(value, invertPermutation(layout));
  const [height = 1, width = 1, channels = 1, multiplier = 1] = value.shape;
  return reshaped(value, [1, height, width, channels * multiplier]);
}

/** The one node that nothing reads, or the several that `exportGraphDef` puts behind several outputs. */
function outputsOf(importer: Importer, nodes: readonly NodeDef[]): readonly NodeDef[] {
  const read = new Set(nodes.flatMap(dataInputs).map(producerOf));
  const ends = nodes.filter((node) => !read.has(node.name) && node.op !== 'NoOp');
  const byName = new Map(ends.map((node) => [node.name, node]));
  const named = ends.flatMap((_, index) => byName.get(outputNode(index)) ?? []);
  if (ends.length > 1 && named.length === ends.length) return named;
  const [last, ...others] = ends;
  if (last === undefined || others.length > 0) {
    throw userError(
      importer.path,
      'bad-graph-def',
      `the graph has ${ends.length} outputs (${ends
        .map((node) => node.name)
        .slice(0, 4)
        .join(', ')}); expected one${last === undefined ? `, and node "${nodes[0]?.name ?? ''}" makes nothing` : ''}`,
      'cut the graph to the output that is to be converted',
    );
  }
  return [last];
}
