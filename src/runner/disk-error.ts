/** What the operating system says of a file, as a user's error with its cause and the remedy. */
import { basename, relative, resolve, sep } from 'node:path';
import type { UserError } from '../core/diagnostic.ts';
import { userError } from '../core/diagnostic.ts';

interface DiskFailure {
  readonly code: string;
  readonly found: string;
  readonly hint: string;
}

const full: DiskFailure = {
  code: 'disk-full',
  found: 'no space is left on its disk',
  hint: 'free some space there, or choose a folder on another disk',
};
const denied: DiskFailure = {
  code: 'permission-denied',
  found: 'permission was denied',
  hint: 'give this user the right to read and write it, or choose another folder',
};
const notFolder: DiskFailure = {
  code: 'not-a-folder',
  found: 'a file or a non-empty folder is in the way',
  hint: 'move it away, or choose another folder',
};
const tooManyFiles: DiskFailure = {
  code: 'too-many-files',
  found: 'too many files are open',
  hint: 'raise the limit (`ulimit -n`), or end other programs',
};
const failures: Readonly<Record<string, DiskFailure>> = {
  ENOSPC: full,
  EDQUOT: { ...full, found: 'the disk quota is used up' },
  EROFS: {
    code: 'read-only',
    found: 'its disk is mounted read-only',
    hint: 'choose a folder on a disk that can be written',
  },
  EACCES: denied,
  EPERM: denied,
  ENOENT: { code: 'no-folder', found: 'a folder on the way to it does not exist', hint: 'make the folder first' },
  ENOTDIR: notFolder,
  EEXIST: notFolder,
  EISDIR: notFolder,
  ENOTEMPTY: notFolder,
  ELOOP: {
    code: 'link-loop',
    found: 'symbolic links on the way to it lead in a circle',
    hint: 'correct or remove the link, or choose another folder',
  },
  ENAMETOOLONG: {
    code: 'name-too-long',
    found: 'the name is too long for its disk',
    hint: 'choose a shorter name; most disks allow 255 bytes for a name and 4,096 for a path',
  },
  EIO: {
    code: 'disk-error',
    found: 'its disk reports an input/output error',
    hint: 'check the disk, or choose a folder on another one',
  },
  EFBIG: {
    code: 'file-too-large',
    found: 'the file is larger than its disk, or the limit of this user, allows',
    hint: 'raise the limit (`ulimit -f`), or choose a folder on another disk',
  },
  EMFILE: tooManyFiles,
  ENFILE: tooManyFiles,
};

/** What the whole machine refuses, whatever path the call names; `write` to an open file names none. */
const ofTheMachine = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EFBIG', 'EMFILE', 'ENFILE']);

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
 * about a path elsewhere comes back unchanged, unless it is of a kind that can only have been met while writing.
 *
 * @param what the folder in the reader's words, for example `the store`
 */
export function explainWriteError(error: unknown, folder: string, what: string): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const failure = failureOf(error);
  if (failure === null) return error;
  const isOurs = failure.paths.some((name) => isWithin(name, folder) || isWithin(folder, name));
  if (!isOurs && !ofTheMachine.has(failure.errno)) return error;
  return userError(folder, failure.code, `${what} cannot be written: ${foundIn(failure)}`, failure.hint);
}

/** Runs `body`, which reads `file`, with `explainReadError` on what it throws. */
export async function readingFrom<T>(file: string, what: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw explainReadError(error, file, what);
  }
}

/**
 * Turns the disk's refusal to read `file` into a user's error that names the file. That there is no such file is left
 * to the caller, as all other errors are.
 *
 * @param what the file in the reader's words
 */
export function explainReadError(error: unknown, file: string, what: string): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const failure = failureOf(error);
  if (failure === null || failure.errno === 'ENOENT') return error;
  // Somebody's files are not in the way of a reader.
  const { code, found, hint } = failure.errno === 'EISDIR' ? { ...notFolder, found: 'it is a folder' } : failure;
  return userError(file, code, `${what} cannot be read: ${found}`, hint);
}

/**
 * A refusal of the machine that no reader or writer has explained, for example too many open files while the program
 * loads its own; null for any other error.
 */
export function machineError(error: unknown): UserError | null {
  const failure = failureOf(error);
  if (failure === null || !ofTheMachine.has(failure.errno)) {
    // A thread that could not start is an error of its own, caused by one of these.
    return error instanceof Error && error.cause !== undefined ? machineError(error.cause) : null;
  }
  const [path = 'this machine'] = failure.paths;
  return userError(path, failure.code, `the file cannot be used: ${failure.found}`, failure.hint);
}

interface KnownFailure extends DiskFailure {
  readonly errno: string;
  readonly paths: readonly string[];
}

function failureOf(error: unknown): KnownFailure | null {
  if (!(error instanceof Error)) return null;
  const { code, path, dest } = error as NodeJS.ErrnoException & { readonly dest?: string };
  // Node names the reason at the end: "Worker initialization failure: EMFILE".
  const errno = code === 'ERR_WORKER_INIT_FAILED' ? /\bE[A-Z]+$/.exec(error.message)?.[0] : code;
  const failure = errno === undefined ? undefined : failures[errno];
  if (errno === undefined || failure === undefined) return null;
  return { ...failure, errno, paths: [path, dest].filter((name) => name !== undefined) };
}

/** The cause, with the name at fault where there are many on the way. */
function foundIn({ errno, found, paths: [path] }: KnownFailure): string {
  if (errno !== 'ENAMETOOLONG' || path === undefined) return found;
  const longest = path.split(sep).toSorted((a, b) => b.length - a.length)[0] ?? basename(path);
  return `${found}: ${longest.slice(0, 40)}… has ${Buffer.byteLength(longest)} bytes`;
}

/** Whether `path` is `folder` or lies inside it. */
export function isWithin(path: string, folder: string): boolean {
  const way = relative(resolve(folder), resolve(path));
  return way !== '..' && !way.startsWith(`..${sep}`);
}
