/** From a graph to one SavedModel whose signatures share a session: `step`, `read` and `initialize`. */
import { internal, present } from '../../core/assert.ts';
import { expectDType, numElements } from '../../core/tensor.ts';
import type { Shape } from '../../core/tensor.ts';
import type { Graph, Node, Update } from '../../graph/graph.ts';
import { consumers, valueOf, variablesOf } from '../../graph/graph.ts';
import type { GraphDefBinding } from '../../ops/define.ts';
import { ops } from '../../ops/index.ts';
import { textAttribute } from '../../formats/protobuf/attribute-value.ts';
import type { AttributeValue } from '../../formats/protobuf/attribute-value.ts';
import type { NodeDef } from '../../formats/protobuf/graph-def.ts';
import type { SavedModel, SignatureDef, TensorInfo } from '../../formats/protobuf/saved-model.ts';
import type { CrossReplicaAttrs } from '../../ops/training.ts';
import type { Device, FloatOp } from '../engine.ts';
import { liveNodes, replicaValues } from '../replicas.ts';
import { inStoredOrder, operandLayouts, sameLayout, sourceLayouts, storedShape } from './layouts.ts';
import type { LoweredNode, Lowerings, Permutation } from './lower.ts';
import { loweringOf, lowerings } from './lower.ts';
import { ownLowerings } from './own-lowerings.ts';
import type { Writer } from './writer.ts';
import { createWriter } from './writer.ts';

export interface Plan {
  readonly model: SavedModel;
  /** The elements of the one output of `step`, in order. */
  readonly outputs: readonly { readonly name: string; readonly length: number }[];
  /** Feeds of `step`. */
  readonly inputs: readonly Feed[];
  /** Feeds of `initialize`, results of `read`; their names are those of the variables. */
  readonly variables: readonly (Feed & { readonly layout: Permutation | null })[];
}

export interface Feed {
  readonly name: string;
  /** In the signature. */
  readonly key: string;
  readonly shape: Shape;
}

export const outputKey = 'output';

/** Whose kernels compute the ops that quantization-aware training adds to a network: our own or TensorFlow's. */
export type KernelChoice = 'own' | 'library';

export interface PlanOptions {
  /** Inputs of which each replica gets its own piece. */
  readonly split: ReadonlySet<string>;
  readonly replicas: number;
  /** One for each replica; null leaves the choice to TensorFlow. */
  readonly devices: readonly Device[] | null;
  /** Our own run on CPUs only; graphs with other devices take TensorFlow's. */
  readonly kernels: KernelChoice;
}

/** A value: one name if it is shared, else one for each replica. */
interface Lowered {
  readonly names: readonly string[];
  readonly layout: Permutation | null;
}

export function makePlan(graph: Graph, options: PlanOptions): Plan {
  const { replicas, devices, kernels } = options;
  const isOnCpu = devices === null || devices.every(({ kind }) => kind === 'cpu');
  const table = kernels === 'own' && isOnCpu ? ownLowerings() : lowerings;
  const live = liveNodes(graph);
  const nodes: NodeDef[] = [];
  const taken = new Set<string>();
  const planning: Planning = {
    ...{ graph, table, options },
    perReplica: replicaValues(graph, live, options.split),
    stored: sourceLayouts(table, graph, live),
    shared: createWriter(nodes, taken, 'shared', deviceName(devices?.[0])),
    scopes: Array.from({ length: replicas }, (_, replica) =>
      createWriter(nodes, taken, `replica_${replica}`, deviceName(devices?.[replica])),
    ),
    ...{ values: new Map(), handles: new Map(), updated: [] },
  };
  const inputs = addInputs(planning);
  addSources(planning);
  const inPlace = updatesInPlace(table, graph, live);
  for (const node of live) addNode(planning, node, inPlace.get(node));
  const done = new Set([...inPlace.values()].flat());
  for (const update of graph.updates) if (!done.has(update)) addAssignment(planning, update);
  const step = addOutput(planning);
  const initialize = addInitialization(planning);
  return {
    inputs,
    outputs: step.outputs,
    variables: initialize.variables.map(({ name, key, shape, layout }) => ({ name, key, shape, layout })),
    model: savedModel(nodes, {
      step: signature(
        inputs.map(({ key, name, shape }) => [key, tensorInfo(name, shape)]),
        [[outputKey, step.info]],
      ),
      read: signature(
        [],
        initialize.variables.map(({ key, name, shape }) => [key, tensorInfo(handleOf(planning, name).read, shape)]),
      ),
      initialize: signature(
        initialize.variables.map(({ key, placeholder, shape }) => [key, tensorInfo(placeholder, shape)]),
        [[outputKey, initialize.info]],
      ),
    }),
  };
}

