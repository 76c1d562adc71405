/** ZIP archives whose entries are stored as they are. */
import { crc32 } from 'node:zlib';

export interface ZipFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** 1980-01-01, the first day that there is: the same entries give the same bytes. */
const date = 0x21;
/** Names are in UTF-8. */
const flags = 0x800;
const version = 20;

/**
 * The bytes of an archive that lies behind others in a file, as the ones of label files lie behind a model.
 *
 * @param start bytes before it in the file, from whose begin positions count
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, version 6.3
 */
export function writeZip(files: readonly ZipFile[], start: number): Uint8Array {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let position = start;
  for (const { name, bytes } of files) {
    const text = Buffer.from(name);
    // Version to unpack, flags, method 0, time, date, checksum, both sizes, length of the name, none of the extra field.
    const common = Buffer.alloc(26);
    common.writeUInt16LE(version, 0);
    common.writeUInt16LE(flags, 2);
    common.writeUInt16LE(date, 8);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(bytes.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(text.length, 22);
    locals.push(Buffer.from([0x50, 0x4b, 3, 4]), common, text, Buffer.from(bytes));
    // Length of the comment, disk, attributes: none; then where the entry begins.
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(position, 10);
    directory.push(Buffer.from([0x50, 0x4b, 1, 2, version, 0]), common, tail, text);
    position += 4 + common.length + text.length + bytes.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(position, 16);
  return Buffer.concat([...locals, entries, end]);
}
