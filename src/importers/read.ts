/** Model files of any format. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { basename, relative } from 'node:path';
import { UserError, userError } from '../core/diagnostic.ts';
import type { Digest } from '../core/digest.ts';
import { ShapeError } from '../ops/define.ts';
import type { Imported, ImporterRow } from './define.ts';
import { modelPath } from './define.ts';
import type { ImporterName } from './index.ts';
import { importerOf, importers } from './index.ts';
import { withNames } from './names.ts';

/** The importer of a file; `format` goes before what the content says. */
export function chooseImporter(path: string, format: ImporterName | undefined): ImporterRow<ImporterName> {
  const place = whereIs(path);
  const found = importerOf(place);
  if (format !== undefined) return importers[format];
  if (found !== null) return found;
  const known = Object.values(importers).map(({ title, extensions }) => `${title} (${extensions.join(', ')})`);
  throw userError(
    path,
    'unknown-format',
    `the ${place.entries === null ? 'file' : 'folder'} is no model of a known format; expected ${known.join(', ')}`,
    'convert the model to one of these, or say which it is with `format`',
  );
}

function whereIs(path: string): ReturnType<typeof modelPath> {
  try {
    return modelPath(path);
  } catch (error) {
    throw userError(path, 'missing-model', `there is no model: ${reasonOf(error)}`, 'correct `file`');
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The digest of every file of a model, by its name in the model's folder. */
export async function modelDigest(path: string, format: ImporterName | undefined): Promise<Digest> {
  const files = chooseImporter(path, format).files(path);
  const whole = createHash('sha256');
  for (const file of files) {
    const hash = createHash('sha256');
    try {
      for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer); // of a stream without an encoding
    } catch (error) {
      throw userError(file, 'missing-model', `the file cannot be read: ${reasonOf(error)}`, 'bring the whole model');
    }
    const name = file === path ? '' : relative(path, file);
    whole.update(`${JSON.stringify(name)} ${hash.digest('hex')}\n`);
  }
  return `sha256:${whole.digest('hex')}`;
}

/** @throws UserError, also for what the file makes an importer stumble over */
export async function readModel(
  path: string,
  format: ImporterName | undefined,
): Promise<Imported & { readonly title: string }> {
  const { read, title } = chooseImporter(path, format);
  try {
    const imported = await read(path);
    return { ...imported, graph: withNames(imported.graph, (name) => name), title };
  } catch (error) {
    // Whatever does not fit together in a graph comes from the file.
    if (error instanceof ShapeError) {
      throw userError(
        path,
        'bad-model',
        `${basename(path)} does not fit together: ${error.message}`,
        'export it again',
      );
    }
    throw error instanceof UserError ? error : Object.assign(error as Error, { path }); // what we throw is an Error
  }
}
