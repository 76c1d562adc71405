/**
 * PNG, every colour type, depth and interlacing of the standard, over Node's zlib.
 *
 * By hand, because sizes must be bounded before anything is unpacked, and because `fast-png` unpacks profiles without
 * a bound and misreads interlaced images of less than 8 bits.
 *
 * @see https://www.w3.org/TR/png-3/
 */
import { crc32, inflateSync } from 'node:zlib';
import { userError } from '../core/diagnostic.ts';
import { readOrientation } from './exif.ts';
import type { Orientation } from './exif.ts';
import type { Raster, Size } from './raster.ts';

const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
const headerBytes = 13;
const remedy = 'copy or download the file again, or leave it out';

type ColorType = 0 | 2 | 3 | 4 | 6;

const grey = 0;
const palette = 3;

/** Samples of a pixel in the file. */
const samplesOf: { readonly [C in ColorType]: number } = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

const depthsOf: { readonly [C in ColorType]: readonly number[] } = {
  ...{ 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] },
};

interface Header extends Size {
  readonly depth: number;
  readonly colorType: ColorType;
  readonly isInterlaced: boolean;
}

interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
}

/** One grid of pixels that the file stores as rows; without interlacing there is one. */
interface Pass {
  readonly x: number;
  readonly y: number;
  readonly xStep: number;
  readonly yStep: number;
}

const wholeImage: Pass = { x: 0, y: 0, xStep: 1, yStep: 1 };

const adam7: readonly Pass[] = [
  { x: 0, y: 0, xStep: 8, yStep: 8 },
  { x: 4, y: 0, xStep: 8, yStep: 8 },
  { x: 0, y: 4, xStep: 4, yStep: 8 },
  { x: 2, y: 0, xStep: 4, yStep: 4 },
  { x: 0, y: 2, xStep: 2, yStep: 4 },
  { x: 1, y: 0, xStep: 2, yStep: 2 },
  { x: 0, y: 1, xStep: 1, yStep: 2 },
];

export function isPng(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, signature.length)).equals(signature);
}

/** Width and height from the first 24 bytes; null where there are fewer, or where they are of another format. */
export function pngSize(bytes: Uint8Array): Size | null {
  if (!isPng(bytes) || bytes.length < 24) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

/** The orientation of the EXIF chunk; 1 without it. */
export function pngOrientation(bytes: Uint8Array): Orientation {
  for (const { type, data } of chunks(bytes)) if (type === 'eXIf') return readOrientation(data);
  return 1;
}

/**
 * Samples of 16 bits keep their high byte, and grey of 1, 2 or 4 bits is spread to 0 to 255, as in TensorFlow's
 * `decode_png`. A palette gives its colours.
 *
 * @param bytes the whole file
 * @param path named in errors
 * @returns 4 channels where the file has transparency (grey is repeated), else 1 or 3
 * @throws UserError `truncated-image` or `damaged-image`
 */
export function decodePng(bytes: Uint8Array, path: string): Raster {
  const fail = (message: string): never => {
    throw userError(path, 'damaged-image', `the PNG file is damaged: ${message}`, remedy);
  };
  let header: Header | null = null;
  let colors: Uint8Array | null = null;
  let transparency: Uint8Array | null = null;
  const packed: Uint8Array[] = [];
  let isEnded = false;
  for (const { type, data } of chunks(bytes, fail)) {
    if (header === null && type !== 'IHDR') return fail(`it begins with ${type}, expected IHDR`);
    if (type === 'IHDR') header = readHeader(data, fail);
    else if (type === 'PLTE') colors = data;
    else if (type === 'tRNS') transparency = data;
    else if (type === 'IDAT') packed.push(data);
    else if (type === 'IEND') isEnded = true;
    // An upper-case letter first: the image cannot be understood without the chunk.
    else if (/^[A-Z]/.test(type)) return fail(`it needs ${type}, which is unknown`);
  }
  if (header === null || !isEnded) {
    const message = `the PNG file ends at byte ${bytes.length}, before its end chunk`;
    throw userError(path, 'truncated-image', message, remedy);
  }
  const rows = unpackRows(packed, header, fail);
  return colorize(header, samplesOfRows(rows, header, fail), colors, transparency, fail);
}

type Fail = (message: string) => never;

/**
 * The whole chunks of the file, up to the end chunk.
 *
 * @param fail called where the checksum of a chunk that the image needs is wrong; other such chunks are left out
 */
function* chunks(bytes: Uint8Array, fail?: Fail): Generator<Chunk> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = signature.length;
  while (at + 12 <= bytes.length) {
    const length = view.getUint32(at);
    const end = at + 8 + length;
    if (end + 4 > bytes.length) return;
    const type = Buffer.from(bytes.subarray(at + 4, at + 8)).toString('latin1');
    if (crc32(bytes.subarray(at + 4, end)) === view.getUint32(end)) yield { type, data: bytes.subarray(at + 8, end) };
    else if (/^[A-Z]/.test(type)) fail?.(`the checksum of ${type} at byte ${at} is wrong`);
    if (type === 'IEND') return;
    at = end + 4;
  }
}

