import { createHash } from 'node:crypto';
import { closeSync, createReadStream, fstatSync, openSync, readFileSync, utimesSync } from 'node:fs';
import { mkdir, rename, rm, rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Value } from '@sinclair/typebox/value';
import { userError } from '../core/diagnostic.ts';
import { explainReadError, readingFrom, writingTo } from './disk-error.ts';
import { makeFolder, moveDurably, replaceFile, writeDurably } from './durable.ts';
import type { Digest } from '../core/digest.ts';
import type { StageKey } from './fingerprint.ts';
import { keyOf } from './fingerprint.ts';
import type { Owner } from './owner.ts';
import { ownerName, thisOwner } from './owner.ts';
import type { StageOutput } from './plan.ts';
import { actionRecordSchema } from './record.ts';
import type { ActionRecord } from './record.ts';
import { seal, unseal } from './sealed.ts';

/**
 * Results by the key of the execution that made them, under `<root>/v1`:
 *
 *     objects/ab/cdef...       immutable files by sha256, mode 0444
 *     actions/ab/abcd....json  action records by key: a result exists once its record does; its time is its last use
 *     preimage/ab/abcd....json the text that was hashed to the key
 *     memory/ab/abcd....json   small values that take long to compute, sealed, by a digest of what they depend on
 *     examples/ab/cdef.../     decoded examples of data sets; digests/abcd....json of their files: see `data/load.ts`
 *     work/<key>/<attempt>/    where a stage runs
 *     leases/<key>/            who runs it: see `lease.ts`
 *     live/<process>/          which processes use the store: see `live.ts`
 *     ckpt/<trajectory>/       how far stages are that take long: see `checkpoints.ts`
 *     tmp/  corrupt/  VERSION
 *
 * Whatever is read is checked against a digest first: objects and preimages against their names, the rest against its
 * seal. Every file gets its name by a rename after its bytes are on the disk, so a crash leaves a result or none.
 * Names in work/ and tmp/ begin with the process that made them.
 *
 * Small files are read at once: the system answers sooner than the threads that asynchronous calls go through.
 */
export interface Store {
  readonly folder: string;
  /** The process that has it open; its temporary files are named after it. */
  readonly owner: Owner;
  /** At least 16 hex digits, new on every call and in every process. */
  readonly randomHex: () => string;
}

export interface Artifact {
  readonly digest: Digest;
  readonly bytes: number;
}

export type Lookup =
  /** `damage` is of what was written again and has no part in the result. */
  | { readonly kind: 'hit'; readonly record: ActionRecord; readonly damage: readonly Damage[] }
  /** `previous` is a record that exists but cannot be used; `damage` says what was wrong with it. */
  | { readonly kind: 'miss'; readonly previous: ActionRecord | null; readonly damage: readonly Damage[] };

export interface Damage {
  readonly found: string;
  /** Where the bad file was moved to; null when it was removed. */
  readonly movedTo: string | null;
}

const VERSION = 'qpipe-store-v1\n';
const sections = [
  ...(['objects', 'actions', 'preimage', 'memory', 'examples', 'digests'] as const),
  ...(['work', 'leases', 'live', 'tmp', 'corrupt'] as const),
];

/** The store of a folder as it is, to be read only; there may be none. */
export function storeAt(root: string, randomHex: () => string): Store {
  return { folder: resolve(root, 'v1'), owner: thisOwner(), randomHex };
}

/** Opens the store, or creates it. */
export async function openStore(root: string, randomHex: () => string): Promise<Store> {
  const store = storeAt(root, randomHex);
  await writing(store, async () => {
    for (const name of sections) await makeFolder(join(store.folder, name));
    const versionFile = join(store.folder, 'VERSION');
    const version = readIfExists(versionFile);
    if (version === null) return replaceFile(versionFile, temporaryPath(store), VERSION);
    if (version === VERSION) return;
    if (!/^qpipe-store-v\d+\n$/.test(version)) {
      const remedy = 'remove this file; every result in the store is checked before it is used';
      throw userError(versionFile, 'damaged-store-version', 'the file that names the version is damaged', remedy);
    }
    throw userError(
      versionFile,
      'unknown-store-version',
      `the store says ${JSON.stringify(version.trim())}; this qpipe reads ${JSON.stringify(VERSION.trim())}`,
      'choose another store, or use the version of qpipe that made this one',
    );
  });
  return store;
}

/** Where data sets are kept beside the results. */
export function dataFolders(store: Store) {
  return {
    examples: join(store.folder, 'examples'),
    digests: join(store.folder, 'digests'),
    temporaryPath: () => temporaryPath(store),
  };
}

