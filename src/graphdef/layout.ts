import { internal } from '../core/assert.ts';

/** Undoes a permutation: `invert(p)[p[i]]` is i. */
export function invertPermutation(permutation: readonly number[]): readonly number[] {
  const inverse = permutation.map(() => 0);
  for (const [to, from] of permutation.entries()) inverse[from] = to;
  return inverse;
}

/** Where an axis goes under a permutation. */
export function movedAxis(axis: number, permutation: readonly number[]): number {
  const to = permutation.indexOf(axis);
  return to < 0 ? internal(`axis ${axis} is not in the permutation [${permutation.join(',')}]`) : to;
}
