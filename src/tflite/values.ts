import { fromFloat16 } from '../formats/float16.ts';
import type { TfliteTensor } from './file.ts';

type Reader = { readonly bytes: number; readonly read: (view: DataView, at: number) => number };

const readers: { readonly [type: string]: Reader | undefined } = {
  FLOAT32: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  FLOAT64: { bytes: 8, read: (view, at) => view.getFloat64(at, true) },
  FLOAT16: { bytes: 2, read: (view, at) => fromFloat16(view.getUint16(at, true)) },
  INT8: { bytes: 1, read: (view, at) => view.getInt8(at) },
  UINT8: { bytes: 1, read: (view, at) => view.getUint8(at) },
  BOOL: { bytes: 1, read: (view, at) => view.getUint8(at) },
  INT16: { bytes: 2, read: (view, at) => view.getInt16(at, true) },
  UINT16: { bytes: 2, read: (view, at) => view.getUint16(at, true) },
  INT32: { bytes: 4, read: (view, at) => view.getInt32(at, true) },
  UINT32: { bytes: 4, read: (view, at) => view.getUint32(at, true) },
  INT64: { bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)) },
};

/**
 * The numbers of a constant as they are stored: codes of a quantized tensor, reals of the others.
 *
 * @returns null for types without a number for each element, for packed ones, and for data that is not a dense buffer
 */
export function storedValues(
  { type, foreign }: Pick<TfliteTensor, 'type' | 'foreign'>,
  buffer: Uint8Array,
): Float64Array | null {
  const reader = readers[type];
  if (reader === undefined || foreign !== undefined) return null;
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  return Float64Array.from({ length: Math.floor(buffer.length / reader.bytes) }, (_, index) =>
    reader.read(view, index * reader.bytes),
  );
}
