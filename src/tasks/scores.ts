/** What tasks with a score of all examples together have in common. */
import type { ScoreTest } from '../measurements/metrics.ts';
import { ofEachModel, summarize } from './errors.ts';
import type { Tested } from './tested.ts';

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
): Pick<ScoreTest, 'score' | 'costs'> {
  const scores = ofEachModel(tested, (outputs) => jackknife(countsOf(outputs), statistic));
  const score = ({ value, pseudo }: (typeof scores)['int8']) => ({ value, deviation: summarize(pseudo).deviation });
  const optional = (of: (typeof scores)['float']) => (of === null ? null : score(of));
  const fall = (from: (typeof scores)['int8'], to: (typeof scores)['int8']) => ({
    mean: from.value - to.value,
    deviation: summarize(from.pseudo.map((value, index) => value - to.pseudo[index]!)).deviation,
  });
  const { float, qat_float: qatFloat, int8 } = scores;
  return {
    score: {
      float: optional(float),
      qat_float: score(qatFloat),
      fake_quant: score(scores.fake_quant),
      int8: score(int8),
      int8_litert: optional(scores.int8_litert),
    },
    costs: {
      whole: float === null ? null : fall(float, int8),
      training: float === null ? null : fall(float, qatFloat),
      quantization: fall(qatFloat, int8),
    },
  };
}

/** Of the score from float to int8; null without a float model. */
export function scoreDrop({ score: { float, int8 } }: Pick<ScoreTest, 'score'>): number | null {
  return float === null ? null : float.value - int8.value;
}
