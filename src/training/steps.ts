/** Steps of one epoch: a last incomplete batch is left out. */
export function stepsPerEpoch(trainingImages: number, batch: number): number {
  return Math.floor(trainingImages / batch);
}

/**
 * The first epoch, counted from 1, that is quantized from its first step on.
 *
 * @param delay the first step, counted from 1, that is quantized; 0 is as good as 1
 */
export function firstQuantizedEpoch(delay: number, stepsPerEpoch: number): number {
  return 1 + Math.ceil(Math.max(delay - 1, 0) / stepsPerEpoch);
}