function readHeader(data: Uint8Array, fail: Fail): Header {
  if (data.length !== headerBytes) return fail(`IHDR has ${data.length} bytes, expected ${headerBytes}`);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth = 0, type = 0, compression, filter, interlace] = data.subarray(8);
  if (width === 0 || height === 0) return fail(`its size is ${width} x ${height}`);
  const colorType = isColorType(type) ? type : fail(`colour type ${type} is unknown`);
  if (!depthsOf[colorType].includes(depth)) return fail(`colour type ${type} has no depth of ${depth} bits`);
  if (compression !== 0 || filter !== 0 || interlace === undefined || interlace > 1) {
    return fail('its method of compression, filtering or interlacing is unknown');
  }
  return { width, height, depth, colorType, isInterlaced: interlace === 1 };
}

function isColorType(type: number): type is ColorType {
  return Object.hasOwn(samplesOf, type);
}

const passesOf = ({ isInterlaced }: Header): readonly Pass[] => (isInterlaced ? adam7 : [wholeImage]);

function passSize({ width, height }: Size, { x, y, xStep, yStep }: Pass): Size {
  const passWidth = Math.max(0, Math.ceil((width - x) / xStep));
  // A pass without columns has no rows either, not even their filter bytes.
  return { width: passWidth, height: passWidth === 0 ? 0 : Math.max(0, Math.ceil((height - y) / yStep)) };
}

const rowBytesOf = ({ depth, colorType }: Header, width: number): number =>
  Math.ceil((width * samplesOf[colorType] * depth) / 8);

/** All rows with their filter bytes; never more than the header announces. */
function unpackRows(packed: readonly Uint8Array[], header: Header, fail: Fail): Uint8Array {
  const expected = passesOf(header).reduce((sum, pass) => {
    const { width, height } = passSize(header, pass);
    return sum + height * (1 + rowBytesOf(header, width));
  }, 0);
  let rows: Uint8Array;
  try {
    rows = inflateSync(Buffer.concat(packed), { maxOutputLength: expected });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if ('code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') return fail('it holds more rows than its height');
    return fail(`its rows cannot be unpacked (${error.message})`);
  }
  if (rows.length !== expected) return fail(`it holds ${rows.length} bytes of rows, expected ${expected}`);
  return rows;
}

/** The samples as numbers of the file's depth. The rows are unfiltered in place. */
function samplesOfRows(rows: Uint8Array, header: Header, fail: Fail): Uint8Array | Uint16Array {
  const { width, height, depth, colorType } = header;
  const perPixel = samplesOf[colorType];
  const samples = new (depth === 16 ? Uint16Array : Uint8Array)(width * height * perPixel);
  const pixelBytes = Math.max(1, (perPixel * depth) / 8);
  let at = 0;
  for (const pass of passesOf(header)) {
    const size = passSize(header, pass);
    const rowBytes = rowBytesOf(header, size.width);
    let above: Uint8Array = new Uint8Array(rowBytes);
    for (let row = 0; row < size.height; row++) {
      const current = rows.subarray(at + 1, at + 1 + rowBytes);
      unfilter(rows[at]!, current, above, pixelBytes, fail);
      const start = ((pass.y + row * pass.yStep) * width + pass.x) * perPixel;
      if (depth === 8 && pass === wholeImage) samples.set(current, start);
      else placeRow(current, samples, start, size.width, perPixel, pass.xStep, depth);
      above = current;
      at += 1 + rowBytes;
    }
  }
  return samples;
}

/** Undoes the prediction of a row; bytes before and above it that do not exist count as 0. */
function unfilter(kind: number, row: Uint8Array, above: Uint8Array, step: number, fail: Fail): void {
  const { length } = row;
  switch (kind) {
    case 0:
      return;
    case 1:
      for (let i = step; i < length; i++) row[i] = row[i]! + row[i - step]!;
      return;
    case 2:
      for (let i = 0; i < length; i++) row[i] = row[i]! + above[i]!;
      return;
    case 3:
      for (let i = 0; i < length; i++) row[i] = row[i]! + (((i < step ? 0 : row[i - step]!) + above[i]!) >> 1);
      return;
    case 4:
      for (let i = 0; i < Math.min(step, length); i++) row[i] = row[i]! + above[i]!;
      for (let i = step; i < length; i++) row[i] = row[i]! + paeth(row[i - step]!, above[i]!, above[i - step]!);
      return;
    default:
      fail(`filter ${kind} is unknown`);
  }
}

