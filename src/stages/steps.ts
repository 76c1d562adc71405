/** Steps of one epoch: a last incomplete batch is left out. */
export function stepsPerEpoch(trainingImages: number, batch: number): number {
  return Math.floor(trainingImages / batch);
}
