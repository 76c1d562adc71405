/** What the generated code of a schema would offer on top of the official builder: vectors of one element type. */
import { Builder } from 'flatbuffers';
import type { Offset } from 'flatbuffers';

export { Builder };
export type { Offset };

/** Field ids with the offsets of what was built before; null leaves the field out. */
export type OffsetFields = readonly (readonly [id: number, offset: Offset | null])[];

export function writeInt32s(builder: Builder, values: ArrayLike<number>): Offset {
  return writeVector(builder, 4, values, (value) => builder.addInt32(value));
}

export function writeFloat32s(builder: Builder, values: ArrayLike<number>): Offset {
  return writeVector(builder, 4, values, (value) => builder.addFloat32(value));
}

export function writeInt64s(builder: Builder, values: ArrayLike<number>): Offset {
  return writeVector(builder, 8, values, (value) => builder.addInt64(BigInt(value)));
}

/** A vector of tables or strings. */
export function writeOffsets(builder: Builder, offsets: readonly Offset[]): Offset {
  return writeVector(builder, 4, offsets, (offset) => builder.addOffset(offset));
}

/**
 * A byte vector whose first element is aligned relative to the start of the file.
 *
 * @param alignment in bytes, a power of two.
 */
export function writeBytes(builder: Builder, bytes: Uint8Array, alignment: number): Offset {
  builder.prep(alignment, bytes.length);
  return builder.createByteVector(bytes);
}

/**
 * A table. Its children were built before, since a builder fills the file from its end.
 *
 * @param numFields one more than the largest field id.
 * @param scalars adds the fields that are no offsets.
 */
export function writeTable(
  builder: Builder,
  numFields: number,
  offsets: OffsetFields,
  scalars?: (builder: Builder) => void,
): Offset {
  builder.startObject(numFields);
  for (const [id, offset] of offsets) {
    if (offset !== null) builder.addFieldOffset(id, offset, 0);
  }
  scalars?.(builder);
  return builder.endObject();
}

function writeVector(
  builder: Builder,
  elementBytes: number,
  values: ArrayLike<number>,
  add: (value: number) => void,
): Offset {
  builder.startVector(elementBytes, values.length, elementBytes);
  for (let index = values.length - 1; index >= 0; index--) add(values[index]!);
  return builder.endVector();
}
