import type { Markup } from '../markup.ts';

export interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Markup;
}

export function section(id: string, title: string, body: Markup | null): Section | null {
  return body === null ? null : { id, title, body };
}
