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
