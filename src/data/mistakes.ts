import { UserError } from '../core/diagnostic.ts';
import { choice, key } from '../core/schema.ts';
import { counted } from '../core/words.ts';

/** Mistakes in files that are reported at once; looking for more would take as long as reading everything. */
const mostMistakes = 10;

/** Collects what users did wrong in the files of a data set, to tell them all at once. */
export interface Mistakes {
  /** What `read` gives, or null after a mistake, or when there have been enough. */
  readonly attempt: <T>(read: () => T) => T | null;
  /** Whether there are as many as are reported. */
  readonly hasEnough: () => boolean;
  /** @throws UserError with all mistakes, if there were any */
  readonly check: () => void;
}

export function collectMistakes(): Mistakes {
  const found: UserError[] = [];
  return {
    attempt(read) {
      if (found.length >= mostMistakes) return null;
      try {
        return read();
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        found.push(error);
        return null;
      }
    },
    hasEnough: () => found.length >= mostMistakes,
    check() {
      if (found.length > 0) throw new UserError(found.flatMap(({ diagnostics }) => diagnostics));
    },
  };
}

/** `broken:` of sources whose files are examples or recordings. */
export const brokenFiles = choice(['refuse', 'skip'], {
  ...key('What to do with files that cannot be decoded: name the first ten and end, or leave all such files out'),
  default: 'refuse',
});

/** Files that are not decoded, by the word of `broken`. */
export interface BrokenFiles {
  /** What `read` gives, or null for a file that is to be left out. */
  readonly attempt: <T>(file: string, read: () => T) => T | null;
  /** Whether going on cannot change what is reported. */
  readonly hasEnough: () => boolean;
  /** @throws UserError where broken files are refused and there were any */
  readonly check: () => void;
  /** A sentence about files that are left out; none where there are none. */
  readonly notes: () => string[];
}

export function collectBroken(broken: 'refuse' | 'skip'): BrokenFiles {
  const mistakes = collectMistakes();
  const skipped: string[] = [];
  return {
    attempt(file, read) {
      if (broken === 'refuse') return mistakes.attempt(read);
      // One collector a file: the limit is on what is reported.
      const value = collectMistakes().attempt(read);
      if (value === null) skipped.push(file);
      return value;
    },
    hasEnough: mistakes.hasEnough,
    check: mistakes.check,
    notes: () =>
      listNotes(
        skipped,
        (count) => `${counted(count, 'file')} cannot be decoded and ${count === 1 ? 'is' : 'are'} left out`,
      ),
  };
}

/** A sentence about files that are left out; none where there are none. */
export function ignoredNotes(names: readonly string[]): string[] {
  return listNotes(names, (count) => (count === 1 ? '1 file is no example' : `${count} files are no example`));
}

/** What is said of some, with the names of three; nothing of none. */
export function listNotes(names: readonly string[], said: (count: number) => string): string[] {
  if (names.length === 0) return [];
  const more = names.length > 3 ? ` and ${names.length - 3} more` : '';
  return [`${said(names.length)}: ${names.slice(0, 3).join(', ')}${more}`];
}
