/** The importer that docs/add-an-importer.md writes reads what the page says. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { floatTensor } from '../../src/core/tensor.ts';
import type { ImporterRow } from '../../src/importers/define.ts';
import { outputsOf } from '../oracle/imports.ts';

const root = join(import.meta.dirname, '../..');
const code = /```ts\n([^]*?)```/.exec(readFileSync(join(root, 'docs/add-an-importer.md'), 'utf8'))?.[1] ?? '';
const folder = mkdtempSync(join(tmpdir(), 'qpipe-importer-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the importer of docs/add-an-importer.md', () => {
  it('reads a layer, and says what a file lacks', async () => {
    const module = join(folder, 'dense-json.ts');
    const absolute = code
      .replaceAll("from './", `from '${root}/src/importers/`)
      .replaceAll("from '../", `from '${root}/src/`);
    writeFileSync(module, absolute);
    const { denseJson } = (await import(module)) as { readonly denseJson: ImporterRow };
    const file = join(folder, 'a.dense.json');
    writeFileSync(
      file,
      JSON.stringify({
        filter: [
          [1, 2],
          [3, 4],
          [5, 6],
        ],
        bias: [0.5, 0, -0.5],
      }),
    );
    const { graph } = await denseJson.read(file);
    const [output] = await outputsOf(graph, [floatTensor([1, 2], [10, 100])]);
    expect([...(output?.data ?? [])]).toEqual([210.5, 430, 649.5]);
    writeFileSync(file, JSON.stringify({ filter: [] }));
    await expect(denseJson.read(file)).rejects.toThrow('the file has no "filter" and "bias"');
  });
});
