/** A .tflite file as plain data and back. Nothing is interpreted here, neither operators nor scales. */
import { internal } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import { readOptions, writeOptions } from '../formats/flatbuffer/options.ts';
import type { FieldSpec, OptionValues } from '../formats/flatbuffer/options.ts';
import {
  FlatbufferError,
  readBool,
  readBytes,
  readFloat32s,
  readInt32,
  readInt32s,
  readInt64s,
  readInt8,
  readRoot,
  readString,
  readTable,
  readTables,
  readUint32,
  readUint64,
  readUint8,
} from '../formats/flatbuffer/read.ts';
import type { FlatbufferTable } from '../formats/flatbuffer/read.ts';
import {
  Builder,
  writeBytes,
  writeFloat32s,
  writeInt32s,
  writeInt64s,
  writeOffsets,
  writeTable,
} from '../formats/flatbuffer/write.ts';
import type { Offset } from '../formats/flatbuffer/write.ts';
import { fields, fileIdentifier, placeholderForGreaterOpCodes, schemaVersion, tensorTypes } from './schema.ts';
import type { TensorTypeName } from './schema.ts';

export interface TfliteFile {
  readonly version: number;
  readonly description: string;
  readonly operatorCodes: readonly TfliteOperatorCode[];
  readonly subgraphs: readonly TfliteSubgraph[];
  /** Buffer 0 is empty by convention: tensors without data refer to it. */
  readonly buffers: readonly Uint8Array[];
  readonly metadata: readonly TfliteMetadata[];
  readonly signatures: readonly TfliteSignature[];
}

export interface TfliteOperatorCode {
  readonly builtinCode: number;
  readonly customCode: string | null;
  readonly version: number;
}

