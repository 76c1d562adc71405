import { internal } from '../core/assert.ts';
import type { Json } from '../core/json.ts';
import type { SchemaNode } from '../core/schema.ts';
import { chosenSchema, isRecord } from '../core/schema.ts';

/**
 * What of a resolved config belongs in a cache key: the fields that its schema marks `key`, at every depth.
 *
 * @param schema of the value, for example the `config` of a stage definition, or `dataSchema`
 */
export function keyPart(schema: SchemaNode, value: unknown): Json {
  const chosen = chosenSchema(schema, value);
  const { items, properties } = chosen;
  if (chosen['x-parse'] !== undefined) return toJson(value);
  if (Array.isArray(value) && items !== undefined) return value.map((item) => keyPart(items, item));
  if (!isRecord(value) || properties === undefined) return toJson(value);
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, field]) => {
      const fieldSchema = properties[name] ?? internal(`no schema for the field ${name}`);
      return fieldSchema['x-qpipe'] === 'key' ? [[name, keyPart(fieldSchema, field)]] : [];
    }),
  );
}

function toJson(value: unknown): Json {
  // Resolved configs come out of JSON-like YAML and hold nothing else.
  return value as Json;
}
