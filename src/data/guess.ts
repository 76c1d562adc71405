/** Which source the files of a folder are for, and with which settings. */
import { statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { userError } from '../core/diagnostic.ts';
import type { Tree } from '../formats/archive.ts';
import { isSystemFile, openTree } from '../formats/archive.ts';
import { readBytes } from '../formats/bytes.ts';
import { fileState } from '../formats/file-state.ts';
import type { RandomAccess } from '../formats/random-access.ts';
import { openFile } from '../formats/random-access.ts';
import type { DataContent } from './dataset.ts';
import type { GuessedSettings, SourceGuess } from './sources/define.ts';
import { sources } from './sources/index.ts';

export interface GuessedSource extends GuessedSettings {
  /** The word after `source:`. */
  readonly source: string;
}

/**
 * @param path of a folder or archive, or of a single file
 * @throws UserError when no source reads its files, or none of the settings fits them
 */
export function guessSource(path: string): GuessedSource {
  const { files, read, open, close, pathOf } = openAny(path);
  try {
    const names = files()
      .map(({ name }) => name)
      .filter((name) => !isSystemFile(name));
    const [best] = guessers()
      .map(({ kind, guess }) => ({
        kind,
        guess,
        fits: names.filter((name) => guess.accepts(name.toLowerCase())).length,
      }))
      .sort((a, b) => b.fits - a.fits);
    if (best === undefined || best.fits === 0) throw unknownFiles(path, names);
    const contents = new Map(
      names.map((name) => [
        name,
        onDemand(
          pathOf(name),
          () => read(name),
          () => open(name),
        ),
      ]),
    );
    return { source: best.kind, ...best.guess.settings(path, contents) };
  } finally {
    close();
  }
}

/** A file that a source reads as it is, such as a table, is a tree of one; others are archives. */
function openAny(path: string): Tree & { readonly pathOf: (name: string) => string } {
  const name = basename(path);
  const isOne = statSync(path).isFile() && guessers().some(({ guess }) => guess.accepts(name.toLowerCase()));
  if (!isOne) return { ...openTree(path), pathOf: (file) => join(path, file) };
  const read = (): Uint8Array => readBytes(path, 'make the file readable');
  return {
    files: () => [{ name, size: statSync(path).size }],
    ...{ read, open: () => openFile(path, 'make the file readable'), state: () => fileState(path) },
    isFolder: false,
    close: () => undefined,
    pathOf: () => path,
  };
}

/** Content that is read on every access, so that few files are in memory at once. */
function onDemand(path: string, read: () => Uint8Array, open: () => RandomAccess): DataContent {
  return {
    ...{ path, open },
    get bytes() {
      return read();
    },
  };
}

interface Guesser {
  readonly kind: string;
  readonly guess: SourceGuess;
}

function guessers(): readonly Guesser[] {
  const rows: readonly { readonly kind: string; readonly guess?: SourceGuess }[] = Object.values(sources);
  return rows.flatMap(({ kind, guess }) => (guess === undefined ? [] : [{ kind, guess }]));
}

const mostExtensions = 5;

function unknownFiles(path: string, names: readonly string[]) {
  const counts = new Map<string, number>();
  for (const name of names) {
    const extension = extname(name).toLowerCase() || 'no extension';
    counts.set(extension, (counts.get(extension) ?? 0) + 1);
  }
  const shown = [...counts].sort(([, a], [, b]) => b - a).slice(0, mostExtensions);
  const found =
    shown.length === 0 ? 'no files' : shown.map(([extension, count]) => `${count} x ${extension}`).join(', ');
  const expected = guessers().map(({ kind, guess: { what } }) => `${what} (${kind})`);
  return userError(
    path,
    'unknown-data',
    `no source reads these files: ${found}; expected ${expected.join(', or ')}`,
    'convert the files, or write the pipeline by hand: docs/data.md describes every source',
  );
}
