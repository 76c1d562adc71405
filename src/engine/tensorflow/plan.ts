/** From a graph to one SavedModel whose signatures share a session: `step`, `read` and `initialize`. */
import { internal, present } from '../../core/assert.ts';
import { expectDType, numElements, sameShape, transposeTensor } from '../../core/tensor.ts';
import type { Shape, Tensor } from '../../core/tensor.ts';
import type { Graph, Node, Update } from '../../graph/graph.ts';
import { consumers, producers, valueOf, variablesOf } from '../../graph/graph.ts';
import type { GraphDefBinding } from '../../ops/define.ts';
import { ops } from '../../ops/index.ts';
import { textAttribute } from '../../formats/protobuf/attribute-value.ts';
import type { AttributeValue } from '../../formats/protobuf/attribute-value.ts';
import type { NodeDef } from '../../formats/protobuf/graph-def.ts';
import type { SavedModel, SignatureDef, TensorInfo } from '../../formats/protobuf/saved-model.ts';
import type { CrossReplicaAttrs } from '../../ops/training.ts';
import type { Device, FloatOp } from '../engine.ts';
import { liveNodes, replicaValues } from '../replicas.ts';
import type { LoweredNode, Lowering, Lowerings, Permutation } from './lower.ts';
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

export function makePlan(graph: Graph, { split, replicas, devices, kernels }: PlanOptions): Plan {
  const isOnCpu = devices === null || devices.every(({ kind }) => kind === 'cpu');
  const table = kernels === 'own' && isOnCpu ? ownLowerings() : lowerings;
  const live = liveNodes(graph);
  const perReplica = replicaValues(graph, live, split);
  const stored = sourceLayouts(table, graph, live);
  const nodes: NodeDef[] = [];
  const taken = new Set<string>();
  const shared = createWriter(nodes, taken, 'shared', deviceName(devices?.[0]));
  const scopes = Array.from({ length: replicas }, (_, replica) =>
    createWriter(nodes, taken, `replica_${replica}`, deviceName(devices?.[replica])),
  );
  const values = new Map<string, Lowered>();
  const lowered = (name: string): Lowered => present(values.get(name), `TensorFlow's form of "${name}"`);
  /** The value's pieces in an order of axes. */
  const inLayout = (name: string, layout: Permutation | null): readonly string[] => {
    const { names, layout: from } = lowered(name);
    if (sameLayout(from, layout)) return names;
    const axes = valueOf(graph, name).type.shape.map((_, axis) => axis);
    const permutation = (layout ?? axes).map((axis) => (from ?? axes).indexOf(axis));
    return names.map((piece, replica) => writerOf(names, replica).transpose(piece, permutation));
  };
  const writerOf = (pieces: readonly unknown[], replica: number): Writer =>
    pieces.length === 1 ? shared : present(scopes[replica], 'a scope for each replica');

  const inputs = graph.inputs.map((name, index): Feed => {
    const { shape } = valueOf(graph, name).type;
    const fed = split.has(name) ? [replicas, ...shape] : shape;
    const placeholder = shared.node('Placeholder', name, [], { dtype: FLOAT, shape: { kind: 'shape', value: fed } });
    values.set(name, { names: split.has(name) ? unpack(shared, placeholder, replicas) : [placeholder], layout: null });
    return { name: placeholder, key: `input_${index}`, shape: fed };
  });
  const handles = new Map<string, { readonly handle: string; readonly read: string }>();
  for (const { name, type, source } of graph.values.values()) {
    const layout = stored.get(name) ?? null;
    if (source.kind === 'constant') {
      values.set(name, { names: [shared.constant(name, inStoredOrder(source.data, layout))], layout });
    }
    if (source.kind !== 'variable') continue;
    const shape = storedShape(type.shape, layout);
    const handle = shared.node('VarHandleOp', name, [], {
      dtype: FLOAT,
      shape: { kind: 'shape', value: shape },
      shared_name: textAttribute(name),
      container: textAttribute(''),
    });
    const read = shared.node('ReadVariableOp', `${name}/read`, [handle], { dtype: FLOAT });
    handles.set(name, { handle, read });
    values.set(name, { names: [read], layout });
  }
  const handleOf = (name: string) => present(handles.get(name), `variable "${name}"`);

  const inPlace = updatesInPlace(table, graph, live);
  /** Control inputs: the nodes that change variables. */
  const updated: string[] = [];
  for (const node of live) {
    if (node.op === 'cross_replica' && lowered(node.inputs[0]!).names.length > 1) {
      const { names, layout } = lowered(node.inputs[0]!);
      values.set(node.name, { names: [combine(shared, node.name, names, node.attrs)], layout });
      continue;
    }
    const copies = perReplica.has(node.outputs[0]!) ? replicas : 1;
    const lowering = loweringOf(table, node.op);
    const operands = operandLayouts(graph, node, lowering, (name) => lowered(name).layout);
    const pieces = node.inputs.map((input, index) => inLayout(input, operands.layouts[index] ?? null));
    const update = inPlace.get(node);
    const results = Array.from({ length: copies }, (_, replica) => {
      const writer = copies === 1 ? shared : scopes[replica]!;
      const inputNames = pieces.map((names) => names[replica] ?? names[0]!);
      const loweredNode: LoweredNode<FloatOp> = {
        inputs: inputNames,
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
        const variables = update.map(({ variable }) => handleOf(variable));
        const after = variables.map(({ read }) => `^${read}`);
        const write = present(lowering.update, `the updating form of ${node.op}`).write;
        updated.push(
          write(
            writer,
            variables.map(({ handle }) => handle),
            after,
            loweredNode,
          ),
        );
        return [];
      });
    });
    if (update !== undefined) continue;
    for (const [index, output] of node.outputs.entries()) {
      const names = results.map((outputs) => present(outputs[index], `output ${index} of ${node.op}`));
      values.set(output, { names, layout: operands.outputs[index] ?? null });
    }
  }

  const done = new Set([...inPlace.values()].flat());
  for (const update of graph.updates) {
    if (done.has(update)) continue;
    const { handle, read } = handleOf(update.variable);
    const [value] = inLayout(update.value, stored.get(update.variable) ?? null);
    updated.push(
      shared.node('AssignVariableOp', `${update.variable}/assign`, [handle, value!, `^${read}`], { dtype: FLOAT }),
    );
  }

  const pieces = graph.outputs.flatMap((name) =>
    inLayout(name, null).map((piece) => ({ piece, shape: valueOf(graph, name).type.shape })),
  );
  const packed = shared.within('output', () => pack(shared, pieces));
  const output = shared.node('Identity', 'output', [packed, ...updated.map((name) => `^${name}`)], { T: FLOAT });

  const variables = variablesOf(graph).map(({ name, type }, index) => {
    const layout = stored.get(name) ?? null;
    return { name, key: `variable_${index}`, shape: storedShape(type.shape, layout), layout };
  });
  const initial = variables.map(({ name, shape, key }) => {
    const placeholder = shared.node('Placeholder', `${name}/initial`, [], {
      dtype: FLOAT,
      shape: { kind: 'shape', value: shape },
    });
    const { handle } = handleOf(name);
    const assign = shared.node('AssignVariableOp', `${name}/initialize`, [handle, placeholder], { dtype: FLOAT });
    return { key, assign, info: tensorInfo(placeholder, shape) };
  });
  const initialized = shared.node(
    'Identity',
    'initialized',
    [shared.scalar(0), ...initial.map(({ assign }) => `^${assign}`)],
    { T: FLOAT },
  );
  const outputs = graph.outputs.map((name) => ({
    name,
    length: lowered(name).names.length * numElements(valueOf(graph, name).type.shape),
  }));
  const outputLength = outputs.reduce((sum, { length }) => sum + length, 0);
  return {
    inputs,
    outputs,
    variables,
    model: savedModel(nodes, {
      step: signature(
        inputs.map(({ key, name, shape }) => [key, tensorInfo(name, shape)]),
        [[outputKey, tensorInfo(output, [outputLength])]],
      ),
      read: signature(
        [],
        variables.map(({ key, name, shape }) => [key, tensorInfo(handleOf(name).read, shape)]),
      ),
      initialize: signature(
        initial.map(({ key, info }) => [key, info]),
        [[outputKey, tensorInfo(initialized, [])]],
      ),
    }),
  };
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

