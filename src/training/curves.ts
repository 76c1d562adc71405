/** What training records about its steps and epochs. */
import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { internal } from '../core/assert.ts';
import { countedCurves, isCountedTask, lossCurves, severalCurves } from '../measurements/metrics.ts';
import type {
  CountedCurves,
  CountedTask,
  LossCurves,
  SeveralCurves,
  Task,
  TrainCurves,
} from '../measurements/metrics.ts';
import { lossNames, lossNamesOf } from '../passes/index.ts';
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

/** One output of several. */
export interface CountedOutput {
  readonly name: string;
  readonly task: Task;
  /** Answers of an example: one, or one for each of its pixels. */
  readonly answers: number;
}

interface TrainingSize {
  /** Answers per step over all replicas: one for each example, or for each of its pixels. */
  readonly answers: number;
  /** Examples per step over all replicas. */
  readonly examples: number;
  readonly replicas: number;
}

const countedState = Type.Object({
  ...countedCurves,
  history: sampledSchema(countedCurves.history.items),
  /** Answers of the epoch so far. */
  ...{ correct: Type.Number({ minimum: 0 }), given: Type.Integer({ minimum: 0 }) },
});
const lossState = Type.Object({ ...lossCurves, history: sampledSchema(lossCurves.history.items) });

const severalState = Type.Object({
  ...severalCurves,
  history: sampledSchema(severalCurves.history.items),
  sums: Type.Array(
    Type.Object({ loss: Type.Number(), correct: Type.Number({ minimum: 0 }), steps: Type.Integer({ minimum: 0 }) }),
    { description: 'by output, over the steps of the epoch so far' },
  ),
});

/** What was recorded so far. */
export const curveStateSchema = Type.Union([countedState, lossState, severalState]);
export type CurveState = Static<typeof curveStateSchema>;

const historyPoints = 400;

/**
 * @param task of the network, or its outputs where it has several
 * @param from of the same task; left out at the start of a training
 */
export function curveRecorder(
  task: Task | readonly CountedOutput[],
  size: TrainingSize,
  from?: CurveState,
): CurveRecorder {
  if (typeof task !== 'string')
    return severalRecorder(task, size, from !== undefined && 'sums' in from ? from : undefined);
  if (isCountedTask(task))
    return countedRecorder(task, size, from !== undefined && 'correct' in from ? from : undefined);
  return lossRecorder(task, from !== undefined && !('correct' in from || 'sums' in from) ? from : undefined);
}

function countedRecorder(
  task: CountedTask,
  { answers, replicas }: Pick<TrainingSize, 'answers' | 'replicas'>,
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

function severalRecorder(
  outputs: readonly CountedOutput[],
  { examples, replicas }: TrainingSize,
  from: Static<typeof severalState> | undefined,
): CurveRecorder {
  const history = sampler<LossPoint>(historyPoints, from?.history);
  const epochs: SeveralCurves['epochs'] = [...(from?.epochs ?? [])];
  const none = () => outputs.map(() => ({ loss: 0, correct: 0, steps: 0 }));
  let sums = from?.sums ?? none();
  const accuracyOf = (output: CountedOutput, { correct, steps }: (typeof sums)[number]): number | null =>
    isCountedTask(output.task) ? correct / (steps * examples * output.answers) : null;
  return {
    step(point, result) {
      history.offer(point);
      sums = outputs.map(({ name, task }, index) => {
        const { loss = 0, correct = 0, steps = 0 } = sums[index] ?? {};
        const names = lossNamesOf(name);
        // A mean over replicas of counts per replica.
        const right = isCountedTask(task) ? scalar(result, names.top1) * replicas : 0;
        return { loss: loss + scalar(result, names.loss), correct: correct + right, steps: steps + 1 };
      });
    },
    means: () => named('validation_loss', epochs.at(-1)?.validationLoss),
    endEpoch(epoch, validation) {
      const found = outputs.map((output, index) => {
        const sum = sums[index] ?? internal('an output without a sum');
        const validated = validation?.outputs?.[index];
        return {
          ...{ name: output.name, trainLoss: sum.loss / sum.steps, trainAccuracy: accuracyOf(output, sum) },
          ...{ validationLoss: validated?.loss ?? null, validationShare: validated?.share ?? null },
        };
      });
      epochs.push({ ...epoch, outputs: found });
      sums = none();
    },
    curves: () => ({ task: 'several', history: history.points(), epochs }),
    state: () => ({ task: 'several', history: history.state(), epochs: [...epochs], sums }),
  };
}

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
  if ('outputs' in epoch) {
    const { validationLoss, outputs } = epoch;
    const each = outputs.map(({ name, validationLoss: loss, validationShare: rate, trainLoss }) => {
      const shown = rate === null ? (loss ?? trainLoss).toFixed(4) : percent(rate);
      return `${name} ${shown}`;
    });
    return `${validation(validationLoss?.toFixed(4))} (${each.join(', ')})`;
  }
  const { validationScore, validationLoss } = epoch;
  return validation(validationScore == null ? validationLoss?.toFixed(4) : percent(validationScore));
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

/** A value that every step gives. */
export function scalar(result: StepResult, name: string): number {
  return result.get(name)?.[0] ?? internal(`the engine gave no "${name}"`);
}
