/**
 * Named tensors in one file: the length of a JSON header as 8 little-endian bytes, the header, then the data.
 *
 * @see https://github.com/huggingface/safetensors, Format
 */
import { userError } from '../core/diagnostic.ts';
import { bytesOf, dataFromBytes, elementBytes, numElements } from '../core/tensor.ts';
import type { DType, Tensor } from '../core/tensor.ts';

export interface NamedTensors {
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Free text by key, the header's `__metadata__`. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** In the order in which the reference library lays tensors out: wide elements first keeps all of them aligned. */
const dtypeNames = { int64: 'I64', float32: 'F32', int32: 'I32', int8: 'I8', uint8: 'U8' } as const satisfies {
  readonly [D in DType]: string;
};

const dtypes: readonly DType[] = ['int64', 'float32', 'int32', 'int8', 'uint8'];
const lengthBytes = 8;
const metadataKey = '__metadata__';
// The reference library's limit.
const maxHeaderBytes = 100_000_000;

/**
 * The same tensors give the same bytes: ordered by element type, then by name in UTF-16 code units; the header is
 * padded with spaces so that data starts at a multiple of 8.
 */
export function writeSafetensors({ tensors, metadata }: NamedTensors): Uint8Array {
  const ordered = [...tensors].sort(
    ([aName, a], [bName, b]) => dtypes.indexOf(a.dtype) - dtypes.indexOf(b.dtype) || (aName < bName ? -1 : 1),
  );
  const header: [string, unknown][] = [];
  if (metadata.size > 0) header.push([metadataKey, Object.fromEntries([...metadata].sort(byKey))]);
  let dataBytes = 0;
  for (const [name, { dtype, shape, data }] of ordered) {
    const start = dataBytes;
    dataBytes += data.byteLength;
    header.push([name, { dtype: dtypeNames[dtype], shape, data_offsets: [start, dataBytes] }]);
  }
  // Built entry by entry because an object would move names that look like integers to the front.
  const json = `{${header.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
  const text = new TextEncoder().encode(json);
  const headerBytes = Math.ceil(text.length / 8) * 8;
  const file = new Uint8Array(lengthBytes + headerBytes + dataBytes).fill(0x20, lengthBytes, lengthBytes + headerBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.set(text, lengthBytes);
  let offset = lengthBytes + headerBytes;
  for (const [, { data }] of ordered) {
    file.set(bytesOf(data), offset);
    offset += data.byteLength;
  }
  return file;
}

/**
 * @param path named in errors
 * @throws UserError when the header or the layout does not follow the format, or a type is not supported
 */
export function readSafetensors(bytes: Uint8Array, path: string): NamedTensors {
  const fail = (message: string): never => {
    throw userError(
      path,
      'malformed-safetensors',
      message,
      'the file is damaged or is not safetensors; write it again',
    );
  };
  if (bytes.length < lengthBytes) fail(`the file has ${bytes.length} bytes, its header length alone takes 8`);
  const headerBytes = Number(new DataView(bytes.buffer, bytes.byteOffset, lengthBytes).getBigUint64(0, true));
  if (headerBytes > Math.min(bytes.length - lengthBytes, maxHeaderBytes)) {
    fail(`byte 0: the header claims ${headerBytes} bytes, the file has ${bytes.length - lengthBytes} after its length`);
  }
  const header = parseHeader(bytes.subarray(lengthBytes, lengthBytes + headerBytes));
  if (header === null) return fail('byte 8: the header is not a JSON object');
  const data = bytes.subarray(lengthBytes + headerBytes);
  const metadata = new Map<string, string>();
  const tensors = new Map<string, Tensor>();
  const ranges: { name: string; start: number; end: number }[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (!isObject(entry)) return fail(`the header entry ${JSON.stringify(name)} is not an object`);
    if (name === metadataKey) {
      for (const [key, value] of Object.entries(entry)) {
        metadata.set(key, typeof value === 'string' ? value : fail(`metadata ${JSON.stringify(key)} is not a string`));
      }
      continue;
    }
    const what = `tensor ${JSON.stringify(name)}`;
    const { dtype: dtypeName, shape, data_offsets: offsets } = entry;
    const dtype = dtypes.find((candidate) => dtypeNames[candidate] === dtypeName);
    if (dtype === undefined) {
      return fail(
        `${what} has dtype ${JSON.stringify(dtypeName)}, expected one of ${Object.values(dtypeNames).join(', ')}`,
      );
    }
    if (!isCounts(shape)) return fail(`${what} has shape ${JSON.stringify(shape)}, expected sizes`);
    if (!isCounts(offsets)) return fail(`${what} has no data_offsets`);
    const [start, end, surplus] = offsets;
    if (start === undefined || end === undefined || surplus !== undefined || start > end || end > data.length) {
      return fail(`${what} has data_offsets [${offsets.join(',')}], expected a range within ${data.length} bytes`);
    }
    if (end - start !== numElements(shape) * elementBytes[dtype]) {
      return fail(`${what} has ${end - start} bytes for ${dtypeNames[dtype]} of shape [${shape.join(',')}]`);
    }
    ranges.push({ name, start, end });
    tensors.set(name, { dtype, shape, data: dataFromBytes(dtype, data.subarray(start, end)) });
  }
  let covered = 0;
  for (const { name, start, end } of ranges.sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (start !== covered) {
      fail(`tensor ${JSON.stringify(name)} starts at data byte ${start}, the one before ends at ${covered}`);
    }
    covered = end;
  }
  if (covered !== data.length) fail(`the tensors cover ${covered} bytes of data, the file has ${data.length}`);
  return { tensors, metadata };
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    const header: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return isObject(header) ? header : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function byKey([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1;
}
