import { internal } from '../core/assert.ts';
import type { QuantParams } from '../core/affine.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { UserError } from '../core/diagnostic.ts';
import type { DType, FloatTensor, Shape, Tensor, TensorType } from '../core/tensor.ts';
import { dataFromBytes, floatTensor, tensor } from '../core/tensor.ts';
import { counted } from '../core/words.ts';
import { fromFloat16 } from '../formats/float16.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import { buildGraph } from '../graph/builder.ts';
import type { Graph } from '../graph/graph.ts';
import type { VariableRole } from '../graph/roles.ts';
import type { TfliteBinding, ValueRef } from '../ops/define.ts';
import { ShapeError, runsWithoutScale } from '../ops/define.ts';
import type { Attrs, OpName } from '../ops/index.ts';
import { ops } from '../ops/index.ts';
import { damagedModel, refusalOf, unsupportedModel } from '../ops/refusal.ts';
import { builtinName } from './builtin-names.ts';
import type { TfliteFile, TfliteOperator, TfliteSubgraph, TfliteTensor } from './file.ts';
import { readTfliteFile } from './read-file.ts';
import { foldShapes } from './fold-shapes.ts';
import { opOfBuiltinCode, optionFields } from './option-fields.ts';

const dtypes: { readonly [typeName: string]: DType | undefined } = {
  FLOAT32: 'float32',
  INT32: 'int32',
  INT64: 'int64',
  INT8: 'int8',
  UINT8: 'uint8',
};

/** The parts of a file as plain data, without asking whether its operators are known. */
export function readTfliteContents(bytes: Uint8Array, path: string): TfliteFile {
  return readTfliteFile(bytes, path, optionFields);
}

/**
 * Reads a .tflite file, by any converter, into an integer graph.
 *
 * @throws UserError naming every operator that the table lacks, or the tensor that is wrong
 */
export function readTflite(bytes: Uint8Array, path: string): Graph {
  return readAs(integerForm, bytes, path);
}

/**
 * Reads a .tflite file of floats, by any converter, into a float graph: weights are variables, an activation is an op
 * of its own behind the op that had it. Weights of float16 become float32, without loss.
 *
 * @throws UserError naming every operator that the table lacks, or the tensor that is wrong
 */
export function readFloatTflite(bytes: Uint8Array, path: string): Graph {
  return readAs(floatForm, bytes, path);
}

/** What the file's numbers are taken for. */
interface Form {
  readonly level: 'int8' | 'float';
  /** Who takes them, for messages. */
  readonly taker: string;
  readonly checkOperand: (reader: Reader, op: OpName, position: number, index: number) => void;
  readonly checkOutput: (reader: Reader, op: OpName, index: number) => void;
  readonly addConstant: (reader: Reader, name: string, data: Tensor, use: Use | null, index: number) => ValueRef;
  /** Adds a node with an activation of its own where it can have one. */
  readonly addNode: (
    builder: GraphBuilder,
    op: OpName,
    name: string,
    operands: readonly ValueRef[],
    attrs: Attrs[OpName],
    quant: QuantParams | null,
  ) => readonly ValueRef[];
}

/** Which operand of which op a constant is. */
interface Use {
  readonly op: OpName;
  readonly position: number;
}

const integerForm: Form = {
  level: 'int8',
  taker: "qpipe's interpreter runs int8 and uint8",
  checkOperand: checkIntegerOperand,
  checkOutput: checkInteger,
  addConstant: (reader, name, data, _use, index) => reader.builder.constant(name, data, quantOf(reader, index)),
  addNode: (builder, op, name, operands, attrs, quant) => builder.node(op, name, operands, attrs, quant),
};

const floatForm: Form = {
  level: 'float',
  taker: 'an import takes float models',
  checkOperand: (reader, op, _position, index) => checkFloat(reader, op, index),
  checkOutput: checkFloat,
  addConstant({ builder }, name, data, use) {
    const role = use === null || data.dtype !== 'float32' ? null : roleOf(use);
    return role === null ? builder.constant(name, data) : builder.variable(name, data, role);
  },
  addNode: addWithActivation,
};

/** What a constant is to the op that reads it first; null for one that stays as it is. */
function roleOf({ op, position }: Use): VariableRole | null {
  if (op === 'prelu') return position === 1 ? 'slope' : null;
  const operand = ops[op].operands[position];
  return operand?.role === 'weight' || operand?.role === 'bias' ? operand.role : null;
}

