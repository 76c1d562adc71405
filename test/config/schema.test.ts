import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { pipelineSchema } from '../../src/config/schema.ts';
import type { SchemaNode } from '../../src/core/schema.ts';
import { example } from './example.ts';

/** Every field of every map in a schema, with its path. */
function fields(schema: SchemaNode, at: string): (readonly [path: string, field: SchemaNode])[] {
  const below: (readonly [string, SchemaNode | undefined])[] = [
    ...(schema.oneOf ?? []).map((branch, index) => [`${at}|${index}`, branch] as const),
    [at, schema.then],
    [at, schema.else],
    [`${at}[]`, schema.items],
    [`${at}.*`, typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined],
  ];
  return [
    ...Object.entries(schema.properties ?? {}).flatMap(([name, field]) => [
      [`${at}.${name}`, field] as const,
      ...fields(field, `${at}.${name}`),
    ]),
    ...below.flatMap(([where, node]) => (node === undefined ? [] : fields(node, where))),
  ];
}

describe('the schema of a pipeline file', () => {
  const all = fields(pipelineSchema, '');

  it('marks every field as key, runtime or doc, and describes it', () => {
    expect(all.length).toBeGreaterThan(100);
    const unmarked = all.filter(([, field]) => !['key', 'runtime', 'doc'].includes(field['x-qpipe'] ?? ''));
    expect(unmarked.map(([at]) => at)).toEqual([]);
    expect(all.filter(([, field]) => (field.description ?? '') === '').map(([at]) => at)).toEqual([]);
  });

  it('closes every map', () => {
    const maps = [['', pipelineSchema as SchemaNode] as const, ...all].filter(
      ([, field]) => field.properties !== undefined,
    );
    expect(maps.filter(([, field]) => field.additionalProperties !== false).map(([at]) => at)).toEqual([]);
  });

  it('is plain JSON Schema, so that an editor without our keywords accepts what we accept', () => {
    const check = new Ajv({ strict: false }).compile(pipelineSchema);
    expect(check(parse(example))).toBe(true);
    expect(check(parse(example.replace('delay: 500', 'delai: 500')))).toBe(false);
    expect(check(parse(example.replace('uses: test', 'uses: tests')))).toBe(false);
  });
});
