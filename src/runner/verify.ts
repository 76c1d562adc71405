/** Looks at every file of a store, whether it is what its name or its seal says, and sets aside what is not. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { hasCode } from './claim.ts';
import { filesAt } from './collected.ts';
import { namesIn } from './folder.ts';
import { readingFrom } from './disk-error.ts';
import { keyOf } from './fingerprint.ts';
import { parsePin } from './pins.ts';
import { unseal } from './sealed.ts';
import type { Store } from './store.ts';
import { moveToCorrupt, objectPath, parseRecord, writing } from './store.ts';
import { UserError } from '../core/diagnostic.ts';

export interface Fault {
  /** Where it was, below the store. */
  readonly file: string;
  readonly found: string;
  /** Null when it could not be moved. */
  readonly movedTo: string | null;
}

export interface Verification {
  /** How many files, or folders of files that belong together, were looked at. */
  readonly checked: number;
  readonly faults: readonly Fault[];
}

/** What is wrong with a file or folder; null when nothing is. */
export type Check = (path: string) => Promise<string | null>;

/** A kind of files that the runner does not know: the paths that belong together, and what is wrong with one. */
export interface MoreFiles {
  readonly paths: (store: string) => Promise<readonly string[]>;
  readonly check: Check;
}

/**
 * Checks all files and moves those that are damaged to `corrupt/`, so that what they were of is made again.
 *
 * @param onFault called for each at once
 */
export async function verifyStore(
  store: Store,
  more: readonly MoreFiles[],
  onFault: (fault: Fault) => void,
  signal: AbortSignal,
): Promise<Verification> {
  const faults: Fault[] = [];
  let checked = 0;
  const all: readonly MoreFiles[] = [
    ...sections(store).map(([section, check]) => ({
      paths: async (root: string) => (await filesAt(join(root, section))).map(({ path }) => path),
      check,
    })),
    ...more,
  ];
  for (const { paths, check } of all) {
    for (const path of await paths(store.folder)) {
      signal.throwIfAborted();
      const found = await examine(check, path);
      if (found === 'vanished') continue;
      checked++;
      if (found === null) continue;
      const fault = { file: relative(store.folder, path), found, movedTo: await setAside(store, path) };
      faults.push(fault);
      onFault(fault);
    }
  }
  return { checked, faults };
}

async function examine(check: Check, path: string): Promise<string | null> {
  try {
    return await readingFrom(path, 'it', () => check(path));
  } catch (error) {
    // A collection, or a run that replaced it.
    if (hasCode(error, 'ENOENT')) return 'vanished';
    if (error instanceof UserError) return error.diagnostics.map(({ message }) => message).join('; ');
    throw error;
  }
}

async function setAside(store: Store, path: string): Promise<string | null> {
  return writing(store, () => moveToCorrupt(store, path, basename(path)));
}

/** Files before the records that need them. */
function sections(store: Store): readonly (readonly [section: string, check: Check])[] {
  const text = (check: (text: string, path: string) => string | null | Promise<string | null>): Check => {
    return async (path) => check(await readFile(path, 'utf8'), path);
  };
  const key = (path: string): string => basename(path, '.json');
  return [
    ['objects', async (path) => ((await sha256(path)) === hexOf(path) ? null : 'its bytes are not those of its name')],
    ['preimage', text((content, path) => (keyOf(content) === key(path) ? null : 'its key is not its name'))],
    [
      'memory',
      text((content, path) =>
        unseal(content)?.['key'] === `sha256:${key(path)}` ? null : 'it is not as it was written, or not of this name',
      ),
    ],
    [
      'actions',
      text(async (content, path) => {
        const record = parseRecord(content, key(path));
        if (record === null) return 'the record is not as it was written, or not of this name';
        for (const [name, { digest }] of Object.entries(record.outputs)) {
          if (await isMissing(objectPath(store, digest))) return `the file of its output "${name}" is missing`;
        }
        return null;
      }),
    ],
    [
      'ckpt',
      async (path) => {
        const [, digest] = /^\d+-\d+-([0-9a-f]{64})$/.exec(basename(path)) ?? [];
        return digest === (await sha256(path)) ? null : 'its bytes are not those of its name';
      },
    ],
    [
      'pins',
      text((content, path) =>
        parsePin(content, basename(path)) === null ? 'the pin is not as it was written; pin the run again' : null,
      ),
    ],
  ];
}

/** `cd…` in the folder `ab` is `abcd…`. */
const hexOf = (path: string): string => basename(dirname(path)) + basename(path);

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest('hex');
}

async function isMissing(path: string): Promise<boolean> {
  try {
    await access(path);
    return false;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return true;
    throw error;
  }
}

/** The entries of folders two levels below a section, `ab/cdef…`, or of the section itself. */
export async function entriesIn(folder: string, levels: 1 | 2): Promise<readonly string[]> {
  const paths = (await namesIn(folder)).map((name) => join(folder, name));
  return levels === 1 ? paths : (await Promise.all(paths.map((path) => entriesIn(path, 1)))).flat();
}
