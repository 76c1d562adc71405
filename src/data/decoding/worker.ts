/** One of the threads that decode: reads files by the source's own function. */
import { parentPort, workerData } from 'node:worker_threads';
import { UserError } from '../../core/diagnostic.ts';
import { smallFileReader } from '../../formats/bytes.ts';
import { sourceRow } from '../sources/index.ts';
import type { ReadFile } from './decoding.ts';
import type { DecodingMessage, DecodingTask, FileBatch, FileResult, GivenFile } from './messages.ts';

const { source, how } = workerData as DecodingTask;
const { readFile, unreadable } = sourceRow(source);
const readSmall = smallFileReader();

function report(message: DecodingMessage, buffers: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, [...buffers]);
}

function resultOf(read: ReadFile, file: GivenFile): FileResult {
  if ('mistakes' in file) return file;
  const { path, bytes } = file;
  try {
    return read({ path, bytes: bytes ?? readSmall(path, unreadable) });
  } catch (error) {
    if (error instanceof UserError) return { mistakes: error.diagnostics };
    throw error;
  }
}

/** Bytes of the largest batch, so that there is room for the next one. */
let largest = 0;

/** Hands over a batch: its values are in the room, and those that do not fit in arrays of their own. */
function readBatch(read: ReadFile, files: readonly GivenFile[], given: ArrayBuffer | null) {
  const room = given !== null && given.byteLength >= largest ? given : new ArrayBuffer(largest);
  const own: ArrayBuffer[] = [];
  let bytes = 0;
  const handedOver = (values: Uint8Array | Float32Array): Uint8Array | Float32Array => {
    const start = bytes;
    bytes += Math.ceil(values.byteLength / alignment) * alignment;
    if (bytes > room.byteLength) {
      const copy = values.slice();
      own.push(copy.buffer);
      return copy;
    }
    const place =
      values instanceof Uint8Array
        ? new Uint8Array(room, start, values.length)
        : new Float32Array(room, start, values.length);
    place.set(values);
    return place;
  };
  const results = files.map((file) => {
    const result = resultOf(read, file);
    return 'values' in result ? { ...result, values: handedOver(result.values) } : result;
  });
  largest = Math.max(largest, bytes);
  return { results, room, buffers: [room, ...own] };
}

/** Of the elements, in bytes. */
const alignment = 4;

try {
  const read = readFile?.(source, how);
  if (read === undefined) throw new Error(`the source ${source.kind} reads no single files`);
  parentPort?.on('message', ({ batch, files, room: given }: FileBatch) => {
    try {
      const { results, room, buffers } = readBatch(read, files, given);
      report({ kind: 'done', batch, results, room }, buffers);
    } catch (error) {
      report({ kind: 'failed', reason: String(error) });
    }
  });
} catch (error) {
  report({ kind: 'failed', reason: String(error) });
}
