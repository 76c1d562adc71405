/**
 * One array in NumPy's own format, in C order and little-endian.
 *
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
import { userError } from '../core/diagnostic.ts';
import { bytesOf, dataFromBytes, elementBytes, numElements } from '../core/tensor.ts';
import type { DType, Tensor } from '../core/tensor.ts';

const descriptors = { float32: '<f4', int32: '<i4', int64: '<i8', int8: '|i1', uint8: '|u1' } as const satisfies {
  readonly [D in DType]: string;
};
const dtypes: readonly DType[] = ['float32', 'int32', 'int64', 'int8', 'uint8'];
const magic = '\x93NUMPY';

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
 * Reads format versions 1 and 2.
 *
 * @param path named in errors
 * @param typeRemedy what to do about another element type
 */
export function readNpy(
  bytes: Uint8Array,
  path: string,
  typeRemedy = 'convert with numpy.astype; structured arrays are not supported',
): Tensor {
  const fail = (message: string, remedy = 'the file is damaged or is not .npy; write it again'): never => {
    throw userError(path, 'malformed-npy', message, remedy);
  };
  const text = (start: number, end: number): string => Buffer.from(bytes.subarray(start, end)).toString('latin1');
  if (text(0, magic.length) !== magic) fail('byte 0: the file does not start with \\x93NUMPY');
  const version = bytes[magic.length];
  if (version !== 1 && version !== 2) fail(`byte 6: format version ${version ?? 'missing'}, expected 1 or 2`);
  const headerStart = version === 1 ? 10 : 12;
  if (bytes.length < headerStart) return fail(`the file ends at byte ${bytes.length}, within its first numbers`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const dataStart = headerStart + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (dataStart > bytes.length) fail(`byte 8: the header runs to byte ${dataStart}, the file ends at ${bytes.length}`);
  const header = text(headerStart, dataStart);
  const [, descriptor] = /'descr': *'([^']*)'/.exec(header) ?? [];
  const [, order] = /'fortran_order': *(True|False)/.exec(header) ?? [];
  const [, sizes] = /'shape': *\(([\d, ]*)\)/.exec(header) ?? [];
  if (order === undefined || sizes === undefined) {
    return fail(`byte ${headerStart}: the header does not give fortran_order and shape`);
  }
  const dtype = dtypes.find((candidate) => descriptors[candidate] === descriptor);
  if (dtype === undefined) {
    return fail(
      `the element type is ${descriptor ?? 'structured'}, expected ${Object.values(descriptors).join(', ')}`,
      typeRemedy,
    );
  }
  if (order === 'True') fail('the array is in Fortran order, expected C order', 'save numpy.ascontiguousarray(array)');
  const shape = sizes.split(',').flatMap((size) => (size.trim() === '' ? [] : [Number(size)]));
  const expected = numElements(shape) * elementBytes[dtype];
  if (bytes.length - dataStart !== expected) {
    fail(`${bytes.length - dataStart} bytes of data, expected ${expected} for ${dtype} of shape [${shape.join(',')}]`);
  }
  return { dtype, shape, data: dataFromBytes(dtype, bytes.subarray(dataStart)) };
}
