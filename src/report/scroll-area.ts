import { markup } from './markup.ts';
import type { Markup } from './markup.ts';

/**
 * What may be wider than the page. It can be reached and scrolled by keys; the script lets those be passed over that
 * need no scrolling.
 */
export function scrollArea(name: string, body: Markup): Markup {
  return markup`<div class="scroll" role="group" tabindex="0" aria-label="${name}">${body}</div>`;
}
