/** Plain data as the bytes of a .tflite file. */
import { internal } from '../core/assert.ts';
import { writeOptions } from '../formats/flatbuffer/options.ts';
import type { FieldSpec } from '../formats/flatbuffer/options.ts';
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
import { fields, fileIdentifier, placeholderForGreaterOpCodes, tensorTypes } from './schema.ts';
import type {
  OptionFields,
  TfliteFile,
  TfliteMetadata,
  TfliteOperator,
  TfliteOperatorCode,
  TfliteQuantization,
  TfliteSignature,
  TfliteSubgraph,
  TfliteTensor,
  TfliteTensorMap,
} from './file.ts';

const bufferAlignment = 16;

/**
 * The bytes of a file: the same data gives the same bytes. Every non-empty buffer starts at a multiple of 16
 * bytes from the start of the file, and both code fields are filled, so that old and new runtimes read it.
 *
 * The data is trusted: indices out of range are written as they are.
 */
export function writeTfliteFile(file: TfliteFile, optionFields: OptionFields): Uint8Array {
  if (file.buffers[0]?.length !== 0) internal('buffer 0 of a .tflite file must exist and be empty');
  const builder = new Builder(1024);
  const optionsOf = ({ opcodeIndex }: TfliteOperator): readonly FieldSpec[] => {
    const code = file.operatorCodes[opcodeIndex] ?? internal(`no operator code ${opcodeIndex}`);
    return optionFields(code.builtinCode);
  };
  // This order decides where the tables lie in the file.
  const buffers = writeTables(builder, file.buffers, writeBuffer);
  const metadata = writeTables(builder, file.metadata, writeMetadata);
  const signatures = writeTables(builder, file.signatures, writeSignature);
  const subgraphs = writeTables(builder, file.subgraphs, (_, subgraph) => writeSubgraph(builder, subgraph, optionsOf));
  const operatorCodes = writeTables(builder, file.operatorCodes, writeOperatorCode);
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

function writeTables<T>(builder: Builder, values: readonly T[], write: (builder: Builder, value: T) => Offset): Offset {
  return writeOffsets(
    builder,
    values.map((value) => write(builder, value)),
  );
}

function writeBuffer(builder: Builder, data: Uint8Array): Offset {
  const bytes = data.length === 0 ? null : writeBytes(builder, data, bufferAlignment);
  return writeTable(builder, 3, [[fields.buffer.data, bytes]]);
}

function writeMetadata(builder: Builder, { name, buffer }: TfliteMetadata): Offset {
  return writeTable(builder, 2, [[fields.metadata.name, builder.createString(name)]], () =>
    builder.addFieldInt32(fields.metadata.buffer, buffer, 0),
  );
}

function writeSignature(builder: Builder, { key, subgraph, inputs, outputs }: TfliteSignature): Offset {
  return writeTable(
    builder,
    5,
    [
      [fields.signature.inputs, writeTables(builder, inputs, writeTensorMap)],
      [fields.signature.outputs, writeTables(builder, outputs, writeTensorMap)],
      [fields.signature.key, builder.createString(key)],
    ],
    () => builder.addFieldInt32(fields.signature.subgraph, subgraph, 0),
  );
}

function writeTensorMap(builder: Builder, { name, tensor }: TfliteTensorMap): Offset {
  return writeTable(builder, 2, [[fields.tensorMap.name, builder.createString(name)]], () =>
    builder.addFieldInt32(fields.tensorMap.tensor, tensor, 0),
  );
}

function writeSubgraph(
  builder: Builder,
  { name, tensors, inputs, outputs, operators }: TfliteSubgraph,
  optionsOf: (operator: TfliteOperator) => readonly FieldSpec[],
): Offset {
  const writeOne = (_: Builder, operator: TfliteOperator): Offset =>
    writeOperator(builder, operator, optionsOf(operator));
  return writeTable(builder, 5, [
    [fields.subgraph.tensors, writeTables(builder, tensors, writeTensor)],
    [fields.subgraph.inputs, writeInt32s(builder, inputs)],
    [fields.subgraph.outputs, writeInt32s(builder, outputs)],
    [fields.subgraph.operators, writeTables(builder, operators, writeOne)],
    [fields.subgraph.name, builder.createString(name)],
  ]);
}

function writeOperatorCode(builder: Builder, { builtinCode, customCode, version }: TfliteOperatorCode): Offset {
  return writeTable(
    builder,
    4,
    [[fields.operatorCode.customCode, customCode === null ? null : builder.createString(customCode)]],
    () => {
      const deprecated = Math.min(builtinCode, placeholderForGreaterOpCodes);
      builder.addFieldInt8(fields.operatorCode.deprecatedBuiltinCode, deprecated, 0);
      builder.addFieldInt32(fields.operatorCode.version, version, 1);
      builder.addFieldInt32(fields.operatorCode.builtinCode, builtinCode, 0);
    },
  );
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
