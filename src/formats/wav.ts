/**
 * WAV files: a chain of chunks, of which `fmt ` says how `data` is to be read. Little-endian.
 *
 * @see Microsoft and IBM, Multimedia Programming Interface and Data Specifications 1.0, 1991; Microsoft, Multiple
 *   Channel Audio Data and WAVE Files, 2007 (WAVE_FORMAT_EXTENSIBLE)
 */
import { clamp, roundHalfAway } from '../core/affine.ts';
import { userError } from '../core/diagnostic.ts';

/** A recording, mixed to one channel. */
export interface Wav {
  /** Samples of each channel per second. */
  readonly rate: number;
  /** Channels of the file, before they were mixed. */
  readonly channels: number;
  /** Samples of each channel; the length of `samples`. */
  readonly frames: number;
  /**
   * One channel: the mean over the channels of the file, taken in float64 and rounded to float32 once. A PCM sample of
   * b bits is divided by 2^(b-1), after 128 is taken from an 8-bit one, so it lies in [-1, 1). Floats are as written:
   * they may go beyond that range.
   */
  readonly samples: Float32Array;
}

type Encoding =
  { readonly kind: 'pcm'; readonly bytes: 1 | 2 | 3 | 4 } | { readonly kind: 'float'; readonly bytes: 4 | 8 };

interface Format {
  readonly encoding: Encoding;
  readonly channels: number;
  readonly rate: number;
}

interface Chunk {
  readonly id: string;
  readonly start: number;
  /** Of the content, as the file claims. */
  readonly size: number;
}

const headerBytes = 12;
const chunkHeaderBytes = 8;
const extensible = 0xfffe;
const pcm = 1;
const ieeeFloat = 3;

/** The last 14 bytes of a sub-format that is a format code of two bytes. */
const subFormatTail = '000000001000800000aa00389b71';

/** Names of the codes that recordings are found with. RFC 2361 lists all. */
const codecs: Readonly<Record<number, string>> = {
  0x0002: 'Microsoft ADPCM',
  0x0006: 'A-law',
  0x0007: 'mu-law',
  0x0011: 'IMA ADPCM',
  0x0031: 'GSM 6.10',
  0x0045: 'G.726 ADPCM',
  0x0050: 'MPEG layer 2',
  0x0055: 'MP3',
  0x00ff: 'AAC',
  0x0161: 'Windows Media Audio',
  0x2000: 'AC-3',
  0x566f: 'Vorbis',
  0x704f: 'Opus',
  0xf1ac: 'FLAC',
};

const convert = 'convert it to PCM, for example with `ffmpeg -i IN -c:a pcm_s16le OUT.wav`';

/**
 * Reads PCM of 1 to 32 bits (packed or in wider containers) and floats of 32 and 64 bits, any rate, any number of
 * channels; other chunks are skipped. A `data` chunk of size 0xFFFFFFFF or 0x7FFFFFFF and a little less, as programs
 * write that stream to a pipe, goes to the end of the file; so does one of size 0 where the size of the whole was not
 * filled in either. Bytes after the last whole frame are ignored.
 *
 * @param path named in errors
 * @throws UserError `not-wav`, `malformed-wav`, `truncated-wav`, `unsupported-codec`, `empty-wav`, `bad-sample`
 */
export function readWav(bytes: Uint8Array, path: string): Wav {
  return withData(bytes, path, readSamples);
}

/**
 * What is known of a recording without reading its samples.
 *
 * @throws UserError as for `readWav`, except `empty-wav` and `bad-sample`
 */
export function readWavHeader(bytes: Uint8Array, path: string): Omit<Wav, 'samples'> {
  return withData(bytes, path, (view, chunk, { encoding, channels, rate }) => {
    return { rate, channels, frames: Math.floor(dataSize(view, chunk, path) / (encoding.bytes * channels)) };
  });
}

