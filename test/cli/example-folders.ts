/** Small folders of examples as users have them, written file by file. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writePng } from '../formats/png-writer.ts';

/** A grey image of one value. */
export const greyPng = (value: number, width = 20, height = width): Uint8Array =>
  writePng({ width, height, depth: 8, colorType: 0, sample: () => value });

/** A PNG in colour: red of one value, and no green and blue. */
export const redPng = (value: number, width = 20, height = width): Uint8Array =>
  writePng({ width, height, depth: 8, colorType: 2, sample: (_x, _y, channel) => (channel === 0 ? value : 0) });

/** A tone of 16-bit PCM with one channel, as RIFF lays it out. */
export function toneWav(hertz: number, rate: number, seconds: number): Uint8Array {
  const frames = Math.round(rate * seconds);
  const bytes = Buffer.alloc(44 + 2 * frames);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(36 + 2 * frames, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt32LE(2 * rate, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(2 * frames, 40);
  for (let frame = 0; frame < frames; frame++) {
    bytes.writeInt16LE(Math.round(8000 * Math.sin((2 * Math.PI * hertz * frame) / rate)), 44 + 2 * frame);
  }
  return bytes;
}

/** @param files content by name below the folder */
export function writeTree(folder: string, files: Readonly<Record<string, Uint8Array | string>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}

/** As many different images of two classes, dark ones and light ones. */
export function darkAndLight(count: number, png = greyPng): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {};
  for (let index = 0; index < count; index++) {
    files[`dark/${index}.png`] = png(index);
    files[`light/${index}.png`] = png(255 - index);
  }
  return files;
}
