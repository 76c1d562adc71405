/** docs/data.md tells of every mistake that a source can find, and of no other; its examples are pipelines. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parsePipeline } from '../../src/config/load.ts';

const root = join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const page = read('docs/data.md');

const formats = ['archive', 'bytes', 'csv', 'image', 'jpeg', 'png', 'tar', 'wav', 'zip'];
const files = [
  ...readdirSync(join(root, 'src/data'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `src/data/${file}`),
  ...formats.map((name) => `src/formats/${name}.ts`),
  'src/config/data-files.ts',
];

/** Said by `init`, not of a source. */
const elsewhere = new Set(['unknown-data']);

/** The second word of `userError(path, 'code', …)`, of a reader's `fail`, and `code: 'code'` of diagnostics. */
const codesIn = (file: string): string[] => {
  const calls = read(file).matchAll(
    /(?:[eE]rror\(\s*[\w.('")!]+,\s*|diagnostic\(\s*|\bcode(?:: | = ))'([a-z]+(?:-[a-z]+)+)'/g,
  );
  return [...calls].map(([, code = '']) => code);
};
const thrown = new Set(files.flatMap(codesIn));
/** Of settings that do not fit the data, or each other. */
const ofSettings = new Set(['data', 'stages'].flatMap((name) => codesIn(`src/config/checks/${name}.ts`)));

const blocks = [...page.matchAll(/```yaml\n([^]*?)```/g)].map(([, text = '']) => text);
const examples = blocks.filter((text) => text.includes('data:'));

describe('docs/data.md', () => {
  it('names each mistake', () => {
    expect(thrown.size).toBeGreaterThan(35);
    expect([...thrown].filter((code) => !elsewhere.has(code) && !page.includes(`\`${code}\``))).toEqual([]);
  });

  it('names no mistake that there is not', () => {
    const rows = page.split('\n').filter((line) => /^\| `[a-z]+-/.test(line));
    const named = rows.flatMap((row) =>
      [...(row.split('|')[1] ?? '').matchAll(/`([a-z-]+)`/g)].map(([, code]) => code),
    );
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter((code = '') => !thrown.has(code) && !ofSettings.has(code))).toEqual([]);
  });

  it.each(examples)('has examples that are valid: %s', (example) => {
    const model = 'model: { layers: [{ kind: flatten }] }';
    const stages = 'stages: { pretrain: { uses: float-pretrain, epochs: 1, batch: 2 } }';
    const text = `version: 1\nname: x\n${example}\n${model}\n${stages}\n`;
    expect(() => parsePipeline(text, 'x.yaml')).not.toThrow();
  });
});