/** What is known while nodes are written one after the other. */
interface Planning {
  readonly graph: Graph;
  readonly table: Lowerings;
  readonly options: PlanOptions;
  /** Values of which each replica has its own. */
  readonly perReplica: ReadonlySet<string>;
  /** The order of axes in which constants and variables are kept. */
  readonly stored: ReadonlyMap<string, Permutation>;
  readonly shared: Writer;
  /** One for each replica. */
  readonly scopes: readonly Writer[];
  readonly values: Map<string, Lowered>;
  readonly handles: Map<string, { readonly handle: string; readonly read: string }>;
  /** Control inputs: the nodes that change variables. */
  readonly updated: string[];
}

const lowered = ({ values }: Planning, name: string): Lowered =>
  present(values.get(name), `TensorFlow's form of "${name}"`);

const handleOf = ({ handles }: Planning, name: string) => present(handles.get(name), `variable "${name}"`);

function writerOf({ shared, scopes }: Planning, copies: number, replica: number): Writer {
  return copies === 1 ? shared : present(scopes[replica], 'a scope for each replica');
}

/** The value's pieces in an order of axes. */
function inLayout(planning: Planning, name: string, layout: Permutation | null): readonly string[] {
  const { names, layout: from } = lowered(planning, name);
  if (sameLayout(from, layout)) return names;
  const axes = valueOf(planning.graph, name).type.shape.map((_, axis) => axis);
  const permutation = (layout ?? axes).map((axis) => (from ?? axes).indexOf(axis));
  return names.map((piece, replica) => writerOf(planning, names.length, replica).transpose(piece, permutation));
}

function addInputs({ graph, options: { split, replicas }, shared, values }: Planning): readonly Feed[] {
  return graph.inputs.map((name, index): Feed => {
    const { shape } = valueOf(graph, name).type;
    const fed = split.has(name) ? [replicas, ...shape] : shape;
    const placeholder = shared.node('Placeholder', name, [], { dtype: FLOAT, shape: { kind: 'shape', value: fed } });
    values.set(name, { names: split.has(name) ? unpack(shared, placeholder, replicas) : [placeholder], layout: null });
    return { name: placeholder, key: `input_${index}`, shape: fed };
  });
}

/** Constants, and variables, each of which one node reads. */
function addSources({ graph, stored, shared, values, handles }: Planning): void {
  for (const { name, type, source } of graph.values.values()) {
    const layout = stored.get(name) ?? null;
    if (source.kind === 'constant') {
      values.set(name, { names: [shared.constant(name, inStoredOrder(source.data, layout))], layout });
    }
    if (source.kind !== 'variable') continue;
    const handle = shared.node('VarHandleOp', name, [], {
      dtype: FLOAT,
      shape: { kind: 'shape', value: storedShape(type.shape, layout) },
      shared_name: textAttribute(name),
      container: textAttribute(''),
    });
    const read = shared.node('ReadVariableOp', `${name}/read`, [handle], { dtype: FLOAT });
    handles.set(name, { handle, read });
    values.set(name, { names: [read], layout });
  }
}

