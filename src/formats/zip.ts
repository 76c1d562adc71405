/**
 * ZIP archives, by their directory at the end, so that one entry is read without the others. Stored and deflated
 * entries, ZIP64, files of any size.
 *
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, version 6.3
 */
import { crc32, inflateRawSync } from 'node:zlib';
import { userError } from '../core/diagnostic.ts';
import type { RandomAccess } from './random-access.ts';
import { partOf } from './random-access.ts';
import type { TreeEntry } from './tree-entry.ts';

const endBytes = 22;
const locatorBytes = 20;
const entryBytes = 46;
const localBytes = 30;
const mostCommentBytes = 0xffff;
/** A value that did not fit; the ZIP64 field has it. */
const inZip64 = 0xffffffff;
/** What one array of ours may sensibly hold. */
const mostEntryBytes = 2 ** 31;
const pieceBytes = 2 ** 24;

interface Directory {
  readonly bytes: Buffer;
  readonly count: number;
}

interface ZipEntry {
  readonly name: string;
  readonly size: number;
  readonly packedBytes: number;
  readonly position: number;
  readonly method: number;
  readonly checksum: number;
  readonly isEncrypted: boolean;
  readonly isLink: boolean;
}

type Fail = (message: string) => never;

/**
 * All entries but folders, in the order of the directory.
 *
 * @throws UserError `damaged-archive`
 */
export function listZip(file: RandomAccess, path: string): readonly TreeEntry[] {
  const fail: Fail = (message) => {
    throw userError(path, 'damaged-archive', message, 'copy or download the file again');
  };
  const { bytes, count } = readDirectory(file, fail);
  const entries: TreeEntry[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + entryBytes > bytes.length || bytes.readUInt32LE(at) !== 0x02014b50) {
      return fail(`the directory of the ZIP archive ends after ${index} of ${count} entries`);
    }
    const end =
      at + entryBytes + bytes.readUInt16LE(at + 28) + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
    if (end > bytes.length) return fail(`entry ${index + 1} of the ZIP archive's directory is cut`);
    const entry = readEntry(bytes, at);
    at = end;
    if (entry.name.endsWith('/')) continue;
    const { name, size } = entry;
    entries.push({
      name,
      size,
      refusal: entry.isLink ? 'is a link' : null,
      read: () => unpackEntry(file, entry, path),
      ...(entry.method === 0 && !entry.isEncrypted && { open: () => openStored(file, entry, path) }),
    });
  }
  return entries;
}

function readDirectory(file: RandomAccess, fail: Fail): Directory {
  const start = Math.max(0, file.size - endBytes - mostCommentBytes - locatorBytes);
  const tail = Buffer.from(file.read(start, file.size - start));
  for (let end = tail.length - endBytes; end >= 0; end--) {
    if (tail.readUInt32LE(end) !== 0x06054b50) continue;
    const directory = directoryBefore(file, tail, start, end);
    if (directory !== null) return directory;
  }
  return fail('the ZIP archive has no directory at its end: it is cut, or one of several parts');
}

/** Null where the directory does not reach to its end record: the comment at the end may hold a signature too. */
function directoryBefore(file: RandomAccess, tail: Buffer, start: number, end: number): Directory | null {
  let count = tail.readUInt16LE(end + 10);
  let length = tail.readUInt32LE(end + 12);
  let position = tail.readUInt32LE(end + 16);
  let directoryEnd = start + end;
  const locator = end - locatorBytes;
  if (locator >= 0 && tail.readUInt32LE(locator) === 0x07064b50) {
    const at = Number(tail.readBigUInt64LE(locator + 8));
    const record = Buffer.from(at < file.size ? file.read(at, 56) : []);
    if (record.length < 56 || record.readUInt32LE(0) !== 0x06064b50) return null;
    count = Number(record.readBigUInt64LE(32));
    length = Number(record.readBigUInt64LE(40));
    position = Number(record.readBigUInt64LE(48));
    directoryEnd = at;
  }
  if (position + length !== directoryEnd) return null;
  return { bytes: Buffer.from(file.read(position, length)), count };
}

