import { internal, unreachable } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import type { JsonObject } from '../core/json.ts';
import { readBytes } from '../files/bytes.ts';
import { cifar10Files, decodeCifar10 } from './cifar10.ts';
import type { Cifar10Source } from './cifar10.ts';
import { datasetDigest, sha256 } from './dataset.ts';
import type { DataContent, DataFile, Dataset, DecodedData, FileDigest } from './dataset.ts';
import { decodeIdx, idxFiles } from './idx.ts';
import type { IdxSource } from './idx.ts';
import { decodeMnist, mnistFiles, mnistRemedy } from './mnist.ts';
import type { MnistSource } from './mnist.ts';
import { splitValidation } from './split.ts';
import type { ValidationOptions } from './split.ts';
import { makeSynthetic } from './synthetic.ts';
import type { SyntheticSource } from './synthetic.ts';

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
 * The digest that `loadDataset` gives, without decoding anything.
 *
 * @param files one for each of `sourceFiles`
 */
export function sourceDigest(source: DataSource, validation: ValidationOptions, files: readonly FileDigest[]): string {
  const { count, seed } = validation;
  return datasetDigest(files, `${source.kind}/1`, { validation: { count, seed }, ...contentOptions(source) });
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

/** Reads or makes the examples. Deterministic in the source, its files and the validation options. */
export function loadDataset(source: DataSource, validation: ValidationOptions): Dataset {
  const files = readFiles(source);
  const digest = sourceDigest(source, validation, files);
  const decoded = decode(source, new Map(files.map((file) => [file.name, file])));
  return { ...decoded, ...splitValidation(decoded.train, validation, decoded.name), digest };
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
  cifar10:
    'put cifar-10-binary.tar.gz, or the files in it, into this folder, point `path` to it, or set `download` to get it',
} as const satisfies Record<DataSource['kind'], string>;
