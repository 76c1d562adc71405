/** A graph of TensorFlow's nodes as a float graph of ours. */
import type { Diagnostic } from '../../core/diagnostic.ts';
import { UserError, userError } from '../../core/diagnostic.ts';
import type { Shape, Tensor } from '../../core/tensor.ts';
import type { NodeDef } from '../../formats/protobuf/graph-def.ts';
import { buildGraph } from '../../graph/builder.ts';
import { recognizeComposites } from '../../graphdef/composites.ts';
import { ShapeError } from '../../ops/define.ts';
import type { Imported } from '../define.ts';
import { Refusal, refuse } from '../refusal.ts';
import type { Call, Value } from './context.ts';
import { Target, computed } from './context.ts';
import { folded, foldedOps } from './fold.ts';
import { withReadableNames } from './names.ts';
import { neededNodes, producerOf } from './order.ts';
import { constantOf, staticOf } from './static.ts';
import { remedyFor, ruleOf, takesPending } from './table.ts';

export interface Output {
  /** The value, `node` or `node:k`. */
  readonly value: string;
  /** What the model calls it; null for the name of its op. */
  readonly name: string | null;
}

export interface Network {
  readonly path: string;
  /** Without calls of functions. */
  readonly nodes: readonly NodeDef[];
  readonly outputs: readonly Output[];
  /** The value of a variable by the name of the node that stands for it. */
  readonly variable: (node: string) => Tensor;
}

/** Messages beyond these would bury the first ones. */
const mostProblems = 40;

interface Reading {
  readonly path: string;
  readonly target: Target;
  readonly variable: Network['variable'];
  readonly values: Map<string, Value>;
  /** How many nodes and outputs read a value. */
  readonly readers: ReadonlyMap<string, number>;
  readonly problems: Diagnostic[];
}

/** @throws UserError for all nodes at once that cannot be imported, and for graphs that are none */
export function readNetwork(network: Network): Imported {
  const { path, outputs } = network;
  const wanted = outputs.map(({ value }) => value);
  const needed = neededNodes(network.nodes, wanted, path);
  const nodes = neededNodes(recognizeComposites(needed), wanted, path);
  const reading: Reading = {
    ...{ path, variable: network.variable, values: new Map(), problems: [] },
    target: new Target(buildGraph(path.replace(/[\\/]+$/, '').replace(/^.*[\\/]/, ''), 'float')),
    readers: countReaders(nodes, wanted),
  };
  for (const node of nodes) readNode(reading, node);
  if (reading.problems.length > 0) throw new UserError(reading.problems.slice(0, mostProblems));
  const { builder, notes } = reading.target;
  const names = new Map<string, string>();
  const refs = outputs.map(({ value, name }) => {
    const ref = outputRef(reading, value);
    if (name !== null && !ref.name.includes(':') && !names.has(ref.name)) names.set(ref.name, name);
    return ref;
  });
  const distinct = refs.filter((ref, index) => refs.findIndex(({ name }) => name === ref.name) === index);
  const graph = withReadableNames(builder.finish(distinct), names);
  if (graph.inputs.length === 0) throw badGraph(path, `output "${outputs[0]?.value ?? ''}" depends on no input`);
  return { graph, classes: null, notes: [...notes] };
}

const badGraph = (path: string, message: string): Error =>
  userError(path, 'bad-graph-def', message, 'save the model for inference, with its inputs as placeholders');

function countReaders(nodes: readonly NodeDef[], outputs: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const value of [...nodes.flatMap(({ inputs }) => inputs), ...outputs])
    counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** A value that an output is: complete, and made by the network. */
function outputRef(reading: Reading, value: string) {
  const found = settled(reading, value);
  if (found?.kind === 'computed') return found.ref;
  throw badGraph(reading.path, `output "${value}" is not computed from an input`);
}

/** A value to which nothing is added any more. */
function settled({ values }: Reading, name: string): Value | undefined {
  const value = values.get(name);
  if (value?.kind !== 'affine' && value?.kind !== 'scaled') return value;
  const ref = value.kind === 'affine' ? value.finish(producerOf(name), null) : value.finish();
  values.set(name, computed(ref));
  return values.get(name);
}

