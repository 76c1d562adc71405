import { internal, unreachable } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import type { Digest } from '../core/digest.ts';
import type { JsonObject } from '../core/json.ts';
import { readBytes } from '../formats/bytes.ts';
import { cifar10Files, decodeCifar10 } from './sources/cifar10.ts';
import type { Cifar10Source } from './sources/cifar10.ts';
import { sha256 } from './dataset.ts';
import type { DataContent, DataFile, Dataset, DecodedData, FileDigest } from './dataset.ts';
import { decodeIdx, idxFiles } from './sources/idx.ts';
import type { IdxSource } from './sources/idx.ts';
import { decodeMnist, mnistFiles, mnistRemedy } from './sources/mnist.ts';
import type { MnistSource } from './sources/mnist.ts';
import { splitValidation } from './split.ts';
import type { ValidationOptions } from './split.ts';
import { makeSynthetic } from './sources/synthetic.ts';
import type { SyntheticSource } from './sources/synthetic.ts';

export type DataSource = SyntheticSource | MnistSource | IdxSource | Cifar10Source;

/** The files that a source reads; none for a generated one. */
export function sourceFiles(source: DataSource): readonly DataFile[] {
  switch (source.kind) {
    case 'synthetic':
      return [];
    case 'mnist':
      return mnistFiles(source);
    case 'idx':
      return idxFiles(source);
    case 'cifar10':
      return cifar10Files(source);
    default:
      return unreachable(source);
  }
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
  const recipe = { code, kind: source.kind, options: contentOptions(source), validation: { count, seed }, contents };
  return `sha256:${sha256(new TextEncoder().encode(JSON.stringify(recipe)))}`;
}

/**
 * The source's files as they are now.
 *
 * @throws UserError when one cannot be read, or is not the one that its download promises
 */
export function readFiles(source: DataSource): readonly (DataContent & FileDigest)[] {
  return sourceFiles(source).map(({ name, path, download }) => {
    const bytes = readBytes(path, remedies[source.kind]);
    const digest = sha256(bytes);
    if (download !== undefined && digest !== download.sha256) {
      const message = `the file has SHA-256 ${digest}, expected ${download.sha256}`;
      throw userError(path, 'wrong-digest', message, 'remove the file to download it again, or correct `sha256`');
    }
    return { name, path, bytes, size: bytes.length, sha256: digest };
  });
}

/**
 * Reads or makes the examples. Deterministic in the source, its files and the validation options.
 *
 * @param files as `readFiles` gives them
 */
export function loadDataset(source: DataSource, validation: ValidationOptions, files = readFiles(source)): Dataset {
  const decoded = decode(source, new Map(files.map((file) => [file.name, file])));
  return { ...decoded, ...splitValidation(decoded.train, validation, decoded.name) };
}

function decode(source: DataSource, contents: ReadonlyMap<string, DataContent>): DecodedData {
  const contentOf = (name: string): DataContent => contents.get(name) ?? internal(`no data file ${name}`);
  switch (source.kind) {
    case 'synthetic':
      return makeSynthetic(source);
    case 'mnist':
      return decodeMnist(contentOf);
    case 'idx':
      return decodeIdx(contentOf);
    case 'cifar10':
      return decodeCifar10(contents);
    default:
      return unreachable(source);
  }
}

/** The options that decide which examples there are, not where their files lie. */
function contentOptions(source: DataSource): JsonObject {
  if (source.kind !== 'synthetic') return {};
  const { classes, size, trainCount, testCount, noise, seed } = source;
  return { source: { classes, size, trainCount, testCount, noise, seed } };
}

const remedies = {
  synthetic: 'nothing to read',
  mnist: mnistRemedy,
  idx: 'check the paths of the four idx files',
  cifar10: 'put cifar-10-binary.tar.gz or its files into this folder, set `path` to where they are, or set `download`',
} as const satisfies Record<DataSource['kind'], string>;
