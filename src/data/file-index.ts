/** Digests of files that were read before, so that those that have not changed are not read again. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { FileState } from '../formats/file-state.ts';
import { sha256 } from './dataset.ts';

export interface FileIndex {
  /** The digest of a file in this state, from before or by reading it. */
  readonly digest: (name: string, state: FileState, read: () => string) => string;
  /** What to keep for the next time; null where nothing is new. */
  readonly content: () => Uint8Array | null;
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
    content: () => (isNew || after.size !== before.size ? indexBytes(after) : null),
  };
}

/** By name the stamp of a file's state and the digest of its bytes. */
type Known = Map<string, readonly [stamp: string, digest: string]>;

/** Lines are joined so many at a time: one text of all would be in memory several times. */
const linesOfPiece = 1000;

/** The digest of all lines, then a line of JSON for each file: there may be hundreds of thousands. */
function indexBytes(files: Known): Uint8Array {
  const pieces: Buffer[] = [];
  let lines: string[] = [];
  const finish = (): void => {
    pieces.push(Buffer.from(lines.join('')));
    lines = [];
  };
  for (const [name, entry] of files) {
    lines.push(`${JSON.stringify([name, ...entry])}\n`);
    if (lines.length === linesOfPiece) finish();
  }
  finish();
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return Buffer.concat([Buffer.from(`${hash.digest('hex')}\n`), ...pieces]);
}

const newline = 10;

/** Whether bytes are as `FileIndex.content` gave them. */
export function isWholeIndex(bytes: Buffer): boolean {
  const end = bytes.indexOf(newline) + 1;
  return bytes.toString('latin1', 0, end) === `${sha256(bytes.subarray(end))}\n`;
}

function readIndex(file: string): Known {
  const known: Known = new Map();
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch {
    return known;
  }
  if (!isWholeIndex(bytes)) return known;
  for (let start = bytes.indexOf(newline) + 1; start < bytes.length;) {
    const end = bytes.indexOf(newline, start);
    // Written above, as the digest says.
    const [name, ...entry] = JSON.parse(bytes.toString('utf8', start, end)) as [string, string, string];
    known.set(name, entry);
    start = end + 1;
  }
  return known;
}
