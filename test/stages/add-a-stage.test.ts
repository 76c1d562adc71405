/** The stage that docs/add-a-stage.md writes does what the page says. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { StageDefinition } from '../../src/stages/define.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/add-a-stage.md'), 'utf8');
const code = /```ts\n([^]*?)```/.exec(page)?.[1] ?? '';
const folder = mkdtempSync(join(tmpdir(), 'qpipe-stage-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the stage of docs/add-a-stage.md', () => {
  it('writes the SHA-256 of its input', async () => {
    const file = join(folder, 'checksum.ts');
    const text = code.replaceAll("from '../", `from '${root}/src/`).replaceAll("from './", `from '${root}/src/stages/`);
    writeFileSync(file, text.replace("from '@sinclair/typebox'", `from '${root}/node_modules/@sinclair/typebox'`));
    const { checksum } = (await import(file)) as { readonly checksum: StageDefinition };
    const model = join(folder, 'model');
    writeFileSync(model, 'abc');
    const { signal } = new AbortController();
    const context = { inputs: { model }, directory: folder, emit: () => undefined, signal };
    // It asks for nothing of the environment.
    await checksum.run({ uses: 'checksum', name: 'm.tflite' }, context, {} as Parameters<StageDefinition['run']>[2]);
    // FIPS 180-2, appendix B.1.
    const sum = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    expect(readFileSync(join(folder, 'model.sha256'), 'utf8')).toBe(`${sum}  m.tflite\n`);
  });
});
