/** Tables whose fields are described by data: the options tables of operators. */
import { internal, unreachable } from '../../core/assert.ts';
import { readBool, readFloat32, readInt32, readInt32s, readInt8 } from './read.ts';
import type { FlatbufferTable } from './read.ts';
import { writeInt32s, writeTable } from './write.ts';
import type { Builder, Offset } from './write.ts';

interface Field<Type extends string, Value> {
  /** The field's id in the schema. */
  readonly id: number;
  readonly name: string;
  readonly type: Type;
  /** What an absent field means, by the schema; such a value is not written. */
  readonly default: Value;
}

/** A `byte` is signed, as the schema's enumerations are. */
export type FieldSpec =
  Field<'bool', boolean> | Field<'byte' | 'int32' | 'float32', number> | Field<'int32_vector', readonly number[]>;

export type OptionValues = Readonly<Record<string, number | boolean | readonly number[]>>;

/** The values of all described fields; a null table is one where every field is absent. */
export function readOptions(table: FlatbufferTable | null, fields: readonly FieldSpec[]): OptionValues {
  return Object.fromEntries(fields.map((field) => [field.name, table === null ? field.default : read(table, field)]));
}

function read(table: FlatbufferTable, field: FieldSpec): number | boolean | readonly number[] {
  switch (field.type) {
    case 'bool':
      return readBool(table, field.id, field.default);
    case 'byte':
      return readInt8(table, field.id, field.default);
    case 'int32':
      return readInt32(table, field.id, field.default);
    case 'float32':
      return readFloat32(table, field.id, field.default);
    case 'int32_vector':
      return readInt32s(table, field.id) ?? field.default;
    default:
      return unreachable(field);
  }
}

/** Writes a table. A value that is not given is the field's default; a value without a field is an internal error. */
export function writeOptions(builder: Builder, fields: readonly FieldSpec[], values: OptionValues): Offset {
  const unknown = Object.keys(values).find((name) => !fields.some((field) => field.name === name));
  if (unknown !== undefined) internal(`no field is described for the option ${unknown}`);
  const vectors = fields.flatMap((field) => {
    if (field.type !== 'int32_vector') return [];
    const value = values[field.name] ?? field.default;
    if (!isVector(value)) return internal(`option ${field.name} must be a list of numbers`);
    // Absent and empty mean the same to every reader.
    return value.length === 0 ? [] : [[field.id, writeInt32s(builder, value)] as const];
  });
  const numFields = 1 + Math.max(-1, ...fields.map((field) => field.id));
  return writeTable(builder, numFields, vectors, () => {
    for (const field of fields) writeScalar(builder, field, values[field.name] ?? field.default);
  });
}

function writeScalar(builder: Builder, field: FieldSpec, value: number | boolean | readonly number[]): void {
  if (field.type === 'int32_vector') return;
  const expected = field.type === 'bool' ? 'boolean' : 'number';
  if (typeof value !== expected) internal(`option ${field.name} must be a ${expected}, got ${JSON.stringify(value)}`);
  const number = Number(value);
  switch (field.type) {
    case 'bool':
      return builder.addFieldInt8(field.id, number, Number(field.default));
    case 'byte':
      return builder.addFieldInt8(field.id, number, field.default);
    case 'int32':
      return builder.addFieldInt32(field.id, number, field.default);
    case 'float32':
      return builder.addFieldFloat32(field.id, number, field.default);
    default:
      return unreachable(field);
  }
}

function isVector(value: number | boolean | readonly number[]): value is readonly number[] {
  return Array.isArray(value);
}
