import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import type { UserError } from '../core/diagnostic.ts';
import { userError } from '../core/diagnostic.ts';

/** Follows the loss, and ends a training that cannot recover. */
export interface LossWatch {
  /**
   * @param step counted from 1
   * @param suspect a value of the network that is not finite in this step, if one is known
   * @throws UserError when the loss is not finite
   */
  readonly step: (step: number, loss: number, suspect: string | null) => void;
  /** Mean of the epoch so far. */
  readonly mean: () => number;
  /**
   * Before the epoch ends.
   *
   * @throws UserError when the loss is far too high and does not fall
   */
  readonly judge: (epoch: number) => void;
  /**
   * @returns the mean of the epoch
   * @throws UserError as `judge`
   */
  readonly endEpoch: (epoch: number) => number;
  readonly state: () => LossWatchState;
}

const knownLoss = Type.Union([Type.Number(), Type.Null()]);

/** What it has seen; null stands for no loss yet. */
export const lossWatchSchema = Type.Object({
  losses: Type.Array(Type.Number(), { description: 'of the epoch so far, float32' }),
  last: knownLoss,
  start: knownLoss,
  previousEnd: knownLoss,
});
export type LossWatchState = Static<typeof lossWatchSchema>;

/** A loss this many times that of a constant answer is far too high, unless it falls. */
const hopelessFactor = 10;

/**
 * @param ignorantLoss the loss of knowing nothing, see `ignorantLoss`
 * @param from left out at the start of a training
 */
export function watchLoss(dataset: string, ignorantLoss: number, from?: LossWatchState): LossWatch {
  let losses = [...(from?.losses ?? [])];
  let last = from?.last ?? Infinity;
  /** Means over half an epoch: what the loss of a later epoch may be below. */
  let [start, previousEnd] = [from?.start ?? Infinity, from?.previousEnd ?? Infinity];
  const halves = (): { begin: number; end: number } => {
    const half = losses.length / 2;
    return { begin: meanOf(losses.slice(0, Math.ceil(half))), end: meanOf(losses.slice(Math.floor(half))) };
  };
  const judge = (epoch: number): void => {
    const { begin, end } = halves();
    // A slow decrease is noisy: one epoch may not show it. The first epoch has none before it.
    const falls = [begin, previousEnd, start].some((before) => end < before);
    if (end > hopelessFactor * ignorantLoss && !falls) throw hopeless(dataset, epoch, end, previousEnd, ignorantLoss);
  };
  return {
    step(step, loss, suspect) {
      if (!Number.isFinite(loss)) throw notFinite(dataset, step, loss, last, suspect);
      last = loss;
      losses.push(loss);
    },
    mean: () => meanOf(losses),
    judge,
    endEpoch(epoch) {
      judge(epoch);
      const { begin, end } = halves();
      const mean = meanOf(losses);
      if (epoch === 1) start = begin;
      [losses, previousEnd] = [[], end];
      return mean;
    },
    state: () => ({ losses: [...losses], last: known(last), start: known(start), previousEnd: known(previousEnd) }),
  };
}

const known = (loss: number): number | null => (Number.isFinite(loss) ? loss : null);

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const short = (loss: number): string => String(Number(loss.toPrecision(4)));

const remedy = 'lower the learning rate, or warm it up; when training QAT from scratch, set a delay';

function notFinite(dataset: string, step: number, loss: number, before: number, suspect: string | null): UserError {
  const where = suspect === null ? '' : `, where \`${suspect}\` is not finite`;
  const message = `the loss is ${loss} at step ${step}${where}`;
  if (step === 1) {
    const hint = 'no weight has changed yet: check `data.normalize` and the weights that the stage starts from';
    return userError(dataset, 'training-diverged', message, hint);
  }
  return userError(dataset, 'training-diverged', `${message}; it was ${short(before)} at step ${step - 1}`, remedy);
}

function hopeless(dataset: string, epoch: number, end: number, before: number, ignorantLoss: number): UserError {
  const message =
    `the loss does not fall: its mean over the second half of epoch ${epoch} is ${short(end)}, after ${short(before)} ` +
    `in epoch ${epoch - 1}; a network that has learned nothing has ${short(ignorantLoss)}`;
  return userError(dataset, 'training-diverged', message, remedy);
}
