/** Text that is already HTML. Only `markup` makes it, so whatever else reaches a page has been escaped. */
export interface Markup {
  readonly markup: string;
}

type Child = Markup | string | number | null | readonly Child[];

/** Template tag: every value is escaped, lists are joined, null is nothing. */
export function markup(parts: TemplateStringsArray, ...children: Child[]): Markup {
  return { markup: String.raw({ raw: parts }, ...children.map(toHtml)) };
}

/** For the constant style sheet and script of this folder, never for data. */
export function trustedMarkup(text: string): Markup {
  return { markup: text };
}

export const nothing: Markup = { markup: '' };

function toHtml(child: Child): string {
  if (child === null) return '';
  if (typeof child === 'string') return escapeText(child);
  if (typeof child === 'number') return String(child);
  if ('markup' in child) return child.markup;
  return child.map(toHtml).join('');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Safe in element content and in quoted attributes. */
function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

/** A path or a name of a layer, which may be broken behind its slashes. */
export function breakable(name: string): Markup {
  return markup`${name.split(/(?<=\/)/).map((part, index) => (index === 0 ? part : markup`<wbr>${part}`))}`;
}

/** Text with what stands between backticks as code. */
export function withCode(text: string): Markup {
  return markup`${text.split('`').map((part, index) => (index % 2 === 0 ? part : markup`<code>${part}</code>`))}`;
}
