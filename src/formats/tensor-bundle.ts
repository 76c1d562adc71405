/**
 * Checkpoints of TensorFlow 2 and of SavedModels: an index, which is a sorted table, and files with the values.
 *
 * @see tensorflow/core/protobuf/tensor_bundle.proto and util/tensor_bundle/tensor_bundle.cc
 */
import { userError } from '../core/diagnostic.ts';
import type { DType, Shape, Tensor } from '../core/tensor.ts';
import { dataFromBytes, elementBytes, numElements, tensor } from '../core/tensor.ts';
import { maskedCrc32c } from './crc32c.ts';
import type { DataType } from './protobuf/data-type.ts';
import { dataTypeFromNumber } from './protobuf/data-type.ts';
import { readShape } from './protobuf/tensor-value.ts';
import { fieldsOf, fixed32In, int32In, int64In, messageIn, openMessage } from './protobuf/wire.ts';
import { readSortedTable } from './sorted-table.ts';

export interface BundleEntry {
  readonly type: DataType;
  readonly shape: Shape;
  readonly shard: number;
  readonly offset: number;
  readonly size: number;
  readonly checksum: number;
  /** Saved in several parts, as models that were trained on several machines are. */
  readonly isSliced: boolean;
}

export interface BundleIndex {
  readonly path: string;
  readonly shards: number;
  readonly entries: ReadonlyMap<string, BundleEntry>;
}

/** Far above any model for a device; a damaged number may say anything. */
const mostShards = 1000;

/** @throws UserError for a damaged index and for numbers of machines with the other order of bytes */
export function readBundleIndex(bytes: Uint8Array, path: string): BundleIndex {
  const table = readSortedTable(bytes, path);
  const header = table.get('');
  if (header === undefined) throw badBundle(path, 'byte 0: the index has no header');
  let [shards, isBigEndian] = [1, false];
  for (const field of fieldsOf(openMessage(header, path))) {
    if (field.number === 1) shards = int32In(field);
    else if (field.number === 2) isBigEndian = int32In(field) !== 0;
  }
  if (isBigEndian) throw badBundle(path, 'byte 0: the values are in the order of bytes of big-endian machines');
  if (!(shards >= 1 && shards <= mostShards)) throw badBundle(path, `byte 0: the index names ${shards} data files`);
  const entries = new Map<string, BundleEntry>();
  for (const [key, value] of table) if (key !== '') entries.set(key, readEntry(value, path));
  return { path, shards, entries };
}

function badBundle(path: string, message: string): Error {
  return userError(path, 'bad-checkpoint', message, 'save the model again, and copy the whole folder');
}

function readEntry(bytes: Uint8Array, path: string): BundleEntry {
  let type: DataType = 'invalid';
  let shape: Shape = [];
  let [shard, offset, size, checksum, isSliced] = [0, 0, 0, 0, false];
  for (const field of fieldsOf(openMessage(bytes, path))) {
    if (field.number === 1) type = dataTypeFromNumber(int32In(field));
    else if (field.number === 2) shape = readShape(messageIn(field)) ?? [];
    else if (field.number === 3) shard = int32In(field);
    else if (field.number === 4) offset = Number(int64In(field));
    else if (field.number === 5) size = Number(int64In(field));
    else if (field.number === 6) checksum = fixed32In(field);
    else if (field.number === 7) isSliced = true;
  }
  return { type, shape, shard, offset, size, checksum, isSliced };
}

const dtypes: { readonly [type: string]: DType | undefined } = {
  ...{ float32: 'float32', int32: 'int32', int64: 'int64', int8: 'int8', uint8: 'uint8', bool: 'uint8' },
};

/** How TensorFlow names the data file `shard` of `<prefix>.index`. */
export function shardPath(indexPath: string, shard: number, shards: number): string {
  const number = (value: number): string => String(value).padStart(5, '0');
  return `${indexPath.replace(/\.index$/, '')}.data-${number(shard)}-of-${number(shards)}`;
}

/**
 * The values of one entry.
 *
 * @param shardBytes the contents of a data file
 * @throws UserError for values that are not there, damaged, or of a type that we do not compute with
 */
export function bundleTensor(index: BundleIndex, key: string, shardBytes: (shard: number) => Uint8Array): Tensor {
  const { path } = index;
  const entry = index.entries.get(key);
  if (entry === undefined) throw badBundle(path, `the checkpoint has no value "${key}"`);
  const { type, shape, offset, size } = entry;
  const dtype = dtypes[type];
  if (dtype === undefined) throw badBundle(path, `"${key}" is ${type}; expected float32`);
  if (entry.isSliced) throw badBundle(path, `"${key}" is saved in several parts; expected one`);
  if (!shape.every((length) => length >= 0) || size !== numElements(shape) * elementBytes[dtype]) {
    throw badBundle(path, `"${key}" is ${type}[${shape.join(',')}] but has ${size} bytes`);
  }
  const shard = entry.shard >= 0 && entry.shard < index.shards ? shardBytes(entry.shard) : new Uint8Array();
  if (!(offset >= 0 && offset + size <= shard.length)) {
    throw badBundle(
      path,
      `"${key}" lies at bytes ${offset} to ${offset + size} of a data file of ${shard.length} bytes`,
    );
  }
  const bytes = shard.slice(offset, offset + size);
  if (maskedCrc32c(bytes) !== entry.checksum) throw badBundle(path, `the checksum of "${key}" is wrong`);
  return tensor(dtype, shape, dataFromBytes(dtype, bytes));
}
