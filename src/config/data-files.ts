import { existsSync, statSync } from 'node:fs';
import type { Diagnostic } from '../core/diagnostic.ts';
import { dataSource } from '../data/config.ts';
import { sourceFiles } from '../data/load.ts';
import { sourceRow } from '../data/sources/index.ts';
import type { LoadedPipeline } from './load.ts';

/** Data files that are not there and cannot be downloaded, and folders in their place, each where the pipeline names it. */
export function dataFileDiagnostics({ pipeline, locate }: LoadedPipeline): Diagnostic[] {
  const source = dataSource(pipeline.data);
  const { missing } = sourceRow(source);
  const noise = noiseDiagnostics(pipeline, locate);
  const tree = sourceRow(source).tree?.(source) ?? null;
  if (tree !== null && missing.kind === 'together') {
    if (existsSync(tree)) return noise;
    const place = locate(['data', missing.field], 'value');
    const message = `there is no folder or archive ${tree}`;
    return [{ code: 'missing-data', place, message, hint: missing.hint }, ...noise];
  }
  const files = sourceFiles(source);
  // A path that is named twice is downloaded once.
  const downloaded = new Set(files.flatMap(({ path, download }) => (download === undefined ? [] : [path])));
  const found = files.flatMap((file): Diagnostic[] => {
    const path = ['data', missing.kind === 'each' ? file.name : missing.field];
    const stats = statSync(file.path, { throwIfNoEntry: false });
    const place = locate(path, 'value');
    if (stats?.isDirectory() === true) {
      const message = `\`${path.join('.')}\` is the folder ${file.path}; expected a file`;
      return [{ code: 'folder-for-file', place, message, hint: 'give the path of the file in it' }];
    }
    if (stats !== undefined || downloaded.has(file.path)) return [];
    const code = 'missing-data-file';
    return missing.kind === 'each'
      ? [
          {
            code,
            place,
            message: `\`${path.join('.')}\`: there is no file ${file.path}`,
            hint: missing.hint(file.path),
          },
        ]
      : [{ code, place, message: `the data set is not complete: there is no file ${file.path}`, hint: missing.hint }];
  });
  return missing.kind === 'each' ? found : found.slice(0, 1);
}

/** Noise that is not there. */
function noiseDiagnostics({ data }: LoadedPipeline['pipeline'], locate: LoadedPipeline['locate']): Diagnostic[] {
  const path = data.source === 'audio_folder' ? data.augment.background?.path : undefined;
  if (path === undefined || existsSync(path)) return [];
  return [
    {
      code: 'missing-data',
      place: locate(['data', 'augment', 'background', 'path'], 'value'),
      message: `there is no folder or archive ${path}`,
      hint: 'the path is relative to the pipeline file: correct it, or put WAV files of noise there',
    },
  ];
}
