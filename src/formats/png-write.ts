/**
 * PNG files whose bytes are the same on every machine, as those of Node's zlib are not.
 *
 * @see https://www.w3.org/TR/png-3/
 */
import { crc32 } from 'node:zlib';
import { zlibSync } from 'fflate';

export interface WrittenImage {
  readonly width: number;
  readonly height: number;
  /** [height, width, samples], 0..255. */
  readonly pixels: Uint8Array;
  /** Grey, red with green and blue, or an index into a palette. */
  readonly samples: 1 | 3;
  /** Up to 256 colours, 0..255 each, where pixels are indices. */
  readonly palette?: readonly (readonly [red: number, green: number, blue: number])[];
}

/** Bytes of an image that is left as it is: there is less to gain than the milliseconds of compressing it. */
const small = 4096;

export function writePng({ width, height, pixels, samples, palette }: WrittenImage): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // 8 bits a sample, the colour type; no interlacing.
  header[8] = 8;
  header[9] = palette === undefined ? (samples === 3 ? 2 : 0) : 3;
  const rows = filtered(pixels, width * samples, samples, palette === undefined);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    ...(palette === undefined ? [] : [chunk('PLTE', Uint8Array.from(palette.flat()))]),
    chunk('IDAT', zlibSync(rows, { level: rows.length < small ? 0 : 9 })),
    chunk('IEND', new Uint8Array()),
  ]);
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

/** Each row behind the number of its filter: of none, left and up the one whose differences are the smallest. */
function filtered(pixels: Uint8Array, stride: number, samples: number, mayDiffer: boolean): Uint8Array {
  const height = pixels.length / stride;
  const out = new Uint8Array(height * (stride + 1));
  const [plain, left, up] = [0, 1, 2];
  for (let row = 0; row < height; row++) {
    const at = (column: number, filter: number): number => {
      const value = pixels[row * stride + column]!;
      const back = filter === left ? column - samples : column;
      const above = filter === up ? row - 1 : row;
      const before = filter === plain || back < 0 || above < 0 ? 0 : pixels[above * stride + back]!;
      return (value - before) & 255;
    };
    const cost = (filter: number): number => {
      let sum = 0;
      for (let column = 0; column < stride; column++) sum += Math.min(at(column, filter), 256 - at(column, filter));
      return sum;
    };
    // Differences of indices say nothing.
    const choices = mayDiffer ? [plain, left, up] : [plain];
    const costs = choices.map(cost);
    const filter = choices[costs.indexOf(Math.min(...costs))] ?? plain;
    out[row * (stride + 1)] = filter;
    for (let column = 0; column < stride; column++) out[row * (stride + 1) + 1 + column] = at(column, filter);
  }
  return out;
}
