/** Whether one run did better than another beyond chance. */
import {
  holm,
  mcnemarExact,
  meanInterval,
  pairedShareDifference,
  shareDifference,
  spreadOf,
  studentTail,
} from '../statistics.ts';
import type { Interval } from '../statistics.ts';
import type { Contrast, Judgement, Kind } from './schema.ts';
import type { Tested, Value } from './tested.ts';

const significance = 0.05;

/** Positive where `b` is better. */
export const gain = (kind: Kind, a: number, b: number): number => (kind === 'error' ? a - b : b - a);

/**
 * Int8 of `b` against that of `a`: on the same examples where both kept what they answered to each.
 *
 * @returns null where one of them has no result, or they measure different things
 */
export function contrastInt8(a: Tested | null, b: Tested | null): Contrast | null {
  if (a === null || b === null || a.kind !== b.kind || a.measure !== b.measure) return null;
  const [x, y] = [a.values.int8, b.values.int8];
  if (x === null || y === null) return null;
  const because = whyUnpaired(a, b);
  if (because !== null) return unpaired(a.kind, x, y, because);
  return a.kind === 'accuracy' ? pairedShares(a, b, x, y) : pairedValues(a, b, x, y);
}

/** Of a model whose answers to the single examples are not kept. */
export function contrastApart(kind: Kind, a: Value | null, b: Value | null): Contrast | null {
  return a === null || b === null ? null : unpaired(kind, a, b, 'only what int8 answers is kept by example');
}

function whyUnpaired(a: Tested, b: Tested): string | null {
  if (a.outcomes.length === 0 || b.outcomes.length === 0) {
    return 'a run was recorded by a version of qpipe that did not keep what was answered to each example';
  }
  if (a.examples === null || a.examples !== b.examples) return 'the runs were tested on different examples';
  if (a.outcomes.length !== b.outcomes.length) return 'the runs were tested on different numbers of examples';
  return null;
}

function pairedShares(a: Tested, b: Tested, x: Value, y: Value): Contrast {
  const flips = countFlips(a, b);
  const { low, high } = pairedShareDifference(flips.onlyFirst, flips.onlyThis, y.n);
  const p = mcnemarExact(flips.onlyFirst, flips.onlyThis);
  return {
    ...{ difference: y.value - x.value, low, high, p, method: 'mcnemar', unpairedBecause: null },
    judgement: 'not_judged',
  };
}

function countFlips(a: Tested, b: Tested): { readonly onlyFirst: number; readonly onlyThis: number } {
  const count = (test: (first: number, second: number) => boolean): number =>
    a.outcomes.reduce((sum, first, index) => sum + (test(first, b.outcomes[index] ?? first) ? 1 : 0), 0);
  return { onlyFirst: count((first, second) => first > second), onlyThis: count((first, second) => first < second) };
}

/** The difference of errors is their mean difference; that of scores has the spread of the pseudo-values' differences. */
function pairedValues(a: Tested, b: Tested, x: Value, y: Value): Contrast {
  const differences = Array.from(b.outcomes, (value, index) => value - (a.outcomes[index] ?? 0));
  const { n, deviation } = spreadOf(differences);
  const difference = y.value - x.value;
  const common = { difference, method: 'paired' as const, unpairedBecause: null, judgement: 'not_judged' as const };
  if (deviation === null) return { ...common, low: null, high: null, p: null };
  const { low, high } = meanInterval(difference, deviation, n);
  return { ...common, low, high, p: probabilityOf(difference, deviation, n) };
}

function probabilityOf(difference: number, deviation: number, n: number): number {
  if (deviation === 0) return difference === 0 ? 1 : 0;
  return studentTail((Math.abs(difference) * Math.sqrt(n)) / deviation, n - 1);
}

function unpaired(kind: Kind, a: Value, b: Value, unpairedBecause: string): Contrast {
  const { low, high } = kind === 'accuracy' ? shares(a, b) : apart(a, b);
  const difference = b.value - a.value;
  const isSame = difference === 0 && a.n === b.n;
  const judgement = isSame ? 'same' : low > 0 || high < 0 ? betterOrWorse(kind, difference) : 'chance';
  return { ...{ difference, low, high, p: null, method: 'unpaired', unpairedBecause }, judgement };
}

const shares = (a: Value, b: Value): Interval =>
  shareDifference({ correct: a.value * a.n, n: a.n }, { correct: b.value * b.n, n: b.n });

/** The half widths of both intervals, as independent errors add. */
function apart(a: Value, b: Value): Interval {
  const [x, y] = [a, b].map(({ interval, value }) => ({ below: value - interval.low, above: interval.high - value }));
  const difference = b.value - a.value;
  return {
    low: difference - Math.hypot(y?.below ?? 0, x?.above ?? 0),
    high: difference + Math.hypot(y?.above ?? 0, x?.below ?? 0),
  };
}

const betterOrWorse = (kind: Kind, difference: number): Judgement =>
  gain(kind, 0, difference) > 0 ? 'better' : 'worse';

/**
 * Corrects the p-values for being several, and judges by them.
 *
 * @param sameAnswers whether this pair answered every example alike
 */
export function judgeTogether(
  pairs: readonly { readonly kind: Kind; readonly contrast: Contrast; readonly sameAnswers: boolean }[],
): readonly Contrast[] {
  const known = pairs.flatMap(({ contrast }) => contrast.p ?? []);
  const corrected = holm(known);
  let next = 0;
  return pairs.map(({ kind, contrast, sameAnswers }) => {
    if (contrast.p === null) return contrast;
    const p = corrected[next++] ?? contrast.p;
    const judgement = sameAnswers ? 'same' : p < significance ? betterOrWorse(kind, contrast.difference) : 'chance';
    return { ...contrast, p, judgement };
  });
}

/** Whether int8 of both answered each example alike, as far as right and wrong or errors tell. */
export const answersAlike = (a: Tested, b: Tested): boolean =>
  a.outcomes.length > 0 &&
  a.outcomes.length === b.outcomes.length &&
  a.outcomes.every((value, index) => value === b.outcomes[index]);

const mostExamples = 20;

export interface FlippedExamples {
  readonly onlyFirst: number;
  readonly onlyThis: number;
  readonly firstExamples: number[];
  readonly thisExamples: number[];
}

/** Which examples one of two runs gets right, or less wrong, than the other. Null where they cannot be paired. */
export function flippedExamples(a: Tested, b: Tested): FlippedExamples | null {
  if (a.kind !== b.kind || a.measure !== b.measure || whyUnpaired(a, b) !== null) return null;
  const gains = Array.from(a.outcomes, (value, index) => ({
    index,
    gain: gain(a.kind, value, b.outcomes[index] ?? value),
  }));
  const first = gains.filter((one) => one.gain < 0).sort((x, y) => x.gain - y.gain || x.index - y.index);
  const second = gains.filter((one) => one.gain > 0).sort((x, y) => y.gain - x.gain || x.index - y.index);
  const listed = (examples: typeof gains): number[] => examples.slice(0, mostExamples).map(({ index }) => index);
  return {
    ...{ onlyFirst: first.length, onlyThis: second.length },
    ...{ firstExamples: listed(first), thisExamples: listed(second) },
  };
}