/** Whichever of the three is nearest to `left + above - corner`; the first of equals. */
function paeth(left: number, above: number, corner: number): number {
  const toLeft = Math.abs(above - corner);
  const toAbove = Math.abs(left - corner);
  const toCorner = Math.abs(left + above - 2 * corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

/** Writes the samples of a row to every `xStep`-th pixel. */
function placeRow(
  row: Uint8Array,
  samples: Uint8Array | Uint16Array,
  start: number,
  width: number,
  perPixel: number,
  xStep: number,
  depth: number,
): void {
  const mask = 2 ** depth - 1;
  for (let x = 0, index = 0; x < width; x++) {
    for (let sample = 0; sample < perPixel; sample++, index++) {
      const bit = index * depth;
      const byte = bit >> 3;
      const value = depth === 16 ? (row[byte]! << 8) | row[byte + 1]! : (row[byte]! >> (8 - depth - (bit & 7))) & mask;
      samples[start + x * xStep * perPixel + sample] = value;
    }
  }
}

function colorize(
  header: Header,
  samples: Uint8Array | Uint16Array,
  colors: Uint8Array | null,
  transparency: Uint8Array | null,
  fail: Fail,
): Raster {
  const { width, height, depth, colorType } = header;
  const size = { width, height };
  if (colorType === palette) return { ...size, ...lookUp(samples, colors, transparency, fail) };
  const bytes = toBytes(samples, depth);
  const perPixel = samplesOf[colorType];
  if (perPixel === 2 || perPixel === 4) {
    return { ...size, channels: 4, pixels: perPixel === 4 ? bytes : repeatGrey(bytes) };
  }
  const channels = colorType === grey ? 1 : 3;
  if (transparency === null) return { ...size, channels, pixels: bytes };
  if (transparency.length < 2 * perPixel) return fail(`tRNS has ${transparency.length} bytes`);
  const view = new DataView(transparency.buffer, transparency.byteOffset, transparency.byteLength);
  const clear = Array.from({ length: perPixel }, (_, sample) => view.getUint16(2 * sample));
  const pixels = new Uint8Array(width * height * 4);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const at = pixel * perPixel;
    for (let c = 0; c < 3; c++) pixels[4 * pixel + c] = bytes[at + (perPixel === 1 ? 0 : c)]!;
    const isClear = clear.every((value, sample) => samples[at + sample] === value);
    pixels[4 * pixel + 3] = isClear ? 0 : 255;
  }
  return { ...size, channels: 4, pixels };
}

function toBytes(samples: Uint8Array | Uint16Array, depth: number): Uint8Array {
  if (samples instanceof Uint16Array) return Uint8Array.from(samples, (value) => value >> 8);
  if (depth === 8) return samples;
  // 255, 85 and 17: the largest value of the depth becomes 255.
  const factor = 255 / (2 ** depth - 1);
  return samples.map((value) => value * factor);
}

function repeatGrey(greyAndAlpha: Uint8Array): Uint8Array {
  const pixels = new Uint8Array(2 * greyAndAlpha.length);
  for (let from = 0, to = 0; from < greyAndAlpha.length; from += 2, to += 4) {
    pixels.fill(greyAndAlpha[from]!, to, to + 3);
    pixels[to + 3] = greyAndAlpha[from + 1]!;
  }
  return pixels;
}

function lookUp(
  indices: Uint8Array | Uint16Array,
  colors: Uint8Array | null,
  transparency: Uint8Array | null,
  fail: Fail,
): { readonly channels: 3 | 4; readonly pixels: Uint8Array } {
  if (colors === null) return fail('its palette is missing');
  const channels = transparency === null ? 3 : 4;
  const pixels = new Uint8Array(indices.length * channels);
  const count = Math.floor(colors.length / 3);
  for (let pixel = 0; pixel < indices.length; pixel++) {
    const index = indices[pixel]!;
    if (index >= count) return fail(`colour ${index} of a palette of ${count}`);
    for (let c = 0; c < 3; c++) pixels[pixel * channels + c] = colors[3 * index + c]!;
    if (transparency !== null) pixels[pixel * channels + 3] = transparency[index] ?? 255;
  }
  return { channels, pixels };
}
