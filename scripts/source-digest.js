// @ts-check
// Which sources a build was made from, so that tests of dist/ can tell a stale one.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Where the build leaves the digest, relative to the repository. */
export const sourceDigestFile = 'dist/source-digest';

/**
 * @param {string} root of the repository
 * @returns {string} SHA-256 of all that is compiled, by name and content
 */
export function sourceDigest(root) {
  const hash = createHash('sha256');
  const files = readdirSync(join(root, 'src'), { recursive: true }).map(String).sort();
  for (const file of files.filter((name) => /\.[jt]s$/.test(name))) {
    hash.update(`${file}\n`).update(readFileSync(join(root, 'src', file)));
  }
  return hash.digest('hex');
}
