/**
 * A disk that refuses a call. The calls of `node:fs` in this process, in all three of its forms, are counted where
 * they are about a file in a folder; the one with a given number, or that and all later ones, fails as the system would
 * let it fail.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { constants } from 'node:os';

export type Errno = 'EIO' | 'ENOSPC' | 'EACCES';

export interface Refusal {
  /** Which of the calls, counted from 1; 0 for none. */
  readonly at: number;
  readonly errno: Errno;
  readonly lasts: 'once' | 'for good';
}

export interface RefusingDisk {
  /** Counts the calls of `body`, and refuses what is to be refused. */
  readonly during: (
    refusal: Refusal,
    body: () => Promise<void>,
  ) => Promise<{ readonly calls: number; readonly refused: readonly string[] }>;
  /** Gives the calls back to those who had them before. */
  readonly restore: () => void;
}

type Call = (...args: unknown[]) => unknown;
type Calls = Record<string, Call>;

/** Those that take a path first, and those that take an open file. */
const ofPaths = [
  ...['access', 'copyFile', 'link', 'lstat', 'mkdir', 'open', 'readdir', 'readFile', 'rename', 'rm', 'rmdir'],
  ...['stat', 'symlink', 'unlink', 'utimes', 'writeFile'],
];
const ofFiles = ['close', 'fstat', 'fsync', 'ftruncate', 'read', 'write', 'readFile', 'writeFile'];
const ofHandles = ['close', 'read', 'sync', 'write', 'stat'];

/** @param folder whose calls count */
export function refusingDisk(folder: string): RefusingDisk {
  const undo: (() => void)[] = [];
  const files = new Set<number>();
  let now: Refusal | null = null;
  let calls = 0;
  let refused: string[] = [];

  const concerns = (target: unknown): boolean =>
    typeof target === 'number' ? files.has(target) : typeof target === 'string' && target.startsWith(folder);
  /** The error with which the call fails, null when it does not. */
  const refusalOf = (name: string, args: readonly unknown[], isOpen = typeof args[0] === 'number'): Error | null => {
    if (now === null || !args.slice(0, 2).some(concerns) || !canRefuse(now.errno, name, isOpen)) return null;
    calls++;
    if (now.at === 0 || (now.lasts === 'once' ? calls !== now.at : calls < now.at)) return null;
    const [path, dest] = args.slice(0, twoPaths.includes(name) ? 2 : 1).filter((arg) => typeof arg === 'string');
    refused.push(`${name} ${path ?? ''}`);
    const about = path === undefined ? '' : ` '${path}'`;
    return Object.assign(new Error(`${now.errno}: refused, ${name}${about}`), {
      ...{ errno: -constants.errno[now.errno], code: now.errno, syscall: name },
      ...(path !== undefined && { path }),
      ...(dest !== undefined && { dest }),
    });
  };
  const replace = (object: Calls, name: string, wrap: (original: Call) => Call): void => {
    const original = object[name];
    if (original === undefined) return;
    object[name] = wrap(original.bind(object));
    undo.push(() => (object[name] = original));
  };
  const remember = (args: readonly unknown[], descriptor: number): void => {
    if (concerns(args[0])) files.add(descriptor);
  };

  const sync = fs as unknown as Calls;
  for (const name of new Set([...ofPaths, ...ofFiles])) {
    replace(sync, `${name}Sync`, (original) => (...args) => {
      const error = refusalOf(name, args);
      // A refused close closes all the same, as close(2) says.
      if (error !== null && name === 'close') original(...args);
      if (error !== null) throw error;
      const result = original(...args);
      if (name === 'open') remember(args, result as number);
      if (name === 'close') files.delete(args[0] as number);
      return result;
    });
  }
  // Streams read through these.
  for (const name of ['open', 'read', 'close']) {
    replace(sync, name, (original) => (...args) => {
      const callback = args.at(-1) as Call;
      const error = refusalOf(name, args.slice(0, -1));
      if (error !== null && name !== 'close') return process.nextTick(callback, error);
      return original(...args.slice(0, -1), (failure: Error | null, ...results: unknown[]) => {
        if (name === 'open' && failure === null) remember(args, results[0] as number);
        callback(error ?? failure, ...results);
      });
    });
  }
  const handles = (path: string, handle: Calls): void => {
    for (const name of ofHandles) {
      const original = handle[name]?.bind(handle);
      if (original === undefined) continue;
      handle[name] = async (...args: unknown[]) => {
        const error = refusalOf(name, [path], true);
        if (error !== null && name === 'close') await original();
        if (error !== null) throw withoutPath(error);
        return await original(...args);
      };
    }
  };
  for (const name of ofPaths) {
    replace(fs.promises as unknown as Calls, name, (original) => async (...args) => {
      const file = args[0];
      // To an open file; a handle says nothing of its path.
      const target = typeof file === 'object' && file !== null ? (paths.get(file) ?? '') : file;
      const error = refusalOf(name, [target, args[1]], target !== file);
      if (error !== null) throw target === file ? error : withoutPath(error);
      const result = await original(...args);
      if (name === 'open' && concerns(file)) {
        paths.set(result as object, file as string);
        handles(file as string, result as Calls);
      }
      return result;
    });
  }
  const paths = new WeakMap<object, string>();
  syncBuiltinESMExports();

  return {
    async during(refusal, body) {
      [now, calls, refused] = [refusal, 0, []];
      try {
        await body();
      } finally {
        now = null;
      }
      return { calls, refused };
    },
    restore() {
      for (const one of undo.reverse()) one();
      syncBuiltinESMExports();
    },
  };
}

const twoPaths = ['copyFile', 'link', 'rename', 'symlink'];
const reading = ['access', 'fstat', 'lstat', 'read', 'readdir', 'readFile', 'stat'];

/** Whether the manual of the call knows the error. */
function canRefuse(errno: Errno, name: string, isOpen: boolean): boolean {
  if (errno === 'EACCES') return !isOpen;
  return errno === 'EIO' || !(reading.includes(name) || ['rm', 'rmdir', 'unlink', 'utimes'].includes(name));
}

/** A call on an open file names none. */
function withoutPath(error: Error): Error {
  const { path: _path, ...fields } = error as NodeJS.ErrnoException;
  return Object.assign(new Error(error.message.replace(/ '.*'$/, '')), fields);
}
