import { constants } from 'node:fs';
import { copyFile, link, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, relative, resolve, sep } from 'node:path';
import { userError } from '../core/diagnostic.ts';

/** Writes a new file and waits until its bytes are on the disk. Removes what it wrote if that fails. */
export async function writeDurably(
  file: string,
  content: string | AsyncIterable<Uint8Array>,
  mode: number,
): Promise<void> {
  const handle = await open(file, 'wx', mode);
  try {
    await writeFile(handle, content);
    await handle.sync();
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

/** Puts a finished file in its place at once: readers see the old file or the new one, and so does a power cut. */
export async function moveDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  const folder = await open(dirname(to), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Replaces `file` as a whole; `temporary` is an unused path on the same disk. */
export async function replaceFile(file: string, temporary: string, content: string): Promise<void> {
  await writeDurably(temporary, content, 0o644);
  try {
    await moveDurably(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Shares the file's blocks where the disk can (reflink), else the file (hard link), else its bytes. */
export async function shareFile(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
  } catch {
    // Which error says "not on this disk" differs between kernels; the last resort reports what is really wrong.
    await link(from, to).catch(() => copyFile(from, to, constants.COPYFILE_EXCL));
  }
}

interface WriteFailure {
  readonly code: string;
  readonly found: string;
  readonly hint: string;
}

const full: WriteFailure = {
  code: 'disk-full',
  found: 'no space is left on its disk',
  hint: 'free some space there, or choose a folder on another disk',
};
const denied: WriteFailure = {
  code: 'not-writable',
  found: 'permission was denied',
  hint: 'make the folder writable for this user, or choose another folder',
};
const notFolder: WriteFailure = {
  code: 'not-a-folder',
  found: 'a file or a non-empty folder is in the way',
  hint: 'move away what is there, or choose another folder',
};
const writeFailures: Readonly<Record<string, WriteFailure>> = {
  ENOSPC: full,
  EDQUOT: { ...full, found: 'the disk quota is used up' },
  EROFS: { ...denied, found: 'its disk is mounted read-only' },
  EACCES: denied,
  EPERM: denied,
  ENOENT: { code: 'no-folder', found: 'a folder on the way to it does not exist', hint: 'make the folder first' },
  ENOTDIR: notFolder,
  EEXIST: notFolder,
  EISDIR: notFolder,
  ENOTEMPTY: notFolder,
};

/** Runs `body`, which writes to `folder`, with `explainWriteError` on what it throws. */
export async function writingTo<T>(folder: string, what: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw explainWriteError(error, folder, what);
  }
}

/**
 * Turns the disk's refusal to write to `folder` into a user's error that names the folder and the remedy. An error
 * about a path elsewhere comes back unchanged, unless a disk is full: that can only have been met while writing.
 *
 * @param what the folder in the reader's words, for example `the store`
 */
export function explainWriteError(error: unknown, folder: string, what: string): unknown {
  if (!(error instanceof Error)) return error;
  const { code, path, dest } = error as NodeJS.ErrnoException & { readonly dest?: string };
  const failure = code === undefined ? undefined : writeFailures[code];
  if (failure === undefined) return error;
  const named = [path, dest].filter((name) => name !== undefined);
  const isOurs = named.some((name) => isWithin(name, folder) || isWithin(folder, name));
  if (!isOurs && failure.code !== full.code) return error;
  return userError(folder, failure.code, `${what} cannot be written: ${failure.found}`, failure.hint);
}

/** Whether `path` is `folder` or lies inside it. */
export function isWithin(path: string, folder: string): boolean {
  const way = relative(resolve(folder), resolve(path));
  return way !== '..' && !way.startsWith(`..${sep}`);
}