function sameLayout(a: Permutation | null, b: Permutation | null): boolean {
  return a === b || (a !== null && b !== null && a.join() === b.join());
}

function storedShape(shape: Shape, layout: Permutation | null): Shape {
  return layout === null ? shape : layout.map((axis) => shape[axis]!);
}

function inStoredOrder(data: Tensor, layout: Permutation | null): Tensor {
  return layout === null ? data : transposeTensor(data, layout);
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

interface NodeLayouts {
  /** Of each operand. */
  readonly layouts: readonly (Permutation | null)[];
  readonly common: Permutation | null;
  readonly outputs: readonly (Permutation | null)[];
}

function operandLayouts(
  graph: Graph,
  node: Node,
  lowering: Lowering<FloatOp> | 'graphdef',
  layoutOf: (name: string) => Permutation | null,
): NodeLayouts {
  const plain = { layouts: node.inputs.map(() => null), common: null, outputs: node.outputs.map(() => null) };
  if (lowering === 'graphdef') return plain;
  const shapeOf = (name: string): Shape => valueOf(graph, name).type.shape;
  const members = (lowering.common ?? []).flatMap((index) => node.inputs[index] ?? []);
  const [first = ''] = members;
  const agree = members.every((name) => sameShape(shapeOf(name), shapeOf(first)));
  const common = agree ? (members.map(layoutOf).find((layout) => layout !== null) ?? null) : null;
  const layouts = node.inputs.map(
    (_, index) => lowering.layouts?.[index] ?? (lowering.common?.includes(index) === true ? common : null),
  );
  const outputs = node.outputs.map((output, index) => {
    if (lowering.outputLayout !== undefined) {
      return index === 0 ? lowering.outputLayout(node.attrs) : null;
    }
    return common !== null && sameShape(shapeOf(output), shapeOf(first)) ? common : null;
  });
  return { layouts, common, outputs };
}

/**
 * The order of axes in which variables and constants are kept: as the op behind them wants its filter, so that nothing
 * is transposed in a step; what an optimizer keeps for a filter follows it.
 */
function sourceLayouts(table: Lowerings, graph: Graph, nodes: readonly Node[]): ReadonlyMap<string, Permutation> {
  const result = new Map<string, Permutation>();
  const makers = producers(graph);
  for (const node of nodes) {
    const lowering = loweringOf(table, node.op);
    if (lowering === 'graphdef') continue;
    for (const [index, layout] of Object.entries(lowering.layouts ?? {})) {
      let name = node.inputs[Number(index)];
      while (name !== undefined) {
        const maker = makers.get(name);
        if (maker === undefined) {
          if (valueOf(graph, name).source.kind !== 'input') result.set(name, result.get(name) ?? layout);
          break;
        }
        const form = loweringOf(table, maker.op);
        name = form !== 'graphdef' && form.common?.includes(0) === true ? maker.inputs[0] : undefined;
      }
    }
  }
  for (const node of nodes) {
    const lowering = loweringOf(table, node.op);
    const members = lowering === 'graphdef' ? [] : (lowering.common ?? []).flatMap((index) => node.inputs[index] ?? []);
    const layout = members.map((name) => result.get(name)).find((known) => known !== undefined);
    if (layout === undefined) continue;
    for (const name of members) {
      const { source, type } = valueOf(graph, name);
      if (source.kind === 'variable' && type.shape.length === layout.length && !result.has(name)) {
        result.set(name, layout);
      }
    }
  }
  return result;
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
