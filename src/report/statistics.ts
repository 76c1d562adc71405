import { exp, log } from '../core/math.ts';

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** The two-sided 95 % quantile of the normal distribution. */
const Z95 = 1.959963984540054;

/**
 * The 95 % score interval of a share, which stays inside 0..1 and is sound for small n and extreme shares.
 *
 * @see E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927)
 */
export function wilsonInterval(correct: number, n: number): Interval {
  if (n === 0) return { low: 0, high: 1 };
  const share = correct / n;
  const z2 = Z95 * Z95;
  const center = (share + z2 / (2 * n)) / (1 + z2 / n);
  const half = (Z95 / (1 + z2 / n)) * Math.sqrt((share * (1 - share)) / n + z2 / (4 * n * n));
  return { low: Math.max(0, center - half), high: Math.min(1, center + half) };
}

/** The 95 % interval of a mean of n independent values, by the normal distribution: sound from some 30 values on. */
export function meanInterval(mean: number, deviation: number, n: number): Interval {
  const half = n === 0 ? 0 : (Z95 * deviation) / Math.sqrt(n);
  return { low: mean - half, high: mean + half };
}

/**
 * The 95 % interval of `b - a` for two shares that were counted apart, by the score intervals of both.
 *
 * @see R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17
 *   (1998), method 10
 */
export function shareDifference(a: Counted, b: Counted): Interval {
  const [x, y] = [a.correct / a.n, b.correct / b.n];
  const [first, second] = [wilsonInterval(a.correct, a.n), wilsonInterval(b.correct, b.n)];
  return {
    low: y - x - Math.hypot(y - second.low, first.high - x),
    high: y - x + Math.hypot(second.high - y, x - first.low),
  };
}

export interface Counted {
  readonly correct: number;
  readonly n: number;
}

/**
 * The 95 % interval of the change of a share on the same n examples.
 *
 * @see D. G. Bonett, R. M. Price, "Adjusted Wald confidence interval for a difference of binomial proportions based on
 *   paired data", J. Educational and Behavioral Statistics 37 (2012)
 */
export function pairedShareDifference(rightToWrong: number, wrongToRight: number, n: number): Interval {
  const [lost, won] = [(rightToWrong + 1) / (n + 2), (wrongToRight + 1) / (n + 2)];
  const half = Z95 * Math.sqrt((lost + won - (won - lost) ** 2) / (n + 2));
  return { low: Math.max(-1, won - lost - half), high: Math.min(1, won - lost + half) };
}

export function overlaps(a: Interval, b: Interval): boolean {
  return a.low <= b.high && b.low <= a.high;
}

/**
 * Two-sided exact McNemar test: the probability of a split at least as uneven as this one, if every disagreement
 * were a fair coin. Paired, so it sees a drop that two overlapping intervals hide.
 *
 * @see Q. McNemar, Psychometrika 12 (1947); the binomial form
 */
export function mcnemarExact(rightToWrong: number, wrongToRight: number): number {
  const n = rightToWrong + wrongToRight;
  const fewer = Math.min(rightToWrong, wrongToRight);
  // The largest term of the tail in logarithms, since 2^-n underflows beyond n = 1074; the rest by ratios.
  let logTerm = -n * Math.LN2;
  for (let k = 1; k <= fewer; k++) logTerm += log((n - k + 1) / k);
  let term = exp(logTerm);
  let tail = 0;
  for (let k = fewer; k >= 0; k--) {
    tail += term;
    term *= k / (n - k + 1);
  }
  return Math.min(1, 2 * tail);
}

/**
 * The 95 % interval of a difference of two shares that were counted on the same n examples, as shares: what `lost` says
 * less what `gained` says. Half an example is added to each of the four cells, which keeps it sound where few differ.
 *
 * @see A. Agresti, Y. Min, "Simple improved confidence intervals for comparing matched proportions", Statistics in
 *   Medicine 24 (2005)
 */
export function pairedShareInterval(lost: number, gained: number, n: number): Interval {
  const total = n + 2;
  const difference = lost - gained;
  const variance = lost + gained + 1 - (difference * difference) / total;
  const half = (Z95 * Math.sqrt(variance)) / total;
  return { low: Math.max(-1, difference / total - half), high: Math.min(1, difference / total + half) };
}

/** Of some values: their mean, how far they lie from it, and the outermost. */
export interface Spread {
  readonly n: number;
  readonly mean: number;
  /** Standard deviation of the sample, by n - 1; null for a single value. */
  readonly deviation: number | null;
  readonly low: number;
  readonly high: number;
}

/** @param values at least one */
export function spreadOf(values: readonly number[]): Spread {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    ...{ n, mean, low: Math.min(...values), high: Math.max(...values) },
    deviation: n > 1 ? Math.sqrt(squares / (n - 1)) : null,
  };
}

/**
 * The two-sided p-value of paired differences by Student's t: the probability of a mean at least this far from 0 if the
 * differences were drawn around 0. 1 where all are 0; null for fewer than two, which say nothing of their spread.
 */
export function pairedT(differences: ArrayLike<number>): number | null {
  const { n, mean, deviation } = spreadOf(Array.from(differences));
  if (n < 2 || deviation === null) return null;
  if (deviation === 0) return mean === 0 ? 1 : 0;
  return studentTail((Math.abs(mean) * Math.sqrt(n)) / deviation, n - 1);
}

/**
 * P(|T| > t) of Student's distribution, by the finite series for whole degrees of freedom.
 *
 * @param t at least 0
 * @param freedom degrees of freedom, at least 1
 * @see Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.7.3 and 26.7.4
 */
export function studentTail(t: number, freedom: number): number {
  const angle = Math.atan(t / Math.sqrt(freedom));
  const cosine = 1 / Math.sqrt(1 + (t * t) / freedom);
  const sine = (t / Math.sqrt(freedom)) * cosine;
  const odd = freedom % 2 === 1;
  let term = odd ? cosine : 1;
  let sum = freedom === 1 ? 0 : term;
  for (let k = odd ? 3 : 2; k <= freedom - 2; k += 2) {
    term *= ((k - 1) / k) * cosine * cosine;
    sum += term;
  }
  const inside = odd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum;
  return Math.min(1, Math.max(0, 1 - inside));
}

/**
 * p-values corrected for being several: what is below 0.05 then is so for all comparisons together.
 *
 * @see S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6 (1979)
 */
export function holm(values: readonly number[]): number[] {
  const order = values.map((_, index) => index).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  const corrected = [...values];
  let largest = 0;
  for (const [rank, index] of order.entries()) {
    largest = Math.max(largest, Math.min(1, (values.length - rank) * (values[index] ?? 0)));
    corrected[index] = largest;
  }
  return corrected;
}
