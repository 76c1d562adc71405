/** Detects the format of a file by its content rather than by its name. */

/** Stable names for code to decide by; `names` has the words for people. */
export type FormatKind =
  | 'tflite'
  | 'graph_def'
  | 'saved_model'
  | 'safetensors'
  | 'npy'
  | 'idx'
  | 'hdf5'
  | 'keras'
  | 'npz'
  | 'zip'
  | 'onnx'
  | 'wav'
  | 'png'
  | 'jpeg'
  | 'webp'
  | 'gif'
  | 'heif'
  | 'tiff'
  | 'bmp'
  | 'gzip'
  | 'tar'
  | 'csv'
  | 'json'
  | 'text'
  | 'empty'
  | 'unknown';

export interface Format {
  readonly kind: FormatKind;
  /** For a sentence such as "the file is …". */
  readonly name: string;
}

const names: { readonly [K in FormatKind]: string } = {
  tflite: 'a TensorFlow Lite model (.tflite)',
  graph_def: 'a TensorFlow GraphDef (.pb)',
  saved_model: 'a TensorFlow SavedModel (saved_model.pb)',
  safetensors: 'a safetensors file',
  npy: 'a NumPy array (.npy)',
  idx: 'an IDX array, as MNIST has them',
  hdf5: 'an HDF5 file (Keras .h5)',
  keras: 'a Keras model (.keras)',
  npz: 'a NumPy archive (.npz)',
  zip: 'a ZIP archive',
  onnx: 'an ONNX model',
  wav: 'a WAV sound',
  png: 'a PNG image',
  jpeg: 'a JPEG image',
  webp: 'a WebP image',
  gif: 'a GIF image',
  heif: 'a HEIC or AVIF image',
  tiff: 'a TIFF image',
  bmp: 'a BMP image',
  gzip: 'gzip data',
  tar: 'a tar archive',
  csv: 'a table of comma-separated values (CSV)',
  json: 'JSON text',
  text: 'text',
  empty: 'empty',
  unknown: 'of an unknown format',
};

/**
 * The format of a file by its first bytes; for the formats without a signature, by the shape of what follows.
 *
 * @param bytes the whole file, or at least its first 4096 bytes: the answer does not depend on the rest
 */
export function detectFormat(bytes: Uint8Array): Format {
  const kind = kindOf(bytes.subarray(0, headBytes));
  return { kind, name: names[kind] };
}

const headBytes = 4096;

function kindOf(head: Uint8Array): FormatKind {
  if (head.length === 0) return 'empty';
  const has = (signature: string, offset = 0): boolean =>
    Buffer.from(head.subarray(offset, offset + signature.length)).equals(Buffer.from(signature, 'latin1'));
  if (has('TFL3', 4)) return 'tflite';
  if (has('\x89HDF\r\n\x1a\n')) return 'hdf5';
  if (has('\x93NUMPY')) return 'npy';
  if (has('PK\x03\x04') || has('PK\x05\x06')) return archiveKind(head);
  if (has('\x1f\x8b')) return 'gzip';
  if (has('\x89PNG\r\n\x1a\n')) return 'png';
  if (has('\xff\xd8\xff')) return 'jpeg';
  if (has('RIFF') && has('WAVE', 8)) return 'wav';
  if (has('RIFF') && has('WEBP', 8)) return 'webp';
  if (has('GIF87a') || has('GIF89a')) return 'gif';
  if (has('ftyp', 4) && heifBrands.some((brand) => has(brand, 8))) return 'heif';
  if (has('II*\0') || has('MM\0*')) return 'tiff';
  // Two letters begin many a text; the reserved zeros do not.
  if (has('BM') && has('\0\0\0\0', 6)) return 'bmp';
  if (has('ustar', 257)) return 'tar';
  if (isSafetensors(head)) return 'safetensors';
  if (isIdx(head)) return 'idx';
  return protobufKind(head) ?? textKind(head) ?? 'unknown';
}

/** What phones write; `ftyp` alone begins films too. */
const heifBrands = ['heic', 'heix', 'heim', 'heis', 'hevc', 'mif1', 'msf1', 'avif', 'avis'];

