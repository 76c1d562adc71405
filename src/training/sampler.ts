export interface Sampler<Point> {
  readonly offer: (step: number, point: Point) => void;
  readonly points: () => Point[];
}

/** Keeps about `wanted` of the points offered over the steps, evenly, the first and the last always. */
export function sampler<Point>(totalSteps: number, wanted: number): Sampler<Point> {
  const stride = Math.max(1, Math.ceil(totalSteps / (wanted - 1)));
  const kept: Point[] = [];
  let latest: Point | null = null;
  return {
    offer(step, point) {
      latest = point;
      if ((step - 1) % stride === 0) {
        kept.push(point);
        latest = null;
      }
    },
    points: () => (latest === null ? kept : [...kept, latest]),
  };
}
