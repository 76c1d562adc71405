import { cosinePi } from '../core/math.ts';

export interface Schedule {
  readonly learningRate: number;
  readonly schedule: 'constant' | 'cosine';
  /** Fraction of the steps over which the rate rises linearly from 0. */
  readonly warmup: number;
  /** The rate in place of `learningRate` from this step on, counted from 1; null keeps it. */
  readonly change: { readonly step: number; readonly learningRate: number } | null;
}

/** The learning rate of a step, counted from 0; the last step of a cosine is above 0. */
export function learningRateAt(schedule: Schedule, step: number, totalSteps: number): number {
  const { change } = schedule;
  const learningRate = change !== null && step + 1 >= change.step ? change.learningRate : schedule.learningRate;
  const warmupSteps = Math.round(schedule.warmup * totalSteps);
  if (step < warmupSteps) return (learningRate * (step + 1)) / warmupSteps;
  switch (schedule.schedule) {
    case 'constant':
      return learningRate;
    case 'cosine':
      return (learningRate / 2) * (1 + cosinePi((step - warmupSteps) / (totalSteps - warmupSteps)));
  }
}
