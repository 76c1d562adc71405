/** Stored archives behind other bytes, read by our own reader and by unzip where it is installed. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { inMemory } from '../../src/formats/random-access.ts';
import { listZip } from '../../src/formats/zip.ts';
import { writeZip } from '../../src/formats/zip-write.ts';

const files = [
  { name: 'labels.txt', bytes: new TextEncoder().encode('é\n猫\n') },
  { name: 'für/leer', bytes: new Uint8Array(0) },
];
const before = Uint8Array.of(1, 2, 3, 0x50, 0x4b, 5, 6);
const whole = Buffer.concat([before, writeZip(files, before.length)]);

describe('an archive behind other bytes', () => {
  it('has its entries where the directory says', () => {
    const found = listZip(inMemory(whole), 'a.zip');
    expect(found.map((entry) => [entry.name, Buffer.from(entry.read()).toString()])).toEqual([
      ['labels.txt', 'é\n猫\n'],
      ['für/leer', ''],
    ]);
  });

  it('has the same bytes each time', () => {
    expect(writeZip(files, before.length)).toEqual(writeZip(files, before.length));
  });

  it.skipIf(spawnSync('unzip', ['-v']).status !== 0)('is whole for unzip', () => {
    const folder = mkdtempSync(join(tmpdir(), 'qpipe-zip-'));
    writeFileSync(join(folder, 'a.zip'), whole);
    const { stdout, status } = spawnSync('unzip', ['-p', 'a.zip', 'labels.txt'], { cwd: folder, encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    // 1 says that there are bytes before the archive.
    expect(status).toBeLessThanOrEqual(1);
    expect(stdout).toBe('é\n猫\n');
  });
});
