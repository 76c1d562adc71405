/**
 * JPEG by libjpeg-turbo, compiled to WebAssembly (package `@cwasm/jpeg-turbo`; the build copies its file into dist).
 * Its pixels are those of TensorFlow's `decode_jpeg`, which uses the same library, but for hard black and white patterns:
 * there TensorFlow's vector code overflows and is wrong by up to 255, and this code is not.
 */
import { readFileSync } from 'node:fs';
import { internal } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import { packageFile } from '../core/package-file.ts';
import { readOrientation } from './exif.ts';
import type { Orientation } from './exif.ts';
import type { Raster, Size } from './raster.ts';

/** What the file says before its pixels. */
export interface JpegHeader extends Size {
  /** 1 grey, 3 colour, 4 for print (CMYK or YCCK). */
  readonly components: number;
  readonly orientation: Orientation;
  /** Adobe's programs store the inks of CMYK inverted. */
  readonly isAdobe: boolean;
}

interface Segment {
  readonly marker: number;
  /** Without marker and length. */
  readonly start: number;
  readonly end: number;
}

const startOfScan = 0xda;
const endOfImage = 0xd9;
const app1 = 0xe1;
const app14 = 0xee;

/** Every process of the standard has its own marker; 0xc4, 0xc8 and 0xcc among them are tables. */
const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

/** SOI, TEM and the restarts within a scan stand alone. */
const hasLength = (marker: number): boolean => marker !== 0x01 && (marker < 0xd0 || marker > 0xd9);

/**
 * The segments in file order. The last one is the end marker, unless the file is cut.
 *
 * @see ITU-T T.81, annex B.1
 */
function* segments(bytes: Uint8Array): Generator<Segment> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 2;
  for (;;) {
    // As libjpeg does, bytes before a marker are passed over: the data of a scan, or rubbish between segments.
    at = buffer.indexOf(0xff, at);
    if (at < 0) return;
    while (buffer[at] === 0xff) at++;
    const marker = buffer[at];
    if (marker === undefined) return;
    at++;
    // In a scan, 0 after 0xff makes it a byte of data.
    if (marker === 0) continue;
    if (!hasLength(marker)) {
      yield { marker, start: at, end: at };
      if (marker === endOfImage) return;
      continue;
    }
    if (at + 2 > buffer.length) return;
    const end = at + buffer.readUInt16BE(at);
    if (end > buffer.length || end < at + 2) return;
    yield { marker, start: at + 2, end };
    at = end;
  }
}

export function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}

/**
 * Reads up to the first scan only; null where the file ends before the size.
 *
 * @param bytes the whole file or its beginning
 */
export function readJpegHeader(bytes: Uint8Array): JpegHeader | null {
  let size: (Size & { readonly components: number }) | null = null;
  let orientation: Orientation = 1;
  let isAdobe = false;
  for (const { marker, start, end } of segments(bytes)) {
    const text = (length: number): string => Buffer.from(bytes.subarray(start, start + length)).toString('latin1');
    if (isFrame(marker) && end - start >= 6) {
      const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start);
      size ??= { height: view.getUint16(1), width: view.getUint16(3), components: view.getUint8(5) };
    }
    if (marker === app1 && text(6) === 'Exif\0\0') orientation = readOrientation(bytes.subarray(start + 6, end));
    if (marker === app14 && text(5) === 'Adobe') isAdobe = true;
    if (marker === startOfScan) break;
  }
  return size === null ? null : { ...size, orientation, isAdobe };
}

/** Width and height as stored, before EXIF turns them; null where the file ends before it says them. */
export function jpegSize(bytes: Uint8Array): Size | null {
  const header = readJpegHeader(bytes);
  return header === null ? null : { width: header.width, height: header.height };
}

interface Turbo {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly malloc: (bytes: number) => number;
  readonly free: (address: number) => void;
  readonly tjInitDecompress: () => number;
  readonly tjDestroy: (handle: number) => number;
  readonly tjDecompress2: (
    ...numbers: [
      ...[handle: number, file: number, fileBytes: number, pixels: number, width: number, rowBytes: number],
      ...[height: number, format: number, flags: number],
    ]
  ) => number;
}

/** TurboJPEG's pixel formats. */
const formats = { rgb: 0, grey: 6, cmyk: 11 } as const;
/** TJFLAG_FASTDCT: the integer transform that TensorFlow takes unless it is told otherwise. */
const fastTransform = 2048;
/** Memory of WebAssembly never shrinks; one large photograph should not keep it for the run. */
const mostBytesKept = 2 ** 26;

/** Holds an instance of the library with its memory; it must not be used from two places at once. */
export class JpegDecoder {
  readonly #module: WebAssembly.Module;
  #turbo: Turbo | null = null;

  constructor() {
    this.#module = new WebAssembly.Module(readFileSync(packageFile('dist/formats/jpeg-turbo.wasm')));
  }

