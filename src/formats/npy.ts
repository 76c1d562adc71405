/**
 * One array in NumPy's own format.
 *
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
import { userError } from '../core/diagnostic.ts';
import { bytesOf, dataFromBytes, elementBytes, numElements } from '../core/tensor.ts';
import type { DType, Tensor } from '../core/tensor.ts';
import type { RandomAccess } from './random-access.ts';
import { inMemory } from './random-access.ts';
import { fromFloat16 } from './float16.ts';

const descriptors = { float32: '<f4', int32: '<i4', int64: '<i8', int8: '|i1', uint8: '|u1' } as const satisfies {
  readonly [D in DType]: string;
};
const dtypes: readonly DType[] = ['float32', 'int32', 'int64', 'int8', 'uint8'];
const magic = '\x93NUMPY';
const usualHeaderBytes = 4096;
/** Of which a damaged file may claim more. */
const mostHeaderBytes = 2 ** 24;

/** Format version 1.0, byte for byte what `numpy.save` writes. */
export function writeNpy({ dtype, shape, data }: Tensor): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape.join()},)` : `(${shape.join(', ')})`;
  const dictionary = `{'descr': '${descriptors[dtype]}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const prefixBytes = magic.length + 4;
  const dataOffset = Math.ceil((prefixBytes + dictionary.length + 1) / 64) * 64;
  const header = `${dictionary.padEnd(dataOffset - prefixBytes - 1)}\n`;
  const file = new Uint8Array(dataOffset + data.byteLength);
  file.set(Buffer.from(`${magic}\x01\x00`, 'latin1'));
  new DataView(file.buffer).setUint16(prefixBytes - 2, header.length, true);
  file.set(Buffer.from(header, 'latin1'), prefixBytes);
  file.set(bytesOf(data), dataOffset);
  return file;
}

/**
 * An array of one of our element types in C order, as the networks take it; `readNumericNpy` reads every other one.
 *
 * @param path named in errors
 * @param typeRemedy what to do about another element type
 */
export function readNpy(
  bytes: Uint8Array,
  path: string,
  typeRemedy = 'convert with numpy.astype; structured arrays are not supported',
): Tensor {
  const { descriptor, isFortran, shape, dataStart } = readHeader(bytes, path);
  const dtype = dtypes.find((candidate) => descriptors[candidate] === descriptor);
  if (dtype === undefined) {
    const expected = Object.values(descriptors).join(', ');
    throw malformed(path, `the element type is ${descriptor ?? 'structured'}, expected ${expected}`, typeRemedy);
  }
  if (isFortran) {
    const message = 'the array is in Fortran order, expected C order';
    throw malformed(path, message, 'save numpy.ascontiguousarray(array)');
  }
  checkLength(bytes.length - dataStart, elementBytes[dtype], dtype, shape, path);
  return { dtype, shape, data: dataFromBytes(dtype, bytes.subarray(dataStart)) };
}

export type NumericData =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigUint64Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

/** Element types by NumPy's names. */
export type NumericType = keyof typeof numericTypes;

export interface NumericArray {
  readonly type: NumericType;
  readonly shape: readonly number[];
  /** In C order. `bool` as 0 and 1, `float16` as float32, which holds it exactly; the others in arrays of their own. */
  readonly data: NumericData;
}

/** A type's letter and size as NumPy writes them, and how an element is read. */
interface NumericRow {
  readonly code: string;
  readonly allocate: (length: number) => NumericData;
}

const numericTypes = {
  bool: { code: 'b1', allocate: (length) => new Uint8Array(length) },
  uint8: { code: 'u1', allocate: (length) => new Uint8Array(length) },
  int8: { code: 'i1', allocate: (length) => new Int8Array(length) },
  uint16: { code: 'u2', allocate: (length) => new Uint16Array(length) },
  int16: { code: 'i2', allocate: (length) => new Int16Array(length) },
  uint32: { code: 'u4', allocate: (length) => new Uint32Array(length) },
  int32: { code: 'i4', allocate: (length) => new Int32Array(length) },
  uint64: { code: 'u8', allocate: (length) => new BigUint64Array(length) },
  int64: { code: 'i8', allocate: (length) => new BigInt64Array(length) },
  float16: { code: 'f2', allocate: (length) => new Uint16Array(length) },
  float32: { code: 'f4', allocate: (length) => new Float32Array(length) },
  float64: { code: 'f8', allocate: (length) => new Float64Array(length) },
} as const satisfies { readonly [type: string]: NumericRow };

/** Types that are not numbers, or not of this machine, by NumPy's letter. */
const otherTypes: { readonly [letter: string]: string } = {
  O: 'Python objects',
  U: 'text',
  S: 'byte strings',
  a: 'byte strings',
  V: 'raw bytes',
  M: 'dates',
  m: 'time spans',
  c: 'complex numbers',
  f: 'floating point numbers of another width',
};

/**
 * An array of any of NumPy's numeric types, in either byte order and in C or Fortran order.
 *
 * @param path named in errors
 * @throws UserError `malformed-npy`, or `unsupported-npy` for other types, which are named
 */
export function readNumericNpy(bytes: Uint8Array, path: string): NumericArray {
  const array = openNumericNpy(inMemory(bytes), path);
  return { ...array, data: array.read(0, array.shape[0] ?? 1) };
}

/** An array of which parts are read. */
export interface NumericRows extends Omit<NumericArray, 'data'> {
  /**
   * The elements at `count` indices of the first axis from `first` on, as in `NumericArray`; the one element of an array
   * without axes.
   */
  readonly read: (first: number, count: number) => NumericData;
}

