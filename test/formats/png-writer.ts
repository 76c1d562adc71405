/** Writes PNG files of every colour type, depth, filter and interlacing; the oracle reads them with libpng. */
import { crc32, deflateSync } from 'node:zlib';

export interface PngParts {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colorType: number;
  readonly isInterlaced?: boolean;
  /** The filter of a row, 0 to 4. */
  readonly filter?: (row: number) => number;
  /** A sample by its place; below `2 ** depth`. */
  readonly sample: (x: number, y: number, index: number) => number;
  readonly palette?: readonly number[];
  readonly transparency?: readonly number[];
  /** Written before the pixels. */
  readonly extra?: readonly Uint8Array[];
  /** Parts that the packed rows are cut into. */
  readonly pieces?: number;
}

const samplesOf: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** Left, top, and the steps to the right and down. */
const adam7: readonly (readonly [number, number, number, number])[] = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

export function pngChunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

export function pngHeader(width: number, height: number, depth: number, colorType: number, interlace = 0): Buffer {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width, 0);
  data.writeUInt32BE(height, 4);
  data.set([depth, colorType, 0, 0, interlace], 8);
  return pngChunk('IHDR', data);
}

export const pngSignature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

export function writePng(parts: PngParts): Uint8Array {
  const {
    width,
    height,
    depth,
    colorType,
    isInterlaced = false,
    palette,
    transparency,
    extra = [],
    pieces = 1,
  } = parts;
  const grids = isInterlaced ? adam7 : [[0, 0, 1, 1] as const];
  const packed = deflateSync(Buffer.concat(grids.flatMap((grid) => rowsOf(parts, grid))));
  const size = Math.ceil(packed.length / pieces);
  return Buffer.concat([
    ...[pngSignature, pngHeader(width, height, depth, colorType, isInterlaced ? 1 : 0), ...extra],
    ...(palette === undefined ? [] : [pngChunk('PLTE', Uint8Array.from(palette))]),
    ...(transparency === undefined ? [] : [pngChunk('tRNS', Uint8Array.from(transparency))]),
    ...Array.from({ length: pieces }, (_, piece) =>
      pngChunk('IDAT', packed.subarray(piece * size, (piece + 1) * size)),
    ),
    pngChunk('IEND', new Uint8Array(0)),
  ]);
}

function rowsOf(parts: PngParts, [left, top, xStep, yStep]: readonly [number, number, number, number]): Buffer[] {
  const { width, height, depth, colorType, sample, filter = (row) => row % 5 } = parts;
  const perPixel = samplesOf[colorType]!;
  const step = Math.max(1, (perPixel * depth) / 8);
  const columns = Math.ceil((width - left) / xStep);
  if (columns <= 0) return [];
  const rows: Buffer[] = [];
  let above = Buffer.alloc(Math.ceil((columns * perPixel * depth) / 8));
  for (let y = top; y < height; y += yStep) {
    let bits = '';
    for (let x = left; x < width; x += xStep) {
      for (let index = 0; index < perPixel; index++) bits += sample(x, y, index).toString(2).padStart(depth, '0');
    }
    const raw = Buffer.from(Array.from(above, (_, at) => parseInt(bits.slice(8 * at, 8 * at + 8).padEnd(8, '0'), 2)));
    const kind = filter(rows.length);
    const predicted = raw.map((_, at) => predict(kind, raw[at - step] ?? 0, above[at]!, above[at - step] ?? 0));
    rows.push(Buffer.from([kind, ...raw.map((value, at) => value - predicted[at]!)]));
    above = raw;
  }
  return rows;
}

function predict(kind: number, left: number, above: number, corner: number): number {
  const estimate = left + above - corner;
  const nearest = [left, above, corner].reduce((best, value) =>
    Math.abs(estimate - value) < Math.abs(estimate - best) ? value : best,
  );
  return [0, left, above, (left + above) >> 1, nearest][kind]!;
}