export function objectPath(store: Store, digest: Digest): string {
  const hex = digest.slice('sha256:'.length);
  return join(store.folder, 'objects', hex.slice(0, 2), hex.slice(2));
}

/**
 * Looks a result up and hashes all its files again. A bad file is moved to `corrupt/` and makes it a miss.
 *
 * @param outputs outputs that the caller needs: a record with other outputs or types cannot be used
 */
export async function findResult(
  store: Store,
  { key, preimage }: StageKey,
  outputs: Readonly<Record<string, StageOutput>>,
): Promise<Lookup> {
  return writing(store, async () => {
    const file = keyedPath(store, 'actions', key);
    const text = readIfExists(file);
    if (text === null) return { kind: 'miss', previous: null, damage: [] };
    const record = parseRecord(text, key);
    if (record === null) {
      const found = `the record ${key.slice(0, 12)} is damaged`;
      return { kind: 'miss', previous: null, damage: [{ found, movedTo: await moveToCorrupt(store, file, key) }] };
    }
    const damage: Damage[] = [];
    for (const [name, artifact] of Object.entries(record.outputs)) {
      const bad = await setAsideIfBad(store, name, artifact);
      if (bad !== null) damage.push(bad);
    }
    const wanted = Object.entries(outputs).every(([name, { type }]) => record.outputs[name]?.type === type);
    if (damage.length > 0 || !wanted) return { kind: 'miss', previous: record, damage };
    markUsed(file);
    return { kind: 'hit', record, damage: await mendPreimage(store, key, preimage) };
  });
}

/** The record of a key as it is, whether or not its files are there; null without one, or for a damaged one. */
export function readRecord(store: Store, key: string): ActionRecord | null {
  const text = readIfExists(keyedPath(store, 'actions', key));
  return text === null ? null : parseRecord(text, key);
}

/** What was hashed to a key; null where the store does not have it, or has it damaged. */
export function readPreimage(store: Store, key: string): string | null {
  const text = readIfExists(keyedPath(store, 'preimage', key));
  return text !== null && keyOf(text) === key ? text : null;
}

/** Its time says when a result was last used; in a store that may only be read it stays that of its making. */
function markUsed(file: string): void {
  const now = new Date();
  try {
    utimesSync(file, now, now);
  } catch {
    // See above.
  }
}

/** The text behind a key is known before it is looked up, so a damaged one is written again. */
async function mendPreimage(store: Store, key: string, preimage: string): Promise<readonly Damage[]> {
  const file = keyedPath(store, 'preimage', key);
  const text = readIfExists(file);
  if (text === preimage) return [];
  const movedTo = text === null ? null : await moveToCorrupt(store, file, key);
  await writeKeyed(store, 'preimage', key, preimage);
  const found = `the text of the key ${key.slice(0, 12)} is ${text === null ? 'missing' : 'damaged'}`;
  return [{ found: `${found}; it was written again`, movedTo }];
}

/** The value that was remembered under a digest; null where there is none, or a damaged one. */
export function recall<T extends object>(store: Store, key: Digest): T | null {
  const text = readIfExists(keyedPath(store, 'memory', key.slice('sha256:'.length)));
  const found = text === null ? null : unseal(text);
  // The key is in the value, so that a file in the place of another is no value either.
  return found?.['key'] === key ? (found['value'] as T) : null; // `remembered` wrote it
}

/**
 * The value that was remembered under a digest of all that it depends on, else what `make` gives, which is then
 * remembered. A damaged value counts as none.
 */
export async function remembered<T extends object>(store: Store, key: Digest, make: () => T | Promise<T>): Promise<T> {
  return writing(store, async () => {
    const found = recall<T>(store, key);
    if (found !== null) {
      markUsed(keyedPath(store, 'memory', key.slice('sha256:'.length)));
      return found;
    }
    const value = await make();
    await writeKeyed(store, 'memory', key.slice('sha256:'.length), seal({ key, value }));
    return value;
  });
}

