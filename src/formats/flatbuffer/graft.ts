/**
 * New tables in front of a finished flatbuffer, whose bytes stay as they are: a new table points at what it does not
 * replace. So nothing is lost, even what the code that makes the change does not know.
 */
import { internal } from '../../core/assert.ts';
import { FlatbufferError, numFields, positionOf, readTarget } from './read.ts';
import type { FlatbufferTable } from './read.ts';
import { Builder, writeBytes } from './write.ts';
import type { Offset } from './write.ts';

export interface Graft {
  readonly builder: Builder;
  /** The builder's offset of byte 0 of the old bytes; builders count from the end. */
  readonly start: Offset;
}

/** How a field is stored inside its table. */
export type FieldKind = 'int8' | 'int32' | 'offset';

/** @param alignment in bytes, a power of two: what the old bytes are aligned to in the new file */
export function beginGraft(bytes: Uint8Array, alignment: number): Graft {
  const builder = new Builder(bytes.length + 2 * alignment + 4096);
  const lengthBytes = 4;
  return { builder, start: writeBytes(builder, bytes, alignment) - lengthBytes };
}

/** An old table, string or vector as something that new tables may point at. */
export function oldOffset({ start }: Graft, position: number): Offset {
  return start - position;
}

/**
 * A table with the fields of an old one: scalars are copied, offsets point where they pointed.
 *
 * @param kinds of all fields that the schema has, by field id
 * @param changes by field id: a new offset or scalar, null to leave the field out
 * @throws FlatbufferError when the old table has a field beyond the schema
 */
export function copyTable(
  graft: Graft,
  old: FlatbufferTable,
  kinds: readonly FieldKind[],
  changes: ReadonlyMap<number, number | null>,
): Offset {
  for (let id = kinds.length; id < numFields(old); id++) {
    if (positionOf(old, id, 1) === null) continue;
    throw new FlatbufferError(
      old.offset,
      `a table has field ${id}; the newest known schema ends at ${kinds.length - 1}`,
    );
  }
  const { builder } = graft;
  builder.startObject(kinds.length);
  for (const [id, kind] of kinds.entries()) {
    const value = changes.has(id) ? (changes.get(id) ?? null) : oldValue(graft, old, id, kind);
    if (value === null) continue;
    addField(builder, kind, value);
    builder.slot(id);
  }
  return builder.endObject();
}

function oldValue(graft: Graft, old: FlatbufferTable, id: number, kind: FieldKind): number | null {
  const { view } = old.source;
  if (kind === 'offset') {
    const target = readTarget(old, id);
    return target === null ? null : oldOffset(graft, target);
  }
  const position = positionOf(old, id, kind === 'int8' ? 1 : 4);
  if (position === null) return null;
  return kind === 'int8' ? view.getInt8(position) : view.getInt32(position, true);
}

function addField(builder: Builder, kind: FieldKind, value: number): void {
  switch (kind) {
    case 'int8':
      return builder.addInt8(value);
    case 'int32':
      return builder.addInt32(value);
    case 'offset':
      return builder.addOffset(value);
  }
}

/**
 * The new file.
 *
 * @param absolute where the old bytes hold a position in the file as an unsigned 64-bit number, which moves with them
 */
export function finishGraft(
  { builder, start }: Graft,
  root: Offset,
  identifier: string,
  absolute: Iterable<number>,
): Uint8Array {
  builder.finish(root, identifier);
  const file = builder.asUint8Array().slice();
  const moved = file.length - start;
  if (moved % 16 !== 0) internal(`the old bytes are moved by ${moved} bytes, expected a multiple of 16`);
  const view = new DataView(file.buffer);
  for (const position of new Set(absolute)) {
    view.setBigUint64(moved + position, view.getBigUint64(moved + position, true) + BigInt(moved), true);
  }
  return file;
}
