import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';

/** A file beside the page, or in a folder beside it. */
export function fileLink(path: string): Markup {
  const address = path.split('/').map(encodeURIComponent).join('/');
  return markup`<a href="${address}">${path}</a>`;
}