  /**
   * Baseline and progressive, 8 bit, any subsampling. CMYK becomes red, green and blue as in TensorFlow.
   *
   * @param bytes the whole file
   * @param path named in errors
   * @param color `stored` gives 1 channel for a grey file and 3 for others; `grey` is the file's own luma, as
   * `decode_jpeg(channels=1)`; a CMYK file has none and gives 3 channels
   * @throws UserError `truncated-image`, `damaged-image`, `unsupported-image`
   */
  decode(bytes: Uint8Array, path: string, color: 'stored' | 'grey' = 'stored'): Raster {
    const header = readJpegHeader(bytes);
    if (header === null) throw truncated(path, bytes.length);
    checkProcess(bytes, header, path);
    if (!isWhole(bytes)) throw truncated(path, bytes.length);
    const isGrey = header.components === 1 || (color === 'grey' && header.components === 3);
    const { width, height } = header;
    if (header.components === 4) {
      const inks = this.#decompress(bytes, path, header, formats.cmyk, 4);
      return { width, height, channels: 3, pixels: rgbOfInks(inks, header.isAdobe) };
    }
    const channels = isGrey ? 1 : 3;
    const format = isGrey ? formats.grey : formats.rgb;
    return { width, height, channels, pixels: this.#decompress(bytes, path, header, format, channels) };
  }

  #decompress(bytes: Uint8Array, path: string, size: Size, format: number, channels: number): Uint8Array {
    const { width, height } = size;
    const turbo = (this.#turbo ??= instantiate(this.#module));
    const pixelBytes = width * height * channels;
    try {
      const file = turbo.malloc(bytes.length);
      const pixels = turbo.malloc(pixelBytes);
      const handle = turbo.tjInitDecompress();
      if (file === 0 || pixels === 0 || handle === 0) {
        this.#turbo = null;
        throw userError(
          path,
          'large-image',
          `the image of ${width} x ${height} pixels does not fit into the decoder's memory`,
          'make the image smaller',
        );
      }
      new Uint8Array(turbo.memory.buffer).set(bytes, file);
      // -1 tells of a warning as well as of an error, but an error has thrown before: damaged data is decoded as far
      // as possible, as TensorFlow does.
      turbo.tjDecompress2(
        ...([handle, file, bytes.length, pixels, width, width * channels, height, format, fastTransform] as const),
      );
      const result = new Uint8Array(turbo.memory.buffer).slice(pixels, pixels + pixelBytes);
      turbo.tjDestroy(handle);
      turbo.free(pixels);
      turbo.free(file);
      if (turbo.memory.buffer.byteLength > mostBytesKept) this.#turbo = null;
      return result;
    } catch (error) {
      // Nothing was cleaned up, and the library may be left in any state.
      this.#turbo = null;
      if (error instanceof JpegFailure || error instanceof WebAssembly.RuntimeError) throw damaged(path);
      throw error;
    }
  }
}

/** The library has given up: it jumps out of its C code. */
class JpegFailure extends Error {}

function instantiate(module: WebAssembly.Module): Turbo {
  const fail = (): never => {
    throw new JpegFailure();
  };
  const { exports } = new WebAssembly.Instance(module, {
    env: { setjmp: () => 0, longjmp: fail },
    wasi_snapshot_preview1: {
      ...{ environ_sizes_get: () => 0, environ_get: fail },
      ...{ proc_exit: fail, fd_close: fail, fd_seek: fail, fd_write: fail },
    },
  });
  if (!isTurbo(exports)) return internal('dist/formats/jpeg-turbo.wasm is of another version');
  return exports;
}

function isTurbo(exports: object): exports is Turbo {
  const names = ['memory', 'malloc', 'free', 'tjInitDecompress', 'tjDestroy', 'tjDecompress2'];
  return names.every((name) => name in exports);
}

/** Processes that the library lacks are named here: it would only say that it failed. */
function checkProcess(bytes: Uint8Array, header: JpegHeader, path: string): void {
  let what: string | null = null;
  for (const { marker, start } of segments(bytes)) {
    if (!isFrame(marker)) continue;
    if (marker === 0xc3 || marker === 0xc7 || marker === 0xcb || marker === 0xcf) what = 'lossless JPEG';
    else if (marker >= 0xc9) what = 'JPEG with arithmetic coding';
    else if (marker >= 0xc5) what = 'hierarchical JPEG';
    else if (bytes[start] !== 8) what = `JPEG of ${bytes[start] ?? 0} bits a sample`;
    break;
  }
  if (header.components !== 1 && header.components !== 3 && header.components !== 4) {
    what ??= `JPEG with ${header.components} components`;
  }
  if (what === null) return;
  throw userError(path, 'unsupported-image', `the file is ${what}, which cannot be decoded`, convert);
}

const convert = 'convert it to PNG, or to baseline JPEG of 8 bits';

function isWhole(bytes: Uint8Array): boolean {
  let last = 0;
  for (const { marker } of segments(bytes)) last = marker;
  return last === endOfImage;
}

/**
 * Red, green and blue of inks, as TensorFlow rounds them.
 *
 * @see tensorflow/core/lib/jpeg/jpeg_mem.cc, UncompressLow
 */
function rgbOfInks(inks: Uint8Array, isInverted: boolean): Uint8Array {
  const pixels = new Uint8Array((inks.length / 4) * 3);
  const flip = isInverted ? 0 : 255;
  for (let from = 0, to = 0; from < inks.length; from += 4, to += 3) {
    const key = inks[from + 3]! ^ flip;
    for (let ink = 0; ink < 3; ink++) pixels[to + ink] = Math.floor((key * (inks[from + ink]! ^ flip)) / 255);
  }
  return pixels;
}

function truncated(path: string, length: number): Error {
  return userError(
    path,
    'truncated-image',
    `the JPEG file ends at byte ${length}, before its end marker`,
    'copy or download the file again, or leave it out',
  );
}

function damaged(path: string): Error {
  return userError(
    path,
    'damaged-image',
    'the JPEG file cannot be decoded: its data is damaged',
    'copy or download the file again, or leave it out',
  );
}
