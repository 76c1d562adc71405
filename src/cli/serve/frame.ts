/** What the pages of the server have in common. */
import { markup } from '../../report/markup.ts';
import type { Markup } from '../../report/markup.ts';
import { page } from '../../report/page.ts';
import { style } from './style.ts';

/** Leads back to the list of runs. */
export const toList = markup`<nav aria-label="runs"><a href="/">All runs</a></nav>`;

export function servedPage(title: string, body: Markup): string {
  return page(`${title} \u2013 qpipe`, markup`${style}${body}`);
}

/** Says with words why there is nothing to see. */
export function wordsPage(title: string, words: string): string {
  return servedPage(title, markup`${toList}<header><h1>${title}</h1></header><p>${words}</p>`);
}
