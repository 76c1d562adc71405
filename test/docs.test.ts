/** The pages under docs/ hold what tests, sources and other pages refer to. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const filesBelow = (folder: string, extension: string): readonly string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(extension))
    .map((file) => join(folder, file));

describe('docs/quantization.md', () => {
  const page = read('docs/quantization.md');
  const sections = new Set([...page.matchAll(/^#+ (\d+(?:\.\d+)?)[. ]/gm)].map(([, number]) => number));
  const goldens = new Set([...page.matchAll(/^\| (G\d+b?) \|/gm)].map(([, name]) => name));

  /** Paragraphs of comments and strings that name the page, with the line after them. */
  const citations = [...filesBelow('src', '.ts'), ...filesBelow('test', '.ts')]
    .filter((file) => file !== 'test/docs.test.ts')
    .flatMap((file) =>
      [...read(file).matchAll(/quantization\.md[^\n]*(?:\n *(?:\/\/|\*)[^\n]*)?/g)].map(([text]) => ({ file, text })),
    );

  it('is cited', () => expect(citations.length).toBeGreaterThan(5));

  it.each(citations)('has the sections and goldens that $file cites', ({ text }) => {
    const [, list = ''] = /sections? ([\d., and]+)/.exec(text) ?? [];
    for (const [section] of list.matchAll(/\d+(?:\.\d+)?/g)) expect(sections).toContain(section);
    for (const [golden] of text.matchAll(/\bG\d+b?\b/g)) expect(goldens).toContain(golden);
  });
});

describe('links between pages', () => {
  const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...filesBelow('docs', '.md')];

  it.each(pages)('%s leads to files that exist', (page) => {
    const targets = [...read(page).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, target = '']) => target);
    expect(targets.filter((target) => !existsSync(join(root, dirname(page), target)))).toEqual([]);
  });
});
