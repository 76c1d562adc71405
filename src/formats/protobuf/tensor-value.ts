import { WireType } from '@bufbuild/protobuf/wire';
import type { BinaryWriter } from '@bufbuild/protobuf/wire';
import { bytesOf, dataFromBytes, elementBytes, numElements, zeros } from '../../core/tensor.ts';
import type { DType, Tensor } from '../../core/tensor.ts';
import { dataTypeFromNumber, dataTypeToNumber } from './data-type.ts';
import type { DataType } from './data-type.ts';
import {
  boolIn,
  boolsIn,
  bytesIn,
  copyBytes,
  fieldsOf,
  floatsIn,
  int32In,
  int32sIn,
  int64In,
  int64sIn,
  malformed,
  messageIn,
} from './wire.ts';
import type { Field, Span } from './wire.ts';

/** Dimensions with -1 for an unknown one; null when not even the rank is known. */
export type PartialShape = readonly number[] | null;

/** TensorProto: values of the types we compute with, other types as the bytes of their message. */
export type TensorValue =
  | { readonly kind: 'numeric'; readonly type: NumericDataType; readonly tensor: Tensor }
  | { readonly kind: 'opaque'; readonly type: DataType; readonly bytes: Uint8Array };

export type NumericDataType = keyof typeof numericTypes;

/** The element type in memory (a bool is a uint8, 0 or 1) and the field of TensorProto that lists single values. */
const numericTypes = {
  float32: { dtype: 'float32', valuesField: 5, valuesIn: floatsIn },
  int32: { dtype: 'int32', valuesField: 7, valuesIn: int32sIn },
  uint8: { dtype: 'uint8', valuesField: 7, valuesIn: int32sIn },
  int8: { dtype: 'int8', valuesField: 7, valuesIn: int32sIn },
  int64: { dtype: 'int64', valuesField: 10, valuesIn: int64sIn },
  bool: { dtype: 'uint8', valuesField: 11, valuesIn: (field: Field) => boolsIn(field).map(Number) },
} as const satisfies Partial<
  Record<DataType, { dtype: DType; valuesField: number; valuesIn: (field: Field) => (number | bigint)[] }>
>;

// TensorFlow's own limit, TensorShape::MaxDimensions.
const maxDimensions = 254;

export function readTensorValue(message: Span): TensorValue {
  const { source, start } = message;
  const fields = [...fieldsOf(message)];
  const last = (number: number): Field | undefined => fields.findLast((field) => field.number === number);
  const typeField = last(1);
  const type = typeField === undefined ? 'invalid' : dataTypeFromNumber(int32In(typeField));
  if (!isNumeric(type)) return { kind: 'opaque', type, bytes: copyBytes(message) };
  const shapeField = last(2);
  const shape = shapeField === undefined ? [] : readShape(messageIn(shapeField));
  if (shape === null || shape.includes(-1)) return malformed(source, start, 'a tensor of unknown shape has no values');
  const { dtype, valuesField, valuesIn } = numericTypes[type];
  const count = numElements(shape);
  const what = `the ${type} tensor of shape [${shape.join(',')}]`;
  const contentField = last(4);
  const content = contentField === undefined ? new Uint8Array() : bytesIn(contentField);
  if (content.length > 0) {
    const expected = count * elementBytes[dtype];
    if (content.length !== expected) {
      malformed(source, start, `${what} has ${content.length} bytes of content, expected ${expected}`);
    }
    return { kind: 'numeric', type, tensor: { dtype, shape, data: dataFromBytes(dtype, content) } };
  }
  const values = fields.filter((field) => field.number === valuesField).flatMap<number | bigint>(valuesIn);
  if (values.length > count)
    malformed(source, start, `${what} has ${values.length} values, expected ${count} or fewer`);
  // The count is only a claim of the file: check that it is affordable before allocating anything.
  const claimedBytes = count * elementBytes[dtype];
  source.allowance -= claimedBytes;
  if (!(source.allowance >= 0)) {
    malformed(source, start, `${what} would need ${claimedBytes} bytes for ${values.length} stored values`);
  }
  const tensor = zeros(dtype, shape);
  // The last value is repeated for all that follow.
  const rest = values.at(-1);
  if (rest !== undefined) {
    const data = tensor.data as { [index: number]: number | bigint }; // `values` holds bigints exactly for int64
    for (let index = 0; index < count; index++) data[index] = values[index] ?? rest;
  }
  return { kind: 'numeric', type, tensor };
}

/** TensorShapeProto. */
export function readShape(message: Span): PartialShape {
  const { source, start } = message;
  const shape: number[] = [];
  let unknownRank = false;
  for (const field of fieldsOf(message)) {
    if (field.number === 3) unknownRank = boolIn(field);
    if (field.number !== 2) continue;
    if (shape.length === maxDimensions) malformed(source, start, `a shape has more than ${maxDimensions} dimensions`);
    let size = 0n;
    for (const part of fieldsOf(messageIn(field))) if (part.number === 1) size = int64In(part);
    if (size < -1n || size > BigInt(Number.MAX_SAFE_INTEGER)) malformed(source, field.start, `a dimension is ${size}`);
    shape.push(Number(size));
  }
  return unknownRank ? null : shape;
}

/** Always as `tensor_content`, which TensorFlow reads for every numeric type. */
export function writeTensorValue(writer: BinaryWriter, value: TensorValue): void {
  if (value.kind === 'opaque') {
    writer.raw(value.bytes);
    return;
  }
  writer.tag(1, WireType.Varint).int32(dataTypeToNumber(value.type));
  writer.tag(2, WireType.LengthDelimited).fork();
  writeShape(writer, value.tensor.shape);
  writer.join();
  if (value.tensor.data.length > 0) writer.tag(4, WireType.LengthDelimited).bytes(bytesOf(value.tensor.data));
}

export function writeShape(writer: BinaryWriter, shape: PartialShape): void {
  if (shape === null) {
    writer.tag(3, WireType.Varint).bool(true);
    return;
  }
  for (const size of shape) {
    writer.tag(2, WireType.LengthDelimited).fork();
    if (size !== 0) writer.tag(1, WireType.Varint).int64(size);
    writer.join();
  }
}

function isNumeric(type: DataType): type is NumericDataType {
  return Object.hasOwn(numericTypes, type);
}
