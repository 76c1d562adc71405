/**
 * Decoded examples on the disk, kept for the next run: a folder for each set, named by a digest of all that decides
 * which examples there are.
 *
 *     inputs-0 …   raw elements of one array each, one example after the other
 *     set          what else there is to know, sealed: parts, labels, targets, and the identity of the examples
 *
 * The folder gets its name when it is complete. Whatever is read from it is compared with the identity first.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { internal } from '../core/assert.ts';
import { explainWriteError } from '../runner/disk-error.ts';
import { closePlace, intoMemory } from './collector.ts';
import type { Dataset, DatasetIdentity, Split } from './dataset.ts';
import { identify } from './dataset.ts';
import type { Inputs, Place } from './inputs.ts';
import { elementBytes, rowLength } from './inputs.ts';
import type { Turn } from './turn.ts';

export interface IdentifiedData {
  readonly dataset: Dataset;
  readonly identity: DatasetIdentity;
}

const magic = 'qpipe-examples-1\n';
const digestBytes = 32;
const parts = ['train', 'validation', 'test'] as const;

/** A set with the names of its files in the place of open ones. */
interface StoredSet {
  readonly identity: DatasetIdentity;
  readonly dataset: Dataset;
}

/**
 * Keeps examples whose inputs are in files of one folder; others are not kept.
 *
 * @param from the folder, which is moved
 * @param to what it is named
 */
export function saveExamples({ dataset, identity }: IdentifiedData, from: string, to: string): void {
  const places = parts.map((part) => dataset[part].inputs.place);
  if (!places.every((place) => place.kind === 'file' && dirname(place.path) === from)) return;
  const named = mapPlaces(dataset, (place) =>
    place.kind === 'file' ? { ...place, path: basename(place.path), descriptor: -1 } : place,
  );
  const stored: StoredSet = { identity, dataset: named };
  const content = serialize(stored);
  try {
    const digest = createHash('sha256').update(content).digest();
    writeFileSync(join(from, 'set'), Buffer.concat([Buffer.from(magic), digest, content]));
    mkdirSync(dirname(to), { recursive: true });
    renameSync(from, to);
  } catch (error) {
    // Another process was faster; what it has written is the same.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOTEMPTY' || error.code === 'EEXIST')) return;
    throw explainWriteError(error, dirname(to), 'the store');
  }
}

/** What was kept, if it is as it was; a damaged folder is removed. */
export async function findExamples(folder: string, turn: Turn): Promise<IdentifiedData | null> {
  const stored = readSet(join(folder, 'set'));
  if (stored === 'missing') return null;
  const dataset = stored === 'damaged' ? null : openSet(stored.dataset, folder);
  if (stored !== 'damaged' && dataset !== null) {
    const identity = await identify(dataset, turn);
    if (isDeepStrictEqual(identity, stored.identity)) {
      markUsed(join(folder, 'set'));
      return { dataset, identity };
    }
    closeExamples(dataset);
  }
  rmSync(folder, { recursive: true, force: true });
  return null;
}

/** What is wrong with a folder of kept examples; null when nothing is. */
export async function examineExamples(folder: string, turn: Turn): Promise<string | null> {
  const stored = readSet(join(folder, 'set'));
  if (typeof stored === 'string') return `the description of the examples is ${stored}`;
  const dataset = openSet(stored.dataset, folder);
  if (dataset === null) return 'a file of its examples is missing or cut';
  try {
    const isSame = isDeepStrictEqual(await identify(dataset, turn), stored.identity);
    return isSame ? null : 'the examples are not those that were written';
  } finally {
    closeExamples(dataset);
  }
}

const daysKept = 30;

/** Its time says when a set was last used; a store that may only be read keeps the time of its making. */
function markUsed(set: string): void {
  const now = new Date();
  try {
    utimesSync(set, now, now);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
  }
}