/** @param update the variables that the node changes where they lie; undefined for a node that gives values */
function addNode(planning: Planning, node: Node, update: readonly Update[] | undefined): void {
  const { graph, table, options, perReplica, shared, values } = planning;
  const [first = ''] = node.inputs;
  if (node.op === 'cross_replica' && lowered(planning, first).names.length > 1) {
    const { names, layout } = lowered(planning, first);
    values.set(node.name, { names: [combine(shared, node.name, names, node.attrs)], layout });
    return;
  }
  const copies = perReplica.has(node.outputs[0] ?? '') ? options.replicas : 1;
  const lowering = loweringOf(table, node.op);
  const operands = operandLayouts(graph, node, lowering, (name) => lowered(planning, name).layout);
  const pieces = node.inputs.map((input, index) => inLayout(planning, input, operands.layouts[index] ?? null));
  const results = Array.from({ length: copies }, (_, replica) => {
    const writer = writerOf(planning, copies, replica);
    const loweredNode: LoweredNode<FloatOp> = {
      inputs: pieces.map((names) => present(names[replica] ?? names[0], `an operand of ${node.name}`)),
      inputShapes: node.inputs.map((input, index) =>
        storedShape(valueOf(graph, input).type.shape, operands.layouts[index] ?? null),
      ),
      outputShapes: node.outputs.map((output) => valueOf(graph, output).type.shape),
      // Pairs with the lowering of the same op; the table's types guarantee it.
      attrs: node.attrs,
      layout: operands.common,
    };
    return writer.within(node.name, () => {
      if (lowering === 'graphdef') return writeFileForm(writer, node, loweredNode);
      if (update === undefined) return lowering.write(writer, loweredNode);
      const variables = update.map(({ variable }) => handleOf(planning, variable));
      const { write } = present(lowering.update, `the updating form of ${node.op}`);
      const handles = variables.map(({ handle }) => handle);
      const after = variables.map(({ read }) => `^${read}`);
      planning.updated.push(write(writer, handles, after, loweredNode));
      return [];
    });
  });
  if (update !== undefined) return;
  for (const [index, output] of node.outputs.entries()) {
    const names = results.map((outputs) => present(outputs[index], `output ${index} of ${node.op}`));
    values.set(output, { names, layout: operands.outputs[index] ?? null });
  }
}

function addAssignment(planning: Planning, { variable, value }: Update): void {
  const { shared, stored, updated } = planning;
  const { handle, read } = handleOf(planning, variable);
  const [next = ''] = inLayout(planning, value, stored.get(variable) ?? null);
  updated.push(shared.node('AssignVariableOp', `${variable}/assign`, [handle, next, `^${read}`], { dtype: FLOAT }));
}

/** One vector with all outputs, which is there when the variables have changed. */
function addOutput(planning: Planning): { readonly outputs: Plan['outputs']; readonly info: TensorInfo } {
  const { graph, shared, updated } = planning;
  const shapeOf = (name: string): Shape => valueOf(graph, name).type.shape;
  const pieces = graph.outputs.flatMap((name) =>
    inLayout(planning, name, null).map((piece) => ({ piece, shape: shapeOf(name) })),
  );
  const packed = shared.within('output', () => pack(shared, pieces));
  const output = shared.node('Identity', 'output', [packed, ...updated.map((name) => `^${name}`)], { T: FLOAT });
  const outputs = graph.outputs.map((name) => ({
    name,
    length: lowered(planning, name).names.length * numElements(shapeOf(name)),
  }));
  return { outputs, info: tensorInfo(output, [outputs.reduce((sum, { length }) => sum + length, 0)]) };
}

/** Gives every variable the value that is fed for it. */
function addInitialization(planning: Planning) {
  const { graph, shared, stored } = planning;
  const variables = variablesOf(graph).map(({ name, type }, index) => {
    const layout = stored.get(name) ?? null;
    const shape = storedShape(type.shape, layout);
    const attributes = { dtype: FLOAT, shape: { kind: 'shape', value: shape } } as const;
    const placeholder = shared.node('Placeholder', `${name}/initial`, [], attributes);
    const { handle } = handleOf(planning, name);
    const assign = shared.node('AssignVariableOp', `${name}/initialize`, [handle, placeholder], { dtype: FLOAT });
    return { name, key: `variable_${index}`, shape, layout, placeholder, assign };
  });
  const after = variables.map(({ assign }) => `^${assign}`);
  const initialized = shared.node('Identity', 'initialized', [shared.scalar(0), ...after], { T: FLOAT });
  return { variables, info: tensorInfo(initialized, []) };
}

export const signatures = { step: 'step', read: 'read', initialize: 'initialize' } as const;

const FLOAT: AttributeValue = { kind: 'type', value: 'float32' };

export function savedModel(
  nodes: readonly NodeDef[],
  used: { readonly [Name in keyof typeof signatures]?: SignatureDef },
): SavedModel {
  // As in exported graphs: nothing here needs more than the oldest consumer that reads V3 batch norm.
  const versions = { producer: 1286, minConsumer: 12 };
  return { tags: ['serve'], graph: { nodes, versions, functionNames: [] }, signatures: new Map(Object.entries(used)) };
}

