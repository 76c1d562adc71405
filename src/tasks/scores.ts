/** What tasks with a score of all examples together have in common. */
import type { ScoreTest } from '../measurements/metrics.ts';
import { summarize } from './errors.ts';
import { costsOf, mapModels, ofEachModel } from './models.ts';
import type { Tested } from './tested.ts';
import { outcomesOf } from './tested.ts';

/** Numbers of each example that add up over examples: [count, values]. */
export interface Counts {
  readonly values: number;
  readonly data: Float64Array;
}

/** A score of the sums of the counts. */
export type Statistic = (totals: Float64Array) => number;

/**
 * A score and its pseudo-values, whose standard error is that of the score.
 *
 * @see Efron and Tibshirani 1993, section 11.5
 */
export function jackknife(counts: Counts, statistic: Statistic): { value: number; pseudo: Float64Array } {
  const { values, data } = counts;
  const count = data.length / values;
  const totals = totalsOf(counts);
  const value = statistic(totals);
  const without = new Float64Array(values);
  const pseudo = Float64Array.from({ length: count }, (_, example) => {
    for (let at = 0; at < values; at++) without[at] = totals[at]! - data[example * values + at]!;
    return count * value - (count - 1) * statistic(without);
  });
  return { value, pseudo };
}

/** Of all examples. */
export function totalsOf({ values, data }: Counts): Float64Array {
  const totals = new Float64Array(values);
  for (const [at, count] of data.entries()) totals[at % values]! += count;
  return totals;
}

/** The score of every model, and what it falls by. */
export function scoresOf(
  tested: Tested,
  countsOf: (outputs: Float32Array) => Counts,
  statistic: Statistic,
): Pick<ScoreTest, 'score' | 'costs' | 'outcomes'> {
  const scores = ofEachModel(tested, (outputs) => jackknife(countsOf(outputs), statistic));
  return {
    outcomes: outcomesOf(scores.int8.pseudo),
    score: mapModels(scores, ({ value, pseudo }) => ({ value, deviation: summarize(pseudo).deviation })),
    costs: costsOf(scores, (from, to) => ({
      mean: from.value - to.value,
      deviation: summarize(from.pseudo.map((value, index) => value - to.pseudo[index]!)).deviation,
    })),
  };
}

/** Of the score from float to int8; null without a float model. */
export function scoreDrop({ score: { float, int8 } }: Pick<ScoreTest, 'score'>): number | null {
  return float === null ? null : float.value - int8.value;
}
