/** The files below a folder, as the files of a data source. */
import { readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { DataFile } from './dataset.ts';

/**
 * All files below a folder, named by their path below it, with `/`. Links are not followed, so nothing outside the
 * folder is read. In code-unit order, whatever the file system's. None for a folder that is not there.
 */
export function filesBelow(folder: string): readonly DataFile[] {
  const found: string[] = [];
  const visit = (below: string): void => {
    for (const entry of readdirSync(join(folder, below), { withFileTypes: true })) {
      const name = below === '' ? entry.name : join(below, entry.name);
      if (entry.isDirectory()) visit(name);
      else if (entry.isFile()) found.push(name);
    }
  };
  try {
    visit('');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return found
    .map((name) => ({ name: name.split(sep).join('/'), path: join(folder, name) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
