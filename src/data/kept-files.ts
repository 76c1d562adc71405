/** What a store keeps of data sets, for whoever checks all its files. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MoreFiles } from '../runner/verify.ts';
import { entriesIn } from '../runner/verify.ts';
import { examineExamples } from './example-files.ts';
import { isWholeIndex } from './file-index.ts';
import { createTurn } from './turn.ts';

export function keptFiles(signal: AbortSignal): readonly MoreFiles[] {
  const turn = createTurn(signal);
  return [
    { paths: (store) => entriesIn(join(store, 'examples'), 2), check: (folder) => examineExamples(folder, turn) },
    {
      paths: (store) => entriesIn(join(store, 'digests'), 1),
      check: async (file) =>
        isWholeIndex(await readFile(file)) ? null : 'the digests of files are not as they were written',
    },
  ];
}
