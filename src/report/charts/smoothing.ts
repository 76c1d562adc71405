import type { Point } from './axes.ts';

/** Points over which a curve is averaged: a twentieth of all. */
const averagedShare = 1 / 20;

/**
 * The exponential moving average of the values, s = d s + (1 - d) y with d = 1 - 20 / n of n points, over 1 - d^t
 * after t points (Kingma and Ba 2015, section 3), so that the start is not pulled to 0. At most 20 points stay as they
 * are.
 */
export function smoothed(points: readonly Point[]): readonly Point[] {
  const decay = Math.max(0, 1 - 1 / (averagedShare * points.length));
  let [average, weight] = [0, 0];
  return points.map(({ x, y }) => {
    average = decay * average + (1 - decay) * y;
    weight = decay * weight + (1 - decay);
    return { x, y: average / weight };
  });
}
