/** Walks the nodes of an ONNX model and builds a graph of ours. */
import { internal } from '../../core/assert.ts';
import type { Diagnostic } from '../../core/diagnostic.ts';
import { UserError, userError } from '../../core/diagnostic.ts';
import type { OnnxGraph, OnnxModel, OnnxNode, OnnxPort, OnnxTensor } from '../../formats/protobuf/onnx.ts';
import { readOnnxModel } from '../../formats/protobuf/onnx.ts';
import { buildGraph } from '../../graph/builder.ts';
import type { Graph } from '../../graph/graph.ts';
import { verify } from '../../graph/verify.ts';
import type { ValueRef } from '../../ops/define.ts';
import { ShapeError } from '../../ops/define.ts';
import { prune } from '../../passes/prune.ts';
import type { Imported } from '../define.ts';
import { withNames } from '../names.ts';
import { Refusal } from '../refusal.ts';
import { Attributes } from './attributes.ts';
import type { Call, Value } from './context.ts';
import { Target } from './context.ts';
import { readExternal } from './external.ts';
import { folded, foldedOps } from './fold.ts';
import { addInput } from './inputs.ts';
import { remedyFor } from './remedies.ts';
import { perChannel } from './rules/dense.ts';
import type { Static } from './static.ts';
import { elementType, readStatic } from './static.ts';
import { ruleOf, rules } from './table.ts';
import { outputOrder, shapeOf } from './view.ts';

/** The versions of ONNX's own ops whose meaning the rules know. */
export const opsets = { first: 13, last: 21 } as const;

const mostProblems = 100;

/** A value of the file; `failed` follows from a node that could not be imported. */
type Known = Value | 'failed';

interface Reading {
  readonly path: string;
  readonly graph: OnnxGraph;
  readonly target: Target;
  readonly values: Map<string, Known>;
  readonly problems: Diagnostic[];
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  /** How many nodes read a value. */
  readonly readers: ReadonlyMap<string, number>;
  readonly outputs: ReadonlySet<string>;
}

/** @throws UserError for a damaged file, and for all that cannot be imported */
export function readOnnx(bytes: Uint8Array, path: string, fileBytes = bytes.length): Imported {
  const model = readOnnxModel(bytes, path);
  checkModel(model, path);
  const { graph } = model;
  const reading: Reading = {
    ...{ path, graph, problems: [], values: new Map() },
    initializers: new Map(graph.initializers.map((tensor) => [tensor.name, tensor])),
    target: new Target(buildGraph('model', 'float'), fileBytes),
    readers: countReaders(graph),
    outputs: new Set(graph.outputs.map(({ name }) => name)),
  };
  checkInitializers(reading);
  for (const port of graph.inputs)
    if (!reading.initializers.has(port.name))
      attempt(reading, [port.name], null, () => [addInput(reading.target, graph, port)]);
  for (const [index, node] of graph.nodes.entries()) readNode(reading, node, index);
  const outputs = graph.outputs.map((port) => outputOf(reading, port));
  const refs = outputs.filter((ref) => ref !== null);
  if (reading.problems.length > 0) throw new UserError(limited(reading.problems, path));
  if (refs.length !== outputs.length) internal('an output failed without a problem');
  const built = prune(reading.target.builder.finish(refs));
  return { graph: verify(withOutputNames(built, graph)), classes: null, notes: [...reading.target.notes] };
}

/** Outputs have the names that the file gives them. */
function withOutputNames(built: Graph, { outputs }: OnnxGraph): Graph {
  const isInput = (name: string): boolean => built.inputs.includes(name);
  const names = new Map(built.outputs.map((name, index) => [name, outputs[index]?.name ?? name]));
  return withNames(built, (name) => (isInput(name) ? name : (names.get(name) ?? name)));
}

