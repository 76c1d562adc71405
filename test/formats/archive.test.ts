import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import { isSystemFile, openTree } from '../../src/formats/archive.ts';
import { naturalOrder } from '../../src/formats/natural-order.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'qpipe-tree-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, bytes: string | Uint8Array): string => {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, bytes);
  return path;
};

interface ZipPart {
  readonly name: string;
  readonly data: Uint8Array;
  readonly method?: number;
  readonly size?: number;
  readonly flags?: number;
  readonly mode?: number;
}

/** Deflated entries as a writer might claim them to be. */
function zip(parts: readonly ZipPart[]): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let position = 0;
  for (const { name, data, method = 8, size = data.length, flags = 0, mode = 0 } of parts) {
    const packed = deflateRawSync(data);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(flags, 2);
    common.writeUInt16LE(method, 4);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(size, 18);
    common.writeUInt16LE(name.length, 22);
    locals.push(Buffer.from('PK\x03\x04'), common, Buffer.from(name), packed);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(mode * 2 ** 16, 6);
    rest.writeUInt32LE(position, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x03', 'latin1'), common, rest, Buffer.from(name));
    position += 30 + name.length + packed.length;
  }
  const bytes = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(parts.length, 10);
  end.writeUInt32LE(bytes.length, 12);
  end.writeUInt32LE(position, 16);
  return Buffer.concat([...locals, bytes, end]);
}

const names = (path: string): string[] => {
  const tree = openTree(path);
  tree.close();
  return tree.files().map(({ name }) => name);
};

describe('a folder', () => {
  it('is listed in natural order with sizes, and read', () => {
    for (const name of ['b/10.txt', 'b/9.txt', 'a b/x', 'a/x', 'Z', 'ü 猫.txt']) write(name, name);
    const tree = openTree(folder);
    expect(tree.files().map(({ name }) => name)).toEqual(['Z', 'a/x', 'a b/x', 'b/9.txt', 'b/10.txt', 'ü 猫.txt']);
    expect(tree.files().map(({ size }) => size)).toEqual([1, 3, 5, 7, 8, 10]);
    expect(Buffer.from(tree.read('ü 猫.txt')).toString()).toBe('ü 猫.txt');
    expect(() => tree.read('../secret')).toThrow('internal: ');
  });

  it('gives a linked file within it, and refuses links out of it, to folders and to nothing, all at once', () => {
    write('in/a', 'abc');
    symlinkSync('a', join(folder, 'in/b'));
    expect(names(join(folder, 'in'))).toEqual(['a', 'b']);
    expect(Buffer.from(openTree(join(folder, 'in')).read('b')).toString()).toBe('abc');
    write('secret', '1');
    write('inside/x', '1');
    symlinkSync('../secret', join(folder, 'in/c'));
    symlinkSync('.', join(folder, 'in/d'));
    symlinkSync('gone', join(folder, 'in/e'));
    symlinkSync('../inside', join(folder, 'in/f'));
    expect(() => openTree(join(folder, 'in'))).toThrow(UserError);
    for (const message of ['"c" is a link out', '"d" is a link', '"e" is a link to something', '"f" is a link out']) {
      expect(() => openTree(join(folder, 'in'))).toThrow(`error unsafe-entry: the entry ${message}`);
    }
  });

  it('reports ten refusals and the number of others', () => {
    for (let index = 0; index < 13; index++) symlinkSync('gone', join(folder, `link${index}`));
    try {
      openTree(folder);
    } catch (error) {
      expect(error).toBeInstanceOf(UserError);
      if (error instanceof UserError) expect(error.diagnostics.map(({ message }) => message).at(-1)).toMatch(/^3 more/);
      return;
    }
    expect.unreachable();
  });

  it('may be given by a link', () => {
    write('in/a', 'abc');
    symlinkSync('in', join(folder, 'link'));
    expect(names(join(folder, 'link'))).toEqual(['a']);
  });
});

