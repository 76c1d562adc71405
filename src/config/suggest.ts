import { closest, distance } from 'fastest-levenshtein';

/** The candidate that was probably meant: at most two letters away or 30 % of them, or part of what was written. */
export function suggestion(written: string, candidates: readonly string[]): string | null {
  if (candidates.length === 0) return null;
  const lower = written.toLowerCase();
  const best = closest(lower, candidates);
  const letters = distance(lower, best.toLowerCase());
  // Two letters of three are another word, unless they are only in another order.
  const sorted = (word: string): string => word.split(/(?:)/u).sort().join('');
  const most = Math.max(written.length > 3 || sorted(lower) === sorted(best) ? 2 : 1, 0.3 * written.length);
  if (letters <= most && letters < best.length) return best;
  // As in batch_size, kernel_size, num_epochs; shorter words are part of too many others.
  return candidates.find((candidate) => candidate.length > 3 && lower.split(/[_-]/).includes(candidate)) ?? null;
}

/** A hint for a word that is none of the candidates. */
export function didYouMean(written: string, candidates: readonly string[]): string {
  const meant = suggestion(written, candidates);
  if (meant !== null) return `did you mean \`${meant}\`?`;
  return candidates.length === 0 ? 'there is none to choose from' : `one of ${list(candidates)}`;
}

export const list = (words: readonly string[]): string => words.map((word) => `\`${word}\``).join(', ');
