/** Bytes that are read in parts, from a file of any size or from memory. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { userError } from '../core/diagnostic.ts';
import { systemReason } from './bytes.ts';

export interface RandomAccess {
  readonly size: number;
  /** Fewer bytes than asked for where the file ends; the caller may change them. */
  readonly read: (position: number, length: number) => Uint8Array;
  readonly close: () => void;
}

/** @throws UserError `unreadable-file` */
export function openFile(path: string, remedy: string): RandomAccess {
  const fail = (error: unknown): never => {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw userError(path, 'unreadable-file', systemReason(error), remedy);
  };
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    return fail(error);
  }
  return {
    size: fstatSync(descriptor).size,
    read(position, length) {
      const bytes = new Uint8Array(length);
      let filled = 0;
      try {
        for (;;) {
          // One call reads less than 2 GiB.
          const got = readSync(descriptor, bytes, filled, Math.min(length - filled, 2 ** 30), position + filled);
          filled += got;
          if (got === 0 || filled === length) return bytes.subarray(0, filled);
        }
      } catch (error) {
        return fail(error);
      }
    },
    close: () => closeSync(descriptor),
  };
}

/** A part of something larger, which stays open. */
export function partOf({ read }: RandomAccess, start: number, size: number): RandomAccess {
  return {
    size,
    read: (position, length) => read(start + position, Math.max(0, Math.min(length, size - position))),
    close: () => undefined,
  };
}

export function inMemory(bytes: Uint8Array): RandomAccess {
  return {
    size: bytes.length,
    read: (position, length) => bytes.slice(position, position + length),
    close: () => undefined,
  };
}
