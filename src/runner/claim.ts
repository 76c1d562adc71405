/**
 * A folder that belongs to one process at a time. It holds a file `owner-<process>-<token>.json`, and every step names
 * the token, so that nobody can take or give back what is no longer as it was:
 *
 * - To take it, a finished folder is renamed to its place. That fails, as mkdir does, while the place holds an owner.
 * - To give it back, or to take it from a process that is gone, the file is removed or renamed. Of several processes
 *   that try, one succeeds. The empty folder that is left is free.
 *
 * The owner writes the file again every 10 s. Its modification time, which the disk's own clock sets, says that the
 * owner lives, where its process cannot be looked at.
 */
import { access, mkdir, open, readdir, readFile, rename, rm, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { readingFrom } from './disk-error.ts';
import type { Liveness, Owner } from './owner.ts';
import { livenessOf, livenessOfName, ownerName, ownerSchema } from './owner.ts';

const claimRecordSchema = Type.Object({
  owner: ownerSchema,
  run: Type.String({ description: 'the run that it is for, or the command' }),
  token: Type.String(),
});

export interface Claim {
  readonly folder: string;
  /** Whether the folder still belongs to this claim. */
  readonly isHeld: () => Promise<boolean>;
  /** Gives the folder back. Never fails, and does nothing when it was taken away. */
  readonly release: () => Promise<void>;
}

/** Who has the folder. */
export interface Holder {
  readonly file: string;
  /** Null when the file cannot be read as one. */
  readonly record: Static<typeof claimRecordSchema> | null;
}

export interface ClaimOptions {
  readonly owner: Owner;
  readonly run: string;
  /** Not used before. */
  readonly token: string;
  /** Unused paths on the same disk. */
  readonly temporaryPath: () => string;
}

const heartbeatMs = 10_000;

/** A claim whose owner cannot be looked at counts as abandoned after so long without a heartbeat. */
export const silenceMs = 60_000;

const prefix = 'owner-';

/** Takes the folder; null when it belongs to somebody. Folders above it are there. */
export async function tryClaim(folder: string, options: ClaimOptions): Promise<Claim | null> {
  const { owner, run, token, temporaryPath } = options;
  const name = `${prefix}${ownerName(owner)}-${token}.json`;
  const text = `${JSON.stringify({ owner, run, token })}\n`;
  const prepared = temporaryPath();
  await mkdir(prepared);
  try {
    await writeIfRoom(join(prepared, name), text);
    await rename(prepared, folder);
  } catch (error) {
    await rm(prepared, { recursive: true, force: true });
    if (hasCode(error, 'ENOTEMPTY', 'EEXIST')) return null;
    throw error;
  }
  const file = join(folder, name);
  const heartbeat = setInterval(() => void beat(file, text).catch(() => undefined), heartbeatMs);
  heartbeat.unref();
  return {
    folder,
    isHeld: () => readingFrom(folder, 'who uses the store', () => exists(file)),
    async release() {
      clearInterval(heartbeat);
      await unlink(file).catch(() => undefined);
      // Fails where the next owner is faster.
      await rmdir(folder).catch(() => undefined);
    },
  };
}

/** The name of the file says enough, so that even a full disk can be cleared under a claim. */
async function writeIfRoom(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (error) {
    if (!hasCode(error, 'ENOSPC', 'EDQUOT')) throw error;
    await writeFile(file, '');
  }
}

/** The same bytes in the same place, so that a reader sees no difference. Does not bring a lost file back. */
async function beat(file: string, text: string): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.write(text, 0);
  } finally {
    await handle.close();
  }
}

/** Null when the folder is free. */
export async function holderOf(folder: string): Promise<Holder | null> {
  return readingFrom(folder, 'who uses the store', () => readHolder(folder));
}

async function readHolder(folder: string): Promise<Holder | null> {
  const names = await readdir(folder).catch(emptyIfMissing);
  const name = names.find((entry) => entry.startsWith(prefix)) ?? names[0];
  if (name === undefined) return null;
  const file = join(folder, name);
  try {
    const record: unknown = JSON.parse(await readFile(file, 'utf8'));
    return { file, record: Value.Check(claimRecordSchema, record) ? record : null };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    if (error instanceof SyntaxError) return { file, record: null };
    throw error;
  }
}

/** Takes the folder away from a holder. Does nothing if it has already changed hands. */
export async function evict({ file }: Holder, temporaryPath: () => string): Promise<void> {
  const aside = temporaryPath();
  try {
    await rename(file, aside);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  await rm(aside, { recursive: true, force: true });
}

/** Without what is in the file, its name tells. */
export function livenessOfHolder({ file, record }: Holder, self: Owner): Liveness {
  if (record !== null) return livenessOf(record.owner, self);
  return livenessOfName(basename(file).slice(prefix.length), self);
}

export interface Watch {
  /** `gone` also for an owner elsewhere that has been silent for too long; never `unknown`. */
  readonly look: (holder: Holder) => Promise<Exclude<Liveness, 'unknown'>>;
}

/**
 * Judges holders, over as many looks as it takes. Where the process cannot be looked at, silence is what counts: by
 * the disk's own clock, or since this watch first saw the last heartbeat. No clock of ours is compared with one of
 * theirs, so that one that is wrong, or set, does not matter.
 *
 * @param now milliseconds on a clock that only goes forward
 */
export function watchHolders(self: Owner, temporaryPath: () => string, now: () => number, longest = silenceMs): Watch {
  const seen = new Map<string, { readonly beat: number; readonly at: number }>();
  return {
    async look({ file, record }) {
      const liveness = livenessOfHolder({ file, record }, self);
      if (liveness !== 'unknown') return liveness;
      const beat = await modifiedAt(file);
      // Whoever had it is done with it; the next look finds another.
      if (beat === null) return 'alive';
      const before = seen.get(file);
      const at = before?.beat === beat ? before.at : now();
      seen.set(file, { beat, at });
      const silence = Math.max(now() - at, (await diskTime(temporaryPath())) - beat);
      return silence > longest ? 'gone' : 'alive';
    },
  };
}

/**
 * Milliseconds on the clock that sets the times of files there, which need not be that of this machine.
 *
 * @param unused path of a file that is made and removed
 */
export async function diskTime(unused: string): Promise<number> {
  await writeFile(unused, '', { flag: 'wx' });
  try {
    return (await stat(unused)).mtimeMs;
  } finally {
    await rm(unused, { force: true });
  }
}

/** Null when there is no such file. */
async function modifiedAt(file: string): Promise<number | null> {
  try {
    return (await stat(file)).mtimeMs;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

function emptyIfMissing(error: unknown): string[] {
  if (hasCode(error, 'ENOENT')) return [];
  throw error;
}

/** Whether the system refused with one of these. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
