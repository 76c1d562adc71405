/** Names and literals of the languages that are written: C++, JavaScript and Markdown. */

/**
 * A part of identifiers: letters, digits and single underscores, as C++ reserves double ones.
 *
 * @param name of a pipeline
 */
export function identifierOf(name: string): string {
  const parts = name.split(/[^A-Za-z0-9]+/).filter((part) => part !== '');
  return parts.length === 0 ? 'model' : parts.join('_');
}

/** `frame_length` as `FrameLength`. */
export const pascalCase = (words: string): string =>
  words.replaceAll(/(?:^|_)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/**
 * A string literal of C++ that holds the UTF-8 bytes of a text, whatever encoding a compiler reads sources in. Question
 * marks are escaped, so that none begin a trigraph; octal escapes have three digits, so that none takes a digit behind.
 */
export function cString(text: string): string {
  const characters = Array.from(new TextEncoder().encode(text), (byte) => {
    const character = String.fromCharCode(byte);
    if (character === '"' || character === '\\' || character === '?') return `\\${character}`;
    return byte >= 0x20 && byte < 0x7f ? character : `\\${byte.toString(8).padStart(3, '0')}`;
  });
  return `"${characters.join('')}"`;
}

/** A literal of C for exactly this float32; nine digits tell all of them apart. */
export function cFloat(value: number): string {
  const text = String(Number(value.toPrecision(9)));
  return /[.e]/.test(text) ? `${text}f` : `${text}.0f`;
}

/** What of a text may stand in a comment of any language. */
export const inComment = (text: string): string => text.replaceAll(/[^\w .-]/g, '_');

const mostColumns = 100;

/** Elements of an array, as many as fit into a line. */
export function arrayLines(elements: readonly string[], indent: string): string {
  const lines: string[] = [];
  let line = '';
  for (const element of elements) {
    if (line !== '' && indent.length + line.length + element.length + 2 > mostColumns) {
      lines.push(indent + line.trimEnd());
      line = '';
    }
    line += `${element}, `;
  }
  if (line !== '') lines.push(indent + line.trimEnd());
  return lines.join('\n');
}

/** A text within a line of Markdown, as it is. */
export const markdownText = (text: string): string =>
  text.replaceAll(/\s+/g, ' ').replaceAll(/[\\`*_{}[\]<>()#+.!|~&-]/g, (character) => `\\${character}`);
