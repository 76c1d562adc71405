/** What tasks that measure an error of every example have in common. */
import type { ImageErrors, RegressTest } from '../measurements/metrics.ts';
import type { OfModels } from './models.ts';
import { costsOf, mapModels } from './models.ts';
import { outcomesOf } from './tested.ts';

/** Mean and standard deviation over the examples. */
export function summarize(errors: Float64Array): ImageErrors {
  const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  const squares = errors.reduce((sum, error) => sum + (error - mean) ** 2, 0);
  return { mean, deviation: errors.length > 1 ? Math.sqrt(squares / (errors.length - 1)) : 0 };
}

/** The mean of every model's errors, and what the error of each example grows by. */
export function summarizeModels(errors: OfModels<Float64Array>) {
  return {
    outcomes: outcomesOf(errors.int8),
    error: mapModels(errors, summarize),
    costs: costsOf(errors, (from, to) => summarize(to.map((error, index) => error - from[index]!))),
  };
}

/** Of the mean error from float to int8, as a share of that of float; null without a float model. */
export function errorRise({ error: { float, int8 } }: Pick<RegressTest, 'error'>): number | null {
  return float === null ? null : int8.mean / float.mean - 1;
}
