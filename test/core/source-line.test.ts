import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { formatForScreen } from '../../src/core/diagnostic.ts';
import { sourceLine } from '../../src/core/source-line.ts';
import { createRandom } from '../../src/core/random.ts';

/** The characters of the line that stand above the carets. */
function above({ line, caret }: { readonly line: string; readonly caret: string }): string {
  const first = caret.indexOf('^');
  let column = 0;
  let text = '';
  for (const { segment } of new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(line)) {
    if (column >= first && column < caret.length) text += segment;
    column += stringWidth(segment);
  }
  return text;
}

describe('the line of a file under a message', () => {
  it('is shown whole where it fits', () => {
    expect(sourceLine('  epochs: 0', 10, 1, 80)).toEqual({ line: '  epochs: 0', caret: '          ^' });
  });

  it('is cut on both sides of the caret where it does not', () => {
    const line = `${'a'.repeat(100)} wrong ${'b'.repeat(100)}`;
    const shown = sourceLine(line, 101, 5, 40);
    expect(shown.line).toBe(`…${'a'.repeat(12)} wrong ${'b'.repeat(18)}…`);
    expect(above(shown)).toBe('wrong');
    expect(stringWidth(shown.line)).toBeLessThan(40);
  });

  it('is cut at its end only where the caret is near its beginning', () => {
    const shown = sourceLine(`wrong: ${'b'.repeat(100)}`, 0, 5, 40);
    expect(shown).toEqual({ line: `wrong: ${'b'.repeat(31)}…`, caret: '^^^^^' });
  });

  it.each([
    ['tabs', '\t\tkey: wrong'],
    ['wide characters', '名前: 深層学習 wrong # 量子化'],
    ['emoji of several code points', '👩‍👩‍👧‍👦🎉: wrong'],
    ['combining marks', 'e\u0301e\u0301: wrong'],
  ])('has its caret in the right column behind %s', (_, line) => {
    expect(above(sourceLine(line, line.indexOf('wrong'), 5, Infinity))).toBe('wrong');
  });

  it('never is wider than the screen, and never loses the caret', () => {
    const random = createRandom(3, 'source lines');
    const signs = ['a', 'b', ' ', '\t', '深', '🎉', 'e\u0301'];
    for (let index = 0; index < 300; index++) {
      const parts = Array.from({ length: random.below(120) }, () => signs[random.below(signs.length)] ?? '');
      const at = random.below(parts.length + 1);
      const line = [...parts.slice(0, at), '!', ...parts.slice(at)].join('');
      const columns = 20 + random.below(100);
      const shown = sourceLine(line, line.indexOf('!'), 1, columns);
      expect(stringWidth(shown.line)).toBeLessThanOrEqual(columns);
      expect(above(shown)).toBe('!');
    }
  });

  it('puts a caret behind the end of a line that ends too early', () => {
    expect(sourceLine('key', 3, 1, 80)).toEqual({ line: 'key', caret: '   ^' });
  });
});

describe('a message', () => {
  it('fits the line of the file into the columns of the screen', () => {
    const source = { text: `${' '.repeat(60)}${'x'.repeat(40)}`, length: 40 };
    const place = { file: 'p.yaml', line: 3, column: 61, source };
    const printed = formatForScreen({ code: 'c', place, message: 'm' }, 'error', 60).split('\n');
    expect(printed.slice(1).every((line) => line.length <= 60)).toBe(true);
    expect(printed[2]).toContain('^');
  });

  it('shows control characters of a file instead of sending them to the terminal', () => {
    const text = 'a\u001b[2Jb: 1';
    const place = { file: 'p\u0007.yaml', line: 1, column: 1, source: { text, length: text.length } };
    const printed = formatForScreen({ code: 'c', place, message: text }, 'error', 80);

    expect(printed).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  });
});