/** Copies a file in; the digest is of the bytes that were written, whatever happens to the source. */
export async function putObject(store: Store, source: string): Promise<Artifact> {
  return writing(store, async () => {
    const temporary = temporaryPath(store);
    const hash = createHash('sha256');
    let bytes = 0;
    async function* hashed() {
      for await (const chunk of createReadStream(source) as AsyncIterable<Buffer>) {
        hash.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    }
    await writeDurably(temporary, hashed(), 0o444);
    const artifact: Artifact = { digest: `sha256:${hash.digest('hex')}`, bytes };
    const target = objectPath(store, artifact.digest);
    try {
      // An intact object stays: earlier runs share its blocks. A damaged one is replaced.
      if ((await inspectObject(store, artifact.digest)) === null) await rm(temporary);
      else {
        await makeFolder(join(target, '..'));
        await moveDurably(temporary, target);
      }
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    return artifact;
  });
}

/** The commit: all objects of `record` are in the store by now. Replaces an earlier record of the same key. */
export async function commitResult(store: Store, { key, preimage }: StageKey, record: ActionRecord): Promise<void> {
  await writing(store, async () => {
    await writeKeyed(store, 'preimage', key, preimage);
    await writeKeyed(store, 'actions', key, seal(record));
  });
}

type KeyedSection = 'actions' | 'preimage' | 'memory';

async function writeKeyed(store: Store, section: KeyedSection, key: string, content: string): Promise<void> {
  const file = keyedPath(store, section, key);
  await makeFolder(join(file, '..'));
  await replaceFile(file, temporaryPath(store), content);
}

/** Gives `body` an empty folder to work in, and removes it whatever happens. */
export async function withWorkFolder<T>(store: Store, key: string, body: (out: string) => Promise<T>): Promise<T> {
  const attempts = join(store.folder, 'work', key);
  const attempt = join(attempts, temporaryName(store));
  const out = join(attempt, 'out');
  return writing(store, async () => {
    try {
      await mkdir(out, { recursive: true });
      return await body(out);
    } finally {
      await rm(attempt, { recursive: true, force: true });
      // Stays while another process works on the same key.
      await rmdir(attempts).catch(() => undefined);
    }
  });
}

/** Runs `body`, which writes to the store; a refusal of the disk becomes a user's error. */
export function writing<T>(store: Store, body: () => Promise<T>): Promise<T> {
  return writingTo(store.folder, 'the store', body);
}

/** An unused path in `tmp/`. */
export function temporaryPath(store: Store): string {
  return join(store.folder, 'tmp', temporaryName(store));
}

/** Begins with the name of the process, so that others can tell whether it is still in use. */
function temporaryName(store: Store): string {
  return `${ownerName(store.owner)}-${store.randomHex()}`;
}

function keyedPath(store: Store, section: KeyedSection, key: string): string {
  return join(store.folder, section, key.slice(0, 2), `${key}.json`);
}

/** Null when the text is not a sealed record of this key. */
export function parseRecord(text: string, key: string): ActionRecord | null {
  const value = unseal(text);
  return Value.Check(actionRecordSchema, value) && value.key === key ? value : null;
}

/** What is wrong with an object, null when nothing is. */
async function inspectObject(store: Store, digest: Digest): Promise<'missing' | 'damaged' | null> {
  const file = objectPath(store, digest);
  try {
    return (await readingFrom(file, 'a stored file', () => fileDigest(file))) === digest ? null : 'damaged';
  } catch (error) {
    if (isMissing(error)) return 'missing';
    throw error;
  }
}

export async function fileDigest(file: string): Promise<Digest> {
  const hash = createHash('sha256');
  const small = readIfSmall(file);
  if (small !== null) return `sha256:${hash.update(small).digest('hex')}`;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

const smallBytes = 256 * 1024;

/** Null for a large file. */
function readIfSmall(file: string): Uint8Array | null {
  const descriptor = openSync(file, 'r');
  try {
    return fstatSync(descriptor).size > smallBytes ? null : readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

async function setAsideIfBad(store: Store, name: string, artifact: Artifact): Promise<Damage | null> {
  const state = await inspectObject(store, artifact.digest);
  if (state === null) return null;
  const found = `the stored file of output "${name}" (${artifact.digest.slice(0, 19)}) is ${state}`;
  if (state === 'missing') return { found, movedTo: null };
  return { found, movedTo: await moveToCorrupt(store, objectPath(store, artifact.digest), artifact.digest.slice(7)) };
}

/** @returns where the file is now; null when another process was faster */
export async function moveToCorrupt(store: Store, file: string, name: string): Promise<string | null> {
  const target = join(store.folder, 'corrupt', `${name}-${store.randomHex()}`);
  try {
    await rename(file, target);
    // It is kept for some time from now.
    markUsed(target);
    return target;
  } catch (error) {
    // Another process saw the damage first.
    if (isMissing(error)) return null;
    throw error;
  }
}

function readIfExists(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw explainReadError(error, file, 'a file of the store');
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
