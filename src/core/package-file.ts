import { existsSync, readFileSync } from 'node:fs';
import { internal } from './assert.ts';

/**
 * A file that comes with the package, by its path from the package's root. The code that asks may run from `src`, from
 * `dist`, or bundled, so the root is searched for rather than reached by a fixed number of `..`.
 */
export function packageFile(relative: string): URL {
  let folder = new URL('.', import.meta.url);
  while (!existsSync(new URL('package.json', folder))) {
    const parent = new URL('..', folder);
    if (parent.href === folder.href) return internal(`no package.json above ${import.meta.url}`);
    folder = parent;
  }
  return new URL(relative, folder);
}

/** The version of a package that this code would import; null when it is not installed. */
export function installedVersion(name: string): string | null {
  let folder = new URL('.', import.meta.url);
  for (;;) {
    const file = new URL(`node_modules/${name}/package.json`, folder);
    if (existsSync(file)) return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version; // of npm
    const parent = new URL('..', folder);
    if (parent.href === folder.href) return null;
    folder = parent;
  }
}
