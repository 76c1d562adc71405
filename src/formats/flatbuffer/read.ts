/** Reads flatbuffers from untrusted bytes: every access is checked against the end of the bytes. */

/** Bytes that are not a well-formed flatbuffer, with the position of the fault. */
export class FlatbufferError extends Error {
  /** Bytes from the start of the file. */
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(`byte ${offset}: ${message}`);
    this.name = 'FlatbufferError';
    this.offset = offset;
  }
}

/**
 * One table of a flatbuffer. Its vtable and its inline part were checked to lie inside the bytes;
 * what its fields point to is checked when it is read.
 */
export interface FlatbufferTable {
  readonly source: Source;
  /** Where the table starts; its fields are relative to this. */
  readonly offset: number;
  readonly inlineBytes: number;
  readonly vtable: number;
  readonly vtableBytes: number;
}

interface Source {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** How many bytes may still be copied out. Bounds the work when many tables point at one long vector. */
  allowance: number;
}

// A file whose parts do not overlap is copied out at most once, and long integers become 8-byte numbers.
const allowancePerByte = 16;
const smallestAllowance = 1 << 16;

/**
 * The root table of a flatbuffer.
 *
 * @param identifier the four characters at bytes 4..7.
 * @throws FlatbufferError when they differ or the root lies outside the bytes.
 */
export function readRoot(file: Uint8Array, identifier: string): FlatbufferTable {
  // Without the subclass: parts of a Node buffer would be Node buffers, whose `slice` does not copy.
  const bytes = new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const source = { bytes, view, allowance: allowancePerByte * bytes.length + smallestAllowance };
  requireRange(source, 0, 8, 'the header');
  const found = Buffer.from(bytes.subarray(4, 8)).toString('latin1');
  if (found !== identifier) {
    throw new FlatbufferError(4, `the file identifier is ${JSON.stringify(found)}, expected "${identifier}"`);
  }
  return tableAt(source, 0);
}

export function readBool(table: FlatbufferTable, id: number, absent: boolean): boolean {
  const offset = fieldOffset(table, id, 1);
  return offset === null ? absent : table.source.bytes[offset] !== 0;
}

export function readInt8(table: FlatbufferTable, id: number, absent: number): number {
  const offset = fieldOffset(table, id, 1);
  return offset === null ? absent : table.source.view.getInt8(offset);
}

export function readUint8(table: FlatbufferTable, id: number, absent: number): number {
  const offset = fieldOffset(table, id, 1);
  return offset === null ? absent : table.source.view.getUint8(offset);
}

export function readInt32(table: FlatbufferTable, id: number, absent: number): number {
  const offset = fieldOffset(table, id, 4);
  return offset === null ? absent : table.source.view.getInt32(offset, true);
}

export function readUint32(table: FlatbufferTable, id: number, absent: number): number {
  const offset = fieldOffset(table, id, 4);
  return offset === null ? absent : table.source.view.getUint32(offset, true);
}

/** @throws FlatbufferError when the value is above 2^53 - 1. */
export function readUint64(table: FlatbufferTable, id: number, absent: number): number {
  const offset = fieldOffset(table, id, 8);
  return offset === null ? absent : safeNumber(table.source.view.getBigUint64(offset, true), offset);
}

export function readFloat32(table: FlatbufferTable, id: number, absent: number): number {
  const offset = fieldOffset(table, id, 4);
  return offset === null ? absent : table.source.view.getFloat32(offset, true);
}

export function readTable(table: FlatbufferTable, id: number): FlatbufferTable | null {
  const offset = fieldOffset(table, id, 4);
  return offset === null ? null : tableAt(table.source, offset);
}

/** Where the table, string or vector that field `id` points to starts; null when the field is absent. */
export function readTarget(table: FlatbufferTable, id: number): number | null {
  const offset = fieldOffset(table, id, 4);
  return offset === null ? null : follow(table.source, offset, 'what is kept');
}

/** Where the scalar of field `id` is stored, in bytes from the start of the file; null when the field is absent. */
export function positionOf(table: FlatbufferTable, id: number, fieldBytes: number): number | null {
  return fieldOffset(table, id, fieldBytes);
}

/** How many fields the table's writer knew; absent ones within it count. */
export function numFields(table: FlatbufferTable): number {
  return (table.vtableBytes - 4) / 2;
}

/** The bytes of a string are taken as UTF-8; invalid sequences become U+FFFD. */
export function readString(table: FlatbufferTable, id: number): string | null {
  const vector = vectorAt(table, id, 1);
  if (vector === null) return null;
  spend(table.source, vector.start, vector.length);
  return new TextDecoder().decode(table.source.bytes.subarray(vector.start, vector.start + vector.length));
}

