import { WireType } from '@bufbuild/protobuf/wire';
import type { BinaryWriter } from '@bufbuild/protobuf/wire';
import { unreachable } from '../../core/assert.ts';
import { dataTypeFromNumber, dataTypeToNumber } from './data-type.ts';
import type { DataType } from './data-type.ts';
import { readShape, readTensorValue, writeShape, writeTensorValue } from './tensor-value.ts';
import type { PartialShape, TensorValue } from './tensor-value.ts';
import {
  boolIn,
  boolsIn,
  bytesIn,
  copyBytes,
  fieldsOf,
  floatIn,
  floatsIn,
  int32In,
  int32sIn,
  int64In,
  int64sIn,
  messageIn,
} from './wire.ts';
import type { Span } from './wire.ts';

/** AttrValue. TensorFlow's string attributes are bytes. */
export type AttributeValue =
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'type'; readonly value: DataType }
  | { readonly kind: 'shape'; readonly value: PartialShape }
  | { readonly kind: 'tensor'; readonly value: TensorValue }
  | { readonly kind: 'list'; readonly values: AttributeList }
  /** Something we do not compute with, named by `what`: the bytes of the AttrValue message as found. */
  | { readonly kind: 'opaque'; readonly what: string; readonly bytes: Uint8Array };

/** AttrValue.ListValue. An empty list does not say what it would hold. */
export type AttributeList =
  | { readonly of: 'nothing' }
  | { readonly of: 'bytes'; readonly values: readonly Uint8Array[] }
  | { readonly of: 'int'; readonly values: readonly number[] }
  | { readonly of: 'float'; readonly values: readonly number[] }
  | { readonly of: 'bool'; readonly values: readonly boolean[] }
  | { readonly of: 'type'; readonly values: readonly DataType[] }
  | { readonly of: 'shape'; readonly values: readonly PartialShape[] };

/** A string as TensorFlow keeps it, in UTF-8. */
export function textAttribute(text: string): AttributeValue {
  return { kind: 'bytes', value: new TextEncoder().encode(text) };
}

export function readAttributeValue(message: Span): AttributeValue {
  const opaque = (what: string): AttributeValue => ({ kind: 'opaque', what, bytes: copyBytes(message) });
  let result: AttributeValue | null = null;
  for (const field of fieldsOf(message)) {
    switch (field.number) {
      case 1: {
        const values = readList(messageIn(field));
        result =
          values === null
            ? opaque('a list of tensors, functions, mixed kinds or large integers')
            : { kind: 'list', values };
        break;
      }
      case 2:
        result = { kind: 'bytes', value: bytesIn(field) };
        break;
      case 3: {
        const value = Number(int64In(field));
        result = Number.isSafeInteger(value) ? { kind: 'int', value } : opaque('an integer beyond 2^53');
        break;
      }
      case 4:
        result = { kind: 'float', value: floatIn(field) };
        break;
      case 5:
        result = { kind: 'bool', value: boolIn(field) };
        break;
      case 6:
        result = { kind: 'type', value: dataTypeFromNumber(int32In(field)) };
        break;
      case 7:
        result = { kind: 'shape', value: readShape(messageIn(field)) };
        break;
      case 8:
        result = { kind: 'tensor', value: readTensorValue(messageIn(field)) };
        break;
      case 9:
        result = opaque('a placeholder');
        break;
      case 10:
        result = opaque('a function');
        break;
      default:
        result = opaque(`unknown field ${field.number}`);
    }
  }
  return result ?? opaque('no value');
}

/** Null for a list that AttributeList cannot express. */
function readList(message: Span): AttributeList | null {
  const bytes: Uint8Array[] = [];
  const ints: number[] = [];
  const floats: number[] = [];
  const bools: boolean[] = [];
  const types: DataType[] = [];
  const shapes: PartialShape[] = [];
  for (const field of fieldsOf(message)) {
    if (field.number === 2) bytes.push(bytesIn(field));
    else if (field.number === 3) for (const value of int64sIn(field)) ints.push(Number(value));
    else if (field.number === 4) for (const value of floatsIn(field)) floats.push(value);
    else if (field.number === 5) for (const value of boolsIn(field)) bools.push(value);
    else if (field.number === 6) for (const value of int32sIn(field)) types.push(dataTypeFromNumber(value));
    else if (field.number === 7) shapes.push(readShape(messageIn(field)));
    else return null;
  }
  const lists: readonly Exclude<AttributeList, { of: 'nothing' }>[] = [
    { of: 'bytes', values: bytes },
    { of: 'int', values: ints },
    { of: 'float', values: floats },
    { of: 'bool', values: bools },
    { of: 'type', values: types },
    { of: 'shape', values: shapes },
  ];
  const [first, second] = lists.filter((list) => list.values.length > 0);
  if (first === undefined) return { of: 'nothing' };
  return second === undefined && ints.every(Number.isSafeInteger) ? first : null;
}

/** Members of the oneof are written even when they hold the default value: their presence is the kind. */
export function writeAttributeValue(writer: BinaryWriter, attribute: AttributeValue): void {
  switch (attribute.kind) {
    case 'bytes':
      writer.tag(2, WireType.LengthDelimited).bytes(attribute.value);
      return;
    case 'int':
      writer.tag(3, WireType.Varint).int64(attribute.value);
      return;
    case 'float':
      writer.tag(4, WireType.Bit32).float(attribute.value);
      return;
    case 'bool':
      writer.tag(5, WireType.Varint).bool(attribute.value);
      return;
    case 'type':
      writer.tag(6, WireType.Varint).int32(dataTypeToNumber(attribute.value));
      return;
    case 'shape':
      writer.tag(7, WireType.LengthDelimited).fork();
      writeShape(writer, attribute.value);
      writer.join();
      return;
    case 'tensor':
      writer.tag(8, WireType.LengthDelimited).fork();
      writeTensorValue(writer, attribute.value);
      writer.join();
      return;
    case 'list':
      writer.tag(1, WireType.LengthDelimited).fork();
      writeList(writer, attribute.values);
      writer.join();
      return;
    case 'opaque':
      writer.raw(attribute.bytes);
      return;
    default:
      unreachable(attribute);
  }
}

function writeList(writer: BinaryWriter, list: AttributeList): void {
  switch (list.of) {
    case 'nothing':
      return;
    case 'bytes':
      for (const value of list.values) writer.tag(2, WireType.LengthDelimited).bytes(value);
      return;
    case 'shape':
      for (const value of list.values) {
        writer.tag(7, WireType.LengthDelimited).fork();
        writeShape(writer, value);
        writer.join();
      }
      return;
    case 'int':
      return writePacked(writer, 3, list.values, (value) => writer.int64(value));
    case 'float':
      return writePacked(writer, 4, list.values, (value) => writer.float(value));
    case 'bool':
      return writePacked(writer, 5, list.values, (value) => writer.bool(value));
    case 'type':
      return writePacked(writer, 6, list.values, (value) => writer.int32(dataTypeToNumber(value)));
    default:
      unreachable(list);
  }
}

function writePacked<T>(
  writer: BinaryWriter,
  number: number,
  values: readonly T[],
  write: (value: T) => unknown,
): void {
  if (values.length === 0) return;
  writer.tag(number, WireType.LengthDelimited).fork();
  values.forEach((value) => write(value));
  writer.join();
}