function checkModel({ opsets: found, graph, functionNames }: OnnxModel, path: string): void {
  const own = found.find(({ domain }) => domain === '');
  if (own === undefined || own.version < opsets.first || own.version > opsets.last) {
    throw userError(
      path,
      'unsupported-onnx-opset',
      own === undefined
        ? `it names no opset of the domain "ai.onnx"; expected one from ${opsets.first} to ${opsets.last}`
        : `it is written in opset "${own.version}"; expected ${opsets.first} to ${opsets.last}`,
      `convert it: onnx.version_converter.convert_version(onnx.load("model.onnx"), ${opsets.last - 4})`,
    );
  }
  if (graph.hasSparseInitializers) {
    throw userError(
      path,
      'unsupported-onnx',
      'the graph of outputs (model) has sparse weights; expected plain tensors',
    );
  }
  if (functionNames.length > 0 && graph.nodes.some(({ domain }) => domain !== '')) {
    throw userError(
      path,
      'unsupported-onnx',
      `the model defines functions (${functionNames.slice(0, 3).join(', ')}); expected ONNX's own ops`,
      'inline them: onnx.inliner.inline_local_functions(model)',
    );
  }
}

function countReaders(graph: OnnxGraph): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const input of graph.nodes.flatMap((node) => node.inputs))
    if (input !== '') counts.set(input, (counts.get(input) ?? 0) + 1);
  return counts;
}

/** Their values are read when something first needs them. */
function checkInitializers({ graph, target, path }: Reading): void {
  const seen = new Set<string>();
  for (const tensor of graph.initializers) {
    if (seen.has(tensor.name)) throw userError(path, 'bad-onnx', `two initializers are named "${tensor.name}"`);
    seen.add(tensor.name);
    const type = elementType(tensor.dataType);
    if (type?.kind === 'float' && type.name !== 'float32')
      target.note(`Weights that were ${type.name} are float32 here.`);
  }
}

/** The value of a name; null for one that nothing makes. */
function known(reading: Reading, name: string): Known | null {
  const value = reading.values.get(name);
  if (value !== undefined) return value;
  const tensor = initializer(reading, name);
  if (tensor === null) return null;
  reading.values.set(name, tensor);
  return tensor;
}

function initializer(reading: Reading, name: string): Known | null {
  const tensor = reading.initializers.get(name);
  if (tensor === undefined) return null;
  let found: Known = 'failed';
  attempt(reading, [name], null, () => {
    const value: Static = readStatic(tensor, (content) => readExternal(reading.path, content));
    found = value;
    return [value];
  });
  return found;
}

/** Runs what may be refused, and keeps the results or the problem. */
function attempt(reading: Reading, names: readonly string[], node: string | null, run: () => readonly Value[]): void {
  try {
    const results = run();
    for (const [index, name] of names.entries()) {
      if (name !== '') reading.values.set(name, results[index] ?? 'failed');
    }
  } catch (error) {
    if (!(error instanceof Refusal) && !(error instanceof ShapeError)) throw error;
    for (const name of names) reading.values.set(name, 'failed');
    const remedy = error instanceof Refusal ? error.remedy : null;
    addProblem(reading, node === null ? error.message : `${node}: ${error.message}`, remedy);
  }
}

function addProblem({ path, problems }: Reading, message: string, remedy: string | null): void {
  const hint = remedy ?? 'change the network before it is exported, or cut the graph before this node';
  problems.push({ code: 'unsupported-onnx', place: { file: path }, message, hint });
}

const labelOf = ({ name, outputs, opType }: OnnxNode, index: number): string =>
  `node ${index} "${name === '' ? (outputs[0] ?? '') : name}" (${opType})`;

function readNode(reading: Reading, node: OnnxNode, index: number): void {
  const label = labelOf(node, index);
  const repeated = node.outputs.find(
    (name) => name !== '' && (reading.values.has(name) || reading.initializers.has(name)),
  );
  if (repeated !== undefined) {
    throw userError(reading.path, 'bad-onnx', `${label}: it makes "${repeated}", which something else made before`);
  }
  const isKnown = node.domain === '' && (ruleOf(node.opType) !== null || foldedOps.includes(node.opType));
  const names = node.inputs.map((name) => (name === '' ? null : name));
  const missing = names.find((name) => name !== null && known(reading, name) === null);
  if (missing !== undefined && missing !== null) {
    throw userError(
      reading.path,
      'bad-onnx',
      `${label}: it reads "${missing}", which nothing before it makes`,
      'check the model with onnx.checker.check_model',
    );
  }
  if (!isKnown) {
    for (const name of node.outputs) reading.values.set(name, 'failed');
    addProblem(reading, `${label}: ${unknownOp(node)}`, remedyFor(node.opType));
    return;
  }
  if (names.some((name) => name !== null && known(reading, name) === 'failed')) {
    for (const name of node.outputs) reading.values.set(name, 'failed');
    return;
  }
  attempt(reading, node.outputs, label, () => importNode(reading, node));
}

