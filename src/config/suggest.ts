import { closest, distance } from 'fastest-levenshtein';

/** The candidate that was probably meant: at most two letters away, or 30 % of them. */
function suggestion(written: string, candidates: readonly string[]): string | null {
  if (candidates.length === 0) return null;
  const best = closest(written.toLowerCase(), candidates);
  const letters = distance(written.toLowerCase(), best.toLowerCase());
  return letters <= Math.max(2, 0.3 * written.length) && letters < best.length ? best : null;
}

/** A hint for a word that is none of the candidates. */
export function didYouMean(written: string, candidates: readonly string[]): string {
  const meant = suggestion(written, candidates);
  return meant === null ? `one of ${candidates.map((name) => `\`${name}\``).join(', ')}` : `did you mean \`${meant}\`?`;
}
