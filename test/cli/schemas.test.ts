import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { jsonSchemas } from '../../src/cli/schemas.ts';

const folder = join(import.meta.dirname, '../../schemas');

describe('schemas/', () => {
  it('holds every schema as it is defined now (run `npm run schemas`)', async () => {
    const files = (await readdir(folder)).sort();
    expect(files).toEqual([...jsonSchemas().keys()].sort());
    for (const [file, text] of jsonSchemas()) expect(await readFile(join(folder, file), 'utf8'), file).toBe(text);
  });

  it('is JSON Schema that a validator without our keywords compiles', () => {
    for (const [file, text] of jsonSchemas()) {
      const check = new Ajv({ strict: false }).compile(JSON.parse(text) as object);
      expect(check({ no: 'such thing' }), file).toBe(false);
    }
  });
});
