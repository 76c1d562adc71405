/**
 * `saved_model.pb`: one graph with its signatures. Field numbers are those of tensorflow/core/protobuf/saved_model.proto
 * and meta_graph.proto; what else a MetaGraphDef holds (saver, collections, assets, object graph) is not kept.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { userError } from '../../core/diagnostic.ts';
import { dataTypeFromNumber, dataTypeToNumber } from './data-type.ts';
import type { DataType } from './data-type.ts';
import type { FunctionDef } from './function-def.ts';
import { readFunctionLibrary } from './function-def.ts';
import { readGraphMessage, readMapEntry, writeGraphMessage, writeMap } from './graph-def.ts';
import type { GraphDef } from './graph-def.ts';
import { readShape, writeShape } from './tensor-value.ts';
import type { PartialShape } from './tensor-value.ts';
import { fieldsOf, int32In, malformed, messageIn, openMessage, stringIn } from './wire.ts';
import type { Span } from './wire.ts';

export interface SavedModel {
  /** How loaders choose the graph; `serve` by convention. */
  readonly tags: readonly string[];
  readonly graph: GraphDef;
  readonly signatures: ReadonlyMap<string, SignatureDef>;
}

export interface SignatureDef {
  readonly inputs: ReadonlyMap<string, TensorInfo>;
  readonly outputs: ReadonlyMap<string, TensorInfo>;
  /** `tensorflow/serving/predict` by convention. */
  readonly methodName: string;
}

export interface TensorInfo {
  /** `node:output`, with the output always spelled out. */
  readonly name: string;
  readonly type: DataType;
  readonly shape: PartialShape;
}

/**
 * @param path named in errors
 * @throws UserError when the bytes are damaged or do not hold exactly one graph
 */
export function readSavedModel(bytes: Uint8Array, path: string): SavedModel {
  const metaGraphs = [...fieldsOf(openMessage(bytes, path))].filter((field) => field.number === 2);
  const [metaGraph] = metaGraphs;
  if (metaGraph === undefined || metaGraphs.length > 1) {
    throw userError(
      path,
      'saved-model-graphs',
      `byte ${metaGraphs[1]?.start ?? 0}: the file has ${metaGraphs.length} graphs, expected 1`,
      'export the model with one set of tags',
    );
  }
  return readMetaGraph(messageIn(metaGraph));
}

/** A graph with the functions that its nodes call. */
export interface MetaGraph extends SavedModel {
  readonly functions: ReadonlyMap<string, FunctionDef>;
}

/**
 * All graphs of the file: TensorFlow 1 saves one for each set of tags.
 *
 * @param path named in errors
 * @throws UserError when the bytes are damaged
 */
export function readMetaGraphs(bytes: Uint8Array, path: string): readonly MetaGraph[] {
  return [...fieldsOf(openMessage(bytes, path))].flatMap((field) => {
    if (field.number !== 2) return [];
    const message = messageIn(field);
    const graphs = [...fieldsOf(message)].filter(({ number }) => number === 2);
    const functions = new Map(graphs.flatMap((graph) => [...readFunctionLibrary(messageIn(graph))]));
    return [{ ...readMetaGraph(message), functions }];
  });
}

export function writeSavedModel(model: SavedModel): Uint8Array {
  const writer = new BinaryWriter();
  const schemaVersion = 1;
  writer.tag(1, WireType.Varint).int64(schemaVersion);
  writer.tag(2, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.LengthDelimited).fork();
  for (const tag of model.tags) writer.tag(4, WireType.LengthDelimited).string(tag);
  writer.join();
  writer.tag(2, WireType.LengthDelimited).fork();
  writeGraphMessage(writer, model.graph);
  writer.join();
  writeMap(writer, 5, model.signatures, writeSignature);
  writer.join();
  return writer.finish();
}

function readMetaGraph(message: Span): SavedModel {
  const tags: string[] = [];
  let graph: GraphDef | null = null;
  const signatures = new Map<string, SignatureDef>();
  for (const field of fieldsOf(message)) {
    if (field.number === 1) {
      for (const part of fieldsOf(messageIn(field))) if (part.number === 4) tags.push(stringIn(part));
    } else if (field.number === 2) {
      graph = readGraphMessage(messageIn(field));
    } else if (field.number === 5) {
      const entry = readMapEntry(messageIn(field));
      signatures.set(entry.key, readSignature(entry.value));
    }
  }
  if (graph === null) return malformed(message.source, message.start, 'the model has no graph');
  return { tags, graph, signatures };
}

function readSignature(message: Span): SignatureDef {
  const inputs = new Map<string, TensorInfo>();
  const outputs = new Map<string, TensorInfo>();
  let methodName = '';
  for (const field of fieldsOf(message)) {
    if (field.number === 1 || field.number === 2) {
      const entry = readMapEntry(messageIn(field));
      (field.number === 1 ? inputs : outputs).set(entry.key, readTensorInfo(entry.value));
    } else if (field.number === 3) {
      methodName = stringIn(field);
    }
  }
  return { inputs, outputs, methodName };
}

function writeSignature(writer: BinaryWriter, signature: SignatureDef): void {
  writeMap(writer, 1, signature.inputs, writeTensorInfo);
  writeMap(writer, 2, signature.outputs, writeTensorInfo);
  if (signature.methodName !== '') writer.tag(3, WireType.LengthDelimited).string(signature.methodName);
}

function readTensorInfo(message: Span): TensorInfo {
  let name = '';
  let type: DataType = 'invalid';
  let shape: PartialShape = null;
  for (const field of fieldsOf(message)) {
    if (field.number === 1) name = stringIn(field);
    else if (field.number === 2) type = dataTypeFromNumber(int32In(field));
    else if (field.number === 3) shape = readShape(messageIn(field));
  }
  return { name, type, shape };
}

/** tensor_shape is written for a scalar too, as an empty message: tfjs-node fails on a signature without it. */
function writeTensorInfo(writer: BinaryWriter, info: TensorInfo): void {
  writer.tag(1, WireType.LengthDelimited).string(info.name);
  writer.tag(2, WireType.Varint).int32(dataTypeToNumber(info.type));
  writer.tag(3, WireType.LengthDelimited).fork();
  writeShape(writer, info.shape);
  writer.join();
}