/** By the name of the first member: `.npz` holds arrays, `.keras` begins with metadata.json. */
function archiveKind(head: Uint8Array): FormatKind {
  const length = (head[26] ?? 0) + 256 * (head[27] ?? 0);
  const member = latin1(head.subarray(30, 30 + length));
  if (member.endsWith('.npy')) return 'npz';
  const keras = ['metadata.json', 'config.json', 'model.weights.h5'];
  return keras.includes(member) ? 'keras' : 'zip';
}

/** A length of 8 bytes, then a JSON object of that length. */
function isSafetensors(head: Uint8Array): boolean {
  if (head.length < 10 || !latin1(head.subarray(8, 10)).startsWith('{')) return false;
  const length = new DataView(head.buffer, head.byteOffset).getBigUint64(0, true);
  return length >= 2n && length < 2n ** 32n && /^\{\s*["}]/.test(latin1(head.subarray(8)));
}

/** Two zeros, an element type, a rank from 1 to 4, and as many sizes of 4 bytes. */
function isIdx(head: Uint8Array): boolean {
  const [first, second, type = 0, rank = 0] = head;
  const types = [0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e];
  return first === 0 && second === 0 && types.includes(type) && rank >= 1 && rank <= 4 && head.length >= 4 + 4 * rank;
}

type ProtobufField = { readonly id: number; readonly wire: number; readonly start: number; readonly end: number };

/**
 * SavedModel begins with its schema version and a MetaGraphDef, ONNX with its IR version and then text (the producer)
 * or a graph, GraphDef with a NodeDef, whose own first field is a name.
 *
 * @see tensorflow/core/protobuf/saved_model.proto, tensorflow/core/framework/graph.proto, onnx/onnx.proto
 */
function protobufKind(head: Uint8Array): FormatKind | null {
  const first = readField(head, 0);
  if (first === null) return null;
  if (first.id === 1 && first.wire === lengthDelimited) {
    const name = readField(head, first.start);
    const op = name === null ? null : readField(head, name.end);
    const isNode = name?.id === 1 && name.wire === lengthDelimited && op?.id === 2 && op.wire === lengthDelimited;
    return isNode && isPrintable(head.subarray(name.start, name.end)) ? 'graph_def' : null;
  }
  if (first.id !== 1 || first.wire !== varint) return null;
  const second = readField(head, first.end);
  if (second?.wire !== lengthDelimited) return null;
  if (second.id === 2 && first.end === 2 && isPrintable(head.subarray(second.start, second.end))) return 'onnx';
  if (second.id === 2) return 'saved_model';
  return [3, 7, 8].includes(second.id) ? 'onnx' : null;
}

const varint = 0;
const lengthDelimited = 2;

/** The field at a position; its end may be after the head. */
function readField(head: Uint8Array, at: number): ProtobufField | null {
  const tag = readVarint(head, at);
  if (tag === null) return null;
  const [id, wire] = [tag.value >> 3, tag.value & 7];
  if (wire !== varint && wire !== lengthDelimited) return null;
  const value = readVarint(head, tag.end);
  if (value === null) return null;
  if (wire === varint) return { id, wire, start: tag.end, end: value.end };
  return { id, wire, start: value.end, end: value.end + value.value };
}

function readVarint(head: Uint8Array, at: number): { value: number; end: number } | null {
  let value = 0;
  for (let index = 0; index < 5; index++) {
    const byte = head[at + index];
    if (byte === undefined) return null;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, end: at + index + 1 };
  }
  return null;
}

function textKind(head: Uint8Array): FormatKind | null {
  const isCut = head.length === headBytes;
  const text = decode(head, isCut);
  // Text has no control characters but white space.
  if (text === null || /[\0-\x08\x0e-\x1f]/.test(text)) return null;
  if (/^\s*(\{\s*("|\}|$)|\[\s*[[{"\d\]-])/.test(text)) return 'json';
  const lines = text
    .trimEnd()
    .split('\n')
    .slice(0, isCut ? -1 : undefined);
  const columns = lines.map((line) => line.split(',').length);
  const isTable = lines.length >= 2 && columns[0]! >= 2 && columns.every((count) => count === columns[0]);
  return isTable ? 'csv' : 'text';
}

/** UTF-8, with a last character that may be cut in two; null for anything else. */
function decode(bytes: Uint8Array, isCut: boolean): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: isCut });
  } catch {
    return null;
  }
}

function isPrintable(bytes: Uint8Array): boolean {
  return bytes.length > 0 && /^[\x20-\x7e]+$/.test(latin1(bytes));
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