function readEntry(bytes: Buffer, at: number): ZipEntry {
  const flags = bytes.readUInt16LE(at + 8);
  const nameBytes = bytes.readUInt16LE(at + 28);
  const nameEnd = at + entryBytes + nameBytes;
  const extra = bytes.subarray(nameEnd, nameEnd + bytes.readUInt16LE(at + 30));
  const small = [bytes.readUInt32LE(at + 24), bytes.readUInt32LE(at + 20), bytes.readUInt32LE(at + 42)];
  const [size = 0, packedBytes = 0, position = 0] = widen(small, extra);
  const isUnix = bytes[at + 5] === 3;
  return {
    // Some programs of Windows write backslashes, against the standard.
    name: decodeName(bytes.subarray(at + entryBytes, nameEnd)).replaceAll('\\', '/'),
    ...{ size, packedBytes, position },
    method: bytes.readUInt16LE(at + 10),
    checksum: bytes.readUInt32LE(at + 16),
    isEncrypted: (flags & 1) !== 0,
    isLink: isUnix && bytes.readUInt32LE(at + 38) >>> 28 === 0xa,
  };
}

/** Replaces the values that did not fit by those of the ZIP64 field, which has only these. */
function widen(values: readonly number[], extra: Buffer): readonly number[] {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    let next = at + 4;
    return values.map((value) => {
      if (value !== inZip64 || next + 8 > extra.length) return value;
      next += 8;
      return Number(extra.readBigUInt64LE(next - 8));
    });
  }
  return values;
}

/** UTF-8, which most programs write whether or not they say so; else each byte a character. */
function decodeName(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return Buffer.from(bytes).toString('latin1');
  }
}

function unpackEntry(file: RandomAccess, entry: ZipEntry, path: string): Uint8Array {
  const { name, size, packedBytes, method, checksum } = entry;
  const fail = failureIn(entry, path);
  const unsupported = (message: string): never => {
    throw userError(`${path}/${name}`, 'unsupported-archive', message, 'unpack the archive, and give the folder');
  };
  if (entry.isEncrypted) return unsupported('the entry of the ZIP archive is encrypted');
  if (method !== 0 && method !== 8) return unsupported(`the entry is packed by method ${method}, expected deflate`);
  if (size > mostEntryBytes) return unsupported('the entry unpacks to more than 2 GiB');
  const packed = file.read(startOf(file, entry, fail), packedBytes);
  const bytes = method === 0 ? packed : inflate(packed, size, fail);
  if (bytes.length !== size) return fail(`the entry holds ${bytes.length} bytes, expected ${size}`);
  if (crc32(bytes) !== checksum) return fail('the checksum of the entry is wrong');
  return bytes;
}

function failureIn({ name }: ZipEntry, path: string): Fail {
  return (message) => {
    throw userError(`${path}/${name}`, 'damaged-archive', message, 'copy or download the archive again');
  };
}

/** Where the bytes of an entry begin. */
function startOf(file: RandomAccess, { position, packedBytes }: ZipEntry, fail: Fail): number {
  const local = Buffer.from(file.read(position, localBytes));
  if (local.length < localBytes || local.readUInt32LE(0) !== 0x04034b50) {
    return fail('the entry is not where the directory of the ZIP archive says');
  }
  const start = position + localBytes + local.readUInt16LE(26) + local.readUInt16LE(28);
  if (start + packedBytes > file.size) return fail('the entry runs past the end of the ZIP archive');
  return start;
}

/** An entry that is not packed, of any size; its checksum is compared first. */
function openStored(file: RandomAccess, entry: ZipEntry, path: string): RandomAccess {
  const { size, packedBytes, checksum } = entry;
  const fail = failureIn(entry, path);
  if (size !== packedBytes) return fail(`the entry holds ${packedBytes} bytes, expected ${size}`);
  const part = partOf(file, startOf(file, entry, fail), size);
  let found = 0;
  for (let at = 0; at < size; at += pieceBytes) found = crc32(part.read(at, pieceBytes), found);
  return found === checksum ? part : fail('the checksum of the entry is wrong');
}

function inflate(packed: Uint8Array, size: number, fail: Fail): Uint8Array {
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(1, size) });
  } catch (error) {
    return fail(`the entry cannot be unpacked (${error instanceof Error ? error.message : String(error)})`);
  }
}
