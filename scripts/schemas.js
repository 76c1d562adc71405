// Writes schemas/ and docs/pipeline.md from the definitions in dist/. A test fails when one of them is stale.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { dirname, join } from 'node:path';
import { pipelineReference } from '../dist/cli/pipeline-reference.js';
import { jsonSchemas } from '../dist/cli/schemas.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const schemas = jsonSchemas();
mkdirSync(join(root, 'schemas'), { recursive: true });
for (const [file, text] of schemas) writeFileSync(join(root, 'schemas', file), text);
writeFileSync(join(root, 'docs/pipeline.md'), pipelineReference(schemas.get('pipeline.schema.json') ?? ''));