function unknownOp({ domain, opType }: OnnxNode): string {
  if (domain !== '') return `it is of the domain "${domain}"; expected ONNX's own ops`;
  return `no op or layer of qpipe does what ${opType} does; expected one of ${Object.keys(rules).join(', ')}`;
}

function importNode(reading: Reading, node: OnnxNode): readonly Value[] {
  const { target, readers, outputs } = reading;
  const withBias = biasInto(reading, node);
  if (withBias !== null) return [withBias];
  const call: Call = {
    ...{ graph: target, node },
    name: target.layerName(node.name === '' ? (node.outputs[0] ?? '') : node.name, node.opType),
    inputs: node.inputs.map((name) => (name === '' ? null : readable(reading, name, node.opType === 'Shape'))),
    attributes: new Attributes(node),
    isRead: (index) => (readers.get(node.outputs[index] ?? '') ?? 0) > 0,
    isOutput: (index) => outputs.has(node.outputs[index] ?? ''),
  };
  const constants = folded(call);
  if (constants !== null) return constants;
  const rule = ruleOf(node.opType) ?? foldOnly(node);
  return rule(call);
}

function foldOnly({ opType }: OnnxNode): never {
  throw new Refusal(`its inputs are computed by the network; ${opType} is done on constants only`, remedyFor(opType));
}

/** A value that a rule can read: what waited for a bias has none. */
function readable(reading: Reading, name: string, onlyItsShape: boolean): Value {
  const value = reading.values.get(name);
  if (value === undefined || value === 'failed') return internal(`"${name}" was not imported`);
  if (value.kind !== 'affine' || onlyItsShape) return value;
  const view = value.finish(null);
  reading.values.set(name, view);
  return view;
}

/** The layer before an Add that adds one constant for each of its output channels: that is its bias. */
function biasInto(reading: Reading, node: OnnxNode): Value | null {
  if (node.opType !== 'Add' || node.inputs.length !== 2) return null;
  for (const [layerName, constantName] of [node.inputs, node.inputs.toReversed()]) {
    const layer = reading.values.get(layerName ?? '');
    const constant = reading.values.get(constantName ?? '');
    if (layer === undefined || layer === 'failed' || layer.kind !== 'affine') continue;
    if (constant === undefined || constant === 'failed' || constant.kind !== 'static') continue;
    const isAlone = reading.readers.get(layerName ?? '') === 1 && !reading.outputs.has(layerName ?? '');
    const bias = isAlone ? perChannel(constant, layer) : null;
    if (bias !== null) return layer.finish(bias);
  }
  return null;
}

function outputOf(reading: Reading, { name }: OnnxPort): ValueRef | null {
  const value = known(reading, name);
  if (value === null) throw userError(reading.path, 'bad-onnx', `the output "${name}" is made by nothing`);
  if (value === 'failed') return null;
  const view = readable(reading, name, false);
  if (view.kind !== 'view') {
    addProblem(reading, `the output "${name}" does not depend on an input`, null);
    return null;
  }
  let result: ValueRef | null = null;
  attempt({ ...reading, values: new Map() }, [], null, () => {
    const order = outputOrder(view);
    const axes = order.map((axis) => [axis]);
    result = reading.target.arranged(reading.target.layerName(name), view, axes);
    noteOrder(reading, name, shapeOf(view), result.type.shape, order);
    return [];
  });
  return result;
}

function noteOrder(
  { target }: Reading,
  name: string,
  shape: readonly number[],
  ours: readonly number[],
  order: readonly number[],
): void {
  if (order.every((axis, index) => index === 0 || axis > (order[index - 1] ?? 0))) return;
  target.note(`The output "${name}" [${shape.join(',')}] is [${ours.join(',')}] here: channels come last.`);
}

function limited(problems: readonly Diagnostic[], path: string): readonly Diagnostic[] {
  if (problems.length <= mostProblems) return problems;
  const rest = problems.length - mostProblems;
  const more = {
    code: 'unsupported-onnx',
    place: { file: path },
    message: `and ${rest} more, the last in ${problems.at(-1)?.message ?? ''}`,
  };
  return [...problems.slice(0, mostProblems), more];
}
