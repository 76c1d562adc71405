/**
 * The table files of LevelDB as TensorFlow writes them: sorted keys, each with its value.
 *
 * @see tensorflow/tsl/lib/io/table_format.txt and format.cc
 */
import { userError } from '../core/diagnostic.ts';
import { maskedCrc32c } from './crc32c.ts';

const footerBytes = 48;
const trailerBytes = 5;
const magic = 0xdb4775248b80fb57n;

/**
 * Every key, as text, with its value.
 *
 * @param path named in errors
 * @throws UserError for a file that is damaged, and for compressed blocks, which TensorFlow's checkpoints do not have
 */
export function readSortedTable(bytes: Uint8Array, path: string): ReadonlyMap<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < footerBytes || view.getBigUint64(bytes.length - 8, true) !== magic) {
    throw damaged(path, bytes.length, 'the file does not end as a table does');
  }
  const cursor: Cursor = { bytes, path, base: bytes.length - footerBytes, at: bytes.length - footerBytes };
  blockHandle(cursor);
  const index = blockAt(bytes, path, blockHandle(cursor));
  const entries = new Map<string, Uint8Array>();
  for (const { value } of entriesOf(index)) {
    const block = blockAt(bytes, path, blockHandle({ ...index, bytes: value, at: 0 }));
    for (const entry of entriesOf(block)) entries.set(new TextDecoder().decode(entry.key), entry.value);
  }
  return entries;
}

function damaged(path: string, at: number, message: string): Error {
  return userError(
    path,
    'bad-checkpoint',
    `byte ${at}: ${message}`,
    'the file is damaged; copy or save the model again',
  );
}

interface Cursor {
  readonly bytes: Uint8Array;
  readonly path: string;
  /** Where `bytes` lie in the file, for messages. */
  readonly base: number;
  at: number;
}

/** @see protobuf's varint: seven bits a byte, the lowest first; at most 2^53 here */
function variableInteger(cursor: Cursor): number {
  let value = 0;
  for (let shift = 0; shift < 53; shift += 7) {
    const byte = cursor.bytes[cursor.at];
    if (byte === undefined) break;
    cursor.at++;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return value;
  }
  throw damaged(cursor.path, cursor.base, 'a number does not end');
}

interface BlockHandle {
  readonly offset: number;
  readonly size: number;
}

function blockHandle(cursor: Cursor): BlockHandle {
  return { offset: variableInteger(cursor), size: variableInteger(cursor) };
}

/** The entries of a block, without its list of restart points. */
function blockAt(bytes: Uint8Array, path: string, { offset, size }: BlockHandle): Cursor {
  const end = offset + size;
  if (!(end + trailerBytes <= bytes.length - footerBytes)) {
    throw damaged(path, offset, `a block of ${size} bytes does not fit into the file`);
  }
  const compression = bytes[end];
  if (compression !== 0) {
    throw damaged(
      path,
      end,
      `a block is compressed in way ${compression ?? 0}; expected blocks that are not compressed`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(end + 1, true) !== maskedCrc32c(bytes.subarray(offset, end + 1))) {
    throw damaged(path, offset, 'the checksum of a block is wrong');
  }
  const restarts = size < 4 ? 0 : view.getUint32(end - 4, true);
  const contents = size - 4 - 4 * restarts;
  if (contents < 0) throw damaged(path, offset, `a block of ${size} bytes has ${restarts} restart points`);
  return { bytes: bytes.subarray(offset, offset + contents), path, base: offset, at: 0 };
}

/** Keys share their first bytes with the key before them. */
function* entriesOf(block: Cursor): Generator<{ readonly key: Uint8Array; readonly value: Uint8Array }> {
  let key: Uint8Array = new Uint8Array();
  while (block.at < block.bytes.length) {
    const [shared, own, length] = [variableInteger(block), variableInteger(block), variableInteger(block)];
    const start = block.at;
    if (shared > key.length || start + own + length > block.bytes.length) {
      throw damaged(block.path, block.base + start, 'an entry does not fit into its block');
    }
    const next = new Uint8Array(shared + own);
    next.set(key.subarray(0, shared));
    next.set(block.bytes.subarray(start, start + own), shared);
    block.at = start + own + length;
    key = next;
    yield { key, value: block.bytes.subarray(start + own, block.at) };
  }
}