/** Finds the data and how they are to be read. */
function withData<T>(
  bytes: Uint8Array,
  path: string,
  read: (view: DataView, chunk: Chunk, format: Format, path: string) => T,
): T {
  refuseOthers(bytes, path);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let format: Format | null = null;
  for (const chunk of chunksOf(view)) {
    if (chunk.id === 'fmt ') format = readFormat(view, chunk, path);
    if (chunk.id !== 'data') continue;
    if (format === null) throw malformed(path, `byte ${chunk.start}: the data comes before the fmt chunk`);
    return read(view, chunk, format, path);
  }
  const missing = format === null ? 'fmt and no data chunk' : 'data chunk';
  throw userError(
    path,
    'truncated-wav',
    `the file ends at byte ${bytes.length} and has no ${missing}`,
    'copy it again',
  );
}

/**
 * The 16-bit samples that an integer front end reads: x * 32768, rounded half away from zero, limited to
 * -32768 .. 32767. Exact for a file of one channel and 16-bit PCM.
 */
export function toInt16(samples: Float32Array): Int16Array {
  const rounded = new Int16Array(samples.length);
  for (let index = 0; index < samples.length; index++) {
    rounded[index] = clamp(roundHalfAway(samples[index]! * 32768), -32768, 32767);
  }
  return rounded;
}

const text = (view: DataView, start: number, length: number): string =>
  Buffer.from(view.buffer, view.byteOffset + start, Math.min(length, view.byteLength - start)).toString('latin1');

/** What a file is that a user may take for a WAV, by its first bytes. */
const others: readonly (readonly [RegExp, string])[] = [
  [/^ID3|^\xff[\xe2-\xe7\xf2-\xf7\xfa-\xfb]/, 'MP3'],
  [/^OggS/, 'Ogg (Vorbis or Opus)'],
  [/^fLaC/, 'FLAC'],
  [/^FORM....AIF[FC]/s, 'AIFF'],
  [/^....ftyp/s, 'MP4 or M4A'],
  [/^\.snd/, 'Sun AU'],
  [/^RIFX/, 'a big-endian WAV (RIFX)'],
  [/^RF64|^BW64/, 'a WAV of more than 4 GiB (RF64)'],
];

function refuseOthers(bytes: Uint8Array, path: string): void {
  const start = Buffer.from(bytes.subarray(0, headerBytes)).toString('latin1');
  if (/^RIFF....WAVE/s.test(start)) return;
  if (bytes.length < headerBytes) {
    const message = `the file has ${bytes.length} bytes; the header of a WAV alone has ${headerBytes}`;
    throw userError(path, 'not-wav', message, 'remove it, or copy it again');
  }
  const other = others.find(([pattern]) => pattern.test(start));
  if (other !== undefined) throw userError(path, 'not-wav', `the file is ${other[1]}, not WAV`, convert);
  throw userError(path, 'not-wav', 'the file does not start with RIFF and WAVE', 'remove it, or convert it to WAV');
}

/** Chunks whose header is there. One that claims more than is left is the last. */
function* chunksOf(view: DataView): Generator<Chunk> {
  for (let at = headerBytes; at + chunkHeaderBytes <= view.byteLength;) {
    const size = view.getUint32(at + 4, true);
    const start = at + chunkHeaderBytes;
    yield { id: text(view, at, 4), start, size };
    // Content of odd length is followed by a byte that does not count.
    at = start + size + (size % 2);
  }
}

function readFormat(view: DataView, { start, size }: Chunk, path: string): Format {
  if (start + size > view.byteLength) throw truncated(path, 'fmt', size, view.byteLength - start);
  if (size < 16) throw malformed(path, `byte ${start}: the fmt chunk has ${size} bytes, expected at least 16`);
  const channels = view.getUint16(start + 2, true);
  const rate = view.getUint32(start + 4, true);
  const frameBytes = view.getUint16(start + 12, true);
  const bits = view.getUint16(start + 14, true);
  const code = codeOf(view, start, size, path);
  if (code !== pcm && code !== ieeeFloat) {
    const name = codecs[code] ?? 'an unknown codec';
    const number = `format code 0x${code.toString(16).padStart(4, '0')}`;
    throw userError(path, 'unsupported-codec', `the samples are ${name} (${number}), expected PCM or float`, convert);
  }
  if (channels === 0) throw malformed(path, `byte ${start + 2}: 0 channels`);
  if (rate === 0) throw malformed(path, `byte ${start + 4}: a rate of 0 samples per second`);
  return { encoding: encodingOf(code, bits, frameBytes / channels, start, path), channels, rate };
}

