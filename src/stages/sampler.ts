/** Keeps about `wanted` of the points offered over the steps, evenly, the first and the last always. */
export function sampler<Point>(totalSteps: number, wanted: number) {
  const stride = Math.max(1, Math.ceil(totalSteps / (wanted - 1)));
  const kept: Point[] = [];
  let latest: Point | null = null;
  return {
    offer(step: number, point: Point): void {
      latest = point;
      if ((step - 1) % stride === 0) {
        kept.push(point);
        latest = null;
      }
    },
    points: (): Point[] => (latest === null ? kept : [...kept, latest]),
  };
}