function readNode(reading: Reading, node: NodeDef): void {
  // What cannot be read was reported where it was found.
  const isReadable = node.inputs.every((name) => reading.values.has(name) || !reading.values.has(producerOf(name)));
  if (node.inputs.some((name) => !reading.values.has(producerOf(name)))) return;
  try {
    if (!isReadable) refuse('it reads an output that a trained network does not compute');
    const values = valuesOf(reading, node);
    for (const [index, value] of values.entries())
      reading.values.set(index === 0 ? node.name : `${node.name}:${index}`, value);
  } catch (error) {
    if (!(error instanceof Refusal) && !(error instanceof ShapeError)) throw error;
    const remedy = error instanceof Refusal ? error.remedy : null;
    reading.problems.push({
      code: 'unsupported-graph-def',
      place: { file: reading.path },
      message: `node "${node.name}" (${node.op}): ${error.message}`,
      hint: remedy ?? remedyFor(node.op),
    });
  }
}

function valuesOf(reading: Reading, node: NodeDef): readonly Value[] {
  const source = sourceOf(reading, node);
  if (source !== null) return [source];
  const isAlone = (name: string): boolean => reading.readers.get(name) === 1;
  const pending = (name: string): Value | undefined =>
    takesPending.has(node.op) && isAlone(name) ? reading.values.get(name) : settled(reading, name);
  const inputs = node.inputs.map((name) => pending(name) ?? refuse(`it reads "${name}", which nothing makes`));
  if (node.op !== 'Merge' && inputs.some(({ kind }) => kind === 'dead')) return [{ kind: 'dead' }, { kind: 'dead' }];
  refuseChannelsFirst(node);
  const call: Call = { target: reading.target, node, inputs };
  if (node.op === 'ReadVariableOp') return [variableOf(reading, inputs[0])];
  const constant = folded(call);
  if (constant !== null) return constant;
  const rule = ruleOf(node.op);
  if (rule === null) {
    const isKnown = foldedOps.includes(node.op);
    return refuse(isKnown ? 'it is known of constants alone; its input is computed' : 'there is no such op here');
  }
  return rule(call);
}

function refuseChannelsFirst(node: NodeDef): void {
  const format = node.attributes.get('data_format');
  const name = format?.kind === 'bytes' ? new TextDecoder().decode(format.value) : 'NHWC';
  if (name.startsWith('NC'))
    refuse(`its channels come first (${name}); expected NHWC`, 'save the model with channels_last');
}

/** An input, a constant or a variable; null for what is computed. */
function sourceOf(reading: Reading, node: NodeDef): Value | null {
  switch (node.op) {
    case 'Placeholder':
      return inputOf(reading, node);
    case 'Const':
      return constantOf(node.attributes.get('value'), node.name);
    case 'VarHandleOp':
      return { kind: 'handle', name: node.name };
    case 'Variable':
    case 'VariableV2':
      return staticOf(reading.variable(node.name), node.name);
    default:
      return null;
  }
}

function variableOf({ variable }: Reading, handle: Value | undefined): Value {
  if (handle?.kind !== 'handle') return refuse('it does not read a variable');
  return staticOf(variable(handle.name), handle.name);
}

function inputOf({ target }: Reading, node: NodeDef): Value {
  const type = node.attributes.get('dtype');
  const found = type?.kind === 'type' ? type.value : 'nothing';
  const isNumber = /^(float|u?int)\d+$/.test(found);
  if (!isNumber) refuse(`it is an input of ${found}; expected numbers`, 'save the model for inference alone');
  if (found !== 'float32')
    target.notes.add(`The input "${node.name}" was ${found} and takes the same numbers as float32.`);
  const shape = node.attributes.get('shape');
  const sizes = shape?.kind === 'shape' ? shape.value : null;
  return computed(target.builder.input(node.name, { dtype: 'float32', shape: inputShape(sizes) }));
}

function inputShape(sizes: Shape | null): Shape {
  if (sizes === null || sizes.length === 0) {
    return refuse('the shape of the input is unknown', 'save the model with an input of a fixed size behind the batch');
  }
  const [batch = -1, ...rest] = sizes;
  const isFixed = rest.every((size) => size >= 1 && size < 2 ** 24) && (batch === -1 || batch === 1);
  if (isFixed) return [1, ...rest];
  const text = sizes.map((size) => (size < 0 ? '?' : size)).join(',');
  return refuse(
    `the input is [${text}]; expected a batch of 1 or ?, and fixed sizes behind it`,
    'save the model with such an input',
  );
}
