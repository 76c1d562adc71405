import type { SchemaNode } from '../core/schema.ts';
import { isRecord } from '../core/schema.ts';

const prefix = '#/$defs/';

/**
 * The schema with each alternative of a `oneOf` under `$defs`. Ajv makes a function of what is behind a reference, so
 * that a run compiles the checks of the kinds that its pipeline has, and not one function with those of all kinds.
 */
export function withDefinitions(schema: SchemaNode): SchemaNode {
  // By content, since kinds may have alternatives in common.
  const names = new Map<string, string>();
  const definitions: Record<string, SchemaNode> = {};
  const reference = (alternative: SchemaNode): SchemaNode => {
    const text = JSON.stringify(alternative);
    const name = names.get(text) ?? `alternative_${names.size}`;
    names.set(text, name);
    definitions[name] = alternative;
    return { $ref: prefix + name };
  };
  return { ...mapAlternatives(schema, reference), $defs: definitions };
}

/** A copy in which `change` has been applied to all alternatives, the innermost first. */
function mapAlternatives(schema: SchemaNode, change: (alternative: SchemaNode) => SchemaNode): SchemaNode {
  // JSON.parse visits what is inside a value before the value itself.
  return JSON.parse(JSON.stringify(schema), (_key, node: unknown): unknown =>
    isRecord(node) && Array.isArray(node['oneOf']) ? { ...node, oneOf: node['oneOf'].map(change) } : node,
  ) as SchemaNode;
}
