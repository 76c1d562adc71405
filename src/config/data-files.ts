import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Diagnostic } from '../core/diagnostic.ts';
import { dataSource } from '../data/config.ts';
import type { DataFile } from '../data/dataset.ts';
import type { DataSource } from '../data/load.ts';
import { sourceFiles } from '../data/load.ts';
import type { LoadedPipeline } from './load.ts';
import type { Path } from './source.ts';

/** Data files that are not there and cannot be downloaded, and folders in their place, each where the pipeline names it. */
export function dataFileDiagnostics({ pipeline, locate }: LoadedPipeline): Diagnostic[] {
  const source = dataSource(pipeline.data);
  const files = sourceFiles(source);
  // A path that is named twice is downloaded once.
  const downloaded = new Set(files.flatMap(({ path, download }) => (download === undefined ? [] : [path])));
  const found = files.flatMap((file): Diagnostic[] => {
    const path = namedBy(source, file);
    const stats = statSync(file.path, { throwIfNoEntry: false });
    const place = locate(path, 'value');
    if (stats?.isDirectory() === true) {
      const message = `\`${path.join('.')}\` is the folder ${file.path}; expected a file`;
      return [{ code: 'folder-for-file', place, message, hint: 'give the path of the file in it' }];
    }
    if (stats !== undefined || downloaded.has(file.path)) return [];
    const code = 'missing-data-file';
    return source.kind === 'idx'
      ? [{ code, place, message: `\`${path.join('.')}\`: there is no file ${file.path}`, hint: idxHint(file.path) }]
      : [
          {
            code,
            place,
            message: `the data set is not complete: there is no file ${file.path}`,
            hint: setHints[source.kind],
          },
        ];
  });
  // Of a data set in a folder, that it is not there at all is one mistake.
  return source.kind === 'idx' ? found : found.slice(0, 1);
}

const idxHint = (path: string): string =>
  `paths are relative to the pipeline file: put the file into ${dirname(path)}, or correct the path`;

const setHints: Readonly<Record<Exclude<DataSource['kind'], 'idx'>, string>> = {
  synthetic: 'nothing to read',
  mnist: 'leave `path` out to use the MNIST that comes with qpipe, or let it lead to the folder of the four files',
  cifar10:
    'put cifar-10-binary.tar.gz, or the files in it, into this folder, let `path` lead to it, or add `download`; `--data` says where data sets are',
};

/** The field that says where a file is. */
function namedBy(source: DataSource, { name }: DataFile): Path {
  return source.kind === 'idx' ? ['data', name] : ['data', source.kind === 'synthetic' ? 'source' : 'path'];
}
