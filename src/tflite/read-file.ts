/** The bytes of a .tflite file as plain data. */
import { userError } from '../core/diagnostic.ts';
import { readOptions } from '../formats/flatbuffer/options.ts';
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
import { fields, fileIdentifier, schemaVersion, tensorTypes } from './schema.ts';
import type {
  TfliteFile,
  TfliteOperatorCode,
  TfliteSubgraph,
  TfliteTensor,
  ForeignStorage,
  TfliteQuantization,
  TfliteOperator,
  TfliteSignature,
  TfliteTensorMap,
  OptionFields,
} from './file.ts';

const remedy = 'the file is damaged or was not made by a TFLite converter; convert or copy it again';

// The largest offset that a flatbuffer can hold, and so the size limit of any real tensor.
const largestTensorBytes = 2 ** 31 - 1;

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
