/** What a file system says of a file without reading it. */
import { statSync } from 'node:fs';

export interface FileState {
  /** Another one after every change that the file system has noticed: size, times in nanoseconds, and which file it is. */
  readonly stamp: string;
  /** Milliseconds since 1970 of its last change, of content or of name and rights. */
  readonly changed: number;
}

/** @throws Error of the file system */
export function fileState(path: string): FileState & { readonly size: number } {
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  const changed = Number((mtimeNs > ctimeNs ? mtimeNs : ctimeNs) / 1_000_000n);
  return { stamp: `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`, changed, size: Number(size) };
}
