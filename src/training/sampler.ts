import type { TSchema } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';

/** A value that a training measured in a step. */
interface SampledPoint {
  /** Counted from 1. */
  readonly step: number;
}

/** The points that were kept so far: all that goes on from here depends on. */
export interface Sampled<Point extends SampledPoint> {
  /** Of each so many steps, one is kept; a power of two. */
  readonly stride: number;
  readonly kept: Point[];
  /** The last point, where it is not among the kept. */
  readonly latest: Point | null;
}

export interface Sampler<Point extends SampledPoint> {
  readonly offer: (point: Point) => void;
  readonly points: () => Point[];
  readonly state: () => Sampled<Point>;
}

export const sampledSchema = <P extends TSchema>(point: P) =>
  Type.Object({
    stride: Type.Integer({ minimum: 1 }),
    kept: Type.Array(point),
    latest: Type.Union([point, Type.Null()]),
  });

/**
 * Keeps some of the points offered step by step, evenly, the first and the last always. When there are more than
 * `most`, every second one is dropped. So what is kept does not depend on how many steps are still to come: a training
 * that is continued has the points of one that was that long from the start.
 *
 * @param most even; the last point may be one more
 */
export function sampler<Point extends SampledPoint>(
  most: number,
  from: Sampled<Point> = { stride: 1, kept: [], latest: null },
): Sampler<Point> {
  let { stride, latest } = from;
  let kept = [...from.kept];
  return {
    offer(point) {
      latest = point;
      if ((point.step - 1) % stride !== 0) return;
      kept.push(point);
      latest = null;
      if (kept.length <= most) return;
      // `most` is even, so the last of one more has an even index and stays.
      kept = kept.filter((_point, index) => index % 2 === 0);
      stride *= 2;
    },
    points: () => (latest === null ? [...kept] : [...kept, latest]),
    state: () => ({ stride, kept: [...kept], latest }),
  };
}