/** In float graphs the activation stands alone, behind an op whose name goes to what comes out of both. */
function addWithActivation(
  builder: GraphBuilder,
  op: OpName,
  name: string,
  operands: readonly ValueRef[],
  attrs: Attrs[OpName],
): readonly ValueRef[] {
  if (!('activation' in attrs) || attrs.activation === 'none') return builder.node(op, name, operands, attrs);
  const { activation } = attrs;
  const linear = builder.node(op, `${name}/linear`, operands, { ...attrs, activation: 'none' });
  if (activation !== 'relu_n1_to_1') return builder.node(activation, name, linear, {});
  const [low, high] = [-1, 1].map((limit) => builder.constant(`${name}/${limit}`, floatTensor([], [limit])));
  const above = builder.node('maximum', `${name}/maximum`, [...linear, low ?? internal('a limit')], {});
  return builder.node('minimum', name, [...above, high ?? internal('a limit')], {});
}

function readAs(form: Form, bytes: Uint8Array, path: string): Graph {
  const file = readTfliteContents(bytes, path);
  const [subgraph, ...others] = file.subgraphs;
  if (subgraph === undefined || others.length > 0) {
    const names = file.subgraphs.map(({ name }) => `"${name}"`).join(', ');
    throw unsupportedModel(path, `the model has ${file.subgraphs.length} subgraphs (${names}); qpipe takes one`);
  }
  reportMissingOps(file, path);
  const builder = buildGraph(subgraph.name === '' ? 'main' : subgraph.name, form.level);
  const reader: Reader = {
    form,
    file,
    path,
    builder,
    tensors: subgraph.tensors,
    names: valueNames(subgraph),
    constants: new Map(),
  };
  for (const index of subgraph.inputs) {
    if (builder.has(nameOf(reader, index))) throw damagedModel(path, `"${nameOf(reader, index)}" is an input twice`);
    builder.input(nameOf(reader, index), typeOf(reader, index), quantOf(reader, index));
  }
  for (const [index, operator] of subgraph.operators.entries()) addOperator(reader, operator, index);
  const outputs = subgraph.outputs.map((index) => {
    const name = nameOf(reader, index);
    if (builder.has(name)) return builder.ref(name);
    const constant = constantAt(reader, index);
    if (constant === null) throw damagedModel(path, `nothing makes the output "${name}"`);
    return addConstant(reader, name, constant, null, index);
  });
  return builder.finish(outputs);
}

interface Reader {
  readonly form: Form;
  readonly file: TfliteFile;
  readonly path: string;
  readonly builder: GraphBuilder;
  readonly tensors: readonly TfliteTensor[];
  readonly names: readonly string[];
  /** Constants of the graph so far: those of the file that an operator reads, and shapes computed from others. */
  readonly constants: Map<string, Tensor>;
}

/** Files may leave names out or repeat them; ours are keys, so they must be unique. */
function uniqueNames(tensors: readonly TfliteTensor[]): readonly string[] {
  const taken = new Set<string>();
  return tensors.map(({ name }, index) => {
    const unique = name === '' || taken.has(name) ? `${name}#${index}` : name;
    taken.add(unique);
    return unique;
  });
}

/** Further outputs of an operator are `name:k` in a graph, after its first. */
function valueNames({ tensors, operators }: TfliteSubgraph): readonly string[] {
  const names = [...uniqueNames(tensors)];
  for (const { outputs } of operators) {
    for (const [index, tensorIndex] of outputs.entries()) {
      if (index > 0) names[tensorIndex] = `${names[outputs[0]!]!}:${index}`;
    }
  }
  return names;
}

function reportMissingOps(file: TfliteFile, path: string): void {
  const missing = new Map<string, { readonly count: number; readonly first: number }>();
  for (const [index, operator] of file.subgraphs.flatMap((subgraph) => subgraph.operators).entries()) {
    const code = file.operatorCodes[operator.opcodeIndex] ?? internal('an operator code is out of range');
    if (opOfBuiltinCode(code.builtinCode) !== null) continue;
    const name = code.customCode ?? builtinName(code.builtinCode);
    const { count, first } = missing.get(name) ?? { count: 0, first: index };
    missing.set(name, { count: count + 1, first });
  }
  if (missing.size === 0) return;
  throw new UserError(
    [...missing].map(([name, { count, first }]): Diagnostic => ({
      code: 'unknown-op',
      place: { file: path },
      message:
        `the model uses ${name} (${count} ${count === 1 ? 'time' : 'times'}), which qpipe does not know; ` +
        `the first is operator ${first}`,
      hint: '`qpipe inspect` still shows the file; `qpipe predict --runtime litert` may run it',
    })),
  );
}

