/**
 * ONNX's ModelProto as plain data. Field numbers are those of onnx/onnx.proto. Documentation, value infos, training
 * information and subgraphs are not kept.
 */
import {
  copyBytes,
  doublesIn,
  fieldsOf,
  floatIn,
  floatsIn,
  int32In,
  int32sIn,
  int64In,
  int64sIn,
  malformed,
  messageIn,
  openMessage,
  stringIn,
} from './wire.ts';
import type { Field, Span } from './wire.ts';

export interface OnnxModel {
  readonly opsets: readonly OnnxOpset[];
  readonly graph: OnnxGraph;
  /** Ops that the file defines itself. */
  readonly functionNames: readonly string[];
}

export interface OnnxOpset {
  /** Empty for ONNX's own ops. */
  readonly domain: string;
  readonly version: number;
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly hasSparseInitializers: boolean;
  /** With those that initializers fill. */
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
}

export interface OnnxNode {
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  /** Names of values; an empty one stands for an optional input that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
}

export type OnnxAttribute =
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'tensor'; readonly value: OnnxTensor }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  /** Of a kind that no op of ours has: a graph, for example. */
  | { readonly kind: 'other' };

export interface OnnxTensor {
  readonly name: string;
  /** Sizes 0 .. 2^53. */
  readonly shape: readonly number[];
  /** TensorProto.DataType. */
  readonly dataType: number;
  readonly content: OnnxContent;
}

export type OnnxContent =
  /** Little-endian elements. */
  | { readonly kind: 'raw'; readonly bytes: Uint8Array }
  /** Single values; of float16 their bits. */
  | { readonly kind: 'values'; readonly values: ArrayLike<number> }
  /** In another file beside the model; `length` null is up to its end. */
  | { readonly kind: 'external'; readonly location: string; readonly offset: number; readonly length: number | null };

/** An input or output of the graph. */
export interface OnnxPort {
  readonly name: string;
  /** TensorProto.DataType; 0 for what is no tensor. */
  readonly dataType: number;
  /** Sizes, names of sizes that are not fixed, null for one that is not even named; null when not even the rank is known. */
  readonly shape: readonly (number | string | null)[] | null;
}

/**
 * @param path named in errors
 * @throws UserError when the bytes are damaged or hold no graph
 */
export function readOnnxModel(bytes: Uint8Array, path: string): OnnxModel {
  const message = openMessage(bytes, path, 'binary ONNX model');
  const opsets: OnnxOpset[] = [];
  const functionNames: string[] = [];
  let graph: OnnxGraph | null = null;
  for (const field of fieldsOf(message)) {
    if (field.number === 7) graph = readGraph(messageIn(field));
    else if (field.number === 8) opsets.push(readOpset(messageIn(field)));
    else if (field.number === 25) functionNames.push(readName(messageIn(field)));
  }
  return { opsets, graph: graph ?? malformed(message.source, 0, 'the model has no graph'), functionNames };
}

function readOpset(message: Span): OnnxOpset {
  let [domain, version] = ['', 0];
  for (const field of fieldsOf(message)) {
    if (field.number === 1) domain = stringIn(field);
    else if (field.number === 2) version = Number(int64In(field));
  }
  return { domain: domain === 'ai.onnx' ? '' : domain, version };
}

function readName(message: Span): string {
  let name = '';
  for (const field of fieldsOf(message)) if (field.number === 1) name = stringIn(field);
  return name;
}

function readGraph(message: Span): OnnxGraph {
  const nodes: OnnxNode[] = [];
  const initializers: OnnxTensor[] = [];
  const inputs: OnnxPort[] = [];
  const outputs: OnnxPort[] = [];
  let hasSparseInitializers = false;
  for (const field of fieldsOf(message)) {
    if (field.number === 1) nodes.push(readNode(messageIn(field)));
    else if (field.number === 5) initializers.push(readTensor(messageIn(field)));
    else if (field.number === 11) inputs.push(readPort(messageIn(field)));
    else if (field.number === 12) outputs.push(readPort(messageIn(field)));
    else if (field.number === 15) hasSparseInitializers = true;
  }
  if (outputs.length === 0) malformed(message.source, message.start, 'the graph has no outputs');
  if ([...inputs, ...outputs].some(({ name }) => name === '')) {
    malformed(message.source, message.start, 'an input or output of the graph has no name');
  }
  return { nodes, initializers, hasSparseInitializers, inputs, outputs };
}

function readNode(message: Span): OnnxNode {
  let [name, opType, domain] = ['', '', ''];
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, OnnxAttribute>();
  for (const field of fieldsOf(message)) {
    if (field.number === 1) inputs.push(stringIn(field));
    else if (field.number === 2) outputs.push(stringIn(field));
    else if (field.number === 3) name = stringIn(field);
    else if (field.number === 4) opType = stringIn(field);
    else if (field.number === 5) attributes.set(...readAttribute(messageIn(field)));
    else if (field.number === 7) domain = stringIn(field);
  }
  return { name, opType, domain: domain === 'ai.onnx' ? '' : domain, inputs, outputs, attributes };
}

/** By the numbers of AttributeProto.AttributeType. */
const attributeReaders: { readonly [type: number]: (fields: readonly Field[]) => OnnxAttribute } = {
  1: (fields) => ({ kind: 'float', value: last(fields, 2, floatIn) ?? 0 }),
  2: (fields) => ({ kind: 'int', value: Number(last(fields, 3, int64In) ?? 0) }),
  3: (fields) => ({ kind: 'string', value: last(fields, 4, stringIn) ?? '' }),
  4: (fields) => {
    const tensor = last(fields, 5, (field) => readTensor(messageIn(field)));
    return tensor === null ? { kind: 'other' } : { kind: 'tensor', value: tensor };
  },
  6: (fields) => ({ kind: 'floats', value: all(fields, 7, floatsIn) }),
  7: (fields) => ({ kind: 'ints', value: all(fields, 8, int64sIn).map(Number) }),
  8: (fields) => ({ kind: 'strings', value: all(fields, 9, (field) => [stringIn(field)]) }),
};

function readAttribute(message: Span): [name: string, value: OnnxAttribute] {
  const fields = [...fieldsOf(message)];
  const type = last(fields, 20, int32In) ?? 0;
  return [last(fields, 1, stringIn) ?? '', attributeReaders[type]?.(fields) ?? { kind: 'other' }];
}

function last<T>(fields: readonly Field[], number: number, read: (field: Field) => T): T | null {
  const field = fields.findLast((one) => one.number === number);
  return field === undefined ? null : read(field);
}

function all<T>(fields: readonly Field[], number: number, read: (field: Field) => readonly T[]): T[] {
  return fields.filter((field) => field.number === number).flatMap(read);
}

function readTensor(message: Span): OnnxTensor {
  const fields = [...fieldsOf(message)];
  const shape = all(fields, 1, int64sIn).map(Number);
  if (shape.some((size) => size < 0))
    malformed(message.source, message.start, `a tensor has shape [${shape.join(',')}]`);
  return {
    name: last(fields, 8, stringIn) ?? '',
    shape,
    dataType: last(fields, 2, int32In) ?? 0,
    content: readContent(fields),
  };
}

function readContent(fields: readonly Field[]): OnnxContent {
  if (last(fields, 14, int32In) === 1) return readExternal(all(fields, 13, (field) => [readEntry(messageIn(field))]));
  const raw = last(fields, 9, (field) => copyBytes(messageIn(field)));
  if (raw !== null) return { kind: 'raw', bytes: raw };
  // At most one of these fields is there; which one depends on the type.
  const values = [
    ...[all(fields, 4, floatsIn), all(fields, 5, int32sIn), all(fields, 10, doublesIn)],
    ...[7, 11].map((number) => all(fields, number, int64sIn).map(Number)),
  ];
  return { kind: 'values', values: values.find(({ length }) => length > 0) ?? [] };
}

function readEntry(message: Span): readonly [key: string, value: string] {
  let [key, value] = ['', ''];
  for (const field of fieldsOf(message)) {
    if (field.number === 1) key = stringIn(field);
    else if (field.number === 2) value = stringIn(field);
  }
  return [key, value];
}

function readExternal(entries: readonly (readonly [key: string, value: string])[]): OnnxContent {
  const named = new Map(entries);
  const length = named.get('length');
  return {
    kind: 'external',
    location: named.get('location') ?? '',
    offset: Number(named.get('offset') ?? 0),
    length: length === undefined ? null : Number(length),
  };
}

function readPort(message: Span): OnnxPort {
  let name = '';
  let type: Pick<OnnxPort, 'dataType' | 'shape'> = { dataType: 0, shape: null };
  for (const field of fieldsOf(message)) {
    if (field.number === 1) name = stringIn(field);
    else if (field.number === 2) {
      for (const part of fieldsOf(messageIn(field))) if (part.number === 1) type = readTensorType(messageIn(part));
    }
  }
  return { name, ...type };
}

function readTensorType(message: Span): Pick<OnnxPort, 'dataType' | 'shape'> {
  let dataType = 0;
  let shape: (number | string | null)[] | null = null;
  for (const field of fieldsOf(message)) {
    if (field.number === 1) dataType = int32In(field);
    else if (field.number === 2) {
      const dimensions = [...fieldsOf(messageIn(field))].filter(({ number }) => number === 1);
      shape = dimensions.map((dimension) => readDimension(messageIn(dimension)));
    }
  }
  return { dataType, shape };
}

/** Of negative sizes, which some exporters write for unknown ones, nothing is known. */
function readDimension(message: Span): number | string | null {
  for (const field of fieldsOf(message)) {
    if (field.number === 1) {
      const size = Number(int64In(field));
      return size < 0 ? null : size;
    }
    if (field.number === 2) return stringIn(field);
  }
  return null;
}
