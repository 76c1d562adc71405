/** Digests of files that were read before, so that those that have not changed are not read again. */
import { readFileSync } from 'node:fs';
import type { FileState } from '../formats/file-state.ts';
import { sha256 } from './dataset.ts';

export interface FileIndex {
  /** The digest of a file in this state, from before or by reading it. */
  readonly digest: (name: string, state: FileState, read: () => string) => string;
  /** What to keep for the next time; null where nothing is new. */
  readonly content: () => string | null;
}

/**
 * A change within this time of an earlier one may leave the same times: some file systems count them in twos of
 * seconds. Files that have just changed are therefore read again.
 */
const freshMs = 2500;

/**
 * @param file where the content of the last time is kept; null or a damaged file for none
 * @param now milliseconds since 1970, before any of the files is looked at
 */
export function openFileIndex(file: string | null, now: number): FileIndex {
  const before = file === null ? (new Map() as Known) : readIndex(file);
  const after: Known = new Map();
  let isNew = false;
  return {
    digest(name, { stamp, changed }, read) {
      const known = before.get(name);
      const digest = known?.[0] === stamp ? known[1] : read();
      const isOld = changed < now - freshMs;
      if (isOld) after.set(name, [stamp, digest]);
      if (isOld && known?.[0] !== stamp) isNew = true;
      return digest;
    },
    content: () => (isNew || after.size !== before.size ? indexText(after) : null),
  };
}

/** By name the stamp of a file's state and the digest of its bytes. */
type Known = Map<string, readonly [stamp: string, digest: string]>;

/** The digest of all lines, then a line of JSON for each file: there may be hundreds of thousands. */
function indexText(files: Known): string {
  const lines = Array.from(files, ([name, entry]) => `${JSON.stringify([name, ...entry])}\n`).join('');
  return `${digestOf(lines)}\n${lines}`;
}

const digestOf = (lines: string): string => sha256(Buffer.from(lines));

/** Whether a text is as `FileIndex.content` gave it. */
export function isWholeIndex(text: string): boolean {
  const end = text.indexOf('\n') + 1;
  return text.slice(0, end) === `${digestOf(text.slice(end))}\n`;
}

function readIndex(file: string): Known {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return new Map();
  }
  if (!isWholeIndex(text)) return new Map();
  const entries = text.split('\n').slice(1, -1);
  return new Map(
    entries.map((line) => {
      const [name, ...entry] = JSON.parse(line) as [string, string, string]; // written above, as the digest says
      return [name, entry] as const;
    }),
  );
}
