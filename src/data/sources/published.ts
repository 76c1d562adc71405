/** Published data files: compressed or plain, checked against the published digest. */
import { existsSync } from 'node:fs';
import { userError } from '../../core/diagnostic.ts';
import { sha256 } from '../dataset.ts';
import type { DataContent } from '../dataset.ts';

/** The content itself, if its SHA-256 is the published one. */
export function verify(content: DataContent, digest: string, remedy: string): DataContent {
  const found = sha256(content.bytes);
  if (found === digest) return content;
  const message = `the unpacked file has SHA-256 ${found.slice(0, 12)}…, expected ${digest.slice(0, 12)}…`;
  throw userError(content.path, 'wrong-digest', message, remedy);
}

/** `path.gz` unless only the plain file is there. */
export function packedOrPlain(path: string): string {
  return existsSync(path) && !existsSync(`${path}.gz`) ? path : `${path}.gz`;
}
