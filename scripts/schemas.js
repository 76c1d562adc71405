// Writes schemas/ from the definitions in dist/. A test fails when a checked-in schema is stale.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { dirname, join } from 'node:path';
import { jsonSchemas } from '../dist/cli/schemas.js';

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), 'schemas');
mkdirSync(folder, { recursive: true });
for (const [file, text] of jsonSchemas()) writeFileSync(join(folder, file), text);
