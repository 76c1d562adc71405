import { constants } from 'node:buffer';
import type { Hash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { userError } from '../core/diagnostic.ts';

// What one typed array of ours may sensibly hold; a gzip file can claim a thousand times its size.
const maxUnpackedBytes = 2 ** 31;

/** Node reads and hashes less than 2 GiB in one call. */
const pieceBytes = 2 ** 30;

/**
 * The whole file.
 *
 * @param remedy what to do when it cannot be read
 */
export function readBytes(path: string, remedy: string): Uint8Array {
  const fail = (reason: string, hint = remedy): never => {
    throw userError(path, 'unreadable-file', reason, hint);
  };
  let descriptor: number | null = null;
  try {
    descriptor = openSync(path, 'r');
    const stats = fstatSync(descriptor);
    if (stats.isDirectory()) return fail('the path is a folder; expected a file', 'give the path of a file in it');
    if (stats.size > constants.MAX_LENGTH) {
      const [size, most] = [stats.size, constants.MAX_LENGTH].map((bytes) => (bytes / 2 ** 30).toFixed(1));
      return fail(
        `the file has ${size} GiB; Node ${process.versions.node} holds at most ${most} GiB`,
        'use a part of it',
      );
    }
    return readAll(descriptor, stats.size);
  } catch (error) {
    if (error instanceof RangeError)
      return fail('the file does not fit into the memory that is free', 'use a part of it');
    if (error instanceof Error && 'syscall' in error) return fail(systemReason(error));
    throw error;
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

const reusedBytes = 2 ** 20;

/**
 * Reads small files one after the other: each array is good until the next one is read. An array of its own for each file
 * takes as long as reading it.
 *
 * @returns a function with the parameters and mistakes of `readBytes`
 */
export function smallFileReader(): (path: string, remedy: string) => Uint8Array {
  const buffer = Buffer.allocUnsafeSlow(reusedBytes);
  return (path, remedy) => {
    let descriptor: number | null = null;
    try {
      descriptor = openSync(path, 'r');
      let length = 0;
      for (;;) {
        const got = readSync(descriptor, buffer, length, buffer.length - length, null);
        length += got;
        if (length === buffer.length) return readBytes(path, remedy);
        if (got === 0) return buffer.subarray(0, length);
      }
    } catch (error) {
      if (error instanceof Error && 'syscall' in error) {
        throw userError(path, 'unreadable-file', systemReason(error), remedy);
      }
      throw error;
    } finally {
      if (descriptor !== null) closeSync(descriptor);
    }
  };
}

/** @param size as the file system says; pipes and /proc say 0 */
function readAll(descriptor: number, size: number): Uint8Array {
  let buffer = Buffer.allocUnsafeSlow(size);
  let length = 0;
  for (;;) {
    if (length === buffer.length) {
      const more = Buffer.alloc(2 ** 16);
      const got = readSync(descriptor, more, 0, more.length, null);
      if (got === 0) return buffer;
      buffer = Buffer.concat([buffer, more.subarray(0, got)]);
      length += got;
      continue;
    }
    const got = readSync(descriptor, buffer, length, Math.min(pieceBytes, buffer.length - length), null);
    // Cut short while it was read.
    if (got === 0) return buffer.subarray(0, length);
    length += got;
  }
}

/** Adds bytes of any length to a digest. */
export function hashBytes(hash: Hash, bytes: Uint8Array): Hash {
  for (let start = 0; start < bytes.length; start += pieceBytes) hash.update(bytes.subarray(start, start + pieceBytes));
  return hash;
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file: a part of its path is no folder',
  EISDIR: 'this is a folder; expected a file',
  EACCES: 'you may not read this file',
  EPERM: 'you may not read this file',
  ELOOP: 'the symbolic links lead in a circle',
  ENAMETOOLONG: 'the name is longer than a file name can be',
  EMFILE: 'too many files are open',
};

/** Why the system refused, in words where it is known. */
export function systemReason(error: unknown): string {
  const code = systemCode(error);
  return Object.hasOwn(reasons, code) ? `${reasons[code] ?? ''} (${code})` : `the file cannot be read (${code})`;
}

/**
 * The bytes themselves, or what they unpack to when they are gzip.
 *
 * @param path named in errors
 */
export function unpack(bytes: Uint8Array, path: string, remedy: string): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: maxUnpackedBytes });
  } catch (error) {
    if (systemCode(error) === 'ERR_BUFFER_TOO_LARGE') {
      const message = 'the gzip data unpack to more than 2 GiB';
      throw userError(path, 'large-gzip', message, 'unpack the file with `gunzip`, and give what comes out');
    }
    throw userError(path, 'damaged-gzip', `the gzip data is damaged or cut short (${systemCode(error)})`, remedy);
  }
}

function systemCode(error: unknown): string {
  if (error instanceof Error) return 'code' in error ? String(error.code) : error.message;
  return String(error);
}
