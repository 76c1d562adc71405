import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';

export function mark(tone: 'good' | 'bad', text: string): Markup {
  return markup`<span class="mark-${tone}">${tone === 'good' ? '\u2713' : '\u2717'} ${text}</span>`;
}
