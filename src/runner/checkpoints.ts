/**
 * What a stage that takes long has come to, so that it can go on after its process was killed. The runner does not know
 * what the bytes mean. Under `ckpt/<trajectory key>/` of the store, each file is named
 *
 *     <number>-<step>-<sha256 of its bytes>
 *
 * with numbers that rise. The newest two stay: when the last is damaged, the one before is used.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../core/diagnostic.ts';
import { explainWriteError } from './disk-error.ts';
import { makeFolder, moveDurably, writeDurably } from './durable.ts';
import type { UntimedEvent } from './event.ts';
import type { Checkpoints } from './plan.ts';
import type { Store } from './store.ts';
import { temporaryPath } from './store.ts';

export interface CheckpointOptions {
  readonly store: Store;
  /** All that the steps depend on, 64 hex digits; see `trajectoryKey`. */
  readonly trajectory: string;
  /** Of the stage, for events. */
  readonly name: string;
  readonly emit: (event: UntimedEvent) => void;
  /** Whether to begin where an earlier execution was. */
  readonly existing: 'use' | 'ignore';
}

const kept = 2;

export function openCheckpoints({ store, trajectory, name, emit, existing }: CheckpointOptions): Checkpoints {
  const folder = join(store.folder, 'ckpt', trajectory);
  let isRefused = false;

  const setAside = async (file: Entry, found: string): Promise<void> => {
    const target = join(store.folder, 'corrupt', `checkpoint-${file.step}-${store.randomHex()}`);
    const movedTo = await rename(join(folder, file.name), target).then(
      () => target,
      () => null,
    );
    emit({ kind: 'checkpoint-damaged', stage: name, found: `the checkpoint of step ${file.step} ${found}`, movedTo });
  };

  return {
    async latest(use) {
      if (existing === 'ignore') return null;
      for (const file of await entries(folder)) {
        const path = join(folder, file.name);
        try {
          const bytes = await readFile(path);
          if (digestOf(bytes) === file.digest) {
            const used = use(bytes, path);
            if (used !== null) return used;
          } else await setAside(file, 'is damaged');
        } catch (error) {
          if (error instanceof UserError) {
            await setAside(file, `is of no use: ${error.diagnostics.map(({ message }) => message).join('; ')}`);
          } else if (!isOfDisk(error)) throw error;
          // Gone: another execution of the same steps is further and has removed it.
          else if (error.code !== 'ENOENT') await setAside(file, `cannot be read (${error.code})`);
        }
      }
      return null;
    },

    async save(bytes, step) {
      try {
        await makeFolder(folder);
        const before = await entries(folder);
        const number = 1 + (before[0]?.number ?? 0);
        const file = join(folder, `${String(number).padStart(8, '0')}-${step}-${digestOf(bytes)}`);
        const temporary = temporaryPath(store);
        await writeDurably(temporary, bytes, 0o444);
        await moveDurably(temporary, file).catch(async (error: unknown) => {
          await rm(temporary, { force: true });
          throw error;
        });
        for (const old of before.slice(kept - 1)) await rm(join(folder, old.name), { force: true });
      } catch (error) {
        if (!isOfDisk(error)) throw error;
        if (isRefused) return;
        isRefused = true;
        emit({ kind: 'checkpoint-refused', stage: name, ...refusalOf(error, store.folder) });
      }
    },
  };
}

/** The step of the newest checkpoint; null without one. It is not read, so that it may be damaged. */
export async function newestStep({ folder }: Pick<Store, 'folder'>, trajectory: string): Promise<number | null> {
  const [newest] = await entries(join(folder, 'ckpt', trajectory));
  return newest === undefined ? null : Number(newest.step);
}

interface Entry {
  readonly name: string;
  readonly number: number;
  readonly step: string;
  readonly digest: string;
}

/** The newest first; empty where there is no folder. */
async function entries(folder: string): Promise<readonly Entry[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    // Where nothing can be read, there is nothing to go on from; saving then says what is wrong.
    if (isOfDisk(error)) return [];
    throw error;
  });
  return names
    .flatMap((name): Entry[] => {
      const [, number, step = '', digest = ''] = /^(\d{8,})-(\d+)-([0-9a-f]{64})$/.exec(name) ?? [];
      return number === undefined ? [] : [{ name, number: Number(number), step, digest }];
    })
    .sort((a, b) => b.number - a.number);
}

function refusalOf(error: unknown, folder: string): { readonly message: string; readonly hint: string | null } {
  const explained = explainWriteError(error, folder, 'the checkpoint of a training');
  const [diagnostic] = explained instanceof UserError ? explained.diagnostics : [];
  return { message: diagnostic?.message ?? explained.message, hint: diagnostic?.hint ?? null };
}

/** Other errors are ours. */
function isOfDisk(error: unknown): error is NodeJS.ErrnoException & { readonly code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
