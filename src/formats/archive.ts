/** A folder, a ZIP or a tar archive as one thing: files with names, which are read one by one. */
import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { internal } from '../core/assert.ts';
import { UserError, userError } from '../core/diagnostic.ts';
import { readBytes, systemReason, unpack } from './bytes.ts';
import { detectFormat } from './detect.ts';
import { naturalOrder } from './natural-order.ts';
import type { FileState } from './file-state.ts';
import { fileState } from './file-state.ts';
import type { RandomAccess } from './random-access.ts';
import { inMemory, openFile } from './random-access.ts';
import { isTar, listTar } from './tar.ts';
import type { TreeEntry, TreeFile } from './tree-entry.ts';
import { listZip } from './zip.ts';

export interface Tree {
  /** In natural order (`naturalOrder`), each name once. */
  readonly files: () => readonly TreeFile[];
  /** The bytes of one of `files()`; the caller may change them. */
  readonly read: (name: string) => Uint8Array;
  /** The same in parts, for a file of any size. Where it is packed, its bytes are in memory until they are closed. */
  readonly open: (name: string) => RandomAccess;
  /** Changes with the file; that of an archive is the same for all of its files. */
  readonly state: (name: string) => FileState;
  readonly close: () => void;
  /** Whether its files lie on the disk, each at its name below the path. */
  readonly isFolder: boolean;
}

const remedy = 'give a folder, a .zip, a .tar or a .tar.gz file';
const unreadable = 'make it readable, or leave it out';
const mostReported = 10;

/**
 * Lists a folder, a .zip, a .tar or a .tar.gz file, told apart by content. Only a .tar.gz is read into memory.
 *
 * Entries that would be outside (absolute, or with `..`) and links are refused, all at once: an archive's links, and a
 * folder's links to other folders or out of the folder. Of entries with the same name the last one counts. Files that
 * systems leave behind are listed too; see `isSystemFile`.
 *
 * @throws UserError `unreadable-file`, `not-an-archive`, `damaged-archive`, `unsafe-entry`
 */
export function openTree(path: string): Tree {
  if (isFolder(path)) return treeOf(path, listFolder(path), () => undefined);
  const file = openFile(path, remedy);
  try {
    const head = file.read(0, 4096);
    const { kind, name } = detectFormat(head);
    if (['zip', 'npz', 'keras'].includes(kind)) return treeOf(path, listZip(file, path), file.close);
    if (isTar(head)) return treeOf(path, listTar(file, path), file.close);
    if (kind !== 'gzip') throw userError(path, 'not-an-archive', `the file is ${name}`, remedy);
  } catch (error) {
    file.close();
    throw error;
  }
  file.close();
  const bytes = unpack(readBytes(path, remedy), path, 'copy or download the file again');
  if (!isTar(bytes)) {
    throw userError(
      path,
      'not-an-archive',
      `the gzip file holds ${detectFormat(bytes).name}, not a tar archive`,
      remedy,
    );
  }
  return treeOf(path, listTar(inMemory(bytes), path), () => undefined);
}

/** Names that the systems of users put into folders and archives: `.DS_Store`, `__MACOSX/…`, `Thumbs.db`. */
export function isSystemFile(name: string): boolean {
  const parts = name.split('/');
  if (parts.some((part) => part.startsWith('.') || part === '__MACOSX')) return true;
  return ['thumbs.db', 'desktop.ini'].includes(parts.at(-1)!.toLowerCase());
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw userError(path, 'unreadable-file', systemReason(error), remedy);
  }
}

