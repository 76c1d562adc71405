import { userError } from '../core/diagnostic.ts';
import type { Digest } from '../core/digest.ts';
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

/**
 * The source's files as they are now.
 *
 * @throws UserError when one cannot be read, or is not the one that its download promises
 */
export function readFiles(source: DataSource): readonly (DataContent & FileDigest)[] {
  return sourceFiles(source).map(({ name, path, download }) => {
    const { unreadable, reading } = sourceRow(source);
    const bytes = readBytes(path, unreadable);
    const digest = sha256(bytes);
    if (download !== undefined && digest !== download.sha256) {
      const message = `the file has SHA-256 ${digest}, expected ${download.sha256}`;
      throw userError(path, 'wrong-digest', message, 'remove the file to download it again, or correct `sha256`');
    }
    const { length: size } = bytes;
    const file = { name, path, size, sha256: digest };
    if (reading === 'at once') return { ...file, bytes };
    return {
      ...file,
      get bytes() {
        return readBytes(path, unreadable);
      },
    };
  });
}

/**
 * Reads or makes the examples. Deterministic in the source, its files and the validation options.
 *
 * @param files as `readFiles` gives them
 */
export function loadDataset(source: DataSource, validation: ValidationOptions, files = readFiles(source)): Dataset {
  const decoded = sourceRow(source).decode(source, new Map(files.map((file) => [file.name, file])));
  if (decoded.validation !== undefined) return { ...decoded, validation: decoded.validation };
  return { ...decoded, ...splitValidation(decoded.train, validation, decoded.name) };
}
