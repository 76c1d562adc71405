/** What a collection finds, and how it looks. */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from './claim.ts';
import { namesIn } from './folder.ts';

/** What the files of a store are for; and the folders of runs. In the order in which they go. */
export const classes = [
  ...(['runs', 'actions', 'objects', 'preimage', 'memory', 'examples', 'digests', 'ckpt', 'corrupt'] as const),
];
export type Class = (typeof classes)[number];

export interface Item {
  readonly class: Class;
  /** Where it is, below the store or the folder of the runs. */
  readonly name: string;
  readonly bytes: number;
}

export interface Found extends Item {
  readonly path: string;
  /** When it last changed, or was last used: milliseconds since 1970. */
  readonly time: number;
}

export const totalBytes = (items: readonly Item[]): number => items.reduce((sum, { bytes }) => sum + bytes, 0);

/** A file, or all that are below a folder; links are not followed, and what vanishes meanwhile is left out. */
export async function filesAt(path: string): Promise<readonly { path: string; bytes: number; time: number }[]> {
  const status = await lstat(path).catch(nullIfMissing);
  if (status === null) return [];
  if (!status.isDirectory()) return [{ path, bytes: status.size, time: status.mtimeMs }];
  const found = await Promise.all((await namesIn(path)).map((name) => filesAt(join(path, name))));
  return found.flat();
}

function nullIfMissing(error: unknown): null {
  if (hasCode(error, 'ENOENT', 'ENOTDIR')) return null;
  throw error;
}
