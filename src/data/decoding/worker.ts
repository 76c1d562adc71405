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

/** The values in an array of their own, which can be handed over. */
function handedOver(result: FileResult): FileResult {
  return 'values' in result ? { ...result, values: result.values.slice() } : result;
}

try {
  const read = readFile?.(source, how);
  if (read === undefined) throw new Error(`the source ${source.kind} reads no single files`);
  parentPort?.on('message', ({ batch, files }: FileBatch) => {
    try {
      const results = files.map((file) => handedOver(resultOf(read, file)));
      const buffers = results.flatMap((result) =>
        'values' in result && result.values.buffer instanceof ArrayBuffer ? [result.values.buffer] : [],
      );
      report({ kind: 'done', batch, results }, buffers);
    } catch (error) {
      report({ kind: 'failed', reason: String(error) });
    }
  });
} catch (error) {
  report({ kind: 'failed', reason: String(error) });
}
