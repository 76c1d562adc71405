/** What training records about its steps and epochs, by task. */
import { internal, unreachable } from '../core/assert.ts';
import type { Task } from '../models/layers.ts';
import { lossNames } from '../passes/index.ts';
import type { TrainCurves } from '../measurements/metrics.ts';
import { sampler } from './sampler.ts';
import type { Validation } from './validation.ts';

type CurvesOf<T extends Task> = Extract<TrainCurves, { readonly task: T }>;
type LossPoint = CurvesOf<'reconstruct'>['history'][number];
type LossEpoch = CurvesOf<'reconstruct'>['epochs'][number];

/** What one step gave, by name. */
export type StepResult = ReadonlyMap<string, Float32Array>;

export interface CurveRecorder {
  readonly step: (point: LossPoint, result: StepResult) => void;
  /** Means over the epoch so far, for the progress line, beside the loss. */
  readonly means: () => { readonly [name: string]: number };
  readonly endEpoch: (epoch: LossEpoch, validation: Validation | null) => void;
  readonly curves: () => TrainCurves;
}

interface TrainingSize {
  /** Images per step over all replicas. */
  readonly batch: number;
  readonly replicas: number;
  readonly totalSteps: number;
}

const historyPoints = 400;

export function curveRecorder(task: Task, size: TrainingSize): CurveRecorder {
  switch (task) {
    case 'classify':
      return classifyRecorder(size);
    case 'regress':
    case 'reconstruct':
      return lossRecorder(task, size);
    default:
      return unreachable(task);
  }
}

function classifyRecorder({ batch, replicas, totalSteps }: TrainingSize): CurveRecorder {
  const history = sampler<CurvesOf<'classify'>['history'][number]>(totalSteps, historyPoints);
  const epochs: CurvesOf<'classify'>['epochs'] = [];
  let [correct, images] = [0, 0];
  return {
    step(point, result) {
      // A mean over replicas of counts per replica.
      const right = scalar(result, lossNames.top1) * replicas;
      correct += right;
      images += batch;
      history.offer(point.step, { ...point, accuracy: right / batch });
    },
    means: () => ({ accuracy: correct / images }),
    endEpoch(epoch, validation) {
      if (validation !== null && validation.task !== 'classify') internal(`validation of a ${validation.task} task`);
      const trainAccuracy = correct / images;
      [correct, images] = [0, 0];
      epochs.push({ ...epoch, trainAccuracy, validationAccuracy: validation?.accuracy ?? null });
    },
    curves: () => ({ task: 'classify', history: history.points(), epochs }),
  };
}

function lossRecorder(task: 'regress' | 'reconstruct', { totalSteps }: TrainingSize): CurveRecorder {
  const history = sampler<LossPoint>(totalSteps, historyPoints);
  const epochs: LossEpoch[] = [];
  return {
    step: (point) => history.offer(point.step, point),
    means: () => ({}),
    endEpoch: (epoch) => void epochs.push(epoch),
    curves: () => ({ task, history: history.points(), epochs }),
  };
}

/** The last epoch in words. */
export function epochText(curves: TrainCurves, numEpochs: number): string {
  const { epoch, trainLoss, seconds } = curves.epochs.at(-1) ?? internal('no epoch has ended');
  return `epoch ${epoch}/${numEpochs}: loss ${trainLoss.toFixed(4)}${qualityText(curves)} in ${seconds.toFixed(1)} s`;
}

function qualityText(curves: TrainCurves): string {
  const validation = (value: string | undefined): string => (value === undefined ? '' : `, validation ${value}`);
  switch (curves.task) {
    case 'classify': {
      const { trainAccuracy = 0, validationAccuracy = null } = curves.epochs.at(-1) ?? {};
      const validated = validationAccuracy === null ? undefined : percent(validationAccuracy);
      return `, accuracy ${percent(trainAccuracy)}${validation(validated)}`;
    }
    case 'regress':
    case 'reconstruct':
      return validation(curves.epochs.at(-1)?.validationLoss?.toFixed(4));
    default:
      return unreachable(curves);
  }
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

/** A value that every step gives. */
export function scalar(result: StepResult, name: string): number {
  return result.get(name)?.[0] ?? internal(`the engine gave no "${name}"`);
}
