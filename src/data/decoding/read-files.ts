/** Files become examples: here, or in threads where there are many. */
import { internal } from '../../core/assert.ts';
import { UserError } from '../../core/diagnostic.ts';
import type { Json } from '../../core/json.ts';
import type { DataContent } from '../dataset.ts';
import type { DataSource } from '../sources/index.ts';
import { sourceRow } from '../sources/index.ts';
import type { Turn } from '../turn.ts';
import type { Decoding, FileExamples, ReadableFile } from './decoding.ts';
import type { FileResult, GivenFile, ReadBatch } from './messages.ts';
import { startDecoding } from './threads.ts';

/** With fewer files, threads take longer to start than to finish. */
const fewestForThreads = 400;
/** Files of a batch: as many as are worth a message. */
const batchFiles = 32;
const batchBytes = 2 ** 22;

/** @param threads more than one, for files that are many */
export function fileReader(source: DataSource, threads: number, turn: Turn): Decoding['readFiles'] {
  return async (files, how, broken, take) => {
    const takeOne = (file: (typeof files)[number], read: () => FileExamples): void => {
      const examples = broken.attempt(file.name, read);
      if (examples !== null) take(file, examples);
    };
    if (threads > 1 && files.length >= fewestForThreads) {
      return inThreads({ source, how }, threads, files, async (file, result) => {
        await turn();
        takeOne(file, () => ('values' in result ? result : refuse(result.mistakes)));
        return broken.hasEnough();
      });
    }
    const read = (sourceRow(source).readFile ?? internal(`${source.kind} reads no single files`))(source, how);
    for (const file of files) {
      takeOne(file, () => read(file.content));
      if (broken.hasEnough()) return;
      await turn();
    }
  };
}

function refuse(mistakes: ConstructorParameters<typeof UserError>[0]): never {
  throw new UserError(mistakes);
}

/** @param take called in the order of the files; true ends it */
async function inThreads<F extends ReadableFile>(
  task: { readonly source: DataSource; readonly how: Json },
  threads: number,
  files: readonly F[],
  take: (file: F, result: FileResult) => Promise<boolean>,
): Promise<void> {
  const pool = startDecoding(task, threads);
  try {
    // Enough for every thread to have one more to go on with.
    const pending: { readonly batch: readonly F[]; readonly read: Promise<ReadBatch> }[] = [];
    const rooms: ArrayBuffer[] = [];
    const finishOne = async (): Promise<boolean> => {
      const { batch, read } = pending.shift() ?? internal('nothing is being decoded');
      const { results, room } = await read;
      for (const [index, result] of results.entries()) if (await take(batch[index]!, result)) return true;
      rooms.push(room);
      return false;
    };
    for (const batch of batchesOf(files)) {
      if (pending.length >= 2 * threads && (await finishOne())) return;
      const read = pool.read(
        batch.map(({ content }) => given(content)),
        rooms.pop() ?? null,
      );
      // A rejection is seen when the result is awaited; it must not count as unhandled until then.
      read.catch(() => undefined);
      pending.push({ batch, read });
    }
    while (pending.length > 0) if (await finishOne()) return;
  } finally {
    await pool.close();
  }
}

/** Threads read files themselves, but not the entries of archives. */
function given(content: DataContent): GivenFile {
  const { path } = content;
  if (content.isPlainFile === true) return { path, bytes: null };
  try {
    return { path, bytes: content.bytes };
  } catch (error) {
    if (error instanceof UserError) return { mistakes: error.diagnostics };
    throw error;
  }
}

function* batchesOf<F extends ReadableFile>(files: readonly F[]): Generator<readonly F[]> {
  let [batch, bytes]: [F[], number] = [[], 0];
  for (const file of files) {
    batch.push(file);
    bytes += file.content.size ?? 0;
    if (batch.length < batchFiles && bytes < batchBytes) continue;
    yield batch;
    [batch, bytes] = [[], 0];
  }
  if (batch.length > 0) yield batch;
}
