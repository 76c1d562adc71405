import { join } from 'node:path';
import { userError } from '../core/diagnostic.ts';
import type { Digest } from '../core/digest.ts';
import { isSystemFile, openTree } from '../formats/archive.ts';
import { readBytes } from '../formats/bytes.ts';
import { sha256 } from './dataset.ts';
import type { DataContent, DataFile, Dataset, FileDigest } from './dataset.ts';
import type { DataSource } from './sources/index.ts';
import { sourceRow } from './sources/index.ts';
import { splitValidation } from './split.ts';
import type { ValidationOptions } from './split.ts';

/** The files that a source reads; none for a generated one. */
export function sourceFiles(source: DataSource): readonly DataFile[] {
  return sourceRow(source).files(source);
}

/**
 * All that decides which examples `loadDataset` gives, without decoding anything.
 *
 * @param files one for each of `sourceFiles`
 * @param code digest of the code of this module and what it imports
 */
export function recipeDigest(
  source: DataSource,
  { count, seed }: ValidationOptions,
  files: readonly FileDigest[],
  code: Digest,
): Digest {
  // By what each file is for, not by where it lies.
  const contents = files.map(({ name, size, sha256: digest }) => ({ name, size, digest }));
  const recipe = {
    code,
    kind: source.kind,
    options: sourceRow(source).recipe(source),
    validation: { count, seed },
    contents,
  };
  return `sha256:${sha256(new TextEncoder().encode(JSON.stringify(recipe)))}`;
}

/** The files of a source, which may be read until they are closed. */
export interface OpenFiles {
  readonly files: readonly (DataContent & FileDigest)[];
  readonly close: () => void;
}

/**
 * The source's files as they are now.
 *
 * @throws UserError when one cannot be read, or is not the one that its download promises
 */
export function openFiles(source: DataSource): OpenFiles {
  const { tree, unreadable } = sourceRow(source);
  const root = tree?.(source) ?? null;
  if (root !== null) return openTreeFiles(root);
  const files = sourceFiles(source).map(({ name, path, download }) => {
    const bytes = readBytes(path, unreadable);
    const digest = sha256(bytes);
    if (download !== undefined && digest !== download.sha256) {
      const message = `the file has SHA-256 ${digest}, expected ${download.sha256}`;
      throw userError(path, 'wrong-digest', message, 'remove the file to download it again, or correct `sha256`');
    }
    return { name, path, bytes, size: bytes.length, sha256: digest };
  });
  return { files, close: () => undefined };
}

/** Files of a folder or an archive, of which one at a time is in memory. */
function openTreeFiles(path: string): OpenFiles {
  const { files, read, close } = openTree(path);
  const open = files().filter(({ name }) => !isSystemFile(name));
  return {
    files: open.map(({ name, size }) => ({
      ...{ name, path: join(path, name), size, sha256: sha256(read(name)) },
      get bytes() {
        return read(name);
      },
    })),
    close,
  };
}

/** Reads or makes the examples. Deterministic in the source, its files and the validation options. */
export function loadDataset(source: DataSource, validation: ValidationOptions): Dataset {
  const { files, close } = openFiles(source);
  try {
    return decodeDataset(source, validation, files);
  } finally {
    close();
  }
}

/** @param files as `openFiles` gives them */
export function decodeDataset(
  source: DataSource,
  validation: ValidationOptions,
  files: readonly (DataContent & FileDigest)[],
): Dataset {
  const decoded = sourceRow(source).decode(source, new Map(files.map((file) => [file.name, file])));
  if (decoded.validation !== undefined) return { ...decoded, validation: decoded.validation };
  return { ...decoded, ...splitValidation(decoded.train, validation, decoded.name) };
}
