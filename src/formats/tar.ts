/**
 * tar archives of all common writers: POSIX (ustar and pax), GNU, and the older format. By hand, because `nanotar` drops
 * `..` from names instead of refusing it, and cuts names at the first space in pax headers.
 *
 * @see https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html
 * @see https://www.gnu.org/software/tar/manual/html_node/Standard.html
 */
import { userError } from '../core/diagnostic.ts';
import type { RandomAccess } from './random-access.ts';
import { partOf } from './random-access.ts';
import type { TreeEntry } from './tree-entry.ts';

const blockBytes = 512;
/** What one array of ours may sensibly hold. */
const mostEntryBytes = 2 ** 31;
/** Names and attributes; more is no header. */
const mostHeaderBytes = 2 ** 20;

type Fail = (message: string) => never;
type Attributes = { readonly [key: string]: string | undefined };

interface TarHeader {
  readonly name: string;
  readonly size: number;
  readonly type: string;
  readonly link: string;
}

/** By the checksum of the first header: the older format has no signature. */
export function isTar(head: Uint8Array): boolean {
  return head.length >= blockBytes && head[0] !== 0 && hasChecksum(head.subarray(0, blockBytes));
}

/**
 * All entries but folders, in file order. Hard links give the file that they name.
 *
 * @throws UserError `damaged-archive`
 */
export function listTar(file: RandomAccess, path: string): readonly TreeEntry[] {
  const fail: Fail = (message) => {
    throw userError(path, 'damaged-archive', message, 'copy or download the file again');
  };
  const entries = new Map<string, TreeEntry>();
  const all: TreeEntry[] = [];
  let globals: Attributes = {};
  let next: Attributes = {};
  for (let at = 0; at < file.size;) {
    const block = file.read(at, blockBytes);
    if (block.every((byte) => byte === 0)) break;
    const data = at + blockBytes;
    const raw = readHeader(block, at, fail);
    const attributes = { ...globals, ...next };
    const size = attributes['size'] === undefined ? raw.size : Number(attributes['size']);
    if (!(size >= 0) || data + size > file.size) return fail(`the tar archive ends within "${raw.name}"`);
    at = data + Math.ceil(size / blockBytes) * blockBytes;
    if (['x', 'g', 'L', 'K'].includes(raw.type)) {
      if (size > mostHeaderBytes) return fail(`a header at byte ${data} has ${size} bytes`);
      const bytes = file.read(data, size);
      if (raw.type === 'g') globals = { ...globals, ...readAttributes(bytes, data, fail) };
      else next = { ...next, ...(raw.type === 'x' ? readAttributes(bytes, data, fail) : longName(raw.type, bytes)) };
      continue;
    }
    next = {};
    const name = attributes['path'] ?? raw.name;
    if (raw.type === '5' || raw.type === 'V' || (isFile(raw.type) && name.endsWith('/'))) continue;
    const isSparse = Object.keys(attributes).some((key) => key.startsWith('GNU.sparse.'));
    const type = isSparse ? 'S' : raw.type;
    const entry = toEntry({ name, size, type, link: attributes['linkpath'] ?? raw.link }, data, entries, file, path);
    entries.set(name, entry);
    all.push(entry);
  }
  return all;
}

const isFile = (type: string): boolean => ['0', '\0', '7'].includes(type);

function toEntry(
  { name, size, type, link }: TarHeader,
  data: number,
  before: ReadonlyMap<string, TreeEntry>,
  file: RandomAccess,
  path: string,
): TreeEntry {
  if (isFile(type)) {
    const read = (): Uint8Array => readFile(file, data, size, `${path}/${name}`);
    return { name, size, refusal: null, read, open: () => partOf(file, data, size) };
  }
  const refuse = (refusal: string): TreeEntry => ({ name, size, refusal, read: () => new Uint8Array(0) });
  if (type === '1') {
    const target = before.get(link);
    return target === undefined ? refuse(`is a link to "${link}", which is not before it`) : { ...target, name };
  }
  if (type === '2') return refuse('is a link');
  return refuse(type === 'S' ? 'is a sparse file' : `is no file (type ${type})`);
}

function readFile(file: RandomAccess, position: number, size: number, place: string): Uint8Array {
  if (size <= mostEntryBytes) return file.read(position, size);
  throw userError(
    place,
    'unsupported-archive',
    'the entry has more than 2 GiB',
    'unpack the archive, and give the folder',
  );
}

function readHeader(block: Uint8Array, at: number, fail: Fail): TarHeader {
  if (block.length < blockBytes || !hasChecksum(block)) return fail(`there is no tar header at byte ${at}`);
  const name = text(block, 0, 100);
  // GNU's older headers have times where POSIX has the beginning of the name.
  const prefix = text(block, 257, 263) === 'ustar' ? text(block, 345, 500) : '';
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    size: number(block, 124, 136),
    type: String.fromCharCode(block[156]!),
    link: text(block, 157, 257),
  };
}

/** The sum of all bytes, with those of the sum itself as spaces. */
function hasChecksum(block: Uint8Array): boolean {
  let sum = 0;
  for (let index = 0; index < blockBytes; index++) sum += index >= 148 && index < 156 ? 32 : block[index]!;
  return sum === number(block, 148, 156);
}

/** Octal digits, or with the first bit set a binary number. */
function number(block: Uint8Array, start: number, end: number): number {
  if ((block[start]! & 0x80) === 0) {
    const digits = text(block, start, end).trim();
    return digits === '' ? 0 : /^[0-7]+$/.test(digits) ? parseInt(digits, 8) : NaN;
  }
  return block.subarray(start + 1, end).reduce((value, byte) => value * 256 + byte, block[start]! & 0x7f);
}

function text(block: Uint8Array, start: number, end: number): string {
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength).subarray(start, end);
  const zero = bytes.indexOf(0);
  return bytes.subarray(0, zero < 0 ? undefined : zero).toString('utf8');
}

const longName = (type: string, bytes: Uint8Array): Attributes => ({
  [type === 'L' ? 'path' : 'linkpath']: text(bytes, 0, bytes.length),
});

/** Records of `length key=value\n`, the length in bytes and of the whole record. */
function readAttributes(bytes: Uint8Array, position: number, fail: Fail): Attributes {
  const buffer = Buffer.from(bytes);
  const attributes: Record<string, string> = {};
  for (let at = 0; at < buffer.length;) {
    const space = buffer.indexOf(' ', at);
    const length = Number(buffer.subarray(at, space).toString('latin1'));
    const equals = buffer.indexOf('=', space);
    if (space < 0 || equals < 0 || !(length > 0) || at + length > buffer.length || equals >= at + length) {
      return fail(`the pax header at byte ${position} is damaged`);
    }
    const value = buffer.subarray(equals + 1, at + length - 1).toString('utf8');
    attributes[buffer.subarray(space + 1, equals).toString('utf8')] = value;
    at += length;
  }
  return attributes;
}
