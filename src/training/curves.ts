/** What training records about its steps and epochs. */
import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { internal } from '../core/assert.ts';
import { countedCurves, isCountedTask, lossCurves } from '../measurements/metrics.ts';
import type { CountedCurves, CountedTask, LossCurves, Task, TrainCurves } from '../measurements/metrics.ts';
import { lossNames } from '../passes/index.ts';
import type { Validation } from '../tasks/define.ts';
import { sampledSchema, sampler } from './sampler.ts';

type LossPoint = LossCurves['history'][number];
type LossEpoch = Omit<LossCurves['epochs'][number], 'validationScore'>;

/** What one step gave, by name. */
export type StepResult = ReadonlyMap<string, Float32Array>;

export interface CurveRecorder {
  readonly step: (point: LossPoint, result: StepResult) => void;
  /** For the progress line, beside the loss: means over the epoch so far, and the validation of the last epoch. */
  readonly means: () => { readonly [name: string]: number };
  readonly endEpoch: (epoch: LossEpoch, validation: Validation | null) => void;
  readonly curves: () => TrainCurves;
  readonly state: () => CurveState;
}

interface TrainingSize {
  /** Answers per step over all replicas: one for each example, or for each of its pixels. */
  readonly answers: number;
  readonly replicas: number;
}

const countedState = Type.Object({
  ...countedCurves,
  history: sampledSchema(countedCurves.history.items),
  /** Answers of the epoch so far. */
  ...{ correct: Type.Number({ minimum: 0 }), given: Type.Integer({ minimum: 0 }) },
});
const lossState = Type.Object({ ...lossCurves, history: sampledSchema(lossCurves.history.items) });

/** What was recorded so far. */
export const curveStateSchema = Type.Union([countedState, lossState]);
export type CurveState = Static<typeof curveStateSchema>;

const historyPoints = 400;

/** @param from of the same task; left out at the start of a training */
export function curveRecorder(task: Task, size: TrainingSize, from?: CurveState): CurveRecorder {
  if (isCountedTask(task))
    return countedRecorder(task, size, from !== undefined && 'correct' in from ? from : undefined);
  return lossRecorder(task, from !== undefined && !('correct' in from) ? from : undefined);
}

function countedRecorder(
  task: CountedTask,
  { answers, replicas }: TrainingSize,
  from: Static<typeof countedState> | undefined,
): CurveRecorder {
  const history = sampler<CountedCurves['history'][number]>(historyPoints, from?.history);
  const epochs: CountedCurves['epochs'] = [...(from?.epochs ?? [])];
  let { correct, given } = from ?? { correct: 0, given: 0 };
  return {
    step(point, result) {
      // A mean over replicas of counts per replica.
      const right = scalar(result, lossNames.top1) * replicas;
      correct += right;
      given += answers;
      history.offer({ ...point, accuracy: right / answers });
    },
    means: () => ({ accuracy: correct / given, ...named('validation_accuracy', epochs.at(-1)?.validationAccuracy) }),
    endEpoch(epoch, validation) {
      const trainAccuracy = correct / given;
      [correct, given] = [0, 0];
      epochs.push({ ...epoch, trainAccuracy, validationAccuracy: validation?.share ?? null });
    },
    curves: () => ({ task, history: history.points(), epochs }),
    state: () => ({ task, history: history.state(), epochs: [...epochs], correct, given }),
  };
}

function lossRecorder(task: LossCurves['task'], from: Static<typeof lossState> | undefined): CurveRecorder {
  const history = sampler<LossPoint>(historyPoints, from?.history);
  const epochs: LossCurves['epochs'] = [...(from?.epochs ?? [])];
  return {
    step: (point) => history.offer(point),
    means() {
      const { validationScore, validationLoss } = epochs.at(-1) ?? {};
      return validationScore == null
        ? named('validation_loss', validationLoss)
        : named('validation_score', validationScore);
    },
    endEpoch(epoch, validation) {
      const share = validation?.share ?? null;
      epochs.push({ ...epoch, ...(share === null ? {} : { validationScore: share }) });
    },
    curves: () => ({ task, history: history.points(), epochs }),
    state: () => ({ task, history: history.state(), epochs: [...epochs] }),
  };
}

const named = (name: string, value: number | null | undefined): { readonly [name: string]: number } =>
  value == null ? {} : { [name]: value };

/** The last epoch in words. */
export function epochText({ epochs }: TrainCurves, numEpochs: number): string {
  const last = epochs.at(-1) ?? internal('no epoch has ended');
  const { epoch, trainLoss, seconds } = last;
  return `epoch ${epoch}/${numEpochs}: loss ${trainLoss.toFixed(4)}${qualityText(last)} in ${seconds.toFixed(1)} s`;
}

function qualityText(epoch: TrainCurves['epochs'][number]): string {
  const validation = (value: string | undefined): string => (value === undefined ? '' : `, validation ${value}`);
  if ('trainAccuracy' in epoch) {
    const { trainAccuracy, validationAccuracy } = epoch;
    const validated = validationAccuracy === null ? undefined : percent(validationAccuracy);
    return `, accuracy ${percent(trainAccuracy)}${validation(validated)}`;
  }
  const { validationScore, validationLoss } = epoch;
  return validation(validationScore == null ? validationLoss?.toFixed(4) : percent(validationScore));
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

/** A value that every step gives. */
export function scalar(result: StepResult, name: string): number {
  return result.get(name)?.[0] ?? internal(`the engine gave no "${name}"`);
}