describe('an archive', () => {
  it.each([
    ['no file', 'missing.zip', null, 'error unreadable-file: there is no such file'],
    ['text', 'a.zip', Buffer.from('text\n'), 'error not-an-archive: the file is text'],
    ['gzip of text', 'a.tar.gz', gzipSync('text\n'), 'not-an-archive: the gzip file holds text, not a tar archive'],
    [
      'an encrypted entry',
      'a.zip',
      zip([{ name: 'x', data: Buffer.from('1'), flags: 1 }]),
      '/x error unsupported-archive: the entry of the ZIP archive is encrypted',
    ],
    [
      'an unknown method',
      'a.zip',
      zip([{ name: 'x', data: Buffer.from('1'), method: 12 }]),
      'packed by method 12, expected deflate',
    ],
    [
      'a link',
      'a.zip',
      zip([{ name: 'x', data: Buffer.from('/etc/passwd'), mode: 0o120777 }]),
      'the entry "x" is a link',
    ],
    ['a backslash', 'a.zip', zip([{ name: '..\\x', data: Buffer.from('1') }]), 'the entry "../x" leads out by ".."'],
    [
      'more data than it says',
      'a.zip',
      zip([{ name: 'x', data: new Uint8Array(2 ** 20), size: 10 }]),
      'the entry cannot be unpacked',
    ],
    [
      'less data than it says',
      'a.zip',
      zip([{ name: 'x', data: new Uint8Array(5), size: 10 }]),
      'the entry holds 5 bytes, expected 10',
    ],
  ])('with %s is refused', (_what, name, bytes, message) => {
    const path = bytes === null ? join(folder, name) : write(name, bytes);
    expect(() => {
      const tree = openTree(path);
      for (const file of tree.files()) tree.read(file.name);
    }).toThrow(message);
  });

  it('names the entry whose checksum is wrong', () => {
    const bytes = zip([{ name: 'x', data: Buffer.from('abc') }]);
    bytes[30 + 2]! ^= 4;
    const tree = openTree(write('a.zip', bytes));
    expect(() => tree.read('x')).toThrow(/a\.zip\/x error damaged-archive: /);
  });

  it('that is cut anywhere is refused', () => {
    const whole = zip(['a', 'b', 'c'].map((name) => ({ name, data: Buffer.from(name.repeat(50)) })));
    const path = write('a.zip', whole);
    expect(names(path)).toEqual(['a', 'b', 'c']);
    for (let length = whole.length - 1; length > 4; length--) {
      truncateSync(path, length);
      expect(() => names(path)).toThrow(/ damaged-archive: | not-an-archive: /);
    }
  });

  it('gives the last of entries with one name, and no folders', () => {
    const parts = ['a/', 'a/x', './a//x'].map((name) => ({ name, data: Buffer.from(name) }));
    const tree = openTree(write('a.zip', zip(parts)));
    expect(tree.files()).toEqual([{ name: 'a/x', size: 6 }]);
    expect(Buffer.from(tree.read('a/x')).toString()).toBe('./a//x');
  });

  it('may be empty', () => {
    expect(names(write('a.zip', zip([])))).toEqual([]);
  });
});

describe('natural order', () => {
  it.each([
    ['image2', 'image10'],
    ['a', 'b'],
    ['B', 'a'],
    ['a/z', 'a b'],
    ['a', 'a1'],
    ['1', '01'],
    ['01', '2'],
    ['x1y02', 'x01y2'],
    ['x01y1', 'x1y02'],
    ['99999999999999999999998', '99999999999999999999999'],
    ['a1.5', 'a1.10'],
  ])('%s is before %s', (first, second) => {
    expect(naturalOrder(first, second)).toBeLessThan(0);
    expect(naturalOrder(second, first)).toBeGreaterThan(0);
    expect(naturalOrder(first, first)).toBe(0);
  });

  it('is an order: any arrangement sorts to the same', () => {
    const alphabet = ['0', '1', '01', '10', 'a', '/', ' ', '.'];
    const all = alphabet.flatMap((a) => alphabet.flatMap((b) => alphabet.map((c) => a + b + c)));
    const distinct = [...new Set(all)];
    const sorted = [...distinct].sort(naturalOrder);
    expect([...distinct].reverse().sort(naturalOrder)).toEqual(sorted);
    for (const [index, name] of sorted.entries()) {
      for (const later of sorted.slice(index + 1)) expect(naturalOrder(name, later)).toBeLessThan(0);
    }
  });
});

describe('system files', () => {
  it('are told from others', () => {
    const system = ['.DS_Store', 'a/._b.jpg', '__MACOSX/a', '.git/x', 'a/Thumbs.db', 'desktop.ini'];
    expect(system.filter((name) => !isSystemFile(name))).toEqual([]);
    expect(['a.jpg', 'a/b.c', 'thumbs.jpg'].filter(isSystemFile)).toEqual([]);
  });
});
