/** How well numbers tell some examples from others. */

/**
 * The area under the ROC curve: the probability that a positive example has a larger value than a negative one, ties
 * counted half.
 *
 * @param isPositive by example
 * @returns null where all examples are of one kind
 * @see Hanley and McNeil 1982, the meaning and use of the area under a ROC curve
 */
export function areaUnderCurve(values: ArrayLike<number>, isPositive: (index: number) => boolean): number | null {
  const order = Array.from({ length: values.length }, (_, index) => index).sort((a, b) => values[a]! - values[b]!);
  let [rankSum, positives] = [0, 0];
  for (let start = 0; start < order.length;) {
    let end = start + 1;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    // Equal values share the mean of their ranks, which are counted from 1.
    const rank = (start + 1 + end) / 2;
    for (; start < end; start++) {
      if (!isPositive(order[start]!)) continue;
      rankSum += rank;
      positives++;
    }
  }
  const negatives = order.length - positives;
  if (positives === 0 || negatives === 0) return null;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/** What a threshold is chosen for. */
export const thresholdAims = ['balanced_accuracy', 'accuracy', 'f1'] as const;
export type ThresholdAim = (typeof thresholdAims)[number];

/**
 * The threshold from which on values count as positive that serves the aim best, of those half-way between neighbouring
 * values; of equally good ones the one in the middle.
 *
 * @returns null where all examples are of one kind, or all values are equal
 */
export function bestThreshold(
  values: ArrayLike<number>,
  isPositive: (index: number) => boolean,
  aim: ThresholdAim,
): number | null {
  const order = Array.from({ length: values.length }, (_, index) => index).sort((a, b) => values[a]! - values[b]!);
  const positives = order.filter(isPositive).length;
  const negatives = order.length - positives;
  if (positives === 0 || negatives === 0) return null;
  let [best, found] = [-Infinity, [] as number[]];
  // Below the threshold lie `missed` positive and `rejected` negative examples.
  let [missed, rejected] = [0, 0];
  for (let at = 0; at + 1 < order.length; at++) {
    if (isPositive(order[at]!)) missed++;
    else rejected++;
    const [value, next] = [values[order[at]!]!, values[order[at + 1]!]!];
    if (value === next) continue;
    const quality = qualityOf(aim, positives - missed, negatives - rejected, missed, rejected);
    if (quality > best) [best, found] = [quality, []];
    if (quality === best) found.push((value + next) / 2);
  }
  return found[(found.length - 1) >> 1] ?? null;
}

/** @param right positives that are found; `wrong` negatives that are taken for positive */
function qualityOf(aim: ThresholdAim, right: number, wrong: number, missed: number, rejected: number): number {
  switch (aim) {
    case 'balanced_accuracy':
      return (right / (right + missed) + rejected / (wrong + rejected)) / 2;
    case 'accuracy':
      return right + rejected;
    case 'f1':
      return (2 * right) / (2 * right + wrong + missed);
  }
}
