import { createHash } from 'node:crypto';
import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { userError } from '../core/diagnostic.ts';
import type { Digest } from '../core/digest.ts';
import { defaultMemory } from '../core/machine.ts';
import type { Tree } from '../formats/archive.ts';
import { isSystemFile, openTree } from '../formats/archive.ts';
import { readBytes, smallFileReader } from '../formats/bytes.ts';
import type { RandomAccess } from '../formats/random-access.ts';
import { writingTo } from '../runner/disk-error.ts';
import { replaceFile } from '../runner/durable.ts';
import { createCollector } from './collector.ts';
import { identify, sha256 } from './dataset.ts';
import type { DataContent, DataFile, Dataset, FileDigest } from './dataset.ts';
import type { Decoding } from './decoding/decoding.ts';
import { fileReader } from './decoding/read-files.ts';
import type { IdentifiedData } from './example-files.ts';
import { findExamples, saveExamples, settle, sweepExamples } from './example-files.ts';
import { openFileIndex } from './file-index.ts';
import type { DataSource } from './sources/index.ts';
import { sourceRow } from './sources/index.ts';
import { splitValidation } from './split.ts';
import type { ValidationOptions } from './split.ts';
import type { Turn } from './turn.ts';
import { createTurn } from './turn.ts';

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

/** Where decoded examples and digests of files are kept from one run to the next. */
export interface DataCache {
  /** Folder of the sets, each in a folder of its own. */
  readonly examples: string;
  /** Folder of the digests of files. */
  readonly digests: string;
  /** A path for something that is being written, on the same disk; another one each time. */
  readonly temporaryPath: () => string;
}

export interface LoadOptions {
  /** That decode, where there are many files; the examples are the same for any number. */
  readonly threads: number;
  /** Bytes that examples may take in memory; more of them stay on the disk. */
  readonly memory: number;
  readonly signal: AbortSignal | null;
  readonly cache: DataCache | null;
}

const defaults: LoadOptions = { threads: 1, memory: defaultMemory(), signal: null, cache: null };

/** Besides examples, there are batches on their way, and files that are being decoded. */
const shareOfExamples = 0.5;

/**
 * The source's files as they are now.
 *
 * @throws UserError when one cannot be read, or is not the one that its download promises
 */
export async function openFiles(
  source: DataSource,
  { signal, cache }: Pick<LoadOptions, 'signal' | 'cache'> = defaults,
): Promise<OpenFiles> {
  const turn = createTurn(signal);
  const { tree, unreadable } = sourceRow(source);
  const root = tree?.(source) ?? null;
  if (root !== null) return openTreeFiles(root, unreadable, turn, cache);
  const files: (DataContent & FileDigest)[] = [];
  for (const { name, path, download } of sourceFiles(source)) {
    const bytes = readBytes(path, unreadable);
    const digest = sha256(bytes);
    if (download !== undefined && digest !== download.sha256) {
      const message = `the file has SHA-256 ${digest}, expected ${download.sha256}`;
      throw userError(path, 'wrong-digest', message, 'remove the file to download it again, or correct `sha256`');
    }
    files.push({ name, path, bytes, size: bytes.length, sha256: digest });
    await turn();
  }
  return { files, close: () => undefined };
}

/** Files of a folder or an archive, of which one at a time is in memory. */
async function openTreeFiles(
  path: string,
  unreadable: string,
  turn: Turn,
  cache: DataCache | null,
): Promise<OpenFiles> {
  const started = Date.now();
  const tree = openTree(path);
  try {
    const place =
      cache === null ? null : join(cache.digests, `${sha256(new TextEncoder().encode(resolve(path)))}.json`);
    const index = openFileIndex(place, started);
    const files: (DataContent & FileDigest)[] = [];
    const readSmall = smallFileReader();
    const hash = (name: string, size: number): string =>
      tree.isFolder && size <= wholeBytes
        ? sha256(readSmall(join(path, name), unreadable))
        : hashEntry(tree, name, size);
    for (const { name, size } of tree.files()) {
      if (isSystemFile(name)) continue;
      const digest = index.digest(name, tree.state(name), () => hash(name, size));
      files.push(new TreeContent(tree, path, { name, size, sha256: digest }));
      await turn();
    }
    const content = index.content();
    if (place !== null && cache !== null && content !== null) {
      await writingTo(cache.digests, 'the store', () => replaceFile(place, cache.temporaryPath(), content));
    }
    return { files, close: tree.close };
  } catch (error) {
    tree.close();
    throw error;
  }
}

/** A class, since there may be hundreds of thousands: closures of their own would take most of the memory. */
class TreeContent implements DataContent, FileDigest {
  readonly #tree: Tree;
  readonly #root: string;
  readonly name: string;
  readonly size: number;
  readonly sha256: string;

