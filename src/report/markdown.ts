/** GitHub-flavoured Markdown in which whatever names contain shows as text. */

const codes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '@': '@\u2060' };

/** In HTML. What follows an @ is kept apart from it, since GitHub would call somebody of that name. */
export const markdownEntities = (text: string): string =>
  text.replace(/[&<>@]/g, (character) => codes[character] ?? character);

/** As text between words of Markdown, in one line. */
export function markdownText(text: string): string {
  const line = text.replaceAll(/\s*\n\s*/g, ' ').replaceAll(/[\\`*_{}[\]#|~!]/g, String.raw`\$&`);
  return markdownEntities(line).replaceAll(/(https?):\/\/|\b(www)\./gi, (_, scheme?: string, host?: string) =>
    scheme === undefined ? `${host ?? ''}&#46;` : `${scheme}:&#47;&#47;`,
  );
}

export interface MarkdownColumn {
  readonly head: string;
  readonly kind: 'words' | 'numbers';
}

/** @param rows of Markdown */
export function markdownTable(columns: readonly MarkdownColumn[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(columns.map(({ head }) => markdownText(head))),
    line(columns.map(({ kind }) => (kind === 'numbers' ? '---:' : '---'))),
    ...rows.map((row) => line(row)),
  ].join('\n');
}
