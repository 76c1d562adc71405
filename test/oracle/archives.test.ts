/** Archives that Python writes are read entry by entry. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { openTree } from '../../src/formats/archive.ts';
import type { Oracle, OracleValue } from './oracle.ts';
import { expectBytes, hasOracle, openOracle } from './oracle.ts';
import { seed } from './seed.ts';

const long = 'a folder with a long name/'.repeat(8);
const names = [
  'empty.txt',
  'photos/cat 1.jpg',
  'photos/Katze é ünï 猫.jpg',
  `${long}image2.png`,
  `${long}image10.png`,
  './with a dot.txt',
  'x'.repeat(99),
  'y'.repeat(101),
  `${'d'.repeat(120)}/${'f'.repeat(90)}`,
];

describe.skipIf(!hasOracle)(`archives of Python, ORACLE_SEED=${seed}`, { timeout: 120_000 }, () => {
  let oracle: Oracle;
  const folder = mkdtempSync(join(tmpdir(), 'qpipe-archives-'));
  const random = createRandom(seed, 'archives');
  const files = names.map((name, index) => {
    const bytes = Uint8Array.from({ length: index === 0 ? 0 : random.below(3000) }, () => random.below(4));
    return [name, bytes] as const;
  });
  beforeAll(() => {
    oracle = openOracle();
  });
  afterAll(() => {
    oracle.close();
    rmSync(folder, { recursive: true });
  });

  async function written(expression: string, values: { readonly [name: string]: OracleValue } = {}): Promise<string> {
    const path = join(folder, 'archive');
    writeFileSync(path, expectBytes(await oracle.evaluate(expression, { files, ...values })));
    return path;
  }

  function expectFiles(path: string): void {
    const tree = openTree(path);
    const expected = new Map(files.map(([name, bytes]) => [name.replace('./', ''), bytes]));
    expect(new Set(tree.files().map(({ name }) => name))).toEqual(new Set(expected.keys()));
    for (const { name, size } of tree.files()) {
      expect(size).toBe(expected.get(name)!.length);
      expect(Buffer.from(tree.read(name)).equals(expected.get(name)!), name).toBe(true);
    }
    tree.close();
  }

  it.each([
    ['deflated', 'archives.write_zip(files)'],
    ['stored', "archives.write_zip(files, 'ZIP_STORED')"],
    ['with sizes after the data, ZIP64', 'archives.write_zip(files, streamed=True)'],
    ['with a comment that looks like an end', "archives.write_zip(files, comment=b'PK\\x05\\x06' + bytes(18))"],
  ])('zip, %s', async (_what, expression) => {
    expectFiles(await written(expression));
  });

  it('zip of more than 65,535 entries', async () => {
    const tree = openTree(await written("archives.write_zip([[f'{i % 10}/{i}', b'%d' % i] for i in range(70_000)])"));
    expect(tree.files()).toHaveLength(70_000);
    expect(Buffer.from(tree.read('9/69999')).toString()).toBe('69999');
    tree.close();
  });

  it.each(['GNU_FORMAT', 'PAX_FORMAT'])('tar, %s, plain and packed', async (form) => {
    expectFiles(await written(`archives.write_tar(files, '${form}')`));
    expectFiles(await written(`archives.write_tar(files, '${form}', 'w:gz')`));
  });

  it('tar, USTAR_FORMAT: names of up to 255 bytes in two parts', async () => {
    const name = `${'d'.repeat(120)}/${'f'.repeat(90)}`;
    const tree = openTree(await written("archives.write_tar([[name, b'abc']], 'USTAR_FORMAT')", { name }));
    expect(tree.files()).toMatchObject([{ name, size: 3 }]);
    tree.close();
  });

  it('a hard link within a tar archive is the file that it names', async () => {
    const tree = openTree(
      await written("archives.write_tar([['a', b'abc']], 'PAX_FORMAT', links=[['b', 'a', 'LNKTYPE']])"),
    );
    expect(tree.files()).toMatchObject([
      { name: 'a', size: 3 },
      { name: 'b', size: 3 },
    ]);
    expect(Buffer.from(tree.read('b')).toString()).toBe('abc');
    tree.close();
  });

  it.each([
    ['../../etc/passwd', 'leads out by ".."'],
    ['a/../../b', 'leads out by ".."'],
    ['/etc/passwd', 'has an absolute path'],
    ['C:/Windows/win.ini', 'has an absolute path'],
  ])('the entry %s is refused', async (name, reason) => {
    for (const expression of [
      "archives.write_zip([['good', b'1'], [name, b'2']])",
      "archives.write_tar([['good', b'1'], [name, b'2']], 'PAX_FORMAT')",
    ]) {
      const path = await written(expression, { name });
      expect(() => openTree(path)).toThrow(`error unsafe-entry: the entry "${name}" ${reason}`);
    }
  });

  it.each([
    ['SYMTYPE', 'good', 'is a link'],
    ['SYMTYPE', '/etc/passwd', 'is a link'],
    ['LNKTYPE', '/etc/passwd', 'is a link to "/etc/passwd", which is not before it'],
    ['CHRTYPE', '', 'is no file (type 3)'],
  ])('a tar entry of %s to "%s" is refused', async (type, target, reason) => {
    const path = await written("archives.write_tar([['good', b'1']], 'GNU_FORMAT', links=[['x', target, type]])", {
      ...{ target, type },
    });
    expect(() => openTree(path)).toThrow(`the entry "x" ${reason}`);
  });
});
