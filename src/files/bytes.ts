import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { userError } from '../core/diagnostic.ts';

// What one typed array of ours may sensibly hold; a gzip file can claim a thousand times its size.
const maxUnpackedBytes = 2 ** 31;

/**
 * The whole file.
 *
 * @param remedy what to do when it cannot be read
 */
export function readBytes(path: string, remedy: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    const code = systemCode(error);
    const found = code === 'EISDIR' ? 'the path is a folder; expected a file' : `the file cannot be read (${code})`;
    throw userError(path, 'unreadable-file', found, remedy);
  }
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
    throw userError(path, 'damaged-gzip', `the gzip data is damaged or cut short (${systemCode(error)})`, remedy);
  }
}

function systemCode(error: unknown): string {
  if (error instanceof Error) return 'code' in error ? String(error.code) : error.message;
  return String(error);
}
