import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { copyFile, mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Writes a new file and waits until its bytes are on the disk. Removes what it wrote if that fails. */
export async function writeDurably(
  file: string,
  content: string | Uint8Array | AsyncIterable<Uint8Array>,
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

/** Puts a finished file in its place at once: readers see the old file or the new one, also after a power failure. */
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
export async function replaceFile(file: string, temporary: string, content: string | Uint8Array): Promise<void> {
  await writeDurably(temporary, content, 0o644);
  try {
    await moveDurably(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Like `replaceFile`, for files that must be on the disk before the program goes on. */
export function replaceFileNow(file: string, temporary: string, content: string): void {
  try {
    writeNow(temporary, content, 'wx');
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  const folder = openSync(dirname(file), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Writes in place, which needs no extra space but is not atomic: the last resort. */
export function overwriteNow(file: string, content: string): void {
  writeNow(file, content, 'w');
}

function writeNow(file: string, content: string, flags: 'wx' | 'w'): void {
  const descriptor = openSync(file, flags, 0o644);
  try {
    writeFileSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes a folder and its parent folders. */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    // The link in the way may be one that leads nowhere, or in a circle.
    if (code === 'EEXIST') await stat(folder);
    if (code !== 'ENOENT') throw error;
    // Node reports a read-only disk as a missing folder; the system call for the first missing one tells the truth.
    let missing = folder;
    while (missing !== dirname(missing) && (await isAbsent(dirname(missing)))) missing = dirname(missing);
    await mkdir(missing);
    throw error;
  }
}

async function isAbsent(path: string): Promise<boolean> {
  return stat(path).then(
    () => false,
    () => true,
  );
}

export type ShareFile = (from: string, to: string) => Promise<void>;

/**
 * Shares files of one disk with another place: their blocks where the disk can (reflink), else the files (hard link),
 * else their bytes. What the disk cannot do is tried once.
 */
export function fileSharing(): ShareFile {
  let hasReflinks = true;
  return async (from, to) => {
    // Which error says "not on this disk" differs between kernels; the last resort reports what is really wrong.
    if (hasReflinks && succeeds(() => copyFileSync(from, to, reflink))) return;
    if (!succeeds(() => linkSync(from, to))) await copyFile(from, to, constants.COPYFILE_EXCL);
    hasReflinks = false;
  };
}

const reflink = constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL;

function succeeds(call: () => void): boolean {
  try {
    call();
    return true;
  } catch {
    return false;
  }
}
