/**
 * Removes what is old: results that nothing needs, and the folders of runs beyond those to keep.
 *
 * What is needed begins with the runs that are kept, the pins, and what was used lately. The rest is found by looking
 * at the disk and not at a list, so that nothing is forgotten. A record goes before its files, and none stays that
 * lacks one of its files.
 */
import { rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { diskTime } from './claim.ts';
import type { Class, Found, Item } from './collected.ts';
import { classes, filesAt, totalBytes } from './collected.ts';
import { namesIn } from './folder.ts';
import type { CollectionOptions } from './live.ts';
import { collecting } from './live.ts';
import { removeRuns, sortRuns } from './old-runs.ts';
import { readPins } from './pins.ts';
import type { Store } from './store.ts';
import { objectPath, readRecord, temporaryPath, writing } from './store.ts';
import { sweepStore } from './sweep.ts';

export interface CollectOptions extends CollectionOptions {
  /** Folder of the runs. */
  readonly runs: string;
  /** How many of the newest runs keep their folders; Infinity for all. */
  readonly keepRuns: number;
  /** Milliseconds: what no kept run needs goes when it was not used for so long. */
  readonly olderThan: number;
  /** Bytes that the store may have; Infinity for any number. */
  readonly maxBytes: number;
  /** Which checkpoints of interrupted trainings go: those that are old, or all. */
  readonly checkpoints: 'old' | 'all';
  /** `show` removes nothing. */
  readonly mode: 'remove' | 'show';
}

export interface Collected {
  /** In the order in which they went, or would go. */
  readonly removed: readonly Item[];
  readonly kept: Readonly<Record<Class, { readonly count: number; readonly bytes: number }>>;
  /** By how many bytes the store is larger than it may be, since kept runs, pins and running runs hold it. */
  readonly excess: number;
}

/** Files that no record names are of a process that was killed, or of one elsewhere that is not yet done. */
const orphansKept = 24 * 60 * 60 * 1000;

/** Times of last use are those of machines, the others those of the disk. */
const clockSkew = 60 * 60 * 1000;

/** @throws UserError when the store or the runs cannot be written, or a pin is damaged */
export async function collect(store: Store, options: CollectOptions): Promise<Collected> {
  const removing = options.mode === 'remove';
  const pins = await readPins(store);
  const pinned = new Set(pins.map(({ run }) => run));
  const runs = await sortRuns(options.runs, options.keepRuns, pinned, store.owner);
  if (removing) {
    await sweepStore(store);
    await removeRuns(options.runs, runs.old);
  }
  const roots = new Set([...runs.needed, ...pins.flatMap(({ keys }) => keys)]);
  const sorted = await collecting(store, options, async (runningSince) => {
    const found = await sortStore(store, options, roots, runningSince);
    if (removing) await removeFiles(store, found.old, options.signal);
    return found;
  });
  const kept = [...runs.kept, ...sorted.kept];
  const counts = classes.map((name) => {
    const items = kept.filter((item) => item.class === name);
    return [name, { count: items.length, bytes: totalBytes(items) }] as const;
  });
  return {
    removed: [...runs.old, ...sorted.old].map(({ class: kind, name, bytes }) => ({ class: kind, name, bytes })),
    kept: Object.fromEntries(counts) as Collected['kept'], // has every class
    excess: sorted.excess,
  };
}

/** The result of a key, with its files. */
interface Result {
  readonly key: string;
  readonly record: Found;
  readonly preimage: Found | undefined;
  /** Paths. */
  readonly objects: readonly string[];
  readonly isWhole: boolean;
}

interface SortedStore {
  readonly old: readonly Found[];
  readonly kept: readonly Found[];
  readonly excess: number;
}

async function sortStore(
  store: Store,
  options: CollectOptions,
  roots: ReadonlySet<string>,
  runningSince: number,
): Promise<SortedStore> {
  const time = await diskTime(temporaryPath(store));
  // What runs use now stays, whatever the options say.
  const inUse = runningSince - clockSkew;
  const isOlder = ({ time: used }: Found, age: number): boolean => used < Math.min(time - age, inUse);
  const objects = byPath(await filesIn(store, 'objects'));
  const preimages = byPath(await filesIn(store, 'preimage'));
  const results = await readResults(store, objects, preimages);
  const others = await agingFiles(store);
  const keptOthers = others.filter(
    (file) => !isOlder(file, file.class === 'ckpt' ? ckptAge(options) : options.olderThan),
  );

  const wanted = results.filter(
    ({ key, record, isWhole }) => isWhole && (roots.has(key) || !isOlder(record, options.olderThan)),
  );
  const room = options.maxBytes - totalBytes(keptOthers);
  const { kept, excess } = fit(wanted, objects, room, ({ key, record }) => !roots.has(key) && isOlder(record, 0));

  const needed = new Set(kept.flatMap(filesOf));
  // The files of a result go with it. Others may belong to a result that is being made elsewhere.
  const released = new Set(results.flatMap(filesOf));
  const files = [...results.map(({ record }) => record), ...objects.values(), ...preimages.values()];
  const isOld = (file: Found): boolean =>
    !needed.has(file.path) && (released.has(file.path) || isOlder(file, orphansKept));
  const old = [...files.filter(isOld), ...others.filter((file) => !keptOthers.includes(file))];
  return { old, kept: [...files.filter((file) => !isOld(file)), ...keptOthers], excess };
}

const ckptAge = ({ checkpoints, olderThan }: CollectOptions): number => (checkpoints === 'all' ? 0 : olderThan);

const filesOf = ({ record, preimage, objects }: Result): string[] => [
  record.path,
  ...(preimage === undefined ? [] : [preimage.path]),
  ...objects,
];

async function readResults(
  store: Store,
  objects: ReadonlyMap<string, Found>,
  preimages: ReadonlyMap<string, Found>,
): Promise<readonly Result[]> {
  const found: Result[] = [];
  for (const file of await filesIn(store, 'actions')) {
    const key = basename(file.path, '.json');
    const record = readRecord(store, key);
    const paths = Object.values(record?.outputs ?? {}).map(({ digest }) => objectPath(store, digest));
    const isWhole = record !== null && paths.every((path) => objects.has(path));
    const preimage = preimages.get(join(store.folder, 'preimage', key.slice(0, 2), `${key}.json`));
    found.push({ key, record: file, preimage, objects: paths, isWhole });
  }
  return found;
}

/** Leaves out the results that were not used for the longest time, until the others fit into `room` bytes. */
function fit(
  results: readonly Result[],
  objects: ReadonlyMap<string, Found>,
  room: number,
  mayGo: (result: Result) => boolean,
): { readonly kept: readonly Result[]; readonly excess: number } {
  const users = new Map<string, number>();
  for (const path of results.flatMap((result) => result.objects)) users.set(path, (users.get(path) ?? 0) + 1);
  const own = ({ record, preimage }: Result): number => record.bytes + (preimage?.bytes ?? 0);
  const sizeOf = (path: string): number => objects.get(path)?.bytes ?? 0;
  let excess = results.reduce((sum, result) => sum + own(result), -room);
  for (const path of users.keys()) excess += sizeOf(path);

  const dropped = new Set<Result>();
  for (const result of results.filter(mayGo).toSorted((a, b) => a.record.time - b.record.time)) {
    if (excess <= 0) break;
    dropped.add(result);
    excess -= own(result);
    for (const path of result.objects) {
      const left = (users.get(path) ?? 0) - 1;
      users.set(path, left);
      if (left === 0) excess -= sizeOf(path);
    }
  }
  return { kept: results.filter((result) => !dropped.has(result)), excess: Math.max(0, excess) };
}

/** What is made again when it is missing: it goes when it was not used, or changed, for long. One entry a folder. */
async function agingFiles(store: Store): Promise<readonly Found[]> {
  const flat = (await Promise.all((['memory', 'digests'] as const).map((name) => filesIn(store, name)))).flat();
  const corrupt = await foldersIn(store, 'corrupt', join(store.folder, 'corrupt'));
  const ckpt = await foldersIn(store, 'ckpt', join(store.folder, 'ckpt'));
  const examples: Found[] = [];
  for (const name of await namesIn(join(store.folder, 'examples'))) {
    examples.push(...(await foldersIn(store, 'examples', join(store.folder, 'examples', name))));
  }
  return [...flat, ...corrupt, ...ckpt, ...examples];
}

/** Each with all that is below it; as young as the youngest file. */
async function foldersIn(store: Store, kind: Class, folder: string): Promise<readonly Found[]> {
  const found: Found[] = [];
  for (const entry of await namesIn(folder)) {
    const path = join(folder, entry);
    const files = await filesAt(path);
    const time = Math.max(0, ...files.map((file) => file.time));
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    found.push({ class: kind, name: relative(store.folder, path), path, bytes, time });
  }
  return found;
}

async function filesIn(store: Store, kind: Class): Promise<readonly Found[]> {
  const files = await filesAt(join(store.folder, kind));
  return files.map((file) => ({ class: kind, name: relative(store.folder, file.path), ...file }));
}

const byPath = (files: readonly Found[]): ReadonlyMap<string, Found> => new Map(files.map((file) => [file.path, file]));

async function removeFiles(store: Store, files: readonly Found[], signal: AbortSignal): Promise<void> {
  await writing(store, async () => {
    for (const { path, class: kind } of files) {
      signal.throwIfAborted();
      await rm(path, { recursive: true, force: true });
      // The folder of two digits, where this was the last. Those of other classes may be written to just now.
      if (kind === 'objects' || kind === 'actions') await rmdir(dirname(path)).catch(() => undefined);
    }
  });
}
