/** Reads protobuf messages from untrusted bytes: every step is checked against the end of the bytes. */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { userError } from '../../core/diagnostic.ts';

/** The bytes of one file and what reading it may still cost. */
export interface Source {
  readonly path: string;
  /** What the file should be, for messages: `binary TensorFlow graph`. */
  readonly title: string;
  readonly bytes: Uint8Array;
  readonly reader: BinaryReader;
  /** Bytes of memory that values not spelled out in the file (repeated last values, zeros) may still take. */
  allowance: number;
}

/** One message: the bytes from `start` up to `end`, both counted from the start of the file. */
export interface Span {
  readonly source: Source;
  readonly start: number;
  readonly end: number;
}

/** One field of a message. `start` and `end` enclose the value without its tag and length. */
export interface Field extends Span {
  readonly number: number;
  readonly wireType: WireType;
}

// Far above the constants of a network that fits a microcontroller or a phone, far below what hurts.
const expansionBytes = 1 << 26;

export function openMessage(bytes: Uint8Array, path: string, title = 'binary TensorFlow graph'): Span {
  const source = { path, title, bytes, reader: new BinaryReader(bytes), allowance: expansionBytes };
  return { source, start: 0, end: bytes.length };
}

export function malformed(source: Source, offset: number, message: string): never {
  throw userError(
    source.path,
    'malformed-protobuf',
    `byte ${offset}: ${message}`,
    `the file is damaged or is not a ${source.title}; write or download it again`,
  );
}

/** The fields of a message in file order, unknown ones too. */
export function* fieldsOf(message: Span): Generator<Field, void, undefined> {
  const { source, end } = message;
  let position = message.start;
  while (position < end) {
    const [number, wireType] = read(source, position, end, (reader) => reader.tag());
    let start = source.reader.pos;
    read(source, start, end, (reader) => reader.skip(wireType, number));
    position = source.reader.pos;
    if (wireType === WireType.LengthDelimited) {
      read(source, start, end, (reader) => reader.uint32());
      start = source.reader.pos;
    }
    yield { source, start, end: position, number, wireType };
  }
}

/** An embedded message. */
export function messageIn(field: Field): Span {
  return expectWireType(field, WireType.LengthDelimited);
}

/** A copy of a bytes field, or of any span. */
export function copyBytes(span: Span): Uint8Array {
  return span.source.bytes.slice(span.start, span.end);
}

export function bytesIn(field: Field): Uint8Array {
  return copyBytes(expectWireType(field, WireType.LengthDelimited));
}

/** Valid UTF-8 only. */
export function stringIn(field: Field): string {
  const { source, start, end } = expectWireType(field, WireType.LengthDelimited);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(source.bytes.subarray(start, end));
  } catch {
    return malformed(source, start, 'a name is not valid UTF-8');
  }
}

export function boolIn(field: Field): boolean {
  return scalarIn(field, WireType.Varint, (reader) => reader.bool());
}

export function int32In(field: Field): number {
  return scalarIn(field, WireType.Varint, readInt32);
}

export function int64In(field: Field): bigint {
  return scalarIn(field, WireType.Varint, readInt64);
}

export function floatIn(field: Field): number {
  return scalarIn(field, WireType.Bit32, readFloat);
}

export function fixed32In(field: Field): number {
  return scalarIn(field, WireType.Bit32, (reader) => reader.fixed32());
}

/** Repeated scalars may come packed in one field or as one field each; these return what one field holds. */
export function boolsIn(field: Field): boolean[] {
  return scalarsIn(field, WireType.Varint, (reader) => reader.bool());
}

export function int32sIn(field: Field): number[] {
  return scalarsIn(field, WireType.Varint, readInt32);
}

export function int64sIn(field: Field): bigint[] {
  return scalarsIn(field, WireType.Varint, readInt64);
}

export function floatsIn(field: Field): number[] {
  return scalarsIn(field, WireType.Bit32, readFloat);
}

export function doublesIn(field: Field): number[] {
  return scalarsIn(field, WireType.Bit64, (reader) => reader.double());
}

const readInt32 = (reader: BinaryReader): number => reader.int32();
const readInt64 = (reader: BinaryReader): bigint => BigInt(reader.int64());
const readFloat = (reader: BinaryReader): number => reader.float();

function scalarIn<T>(field: Field, wireType: WireType, readOne: (reader: BinaryReader) => T): T {
  const { source, start, end } = expectWireType(field, wireType);
  return read(source, start, end, readOne);
}

function scalarsIn<T>(field: Field, wireType: WireType, readOne: (reader: BinaryReader) => T): T[] {
  if (field.wireType !== WireType.LengthDelimited) return [scalarIn(field, wireType, readOne)];
  const { source, start, end } = field;
  const values: T[] = [];
  for (let position = start; position < end; position = source.reader.pos) {
    values.push(read(source, position, end, readOne));
  }
  return values;
}

function expectWireType(field: Field, wireType: WireType): Field {
  if (field.wireType === wireType) return field;
  const { source, start, number } = field;
  return malformed(source, start, `field ${number} has wire type ${field.wireType}, expected ${wireType}`);
}

/** One step of the runtime's reader from `position`, which must not pass `end`. */
function read<T>(source: Source, position: number, end: number, step: (reader: BinaryReader) => T): T {
  const { reader } = source;
  reader.pos = position;
  let value: T;
  try {
    value = step(reader);
  } catch (error) {
    return malformed(source, position, error instanceof Error ? error.message : String(error));
  }
  if (reader.pos > end) malformed(source, position, `a value runs to byte ${reader.pos}, its message ends at ${end}`);
  return value;
}
