import { UserError } from '../core/diagnostic.ts';

/** Mistakes in files that are reported at once; looking for more would take as long as reading everything. */
const mostMistakes = 10;

/** Collects what users did wrong in the files of a data set, to tell them all at once. */
export interface Mistakes {
  /** What `read` gives, or null after a mistake, or when there have been enough. */
  readonly attempt: <T>(read: () => T) => T | null;
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
    check() {
      if (found.length > 0) throw new UserError(found.flatMap(({ diagnostics }) => diagnostics));
    },
  };
}

/** A sentence about files that are left out; none where there are none. */
export function ignoredNotes(names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const shown = names.slice(0, 3).join(', ');
  const more = names.length > 3 ? ` and ${names.length - 3} more` : '';
  return [`${names.length} ${names.length === 1 ? 'file is' : 'files are'} no example: ${shown}${more}`];
}
