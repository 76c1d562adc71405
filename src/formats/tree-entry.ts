/** What folders and archives list. */
import type { FileState } from './file-state.ts';
import type { RandomAccess } from './random-access.ts';

export interface TreeFile {
  /** Relative, parts separated by `/`, none of them `..`. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
}

/** What an archive lists before it is known to be safe. */
export interface TreeEntry extends TreeFile {
  /** Why it is not read, for a sentence such as "the entry … is a link"; null for a file. */
  readonly refusal: string | null;
  /** @throws UserError where the data is damaged */
  read(): Uint8Array;
  /** Its bytes in parts; left out where they have to be unpacked. */
  open?(): RandomAccess;
  /** Of a file in a folder. */
  readonly state?: FileState;
}
