import { cosinePi } from '../core/math.ts';

export interface Schedule {
  readonly learningRate: number;
  readonly schedule: 'constant' | 'cosine';
  /** Share of the steps in which the rate rises from 0, linearly. */
  readonly warmup: number;
}

/** The learning rate of a step, counted from 0; the last step of a cosine is above 0. */
export function learningRateAt(schedule: Schedule, step: number, totalSteps: number): number {
  const warmupSteps = Math.round(schedule.warmup * totalSteps);
  if (step < warmupSteps) return (schedule.learningRate * (step + 1)) / warmupSteps;
  switch (schedule.schedule) {
    case 'constant':
      return schedule.learningRate;
    case 'cosine':
      return (schedule.learningRate / 2) * (1 + cosinePi((step - warmupSteps) / (totalSteps - warmupSteps)));
  }
}