  constructor(tree: Tree, root: string, { name, size, sha256: digest }: FileDigest) {
    this.#tree = tree;
    this.#root = root;
    this.name = name;
    this.size = size;
    this.sha256 = digest;
  }

  get path(): string {
    return join(this.#root, this.name);
  }

  get bytes(): Uint8Array {
    return this.#tree.read(this.name);
  }

  get isPlainFile(): boolean {
    return this.#tree.isFolder;
  }

  open(): RandomAccess {
    return this.#tree.open(this.name);
  }
}

/** Larger files are hashed in parts. */
const wholeBytes = 2 ** 25;

function hashEntry(tree: Tree, name: string, size: number): string {
  if (size <= wholeBytes) return sha256(tree.read(name));
  const hash = createHash('sha256');
  const file = tree.open(name);
  for (let at = 0; at < file.size; at += wholeBytes) hash.update(file.read(at, wholeBytes));
  file.close();
  return hash.digest('hex');
}

/**
 * Reads or makes the examples. Deterministic in the source, its files and the validation options. Those that do not fit
 * into memory are read from a file until `closeExamples`.
 */
export async function loadDataset(
  source: DataSource,
  validation: ValidationOptions,
  options: Partial<LoadOptions> = {},
): Promise<Dataset> {
  const all = { ...defaults, ...options };
  const { files, close } = await openFiles(source, all);
  try {
    const { memory } = all;
    return settle(await decodeDataset(source, validation, files, all), memory * shareOfExamples);
  } finally {
    close();
  }
}

/**
 * The examples as they were decoded before, else as `loadDataset` gives them.
 *
 * @param recipe their `recipeDigest`
 * @param openAgain called where they have to be decoded
 */
export async function loadIdentified(
  source: DataSource,
  validation: ValidationOptions,
  recipe: Digest,
  openAgain: () => Promise<OpenFiles>,
  options: LoadOptions,
): Promise<IdentifiedData> {
  const { cache, memory, signal } = options;
  const turn = createTurn(signal);
  const hex = recipe.slice('sha256:'.length);
  const kept = cache === null ? null : join(cache.examples, hex.slice(0, 2), hex.slice(2));
  const found = kept === null ? null : await findExamples(kept, turn);
  const settled = ({ dataset, identity }: IdentifiedData): IdentifiedData => ({
    ...{ identity, dataset: settle(dataset, memory * shareOfExamples) },
  });
  if (found !== null) return settled(found);
  const { files, close } = await openAgain();
  try {
    return settled(await decodeIdentified(source, validation, files, kept, options));
  } finally {
    close();
  }
}

/** @param kept where to keep the examples; null for nowhere */
async function decodeIdentified(
  source: DataSource,
  validation: ValidationOptions,
  files: OpenFiles['files'],
  kept: string | null,
  options: LoadOptions,
): Promise<IdentifiedData> {
  return inWorkFolder(options.cache, async (folder) => {
    const dataset = await decodeIn(folder, source, validation, files, options);
    const identified = { dataset, identity: await identify(dataset, createTurn(options.signal)) };
    if (kept !== null) saveExamples(identified, folder, kept);
    // Now that the store has grown.
    if (options.cache !== null) sweepExamples(options.cache.examples);
    return identified;
  });
}

/**
 * Inputs of sources with many files are in a file, which is removed when it is closed.
 *
 * @param files as `openFiles` gives them
 */
export async function decodeDataset(
  source: DataSource,
  validation: ValidationOptions,
  files: OpenFiles['files'],
  options: LoadOptions = defaults,
): Promise<Dataset> {
  return inWorkFolder(options.cache, (folder) => decodeIn(folder, source, validation, files, options));
}

async function decodeIn(
  folder: string,
  source: DataSource,
  validation: ValidationOptions,
  files: OpenFiles['files'],
  { threads, signal }: LoadOptions,
): Promise<Dataset> {
  const turn = createTurn(signal);
  let arrays = 0;
  const decoding: Decoding = {
    collector: (kind, size) => createCollector(folder, `inputs-${arrays++}`, kind, size),
    readFiles: fileReader(source, threads, turn),
    turn,
  };
  const contents = new Map(files.map((file) => [file.name, file]));
  const decoded = await sourceRow(source).decode(source, contents, decoding);
  if (decoded.validation !== undefined) return { ...decoded, validation: decoded.validation };
  return { ...decoded, ...splitValidation(decoded.train, validation, decoded.name) };
}

/** Gives `body` an empty folder and removes it, unless it was moved; files that are open in it can still be read. */
async function inWorkFolder<T>(cache: DataCache | null, body: (folder: string) => Promise<T>): Promise<T> {
  const folder = cache?.temporaryPath() ?? join(tmpdir(), `qpipe-examples-${randomBytes(8).toString('hex')}`);
  await writingTo(dirname(folder), 'the decoded examples', () => mkdir(folder));
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
