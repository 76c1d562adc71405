/**
 * TensorFlow's GraphDef as plain data. Field numbers are those of tensorflow/core/framework/graph.proto,
 * node_def.proto and versions.proto; debug information and the full type of nodes are not kept.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { internal } from '../../core/assert.ts';
import { userError } from '../../core/diagnostic.ts';
import { readAttributeValue, writeAttributeValue } from './attribute-value.ts';
import type { AttributeValue } from './attribute-value.ts';
import { fieldsOf, int32In, malformed, messageIn, openMessage, stringIn } from './wire.ts';
import type { Span } from './wire.ts';

export interface GraphDef {
  readonly nodes: readonly NodeDef[];
  readonly versions: VersionDef;
  /** Names of the library's functions, which are not kept. See `requireNoFunctions`. */
  readonly functionNames: readonly string[];
}

export interface VersionDef {
  readonly producer: number;
  readonly minConsumer: number;
}

export interface NodeDef {
  readonly name: string;
  readonly op: string;
  /** See `parseInput`. */
  readonly inputs: readonly string[];
  readonly device: string;
  readonly attributes: ReadonlyMap<string, AttributeValue>;
}

/** What an input string names: an output of a node, or a node that must have run before. */
export type NodeInput =
  | { readonly kind: 'data'; readonly node: string; readonly output: number }
  | { readonly kind: 'control'; readonly node: string };

/** `node`, `node:output` or `^node`. */
export function parseInput(input: string): NodeInput {
  if (input.startsWith('^')) return { kind: 'control', node: input.slice(1) };
  const [, node, output] = /^(.*):(\d+)$/s.exec(input) ?? [];
  return node === undefined ? { kind: 'data', node: input, output: 0 } : { kind: 'data', node, output: Number(output) };
}

export function formatInput(input: NodeInput): string {
  if (input.kind === 'control') return `^${input.node}`;
  return input.output === 0 ? input.node : `${input.node}:${input.output}`;
}

/**
 * @param path named in errors
 * @throws UserError when the bytes are damaged or hold no node
 */
export function readGraphDef(bytes: Uint8Array, path: string): GraphDef {
  return readGraphMessage(openMessage(bytes, path));
}

/** @throws UserError when nodes may call functions: we read graphs that were inlined. */
export function requireNoFunctions(graph: GraphDef, path: string): void {
  if (graph.functionNames.length === 0) return;
  throw userError(
    path,
    'graph-has-functions',
    `the graph has ${graph.functionNames.length} library functions (${graph.functionNames.slice(0, 3).join(', ')}), expected none`,
    'inline the functions when freezing, for example with convert_variables_to_constants_v2',
  );
}

/** The same graph gives the same bytes: attributes are sorted by key. */
export function writeGraphDef(graph: GraphDef): Uint8Array {
  const writer = new BinaryWriter();
  writeGraphMessage(writer, graph);
  return writer.finish();
}

export function readGraphMessage(message: Span): GraphDef {
  const nodes: NodeDef[] = [];
  const functionNames: string[] = [];
  let versions: VersionDef = { producer: 0, minConsumer: 0 };
  for (const field of fieldsOf(message)) {
    if (field.number === 1) nodes.push(readNode(messageIn(field)));
    else if (field.number === 2) for (const name of readFunctionNames(messageIn(field))) functionNames.push(name);
    else if (field.number === 4) versions = readVersions(messageIn(field));
  }
  if (nodes.length === 0) malformed(message.source, message.start, 'the graph has no nodes');
  return { nodes, versions, functionNames };
}

export function writeGraphMessage(writer: BinaryWriter, graph: GraphDef): void {
  if (graph.functionNames.length > 0) internal('a graph with library functions cannot be written');
  for (const node of graph.nodes) {
    writer.tag(1, WireType.LengthDelimited).fork();
    writeNode(writer, node);
    writer.join();
  }
  const { producer, minConsumer } = graph.versions;
  writer.tag(4, WireType.LengthDelimited).fork();
  if (producer !== 0) writer.tag(1, WireType.Varint).int32(producer);
  if (minConsumer !== 0) writer.tag(2, WireType.Varint).int32(minConsumer);
  writer.join();
}

export function readNode(message: Span): NodeDef {
  let [name, op, device] = ['', '', ''];
  const inputs: string[] = [];
  const attributes = new Map<string, AttributeValue>();
  for (const field of fieldsOf(message)) {
    if (field.number === 1) name = stringIn(field);
    else if (field.number === 2) op = stringIn(field);
    else if (field.number === 3) inputs.push(stringIn(field));
    else if (field.number === 4) device = stringIn(field);
    else if (field.number === 5) {
      const entry = readMapEntry(messageIn(field));
      attributes.set(entry.key, readAttributeValue(entry.value));
    }
  }
  return { name, op, inputs, device, attributes };
}

function writeNode(writer: BinaryWriter, node: NodeDef): void {
  if (node.name !== '') writer.tag(1, WireType.LengthDelimited).string(node.name);
  if (node.op !== '') writer.tag(2, WireType.LengthDelimited).string(node.op);
  for (const input of node.inputs) writer.tag(3, WireType.LengthDelimited).string(input);
  if (node.device !== '') writer.tag(4, WireType.LengthDelimited).string(node.device);
  writeMap(writer, 5, node.attributes, writeAttributeValue);
}

function readVersions(message: Span): VersionDef {
  let [producer, minConsumer] = [0, 0];
  for (const field of fieldsOf(message)) {
    if (field.number === 1) producer = int32In(field);
    else if (field.number === 2) minConsumer = int32In(field);
  }
  return { producer, minConsumer };
}

function readFunctionNames(library: Span): string[] {
  const names: string[] = [];
  for (const field of fieldsOf(library)) {
    if (field.number !== 1) continue;
    let name = '';
    for (const part of fieldsOf(messageIn(field))) {
      if (part.number !== 1) continue;
      for (const signature of fieldsOf(messageIn(part))) if (signature.number === 1) name = stringIn(signature);
    }
    if (name === '') malformed(field.source, field.start, 'a library function has no name');
    names.push(name);
  }
  return names;
}

/** An entry of a map from strings to messages. */
export function readMapEntry(message: Span): { key: string; value: Span } {
  let key = '';
  let value: Span = { ...message, start: message.end };
  for (const field of fieldsOf(message)) {
    if (field.number === 1) key = stringIn(field);
    else if (field.number === 2) value = messageIn(field);
  }
  return { key, value };
}

/** Entries in the order of their keys' UTF-16 code units. */
export function writeMap<T>(
  writer: BinaryWriter,
  number: number,
  map: ReadonlyMap<string, T>,
  write: (writer: BinaryWriter, value: T) => void,
): void {
  for (const [key, value] of [...map].sort(([a], [b]) => (a < b ? -1 : 1))) {
    writer.tag(number, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).string(key);
    writer.tag(2, WireType.LengthDelimited).fork();
    write(writer, value);
    writer.join().join();
  }
}
