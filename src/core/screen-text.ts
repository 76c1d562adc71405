/** Texts as wide as a terminal shows them: letters of East Asia and emoji take two columns. */
import stringWidth from 'fast-string-width';

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
const isPlain = (text: string): boolean => /^[ -~]*$/.test(text);

/** Columns that the text takes; it may not contain escape sequences. */
export const textWidth = (text: string): number => (isPlain(text) ? text.length : stringWidth(text));

/** @param columns at least 1; a text that does not fit ends with an ellipsis */
export function clipped(text: string, columns: number): string {
  return textWidth(text) <= columns ? text : `${headOf(text, columns - 1)}…`;
}

/** Spaces behind the text up to `columns`. */
export const padded = (text: string, columns: number): string =>
  text + ' '.repeat(Math.max(0, columns - textWidth(text)));

/**
 * Breaks a text between words, and a word that is longer than a line where the line ends.
 *
 * @param columns of the first line; Infinity breaks nothing
 * @param others of the lines behind it
 */
export function wrap(text: string, columns: number, others = columns): string[] {
  const lines: string[] = [];
  const room = (): number => (lines.length <= 1 ? columns : others);
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line !== undefined && textWidth(line) + 1 + textWidth(word) <= room()) lines.splice(-1, 1, `${line} ${word}`);
    else lines.push(...pieces(word, lines.length === 0 ? columns : others, others));
  }
  return lines;
}

function pieces(word: string, columns: number, others: number): string[] {
  const parts: string[] = [];
  let rest = word;
  let room = columns;
  while (room >= 1 && textWidth(rest) > room) {
    const head = headOf(rest, room);
    // A letter of two columns does not fit into one.
    if (head === '') break;
    parts.push(head);
    rest = rest.slice(head.length);
    room = others;
  }
  return [...parts, rest];
}

/** As much of the beginning as fits. */
function headOf(text: string, columns: number): string {
  if (isPlain(text)) return text.slice(0, Math.max(0, columns));
  let head = '';
  let used = 0;
  for (const { segment } of segmenter.segment(text)) {
    used += stringWidth(segment);
    if (used > columns) break;
    head += segment;
  }
  return head;
}