function tensorAt({ tensors }: Reader, index: number): TfliteTensor {
  return tensors[index] ?? internal(`tensor ${index} is out of range after validation`);
}

function nameOf({ names }: Reader, index: number): string {
  return names[index] ?? internal(`tensor ${index} has no name`);
}

function typeOf(reader: Reader, index: number): TensorType {
  const { type, shape, foreign } = tensorAt(reader, index);
  const dtype = dtypes[type];
  if (dtype === undefined) {
    throw unsupportedModel(reader.path, `tensor "${nameOf(reader, index)}" is ${type}; ${reader.form.taker}`);
  }
  if (foreign !== undefined) {
    throw unsupportedModel(reader.path, `tensor "${nameOf(reader, index)}" is ${foreign}; qpipe reads dense buffers`);
  }
  return { dtype, shape };
}

function quantOf(reader: Reader, index: number): QuantParams | null {
  const { quantization, shape } = tensorAt(reader, index);
  if (quantization === null || quantization.scale.length === 0) return null;
  const { scale, zeroPoint, quantizedDimension } = quantization;
  // What TensorFlow Lite reads where there is no scale at all.
  if (scale.length === 1 && scale[0] === 0 && zeroPoint[0] === 0) return null;
  const bad = scale.find((value) => !(value > 0 && value < Infinity));
  if (bad !== undefined) throw damagedModel(reader.path, `tensor "${nameOf(reader, index)}" has scale ${bad}`);
  if (scale.length === 1) {
    return { kind: 'per_tensor', scale: scale[0] ?? 0, zeroPoint: zeroPoint[0] ?? 0 };
  }
  if (zeroPoint.some((value) => value !== 0)) {
    throw unsupportedModel(
      reader.path,
      `tensor "${nameOf(reader, index)}" has zero points per channel; qpipe's interpreter runs symmetric weights`,
    );
  }
  // Biases carry any axis; they have only one.
  const axis = shape.length === 1 ? 0 : quantizedDimension;
  if (shape[axis] !== scale.length) {
    throw damagedModel(
      reader.path,
      `tensor "${nameOf(reader, index)}" has ${counted(scale.length, 'scale')} for axis ${axis} of [${shape.join(',')}]`,
    );
  }
  return { kind: 'per_channel', scales: scale, axis };
}

/** The data of a constant tensor; null for one that is computed. */
function constantAt(reader: Reader, index: number): Tensor | null {
  const known = reader.constants.get(nameOf(reader, index));
  if (known !== undefined) return known;
  const buffer = reader.file.buffers[tensorAt(reader, index).buffer];
  if (buffer === undefined || buffer.length === 0) return null;
  const { dtype, shape } = typeOf(reader, index);
  return tensor(dtype, shape, dataFromBytes(dtype, buffer));
}

function addOperator(reader: Reader, operator: TfliteOperator, position: number): void {
  const { builder, file, path } = reader;
  const code = file.operatorCodes[operator.opcodeIndex] ?? internal('an operator code is out of range');
  const op = opOfBuiltinCode(code.builtinCode) ?? internal(`operator ${code.builtinCode} passed the check`);
  // The row's name and its attributes belong together.
  const binding = ops[op].tflite as TfliteBinding<Attrs[OpName]>;
  const [first] = operator.outputs;
  if (first === undefined) throw damagedModel(path, `operator ${position}, a ${op}, has no outputs; expected 1`);
  const place = `${op} "${nameOf(reader, first)}"`;
  const stored = operator.inputs.filter(
    (index, position) => index >= 0 && !binding.parameterPositions.includes(position),
  );
  const operands = binding.operandOrder === undefined ? stored : inOrder(stored, binding.operandOrder);
  requireOperandCount(reader, op, place, operands.length);
  try {
    if (isHalfConstant(reader, op, operands)) {
      const [input = 0] = operands;
      reader.constants.set(nameOf(reader, first), halfConstant(reader, input));
      return;
    }
    const refs = operands.map((index, position) => {
      const name = nameOf(reader, index);
      if (builder.has(name)) return builder.ref(name);
      const constant = constantAt(reader, index);
      if (constant === null) throw unmade(reader, index, place);
      return addConstant(reader, name, constant, { op, position }, index);
    });
    const attrs = binding.decode({
      options: operator.options,
      inputs: refs.map(({ type }) => type),
      outputs: operator.outputs.map((index) => typeOf(reader, index)),
      parameters: binding.parameterPositions.map((position) => {
        const index = operator.inputs[position];
        return index === undefined || index < 0 ? null : parameterAt(reader, index);
      }),
    });
    for (const [position, index] of operands.entries()) reader.form.checkOperand(reader, op, position, index);
    addNode(reader, op, operator.outputs, refs, attrs);
  } catch (error) {
    if (error instanceof ShapeError) {
      throw refusalOf(path, error.message.includes('"') ? error : error.at(place));
    }
    throw error;
  }
}