/**
 * Removes the sets that nothing has used for 30 days. Those that another process is reading stay readable for it.
 *
 * @param root the folder of all sets, `<two digits>/<the others>`
 */
export function sweepExamples(root: string): void {
  if (!existsSync(root)) return;
  const oldest = Date.now() - daysKept * 24 * 60 * 60 * 1000;
  for (const outer of readdirSync(root)) {
    for (const inner of readdirSync(join(root, outer))) {
      const folder = join(root, outer, inner);
      const used = statSync(join(folder, 'set'), { throwIfNoEntry: false });
      if (used !== undefined && used.mtimeMs < oldest) rmSync(folder, { recursive: true, force: true });
    }
  }
}

function readSet(file: string): StoredSet | 'missing' | 'damaged' {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 'missing';
    return 'damaged';
  }
  const start = magic.length + digestBytes;
  const content = bytes.subarray(start);
  const digest = createHash('sha256').update(content).digest();
  const isWhole =
    bytes.toString('latin1', 0, magic.length) === magic && digest.equals(bytes.subarray(magic.length, start));
  // Written by `saveExamples`, as the digest says.
  return isWhole ? (deserialize(content) as StoredSet) : 'damaged';
}

/** Null where a file is missing or too short. */
function openSet(dataset: Dataset, folder: string): Dataset | null {
  const opened = new Map<string, number>();
  try {
    return mapPlaces(dataset, (place, { size, row, kind, count, rows }) => {
      if (place.kind === 'memory') return place;
      const path = join(folder, place.path);
      const descriptor = opened.get(path) ?? openSync(path, 'r');
      opened.set(path, descriptor);
      const needed = rows === null ? count : rows.reduce((most, row) => Math.max(most, row + 1), 0);
      if (fstatSync(descriptor).size < needed * rowLength({ size, row }) * elementBytes[kind])
        throw new Error('the file is cut');
      return { kind: 'file', path, descriptor };
    });
  } catch {
    for (const descriptor of opened.values()) closeSync(descriptor);
    return null;
  }
}

/** Reads inputs that lie in files into memory where all of them are at most so many bytes. */
export function settle(dataset: Dataset, most: number): Dataset {
  const files = placesOf(dataset).filter((place) => place.kind === 'file');
  const sizes = files.map(({ descriptor }) => fstatSync(descriptor).size);
  if (sizes.reduce((sum, size) => sum + size, 0) > most) return dataset;
  const read = new Map<string, Place>();
  for (const [index, place] of files.entries()) {
    const inputs = parts.map((part) => dataset[part].inputs).find(({ place: other }) => isSame(place, other));
    if (inputs === undefined) return internal(`no inputs in ${place.path}`);
    read.set(place.path, intoMemory(inputs, sizes[index]! / (rowLength(inputs) * elementBytes[inputs.kind])));
    closePlace(place);
  }
  return mapPlaces(dataset, (place) => (place.kind === 'file' ? (read.get(place.path) ?? place) : place));
}

/** Closes the files of a set; its inputs cannot be read any more, unless they are in memory. */
export function closeExamples(dataset: Dataset): void {
  for (const place of placesOf(dataset)) closePlace(place);
}

/** Each once. */
function placesOf(dataset: Dataset): Place[] {
  const all = parts.map((part) => dataset[part].inputs.place);
  return all.filter((place, index) => all.findIndex((other) => isSame(place, other)) === index);
}

const isSame = (a: Place, b: Place): boolean =>
  a === b || (a.kind === 'file' && b.kind === 'file' && a.descriptor === b.descriptor);

function mapPlaces(dataset: Dataset, change: (place: Place, inputs: Inputs) => Place): Dataset {
  const changed = (split: Split): Split => ({
    ...split,
    inputs: { ...split.inputs, place: change(split.inputs.place, split.inputs) },
  });
  const [train, validation, test] = [changed(dataset.train), changed(dataset.validation), changed(dataset.test)];
  return { ...dataset, train, validation, test };
}