/**
 * The same as `readNumericNpy` for a file of any size. One in Fortran order is read as a whole.
 *
 * @param file stays open while it is read
 * @throws UserError as `readNumericNpy`
 */
export function openNumericNpy(file: RandomAccess, path: string): NumericRows {
  const { descriptor, isFortran, shape, dataStart } = readHeader(headerOf(file), path, file.size);
  const code = descriptor?.slice(1);
  const type = numericNames.find((candidate) => numericTypes[candidate].code === code);
  if (type === undefined) throw unsupported(path, descriptor);
  const width = Number(numericTypes[type].code.slice(1));
  checkLength(file.size - dataStart, width, type, shape, path);
  const elements = (first: number, count: number): NumericData => {
    const stored = numericTypes[type].allocate(count);
    const target = new Uint8Array(stored.buffer);
    target.set(file.read(dataStart + first * width, count * width));
    if (descriptor?.startsWith('>') === true) swapBytes(target, width);
    return type === 'float16' && stored instanceof Uint16Array ? Float32Array.from(stored, fromFloat16) : stored;
  };
  const row = numElements(shape.slice(1));
  if (!isFortran || shape.length < 2) {
    return { type, shape, read: (first, count) => elements(first * row, count * row) };
  }
  let whole: NumericData | null = null;
  return {
    ...{ type, shape },
    read(first, count) {
      whole ??= inCOrder(elements(0, numElements(shape)), shape);
      return whole.slice(first * row, (first + count) * row);
    },
  };
}

/** Enough of the file for its header, which says in its first bytes how long it is. */
function headerOf(file: RandomAccess): Uint8Array {
  const start = file.read(0, usualHeaderBytes);
  if (start.length < 12) return start;
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const end = start[magic.length] === 1 ? 10 + view.getUint16(8, true) : 12 + view.getUint32(8, true);
  return end <= start.length ? start : file.read(0, Math.min(end, mostHeaderBytes));
}

// The keys of a table that is written here.
const numericNames = Object.keys(numericTypes) as readonly NumericType[];

function unsupported(path: string, descriptor: string | null): Error {
  const letter = descriptor?.replace(/^[<>|=]/, '')[0] ?? '';
  const what = descriptor === null ? 'structures' : (otherTypes[letter] ?? 'an unknown type');
  const written = descriptor === null ? '' : ` (${descriptor})`;
  const message = `the array holds ${what}${written}, expected numbers`;
  const hint =
    letter === 'U' || letter === 'S'
      ? 'save class numbers, for example by numpy.unique(…, return_inverse=True)'
      : 'save array.astype(numpy.float32)';
  return userError(path, 'unsupported-npy', message, hint);
}

function swapBytes(bytes: Uint8Array, width: number): void {
  for (let start = 0; start < bytes.length; start += width) bytes.subarray(start, start + width).reverse();
}

/** From first axis fastest to last axis fastest. */
function inCOrder<D extends NumericData>(data: D, shape: readonly number[]): D {
  if (shape.length < 2) return data;
  const result = data.slice();
  const steps = shape.map((_, axis) => numElements(shape.slice(0, axis)));
  const index = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < data.length; to++) {
    result[to] = data[from]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      from += steps[axis]!;
      if (index[axis]! < shape[axis]!) break;
      from -= steps[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return result as D;
}

interface Header {
  /** Byte order, letter and size; null for a structure. */
  readonly descriptor: string | null;
  readonly isFortran: boolean;
  readonly shape: readonly number[];
  readonly dataStart: number;
}

/**
 * Format versions 1 to 3.
 *
 * @param bytes the file, or enough of its beginning
 * @param size of the whole file
 */
function readHeader(bytes: Uint8Array, path: string, size = bytes.length): Header {
  const text = (start: number, end: number): string => Buffer.from(bytes.subarray(start, end)).toString('latin1');
  const fail = (message: string): never => {
    throw malformed(path, message, 'the file is damaged or is not .npy; write it again');
  };
  if (text(0, magic.length) !== magic) fail('byte 0: the file does not start with \\x93NUMPY');
  const version = bytes[magic.length];
  if (version !== 1 && version !== 2 && version !== 3) {
    return fail(`byte 6: format version ${version ?? 'missing'}, expected 1, 2 or 3`);
  }
  const headerStart = version === 1 ? 10 : 12;
  if (bytes.length < headerStart) return fail(`the file ends at byte ${bytes.length}, within its first numbers`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const dataStart = headerStart + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (dataStart > size) fail(`byte 8: the header runs to byte ${dataStart}, the file ends at ${size}`);
  const header = text(headerStart, dataStart);
  const [, descriptor] = /'descr': *'([^']*)'/.exec(header) ?? [];
  const [, order] = /'fortran_order': *(True|False)/.exec(header) ?? [];
  const [, sizes] = /'shape': *\(([\d, ]*)\)/.exec(header) ?? [];
  if (order === undefined || sizes === undefined) {
    return fail(`byte ${headerStart}: the header does not give fortran_order and shape`);
  }
  const shape = sizes.split(',').flatMap((size) => (size.trim() === '' ? [] : [Number(size)]));
  return { descriptor: descriptor ?? null, isFortran: order === 'True', shape, dataStart };
}

function checkLength(found: number, width: number, type: string, shape: readonly number[], path: string): void {
  const expected = numElements(shape) * width;
  if (found === expected) return;
  const message = `${found} bytes of data, expected ${expected} for ${type} of shape [${shape.join(',')}]`;
  throw malformed(path, message, 'the file is damaged or is not .npy; write it again');
}

function malformed(path: string, message: string, remedy: string): Error {
  return userError(path, 'malformed-npy', message, remedy);
}