/** A view of the file's own bytes, not a copy. */
export function readBytes(table: FlatbufferTable, id: number): Uint8Array | null {
  const vector = vectorAt(table, id, 1);
  return vector === null ? null : table.source.bytes.subarray(vector.start, vector.start + vector.length);
}

export function readInt32s(table: FlatbufferTable, id: number): number[] | null {
  return readVector(table, id, 4, (view, offset) => view.getInt32(offset, true));
}

export function readFloat32s(table: FlatbufferTable, id: number): Float32Array | null {
  const values = readVector(table, id, 4, (view, offset) => view.getFloat32(offset, true));
  return values === null ? null : Float32Array.from(values);
}

/** @throws FlatbufferError when a value is outside +-(2^53 - 1). */
export function readInt64s(table: FlatbufferTable, id: number): number[] | null {
  return readVector(table, id, 8, (view, offset) => safeNumber(view.getBigInt64(offset, true), offset));
}

export function readTables(table: FlatbufferTable, id: number): FlatbufferTable[] | null {
  return readVector(table, id, 4, (_view, offset) => tableAt(table.source, offset));
}

function readVector<T>(
  table: FlatbufferTable,
  id: number,
  elementBytes: number,
  read: (view: DataView, offset: number) => T,
): T[] | null {
  const vector = vectorAt(table, id, elementBytes);
  if (vector === null) return null;
  spend(table.source, vector.start, vector.length * elementBytes);
  return Array.from({ length: vector.length }, (_, index) =>
    read(table.source.view, vector.start + index * elementBytes),
  );
}

/** The vector that field `id` points to, wholly inside the bytes; null when the field is absent. */
function vectorAt(table: FlatbufferTable, id: number, elementBytes: number): { start: number; length: number } | null {
  const field = fieldOffset(table, id, 4);
  if (field === null) return null;
  const { source } = table;
  const start = follow(source, field, 'a vector') + 4;
  const length = source.view.getUint32(start - 4, true);
  requireRange(source, start, length * elementBytes, `a vector of ${length} elements`);
  return { start, length };
}

/** The table that the offset stored at `field` points to. */
function tableAt(source: Source, field: number): FlatbufferTable {
  const offset = follow(source, field, 'a table');
  const vtable = offset - source.view.getInt32(offset, true);
  requireRange(source, vtable, 4, 'a vtable');
  const vtableBytes = source.view.getUint16(vtable, true);
  const inlineBytes = source.view.getUint16(vtable + 2, true);
  if (vtableBytes < 4 || vtableBytes % 2 !== 0) {
    throw new FlatbufferError(vtable, `a vtable claims ${vtableBytes} bytes, expected an even number from 4`);
  }
  requireRange(source, vtable, vtableBytes, 'a vtable');
  requireRange(source, offset, Math.max(4, inlineBytes), 'a table');
  return { source, offset, inlineBytes, vtable, vtableBytes };
}

/** Where field `id` is stored inside its table, or null when it is absent. */
function fieldOffset(table: FlatbufferTable, id: number, fieldBytes: number): number | null {
  const entry = 4 + 2 * id;
  if (entry + 2 > table.vtableBytes) return null;
  const relative = table.source.view.getUint16(table.vtable + entry, true);
  if (relative === 0) return null;
  if (relative < 4 || relative + fieldBytes > table.inlineBytes) {
    throw new FlatbufferError(
      table.vtable + entry,
      `field ${id} is at ${relative} of a table of ${table.inlineBytes} bytes`,
    );
  }
  return table.offset + relative;
}

/** Follows the unsigned offset stored at `field`; at least 4 bytes are readable at its end. */
function follow(source: Source, field: number, what: string): number {
  const target = field + source.view.getUint32(field, true);
  if (target > source.bytes.length - 4) {
    throw new FlatbufferError(field, `an offset to ${what} leads to ${target}, past the end at ${source.bytes.length}`);
  }
  return target;
}

function requireRange(source: Source, start: number, numBytes: number, what: string): void {
  const end = source.bytes.length;
  if (start < 0 || start + numBytes > end) {
    throw new FlatbufferError(Math.max(0, start), `${what} of ${numBytes} bytes does not fit, the end is at ${end}`);
  }
}

function spend(source: Source, offset: number, numBytes: number): void {
  source.allowance -= numBytes;
  if (source.allowance < 0) {
    throw new FlatbufferError(offset, 'the same bytes are referred to again and again, the file is malformed');
  }
}

function safeNumber(value: bigint, offset: number): number {
  const result = Number(value);
  if (!Number.isSafeInteger(result)) {
    throw new FlatbufferError(offset, `the 64-bit integer ${value} is out of range, expected at most 2^53 - 1`);
  }
  return result;
}