function signature(
  inputs: readonly (readonly [string, TensorInfo])[],
  outputs: readonly (readonly [string, TensorInfo])[],
): SignatureDef {
  return { inputs: new Map(inputs), outputs: new Map(outputs), methodName: '' };
}

export function tensorInfo(node: string, shape: Shape): TensorInfo {
  return { name: `${node}:0`, type: 'float32', shape };
}

export function deviceName(device: Device | undefined): string {
  // All replicas on a CPU share the one device that TensorFlow makes of all its cores.
  if (device === undefined) return '';
  return device.kind === 'cpu' ? '/device:CPU:0' : `/device:GPU:${device.index}`;
}

/** The row's own form, with operands and results in our order of axes. */
function writeFileForm(writer: Writer, node: Node, lowered: LoweredNode<FloatOp>): readonly string[] {
  // The op's own record made these attributes, so its own binding reads them.
  const binding: GraphDefBinding<Node['attrs']> | null = ops[node.op].graphdef;
  if (binding === null) return internal(`${node.op} has no form in files`);
  const types = (shapes: readonly Shape[]) => shapes.map((shape) => ({ dtype: 'float32', shape }) as const);
  return binding.write(writer, {
    name: node.name,
    inputs: lowered.inputs,
    inputTypes: types(lowered.inputShapes),
    outputTypes: types(lowered.outputShapes),
    attrs: node.attrs,
  });
}

/** Nodes that do nothing but give variables that they read their new values. */
function updatesInPlace(table: Lowerings, graph: Graph, nodes: readonly Node[]): ReadonlyMap<Node, readonly Update[]> {
  const readers = consumers(graph);
  const result = new Map<Node, readonly Update[]>();
  for (const node of nodes) {
    const lowering = loweringOf(table, node.op);
    if (lowering === 'graphdef' || lowering.update === undefined) continue;
    const updates = lowering.update.operands.flatMap((operand, index) => {
      const [value, variable] = [node.outputs[index]!, node.inputs[operand]!];
      const own = graph.updates.filter((update) => update.value === value);
      const isRead = readers.has(value) || graph.outputs.includes(value);
      return own.length === 1 && own[0]!.variable === variable && !isRead ? own : [];
    });
    if (updates.length === lowering.update.operands.length) result.set(node, updates);
  }
  return result;
}

function unpack(writer: Writer, value: string, count: number): readonly string[] {
  const pieces = writer.within(value, () =>
    writer.float('Unpack', [value], { num: { kind: 'int', value: count }, axis: { kind: 'int', value: 0 } }),
  );
  return Array.from({ length: count }, (_, index) => `${pieces}:${index}`);
}

/** What `combineReplicas` computes. */
function combine(writer: Writer, name: string, pieces: readonly string[], { reduce }: CrossReplicaAttrs): string {
  const op = { mean: 'AddV2', min: 'Minimum', max: 'Maximum' }[reduce];
  return writer.within(name, () => {
    const combined = pieces.reduce((sofar, piece) => writer.float(op, [sofar, piece]));
    return reduce === 'mean' ? writer.float('RealDiv', [combined, writer.scalar(pieces.length)]) : combined;
  });
}

/** All outputs as one vector: handing over a tensor costs more than its few elements do. */
function pack(writer: Writer, values: readonly { readonly piece: string; readonly shape: Shape }[]): string {
  const parts: string[] = [];
  let scalars: string[] = [];
  const flush = (): void => {
    if (scalars.length === 0) return;
    const count = { N: { kind: 'int', value: scalars.length }, axis: { kind: 'int', value: 0 } } as const;
    parts.push(writer.float('Pack', scalars, count));
    scalars = [];
  };
  for (const { piece, shape } of values) {
    if (shape.length === 0) {
      scalars.push(piece);
      continue;
    }
    flush();
    parts.push(writer.reshape(piece, [-1]));
  }
  flush();
  const [first] = parts;
  if (first === undefined) return writer.scalar(0);
  if (parts.length === 1) return first;
  return writer.float('ConcatV2', [...parts, writer.int32Scalar(0)], {
    N: { kind: 'int', value: parts.length },
    Tidx: { kind: 'type', value: 'int32' },
  });
}

/** The initial value of each variable as the session keeps it. */
export function initialValues(graph: Graph): Map<string, Float32Array> {
  return new Map(
    variablesOf(graph).map(({ name, source }) => [name, expectDType(source.initial, 'float32').data] as const),
  );
}