export interface TfliteSubgraph {
  readonly name: string;
  readonly tensors: readonly TfliteTensor[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** In the order of execution. */
  readonly operators: readonly TfliteOperator[];
}

export interface TfliteTensor {
  readonly name: string;
  /** Empty for a scalar. */
  readonly shape: readonly number[];
  /** The shape with -1 where a dimension is dynamic and `shape` holds 1. */
  readonly shapeSignature: readonly number[] | null;
  readonly type: TensorTypeName;
  readonly buffer: number;
  readonly isVariable: boolean;
  readonly quantization: TfliteQuantization | null;
  /** How the values are stored if not as a dense buffer with a scale; such data are not read. */
  readonly foreign?: ForeignStorage;
}

export type ForeignStorage = 'stored sparse' | 'kept in another file' | 'quantized in blocks or in a custom way';

export interface TfliteQuantization {
  /** One for the tensor or one per channel; empty when only a range is stored. */
  readonly scale: Float32Array;
  /** As long as `scale`. */
  readonly zeroPoint: readonly number[];
  /** The axis of a per-channel scale. Writers leave any number here for biases, so it is not checked. */
  readonly quantizedDimension: number;
  readonly min: Float32Array;
  readonly max: Float32Array;
}

export interface TfliteOperator {
  readonly opcodeIndex: number;
  /** Tensor indices; -1 stands for an optional input that is left out. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** The tag of the options union, 0 for none. */
  readonly optionsType: number;
  readonly options: OptionValues;
}

export interface TfliteMetadata {
  readonly name: string;
  readonly buffer: number;
}

export interface TfliteSignature {
  readonly key: string;
  readonly subgraph: number;
  readonly inputs: readonly TfliteTensorMap[];
  readonly outputs: readonly TfliteTensorMap[];
}

export interface TfliteTensorMap {
  readonly name: string;
  readonly tensor: number;
}

/** The option fields of a builtin operator by its code; none for an operator that is not known. */
export type OptionFields = (builtinCode: number) => readonly FieldSpec[];

const remedy = 'the file is damaged or was not made by a TFLite converter; convert or copy it again';

// The largest offset that a flatbuffer can hold, and so the size limit of any real tensor.
const largestTensorBytes = 2 ** 31 - 1;

const bufferAlignment = 16;

/**
 * Reads files of schema version 3 and its supersets 3a to 3d, by any converter: names, quantization tables and
 * one of the two code fields may be missing, and buffers may lie behind the flatbuffer.
 *
 * Buffers are views of `bytes`, of any alignment.
 *
 * @param path is only named in messages.
 * @throws UserError naming the byte offset or the tensor when the file is malformed, with indices, shapes and
 * buffer lengths among what is checked.
 */
export function readTfliteFile(bytes: Uint8Array, path: string, optionFields: OptionFields): TfliteFile {
  try {
    const model = readRoot(bytes, fileIdentifier);
    return readModel(model, { bytes: model.source.bytes, path, optionFields });
  } catch (error) {
    if (error instanceof FlatbufferError) throw userError(path, 'bad-tflite', error.message, remedy);
    throw error;
  }
}

interface ReadContext {
  readonly bytes: Uint8Array;
  readonly path: string;
  readonly optionFields: OptionFields;
}

function reject(context: ReadContext, message: string): never {
  throw userError(context.path, 'bad-tflite', message, remedy);
}

function readModel(model: FlatbufferTable, context: ReadContext): TfliteFile {
  const version = readUint32(model, fields.model.version, 0);
  if (version !== schemaVersion) {
    reject(context, `byte ${model.offset}: the schema version is ${version}, expected ${schemaVersion}`);
  }
  const buffers = (readTables(model, fields.model.buffers) ?? []).map((table, index) =>
    readBuffer(table, index, context),
  );
  const operatorCodes = (readTables(model, fields.model.operatorCodes) ?? []).map(readOperatorCode);
  const subgraphs = (readTables(model, fields.model.subgraphs) ?? []).map((table, index) =>
    readSubgraph(table, `subgraph ${index}`, operatorCodes, buffers, context),
  );
  if (subgraphs.length === 0) reject(context, `byte ${model.offset}: the model has no subgraph, expected at least one`);
  const metadata = (readTables(model, fields.model.metadata) ?? []).map((table) => {
    const name = readString(table, fields.metadata.name) ?? '';
    const buffer = readUint32(table, fields.metadata.buffer, 0);
    requireIndex(buffer, buffers.length, `buffer of metadata "${name}"`, context);
    return { name, buffer };
  });
  const signatures = (readTables(model, fields.model.signatures) ?? []).map((table) =>
    readSignature(table, subgraphs, context),
  );
  const description = readString(model, fields.model.description) ?? '';
  return { version, description, operatorCodes, subgraphs, buffers, metadata, signatures };
}

/** The code is the larger of the two fields: old writers know only the first, which ends at 127. */
function readOperatorCode(table: FlatbufferTable): TfliteOperatorCode {
  return {
    builtinCode: Math.max(
      readInt8(table, fields.operatorCode.deprecatedBuiltinCode, 0),
      readInt32(table, fields.operatorCode.builtinCode, 0),
    ),
    customCode: readString(table, fields.operatorCode.customCode),
    version: readInt32(table, fields.operatorCode.version, 1),
  };
}

function readBuffer(table: FlatbufferTable, index: number, context: ReadContext): Uint8Array {
  const offset = readUint64(table, fields.buffer.offset, 0);
  // By the schema an offset of 0 or 1 says that the data is inside the flatbuffer.
  if (offset <= 1) return readBytes(table, fields.buffer.data) ?? new Uint8Array(0);
  const size = readUint64(table, fields.buffer.size, 0);
  if (offset + size > context.bytes.length) {
    reject(
      context,
      `byte ${offset}: buffer ${index} of ${size} bytes does not fit, the end is at ${context.bytes.length}`,
    );
  }
  return context.bytes.subarray(offset, offset + size);
}

function readSubgraph(
  table: FlatbufferTable,
  what: string,
  operatorCodes: readonly TfliteOperatorCode[],
  buffers: readonly Uint8Array[],
  context: ReadContext,
): TfliteSubgraph {
  const tensors = (readTables(table, fields.subgraph.tensors) ?? []).map((tensor, index) =>
    readTensor(tensor, `tensor ${index}`, buffers, context),
  );
  const readIndices = (from: FlatbufferTable, id: number, smallest: number, whose: string): readonly number[] => {
    const indices = readInt32s(from, id) ?? [];
    for (const index of indices) {
      if (index < smallest) reject(context, `${whose} is tensor ${index}, expected ${smallest} or more`);
      if (index >= 0) requireIndex(index, tensors.length, `tensor as ${whose}`, context);
    }
    return indices;
  };
  const operators = (readTables(table, fields.subgraph.operators) ?? []).map((operator, index): TfliteOperator => {
    const opcodeIndex = readUint32(operator, fields.operator.opcodeIndex, 0);
    const operatorCode = operatorCodes[opcodeIndex];
    if (operatorCode === undefined) {
      return reject(context, `operator ${index} uses operator code ${opcodeIndex} of ${operatorCodes.length}`);
    }
    return {
      opcodeIndex,
      inputs: readIndices(operator, fields.operator.inputs, -1, `an input of operator ${index}`),
      outputs: readIndices(operator, fields.operator.outputs, 0, `an output of operator ${index}`),
      optionsType: readUint8(operator, fields.operator.optionsType, 0),
      options: readOptions(
        readTable(operator, fields.operator.options),
        context.optionFields(operatorCode.builtinCode),
      ),
    };
  });
  return {
    name: readString(table, fields.subgraph.name) ?? '',
    tensors,
    inputs: readIndices(table, fields.subgraph.inputs, 0, `an input of ${what}`),
    outputs: readIndices(table, fields.subgraph.outputs, 0, `an output of ${what}`),
    operators,
  };
}

function readTensor(
  table: FlatbufferTable,
  position: string,
  buffers: readonly Uint8Array[],
  context: ReadContext,
): TfliteTensor {
  const name = readString(table, fields.tensor.name) ?? '';
  const what = name === '' ? position : `tensor "${name}"`;
  const typeNumber = readInt8(table, fields.tensor.type, 0);
  const type = tensorTypes[typeNumber];
  if (type === undefined) {
    return reject(context, `${what} has the unknown element type ${typeNumber}, expected 0..${tensorTypes.length - 1}`);
  }
  const shape = readInt32s(table, fields.tensor.shape) ?? [];
  const shapeSignature = readInt32s(table, fields.tensor.shapeSignature);
  const wrong = shape.find((dimension) => dimension < 0) ?? shapeSignature?.find((dimension) => dimension < -1);
  if (wrong !== undefined) reject(context, `${what} has the dimension ${wrong}, expected 0 or more`);
  if (shapeSignature !== null && shapeSignature.length > 0 && shapeSignature.length !== shape.length) {
    reject(context, `${what} has ${shape.length} dimensions but ${shapeSignature.length} in its shape signature`);
  }
  const numBytes = Math.ceil((shape.reduce((product, dimension) => product * dimension, 1) * (type.bits ?? 8)) / 8);
  if (!(numBytes <= largestTensorBytes)) {
    reject(context, `${what} of shape [${shape.join(',')}] is larger than ${largestTensorBytes} bytes`);
  }
  const buffer = readUint32(table, fields.tensor.buffer, 0);
  requireIndex(buffer, buffers.length, `buffer of ${what}`, context);
  const found = buffers[buffer]!.length;
  const foreign = foreignStorage(table);
  if (foreign === null && type.bits !== null && found !== 0 && found !== numBytes) {
    reject(
      context,
      `${what} of type ${type.name} and shape [${shape.join(',')}] has ${found} bytes, expected ${numBytes}`,
    );
  }
  return {
    name,
    shape,
    shapeSignature: shapeSignature?.length === 0 ? null : shapeSignature,
    type: type.name,
    buffer,
    isVariable: readBool(table, fields.tensor.isVariable, false),
    quantization: readQuantization(readTable(table, fields.tensor.quantization), what, context),
    ...(foreign === null ? {} : { foreign }),
  };
}

function foreignStorage(table: FlatbufferTable): ForeignStorage | null {
  if (readTable(table, fields.tensor.sparsity) !== null) return 'stored sparse';
  if (readUint32(table, fields.tensor.externalBuffer, 0) !== 0) return 'kept in another file';
  const quantization = readTable(table, fields.tensor.quantization);
  const details = quantization === null ? 0 : readUint8(quantization, fields.quantization.detailsType, 0);
  return details === 0 ? null : 'quantized in blocks or in a custom way';
}

/** As in the runtimes, one zero point stands for all channels, and scales without any mean "not quantized". */
function readQuantization(
  table: FlatbufferTable | null,
  what: string,
  context: ReadContext,
): TfliteQuantization | null {
  if (table === null) return null;
  const none = new Float32Array(0);
  const min = readFloat32s(table, fields.quantization.min) ?? none;
  const max = readFloat32s(table, fields.quantization.max) ?? none;
  const storedScale = readFloat32s(table, fields.quantization.scale) ?? none;
  const storedZeroPoint = readInt64s(table, fields.quantization.zeroPoint) ?? [];
  const scale = storedZeroPoint.length === 0 ? none : storedScale;
  const zeroPoint =
    storedZeroPoint.length === 1 || scale.length === 0
      ? Array.from(scale, () => storedZeroPoint[0] ?? 0)
      : storedZeroPoint;
  if (zeroPoint.length !== scale.length) {
    reject(context, `${what} has ${scale.length} scales but ${zeroPoint.length} zero points, expected as many`);
  }
  if (scale.length + min.length + max.length === 0) return null;
  return {
    scale,
    zeroPoint,
    quantizedDimension: readInt32(table, fields.quantization.quantizedDimension, 0),
    min,
    max,
  };
}

function readSignature(
  table: FlatbufferTable,
  subgraphs: readonly TfliteSubgraph[],
  context: ReadContext,
): TfliteSignature {
  const key = readString(table, fields.signature.key) ?? '';
  const subgraph = readUint32(table, fields.signature.subgraph, 0);
  requireIndex(subgraph, subgraphs.length, `subgraph of signature "${key}"`, context);
  const numTensors = subgraphs[subgraph]!.tensors.length;
  const readTensorMaps = (id: number): TfliteTensorMap[] =>
    (readTables(table, id) ?? []).map((map) => {
      const name = readString(map, fields.tensorMap.name) ?? '';
      const tensor = readUint32(map, fields.tensorMap.tensor, 0);
      requireIndex(tensor, numTensors, `tensor of "${name}" in signature "${key}"`, context);
      return { name, tensor };
    });
  return {
    key,
    subgraph,
    inputs: readTensorMaps(fields.signature.inputs),
    outputs: readTensorMaps(fields.signature.outputs),
  };
}

function requireIndex(index: number, count: number, what: string, context: ReadContext): void {
  if (index >= count) reject(context, `the ${what} has index ${index}, but there are ${count}`);
}

/**
 * The bytes of a file: the same data gives the same bytes. Every non-empty buffer starts at a multiple of 16
 * bytes from the start of the file, and both code fields are filled, so that old and new runtimes read it.
 *
 * The data is trusted: indices out of range are written as they are.
 */
export function writeTfliteFile(file: TfliteFile, optionFields: OptionFields): Uint8Array {
  if (file.buffers[0]?.length !== 0) internal('buffer 0 of a .tflite file must exist and be empty');
  const builder = new Builder(1024);
  const tables = <T>(values: readonly T[], write: (value: T) => Offset): Offset =>
    writeOffsets(builder, values.map(write));
  const buffers = tables(file.buffers, (data) =>
    writeTable(builder, 3, [
      [fields.buffer.data, data.length === 0 ? null : writeBytes(builder, data, bufferAlignment)],
    ]),
  );
  const metadata = tables(file.metadata, ({ name, buffer }) =>
    writeTable(builder, 2, [[fields.metadata.name, builder.createString(name)]], () =>
      builder.addFieldInt32(fields.metadata.buffer, buffer, 0),
    ),
  );
  const tensorMaps = (maps: readonly TfliteTensorMap[]): Offset =>
    tables(maps, ({ name, tensor }) =>
      writeTable(builder, 2, [[fields.tensorMap.name, builder.createString(name)]], () =>
        builder.addFieldInt32(fields.tensorMap.tensor, tensor, 0),
      ),
    );
  const signatures = tables(file.signatures, ({ key, subgraph, inputs, outputs }) =>
    writeTable(
      builder,
      5,
      [
        [fields.signature.inputs, tensorMaps(inputs)],
        [fields.signature.outputs, tensorMaps(outputs)],
        [fields.signature.key, builder.createString(key)],
      ],
      () => builder.addFieldInt32(fields.signature.subgraph, subgraph, 0),
    ),
  );
  const operators = (subgraph: TfliteSubgraph): Offset =>
    tables(subgraph.operators, (operator) => {
      const operatorCode = file.operatorCodes[operator.opcodeIndex];
      if (operatorCode === undefined) return internal(`no operator code ${operator.opcodeIndex}`);
      return writeOperator(builder, operator, optionFields(operatorCode.builtinCode));
    });
  const subgraphs = tables(file.subgraphs, (subgraph) =>
    writeTable(builder, 5, [
      [fields.subgraph.tensors, tables(subgraph.tensors, (tensor) => writeTensor(builder, tensor))],
      [fields.subgraph.inputs, writeInt32s(builder, subgraph.inputs)],
      [fields.subgraph.outputs, writeInt32s(builder, subgraph.outputs)],
      [fields.subgraph.operators, operators(subgraph)],
      [fields.subgraph.name, builder.createString(subgraph.name)],
    ]),
  );
  const operatorCodes = tables(file.operatorCodes, ({ builtinCode, customCode, version }) =>
    writeTable(
      builder,
      4,
      [[fields.operatorCode.customCode, customCode === null ? null : builder.createString(customCode)]],
      () => {
        const deprecated = Math.min(builtinCode, placeholderForGreaterOpCodes);
        builder.addFieldInt8(fields.operatorCode.deprecatedBuiltinCode, deprecated, 0);
        builder.addFieldInt32(fields.operatorCode.version, version, 1);
        builder.addFieldInt32(fields.operatorCode.builtinCode, builtinCode, 0);
      },
    ),
  );
  const model = writeTable(
    builder,
    8,
    [
      [fields.model.operatorCodes, operatorCodes],
      [fields.model.subgraphs, subgraphs],
      [fields.model.description, builder.createString(file.description)],
      [fields.model.buffers, buffers],
      [fields.model.metadata, metadata],
      [fields.model.signatures, signatures],
    ],
    () => builder.addFieldInt32(fields.model.version, file.version, 0),
  );
  builder.finish(model, fileIdentifier);
  // A copy: the builder's own buffer is up to twice as long.
  return builder.asUint8Array().slice();
}

function writeOperator(builder: Builder, operator: TfliteOperator, optionFields: readonly FieldSpec[]): Offset {
  const hasOptions = operator.optionsType !== 0;
  return writeTable(
    builder,
    5,
    [
      [fields.operator.inputs, writeInt32s(builder, operator.inputs)],
      [fields.operator.outputs, writeInt32s(builder, operator.outputs)],
      [fields.operator.options, hasOptions ? writeOptions(builder, optionFields, operator.options) : null],
    ],
    () => {
      builder.addFieldInt32(fields.operator.opcodeIndex, operator.opcodeIndex, 0);
      builder.addFieldInt8(fields.operator.optionsType, operator.optionsType, 0);
    },
  );
}

function writeTensor(builder: Builder, tensor: TfliteTensor): Offset {
  const { shape, shapeSignature, quantization, foreign } = tensor;
  if (foreign !== undefined) internal(`tensor "${tensor.name}" is ${foreign}, which is not written`);
  return writeTable(
    builder,
    9,
    [
      [fields.tensor.shape, writeInt32s(builder, shape)],
      [fields.tensor.name, builder.createString(tensor.name)],
      [fields.tensor.quantization, quantization === null ? null : writeQuantization(builder, quantization)],
      [fields.tensor.shapeSignature, shapeSignature === null ? null : writeInt32s(builder, shapeSignature)],
    ],
    () => {
      const type = tensorTypes.findIndex(({ name }) => name === tensor.type);
      builder.addFieldInt8(fields.tensor.type, type, 0);
      builder.addFieldInt32(fields.tensor.buffer, tensor.buffer, 0);
      builder.addFieldInt8(fields.tensor.isVariable, Number(tensor.isVariable), 0);
      // Without it an empty shape would mean "rank unknown" and not "scalar".
      builder.addFieldInt8(fields.tensor.hasRank, 1, 0);
    },
  );
}

function writeQuantization(builder: Builder, quantization: TfliteQuantization): Offset {
  const { scale, zeroPoint, quantizedDimension, min, max } = quantization;
  if (zeroPoint.length !== scale.length) internal(`${scale.length} scales but ${zeroPoint.length} zero points`);
  return writeTable(
    builder,
    7,
    [
      [fields.quantization.min, min.length === 0 ? null : writeFloat32s(builder, min)],
      [fields.quantization.max, max.length === 0 ? null : writeFloat32s(builder, max)],
      [fields.quantization.scale, scale.length === 0 ? null : writeFloat32s(builder, scale)],
      [fields.quantization.zeroPoint, scale.length === 0 ? null : writeInt64s(builder, zeroPoint)],
    ],
    () => builder.addFieldInt32(fields.quantization.quantizedDimension, quantizedDimension, 0),
  );
}

/**
 * The buffer of the metadata entry `min_runtime_version`: 16 bytes, ASCII, padded with zeros.
 *
 * @param version such as `1.14.0`, at most 16 characters.
 */
export function encodeMinRuntimeVersion(version: string): Uint8Array {
  const text = new TextEncoder().encode(version);
  if (text.length > 16) internal(`the runtime version ${version} has more than 16 characters`);
  const bytes = new Uint8Array(16);
  bytes.set(text);
  return bytes;
}