function unmade(reader: Reader, index: number, place: string): UserError {
  const named = `${place} reads tensor "${nameOf(reader, index)}", which`;
  return tensorAt(reader, index).isVariable
    ? unsupportedModel(reader.path, `${named} keeps its values from run to run; qpipe has no such variables`)
    : damagedModel(reader.path, `${named} nothing has made`);
}

function addConstant(reader: Reader, name: string, data: Tensor, use: Use | null, index: number): ValueRef {
  reader.constants.set(name, data);
  return reader.form.addConstant(reader, name, data, use, index);
}

/** Whether an operator makes floats of 32 bits out of weights of 16. */
function isHalfConstant(reader: Reader, op: OpName, [input]: readonly number[]): boolean {
  return reader.form.level === 'float' && op === 'dequantize' && tensorAt(reader, input ?? 0).type === 'FLOAT16';
}

/** The values of float16, which float32 holds exactly. */
function halfConstant(reader: Reader, index: number): FloatTensor {
  const { shape, buffer } = tensorAt(reader, index);
  const bytes = reader.file.buffers[buffer];
  if (bytes === undefined || bytes.length === 0)
    throw damagedModel(reader.path, `"${nameOf(reader, index)}" is float16 and computed; expected weights`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return tensor(
    'float32',
    shape,
    Float32Array.from({ length: bytes.length / 2 }, (_, at) => fromFloat16(view.getUint16(2 * at, true))),
  );
}

function addNode(
  reader: Reader,
  op: OpName,
  outputs: readonly number[],
  operands: Parameters<GraphBuilder['node']>[2],
  attrs: Attrs[OpName],
): void {
  const [first = 0, ...others] = outputs;
  const name = nameOf(reader, first);
  const taken = outputs.find((output) => reader.builder.has(nameOf(reader, output)));
  if (taken !== undefined) throw damagedModel(reader.path, `tensor "${nameOf(reader, taken)}" is written twice`);
  const quant = quantOf(reader, first);
  if (quant?.kind === 'per_channel')
    throw unsupportedModel(reader.path, `"${name}" of ${op} has scales per channel; expected one`);
  if (others.some((output) => !sameQuant(quant, quantOf(reader, output)))) {
    throw unsupportedModel(
      reader.path,
      `the outputs of ${op} "${name}" differ in scale or zero point; expected one for all`,
    );
  }
  const shapes = foldShapes(op, operands, attrs, reader.constants);
  const made =
    shapes === null
      ? reader.form.addNode(reader.builder, op, name, operands, attrs, quant)
      : shapes.map((shape, index) => {
          const made = index === 0 ? name : `${name}:${index}`;
          reader.constants.set(made, shape);
          return reader.builder.constant(made, shape);
        });
  if (made.length !== outputs.length) {
    throw damagedModel(
      reader.path,
      `${op} "${name}" has ${counted(outputs.length, 'output')}; expected ${made.length}`,
    );
  }
  for (const [index, { type }] of made.entries()) {
    const output = outputs[index] ?? internal('as many outputs as were counted');
    reader.form.checkOutput(reader, op, output);
    requireDeclared(reader, op, output, type);
  }
}

/**
 * TensorFlow Lite computes every shape anew, so what the file says of values inside the model is not looked at; what it
 * says of inputs and outputs is what callers go by.
 */
function requireDeclared(reader: Reader, op: OpName, output: number, made: TensorType): void {
  const declared = typeOf(reader, output);
  const isOutput = reader.file.subgraphs[0]?.outputs.includes(output) === true;
  const { shapeSignature } = tensorAt(reader, output);
  const hasType = made.dtype === heldType(op, declared.dtype);
  if (hasType && (!isOutput || fitsDeclared(made.shape, declared.shape, shapeSignature))) return;
  const [found, expected] = [made, declared].map(({ dtype, shape }) => `${dtype}[${shape.join(',')}]`);
  const message = `${op} "${nameOf(reader, output)}" makes ${found} but the file says ${expected}`;
  throw (hasType ? damagedModel : unsupportedModel)(reader.path, message);
}

/** An index that the file keeps as int64 is int32 here: it counts the elements of one axis. */
function heldType(op: OpName, declared: DType): DType {
  return declared === 'int64' && ops[op].quant.kind === 'codes' ? 'int32' : declared;
}

/** Whether an output has the shape that the file says, in every dimension that the file does not leave open. */
function fitsDeclared(made: Shape, declared: Shape, signature: Shape | null): boolean {
  return (
    made.length === declared.length && made.every((size, axis) => size === declared[axis] || signature?.[axis] === -1)
  );
}

/** The data of a parameter: shapes and axes, which the file keeps as tensors. */
function parameterAt(reader: Reader, index: number): Tensor | null {
  const parameter = constantAt(reader, index);
  if (parameter?.data instanceof BigInt64Array) {
    return tensor('int32', parameter.shape, Int32Array.from(parameter.data, Number));
  }
  if (parameter !== null && parameter.dtype !== 'int32') {
    throw damagedModel(reader.path, `"${nameOf(reader, index)}" is ${parameter.dtype}; expected int32 or int64`);
  }
  return parameter;
}

function requireOperandCount({ path }: Reader, op: OpName, place: string, found: number): void {
  const { operands, variadic } = ops[op];
  const required = operands.filter((operand) => operand.optional !== true).length;
  if (found >= required && (found <= operands.length || variadic === true)) return;
  throw damagedModel(path, `${place} has ${counted(found, 'input')}; expected ${required} to ${operands.length}`);
}

/** Only filters and biases have a scale for each channel, and filters have it on the channels of the output. */
function checkIntegerOperand(reader: Reader, op: OpName, position: number, index: number): void {
  const quant = quantOf(reader, index);
  const { quant: rule, operands } = ops[op];
  if (operands[position]?.role === 'bias') checkBias(reader, op, index);
  else checkInteger(reader, op, index);
  if (quant?.kind !== 'per_channel' || operands[position]?.role === 'bias') return;
  if (rule.kind === 'affine' && position === rule.weight && quant.axis === rule.channelAxis) return;
  throw unsupportedModel(
    reader.path,
    `tensor "${nameOf(reader, index)}" of ${op} has scales on axis ${quant.axis}; ` +
      (rule.kind === 'affine' && position === rule.weight ? `expected axis ${rule.channelAxis}` : 'expected one scale'),
  );
}

/** Operand i of the file goes to place `order[i]`; trailing ones may be missing. */
function inOrder<T>(operands: readonly T[], order: readonly number[]): readonly T[] {
  return order.flatMap((from) => operands[from] ?? []);
}

function sameQuant(a: QuantParams | null, b: QuantParams | null): boolean {
  if (a?.kind !== 'per_tensor' || b?.kind !== 'per_tensor') return a === b;
  return a.scale === b.scale && a.zeroPoint === b.zeroPoint;
}

function checkBias(reader: Reader, op: OpName, index: number): void {
  const { dtype } = typeOf(reader, index);
  if (dtype === 'int32') return;
  const place = `tensor "${nameOf(reader, index)}" of ${op}`;
  throw unsupportedModel(reader.path, `${place} is a bias of ${dtype}; qpipe's interpreter adds int32`);
}

/** The integer kernels compute with codes: every activation needs parameters, and floats stay at the edges. */
function checkInteger(reader: Reader, op: OpName, index: number): void {
  const { dtype } = typeOf(reader, index);
  const place = `tensor "${nameOf(reader, index)}" of ${op}`;
  const isFloat = dtype === 'float32' && op !== 'quantize' && op !== 'dequantize';
  if (isFloat || heldType(op, dtype) === 'int64') {
    throw unsupportedModel(reader.path, `${place} is ${dtype}; qpipe's interpreter runs int8 and uint8`);
  }
  if (dtype === 'float32' || runsWithoutScale(ops[op].quant, dtype)) return;
  if (dtype === 'int32' && op !== 'quantize') {
    throw unsupportedModel(reader.path, `${place} is int32; qpipe's interpreter computes with int8 and uint8`);
  }
  if (quantOf(reader, index) === null) {
    throw unsupportedModel(
      reader.path,
      `${place} is ${dtype} without a scale and zero point, which ${op} computes with`,
    );
  }
}

/** Values are floats; indices and shapes are int32. */
function checkFloat(reader: Reader, op: OpName, index: number): void {
  const { dtype } = typeOf(reader, index);
  if (dtype === 'float32' || (dtype === 'int32' && runsWithoutScale(ops[op].quant, 'int32'))) return;
  throw unsupportedModel(
    reader.path,
    `tensor "${nameOf(reader, index)}" of ${op} is ${dtype}, so the model is quantized already; an import takes float models`,
  );
}
