import { createHash } from 'node:crypto';
import { isRecord } from '../core/schema.ts';

/**
 * JSON with a last field `digest`: the SHA-256 of the text without it. A changed byte anywhere in the text, or a file
 * that is cut short, is found when it is read.
 *
 * @param content a map without a field `digest`, of JSON values
 */
export function seal(content: object): string {
  const digest = createHash('sha256').update(jsonText(content)).digest('hex');
  return jsonText({ ...content, digest: `sha256:${digest}` });
}

/** What was sealed, as plain JSON; null when the text is not, byte for byte, what `seal` made. */
export function unseal(text: string): Readonly<Record<string, unknown>> | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isRecord(value)) return null;
  const { digest: _digest, ...content } = value;
  return seal(content) === text ? content : null;
}

/** For people and programs: indented, with a line break at the end. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
