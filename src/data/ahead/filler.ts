/** Which examples a step reads, and how they become its feeds. */
import type { Augmentation, Vary } from '../augment.ts';
import { augmentEpoch } from '../augment.ts';
import type { Normalization } from '../batches.ts';
import { answersOf, batchWriter, epochOrder } from '../batches.ts';
import type { ImageShape, Split } from '../dataset.ts';

/** All that decides the batches of a training. Plain data, so that a thread can be told of it. */
export interface BatchPlan {
  readonly split: Split;
  readonly shape: ImageShape;
  readonly batch: number;
  /** Steps of an epoch. */
  readonly perEpoch: number;
  readonly seed: number;
  readonly normalize: Normalization;
  readonly augment: Augmentation;
}

/** The feeds of one step. */
export interface Batch {
  /** [batch, height, width, channels] */
  readonly inputs: Float32Array;
  /** The columns that examples have, one behind the other; see `answerSections`. */
  readonly answers: Float32Array;
}

/** Bytes of the arrays of a batch. */
export function batchBytes({ split, batch }: BatchPlan): { readonly inputs: number; readonly answers: number } {
  return { inputs: 4 * batch * split.inputs.size, answers: 4 * batch * answersOf(split) };
}

/** Writes the batch of any step; what is drawn for an epoch is kept until another one is asked for. */
export function batchFiller(plan: BatchPlan): (step: number, out: Batch) => void {
  const { split, shape, batch, perEpoch, seed, normalize, augment } = plan;
  const fill = batchWriter(split, normalize);
  let current: { epoch: number; order: Uint32Array; vary: Vary } | null = null;
  return (step, { inputs, answers }) => {
    const epoch = Math.floor(step / perEpoch);
    if (current?.epoch !== epoch) {
      current = {
        epoch,
        order: epochOrder(split.count, seed, epoch),
        vary: augmentEpoch(split, seed, epoch, augment, shape),
      };
    }
    fill(current.order, (step % perEpoch) * batch, batch, inputs, answers, current.vary);
  };
}