/** The format code; of an extensible format the one that its sub-format holds. */
function codeOf(view: DataView, start: number, size: number, path: string): number {
  const code = view.getUint16(start, true);
  if (code !== extensible) return code;
  if (size < 40) throw malformed(path, `byte ${start}: the extensible fmt chunk has ${size} bytes, expected 40`);
  const tail = Buffer.from(text(view, start + 26, 14), 'latin1').toString('hex');
  if (tail === subFormatTail) return view.getUint16(start + 24, true);
  const message = `the samples are of the sub-format ${tail}, expected PCM or float`;
  throw userError(path, 'unsupported-codec', message, convert);
}

/** @param bytes that a sample of one channel takes */
function encodingOf(code: number, bits: number, bytes: number, start: number, path: string): Encoding {
  if (code === ieeeFloat && bits === 8 * bytes && (bytes === 4 || bytes === 8)) return { kind: 'float', bytes };
  // Fewer bits than the container has are its high ones, so the container is read as a whole.
  const isPcm = code === pcm && bits >= 1 && bits <= 8 * bytes;
  if (isPcm && (bytes === 1 || bytes === 2 || bytes === 3 || bytes === 4)) return { kind: 'pcm', bytes };
  const found = `${code === pcm ? 'PCM' : 'floats'} of ${bits} bits in ${bytes} bytes a sample`;
  const expected = code === pcm ? '1 to 32 bits that fit' : '32 or 64 bits';
  throw userError(path, 'malformed-wav', `byte ${start + 12}: ${found}, expected ${expected}`, convert);
}

function readSamples(view: DataView, chunk: Chunk, { encoding, channels, rate }: Format, path: string): Wav {
  const frameBytes = encoding.bytes * channels;
  const size = dataSize(view, chunk, path);
  const frames = Math.floor(size / frameBytes);
  if (frames === 0) throw userError(path, 'empty-wav', 'the file has no samples', 'remove it, or record it again');
  const read = readerOf(view, encoding);
  const samples = new Float32Array(frames);
  for (let frame = 0; frame < frames; frame++) {
    const start = chunk.start + frame * frameBytes;
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += read(start + channel * encoding.bytes);
    samples[frame] = sum / channels;
    if (!Number.isFinite(samples[frame])) {
      const message = `sample ${frame} is ${sum / channels}, expected a number that float32 holds`;
      throw userError(path, 'bad-sample', message, 'remove the file, or write it again');
    }
  }
  return { rate, channels, frames, samples };
}

/** The bytes of the data chunk that are there. */
function dataSize(view: DataView, { start, size }: Chunk, path: string): number {
  const left = view.byteLength - start;
  // A signed maximum less the header is what SoX writes where it cannot know.
  const isUnknown = size === 0xffffffff || (size > 0x7ffff000 && size <= 0x7fffffff);
  const wholeSize = view.getUint32(4, true);
  if (size === 0 && (wholeSize === 0 || wholeSize === 0xffffffff)) return left;
  if (size <= left) return size;
  if (isUnknown) return left;
  throw truncated(path, 'data', size, left);
}

/** Reads the sample at a byte of the file. */
function readerOf(view: DataView, { kind, bytes }: Encoding): (at: number) => number {
  if (kind === 'float') return bytes === 4 ? (at) => view.getFloat32(at, true) : (at) => view.getFloat64(at, true);
  switch (bytes) {
    case 1:
      return (at) => (view.getUint8(at) - 2 ** 7) / 2 ** 7;
    case 2:
      return (at) => view.getInt16(at, true) / 2 ** 15;
    case 3:
      return (at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 2 ** 16) / 2 ** 23;
    case 4:
      return (at) => view.getInt32(at, true) / 2 ** 31;
  }
}

const malformed = (path: string, message: string) =>
  userError(path, 'malformed-wav', message, 'the file is damaged; write it again');

const truncated = (path: string, chunk: string, size: number, left: number) =>
  userError(
    path,
    'truncated-wav',
    `the ${chunk} chunk has ${left} of the ${size} bytes that it claims`,
    'the file was cut short; copy it again, or remove it',
  );
