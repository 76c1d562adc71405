import { isCounted } from '../measurements/metrics.ts';
import type { ClassifyTest, CountedTrain, TrainMetrics } from '../measurements/metrics.ts';
import type { Learned } from './faults.ts';
import { chainOf } from './lines-of-stages.ts';

interface Stage {
  readonly name: string;
  readonly reads: readonly string[];
}

interface Training {
  readonly stage: string;
  readonly metrics: TrainMetrics;
}

/** What the network that a stage tests had learned: the float one where it is tested too, else that of the QAT. */
export function learnedBefore(
  name: string,
  metrics: ClassifyTest,
  stages: readonly Stage[],
  trainings: readonly Training[],
): Learned | null {
  const before = new Set(chainOf(stages, name));
  const counted = trainings.flatMap(({ stage, metrics: one }) => (before.has(stage) && isCounted(one) ? [one] : []));
  const { float, qat_float: qatFloat } = metrics.accuracy;
  const trained = counted.findLast(({ level }) => level === (float === null ? 'qat' : 'float'));
  const tested = float ?? qatFloat;
  const epoch = trained === undefined ? undefined : keptEpoch(trained);
  if (epoch === undefined || tested === null) return null;
  const sizes = metrics.confusion.map((row) => row.reduce((sum, count) => sum + count, 0));
  return {
    training: epoch.trainAccuracy,
    validation: epoch.validationAccuracy,
    test: tested.top1,
    examples: tested.n,
    guessing: tested.n === 0 ? 0 : Math.max(0, ...sizes) / tested.n,
  };
}

function keptEpoch({ epochs, bestEpoch }: CountedTrain): CountedTrain['epochs'][number] | undefined {
  return epochs.find(({ epoch }) => epoch === bestEpoch) ?? epochs.at(-1);
}