function treeOf(path: string, entries: readonly TreeEntry[], close: () => void): Tree {
  const byName = new Map<string, TreeEntry>();
  const refused: string[] = [];
  for (const entry of entries) {
    const name = safeName(entry.name);
    const refusal = entry.refusal ?? ('reason' in name ? name.reason : null);
    if (refusal !== null) refused.push(`the entry "${entry.name}" ${refusal}`);
    else if ('name' in name) byName.set(name.name, entry);
  }
  if (refused.length > 0) throw new UserError(refusals(path, refused));
  const files = Array.from(byName, ([name, entry]) => (entry.name === name ? entry : { name, size: entry.size }));
  files.sort((a, b) => naturalOrder(a.name, b.name));
  const entryOf = (name: string): TreeEntry => byName.get(name) ?? internal(`${path} has no entry ${name}`);
  let ofArchive: FileState | null = null;
  return {
    files: () => files,
    isFolder: entries.every(({ state }) => state !== undefined),
    read: (name) => entryOf(name).read(),
    open(name) {
      const entry = entryOf(name);
      return entry.open?.() ?? inMemory(entry.read());
    },
    state: (name) => entryOf(name).state ?? (ofArchive ??= fileState(path)),
    close,
  };
}

function refusals(path: string, messages: readonly string[]) {
  const diagnostic = (message: string) => ({
    code: 'unsafe-entry',
    place: { file: path },
    message,
    hint: 'only files within what is named are read; leave it out, or put the file itself in its place',
  });
  const more = messages.length - mostReported;
  const rest = more > 0 ? [diagnostic(`${more} more entries are refused`)] : [];
  return [...messages.slice(0, mostReported).map(diagnostic), ...rest];
}

/** The name without `.` and empty parts, or why it is none. */
function safeName(name: string): { readonly name: string } | { readonly reason: string } {
  if (name.startsWith('/') || /^[A-Za-z]:/.test(name)) return { reason: 'has an absolute path' };
  if (name.includes('\0')) return { reason: 'has a zero byte in its name' };
  // Nearly all names are as they should be.
  if (!/(^|\/)(\.{0,2})(\/|$)/.test(name)) return { name };
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) return { reason: 'leads out by ".."' };
  return parts.length === 0 ? { reason: 'has no name' } : { name: parts.join('/') };
}

/** A class, since there may be hundreds of thousands: closures of their own would take most of the memory. */
class FolderFile implements TreeEntry {
  readonly #root: string;
  readonly name: string;
  readonly size: number;
  readonly state: FileState;
  readonly refusal = null;

  /** @throws Error of the file system */
  constructor(root: string, name: string) {
    this.#root = root;
    this.name = name;
    const { size, stamp, changed } = fileState(this.#path);
    this.size = size;
    this.state = { stamp, changed };
  }

  get #path(): string {
    return join(this.#root, this.name);
  }

  read(): Uint8Array {
    return readBytes(this.#path, unreadable);
  }

  open(): RandomAccess {
    return openFile(this.#path, unreadable);
  }
}

/** Reads folders only, and one `stat` for each file. */
function listFolder(root: string): readonly TreeEntry[] {
  const entries: TreeEntry[] = [];
  const realRoot = realpathSync(root);
  const add = (name: string, refusal: string | null = null): void => {
    const refuse = (reason: string): void => {
      entries.push({ name, size: 0, refusal: reason, read: () => new Uint8Array(0) });
    };
    if (refusal !== null) return refuse(refusal);
    try {
      entries.push(new FolderFile(root, name));
    } catch (error) {
      refuse(`cannot be read: ${systemReason(error)}`);
    }
  };
  const visit = (folder: string): void => {
    for (const entry of children(root, folder)) {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) visit(name);
      else if (entry.isFile()) add(name);
      else if (entry.isSymbolicLink()) add(name, linkRefusal(realRoot, join(root, name)));
    }
  };
  visit('');
  return entries;
}

function children(root: string, folder: string) {
  const path = join(root, folder);
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (error) {
    throw userError(path, 'unreadable-file', systemReason(error), 'make the folder readable, or leave it out');
  }
}

function linkRefusal(realRoot: string, path: string): string | null {
  let target: string;
  try {
    target = realpathSync(path);
  } catch {
    return 'is a link to something that is not there';
  }
  if (!target.startsWith(realRoot.endsWith(sep) ? realRoot : realRoot + sep)) return 'is a link out of the folder';
  return statSync(target).isFile() ? null : 'is a link to a folder';
}
