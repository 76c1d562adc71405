import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { pipelineExamples } from '../../src/cli/pipeline-examples.ts';
import { pipelineReference } from '../../src/cli/pipeline-reference.ts';
import { jsonSchemas } from '../../src/cli/schemas.ts';

const schema = jsonSchemas().get('pipeline.schema.json') ?? '';
const page = pipelineReference(schema);

/** The names of all fields of a schema, at every depth. */
function fieldNames(node: unknown): readonly string[] {
  if (typeof node !== 'object' || node === null) return [];
  const properties: unknown = 'properties' in node ? node.properties : {};
  return [...Object.keys(properties as object), ...Object.values(node).flatMap(fieldNames)];
}

describe('docs/pipeline.md', () => {
  it('is the page of the schema as it is defined now (run `npm run schemas`)', async () => {
    expect(await readFile(join(import.meta.dirname, '../../docs/pipeline.md'), 'utf8')).toBe(page);
  });

  it('names every field of the schema', () => {
    // Letters that a table's first column, a heading or a sentence about the choosing key puts into code marks.
    const named = new Set([...page.matchAll(/`(?:[a-z0-9_]+\.)*([a-z0-9_]+)(?:: [^`]+)?`/g)].map(([, name]) => name));
    expect(fieldNames(JSON.parse(schema)).filter((name) => !named.has(name))).toEqual([]);
  });

  const document = { version: 1, name: 'x', data: { source: 'mnist' }, model: { preset: 'lenet5' } };
  const training = { uses: 'float-pretrain', epochs: 1 };
  const stages = { pretrain: training };
  const check = new Ajv({ strict: false }).compile(JSON.parse(schema) as object);
  const sound = { source: 'audio_folder', path: 'x', audio: { rate: 8000, seconds: 1 } };
  const { data, features, presets, layers, stages: stageExamples, optimizers } = pipelineExamples;

  it.each([
    ...[data, presets].flatMap((examples) =>
      Object.values(examples).map((example) => [example, { ...document, stages, ...parsed(example) }] as const),
    ),
    ...Object.values(features).map(
      (example) => [example, { ...document, stages, data: { ...sound, ...parsed(example) } }] as const,
    ),
    ...Object.values(layers).map(
      (example) => [example, { ...document, stages, model: { layers: parse(example) as unknown } }] as const,
    ),
    ...Object.values(stageExamples).map((example) => [example, { ...document, stages: parsed(example) }] as const),
    ...Object.values(optimizers).map(
      (example) => [example, { ...document, stages: { pretrain: { ...training, ...parsed(example) } } }] as const,
    ),
  ])('shows a valid example: %s', (_, pipeline) => {
    check(pipeline);
    expect(check.errors).toBeNull();
  });
});

function parsed(yaml: string): object {
  return parse(yaml) as object;
}
