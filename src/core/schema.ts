/**
 * The vocabulary in which config schemas are written. One TypeBox definition is the JSON Schema that editors and ajv
 * read, and, as `Static`, the type of the value once it is resolved: defaults filled in and `x-parse` texts parsed.
 */
import type { ObjectOptions, SchemaOptions, Static, TObject, TProperties, TSchema, TUnsafe } from '@sinclair/typebox';
import { OptionalKind, Type } from '@sinclair/typebox';

/**
 * Whether a field is part of a stage's cache key (`key`), changes how but not what is computed, or is known to the
 * key by its content (`runtime`), or is for people (`doc`).
 */
export type Mark = 'key' | 'runtime' | 'doc';

/** How a value as written becomes the value in the type; the parsers are in config/resolve.ts. */
export type ParseRule = 'bytes' | 'device' | 'file' | 'fraction' | 'normalize' | 'pair' | 'path' | 'target' | 'weights';

/** What code that walks a schema may look at. */
export interface SchemaNode {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly examples?: readonly unknown[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly properties?: { readonly [name: string]: SchemaNode };
  readonly additionalProperties?: boolean | SchemaNode | undefined;
  readonly items?: SchemaNode;
  readonly oneOf?: readonly SchemaNode[];
  readonly $ref?: string;
  readonly $defs?: { readonly [name: string]: SchemaNode };
  readonly discriminator?: { readonly propertyName: string };
  readonly if?: { readonly required: readonly string[] };
  readonly then?: SchemaNode;
  readonly else?: SchemaNode;
  readonly 'x-qpipe'?: Mark;
  readonly 'x-parse'?: ParseRule;
}

type FieldOptions = SchemaOptions & { readonly 'x-qpipe': Mark };

export const key = (description: string): FieldOptions => ({ 'x-qpipe': 'key', description });
export const runtime = (description: string): FieldOptions => ({ 'x-qpipe': 'runtime', description });
export const doc = (description: string): FieldOptions => ({ 'x-qpipe': 'doc', description });

/**
 * A map with these keys and no others. A field with a `default` (or marked by `derived`) may be left out of the file
 * but is present in the type.
 */
export function object<P extends TProperties>(properties: P, options: ObjectOptions = {}): TObject<P> {
  const schema = Type.Object(properties, { additionalProperties: false, ...options });
  const required: readonly string[] = Object.keys(properties).filter((name) => {
    const field = properties[name];
    return field !== undefined && !(OptionalKind in field) && !('default' in field) && !('x-derived' in field);
  });
  // The type keeps its own list, in which fields that are filled in are required.
  return { ...schema, required: required as typeof schema.required };
}

/** A field that is filled in when it is left out; `from` describes the value. */
export function derived<S extends TSchema>(schema: S, from: string): S {
  return { ...schema, 'x-derived': from };
}

/** A whole number for two directions, or one for each. */
export const pair = (examples: readonly unknown[], options: SchemaOptions) =>
  Type.Unsafe<readonly [number, number]>({
    type: ['integer', 'array'],
    minimum: 1,
    items: { type: 'integer', minimum: 1 },
    minItems: 2,
    maxItems: 2,
    examples,
    'x-parse': 'pair',
    ...options,
  });

/** A number of bytes, or a text with one of these units, of which `k` is 1024. */
export const byteCount = (
  units: readonly string[],
  { minimum, ...options }: SchemaOptions & { readonly minimum: number; readonly examples: readonly string[] },
) =>
  Type.Unsafe<number>({
    type: ['integer', 'string'],
    minimum,
    pattern: `^[0-9]+([.][0-9]+)? ?(${units.join('|')})$`,
    'x-parse': 'bytes',
    ...options,
  });

/** How much memory of a computer: at least a megabyte. */
export const memorySize = (options: SchemaOptions) =>
  byteCount(['MB', 'GB', 'MiB', 'GiB'], { minimum: 1e6, examples: ['2 GB', '512 MB'], ...options });

/** One word out of several. */
export function choice<const V extends readonly string[]>(values: V, options: SchemaOptions): TUnsafe<V[number]> {
  return Type.Unsafe({ type: 'string', enum: values, ...options });
}

/** One of several maps, told apart by the constant under `tag`; mistakes are reported for the chosen map only. */
export function discriminated<const B extends readonly TSchema[]>(
  tag: string,
  branches: B,
  options: SchemaOptions = {},
): TUnsafe<Static<B[number]>> {
  return Type.Unsafe({ type: 'object', discriminator: { propertyName: tag }, oneOf: branches, ...options });
}

/** `withKey` for a map that has `name` among its keys, `without` for any other. */
export function dependingOn<W extends TSchema, O extends TSchema>(
  name: string,
  withKey: W,
  without: O,
  options: SchemaOptions = {},
): TUnsafe<Static<W> | Static<O>> {
  return Type.Unsafe({ if: { type: 'object', required: [name] }, then: withKey, else: without, ...options });
}

/** The alternative of a schema that a value takes; the schema itself when it has none. */
export function chosenSchema(schema: SchemaNode, value: unknown): SchemaNode {
  const fields: Readonly<Record<string, unknown>> = isRecord(value) ? value : {};
  if (schema.if !== undefined) {
    const chosen = schema.if.required.every((name) => name in fields) ? schema.then : schema.else;
    return chosen === undefined ? schema : chosenSchema(chosen, value);
  }
  if (schema.discriminator !== undefined) {
    const tag = schema.discriminator.propertyName;
    return schema.oneOf?.find((branch) => branch.properties?.[tag]?.const === fields[tag]) ?? schema;
  }
  return schema;
}

/** The schema of one field of a map, named by key or reached through `additionalProperties`. */
export function fieldSchema(schema: SchemaNode, name: string): SchemaNode | undefined {
  // Not the names that every object has, such as `constructor`.
  const properties = schema.properties ?? {};
  if (Object.hasOwn(properties, name)) return properties[name];
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
