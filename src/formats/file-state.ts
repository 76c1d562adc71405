/** What a file system says of a file without reading it. */
import type { BigIntStats } from 'node:fs';
import { statSync } from 'node:fs';

export interface FileState {
  /** Another one after every change that the file system has noticed: size, times in nanoseconds, and which file it is. */
  readonly stamp: string;
  /** Milliseconds since 1970 of its last change, of content or of name and rights. */
  readonly changed: number;
}

/** @throws Error of the file system */
export function fileState(path: string): FileState & { readonly size: number } {
  const stats = statSync(path, { bigint: true });
  return { ...stateOf(stats), size: Number(stats.size) };
}

function stateOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): FileState {
  const changed = Number((mtimeNs > ctimeNs ? mtimeNs : ctimeNs) / 1_000_000n);
  return { stamp: `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`, changed };
}
